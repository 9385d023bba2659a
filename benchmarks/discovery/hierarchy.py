"""Check whether residence in a city, a state and a country are siblings in the tree of clusters.

    python -m benchmarks.discovery.hierarchy [--seeds 0 1 2 3 4]

On the embedded corpus (train), with h of the default recipe's encoder before any training. A
cluster counts as that of the relation that most of its examples have; of several, the largest one
counts. Strangers are the clusters of other relations below the lowest node that holds the three:
siblings have none. Where one of the three has no cluster, the question does not arise. The tree of
this package (words between the mentions) stands beside Ward's on the whole of h.
"""

from collections import Counter

import numpy as np
from sklearn.preprocessing import normalize

from modeling_siamure.clustering import consensus
from modeling_siamure.clustering.hierarchy import relation_tree, siblings
from modeling_siamure.data_collator import type_pairs

from ..corpora import load, untrained_embeddings
from ..runs import BenchmarkParser, write_report

RESIDENCE = ("city_of_residence", "state_of_residence", "country_of_residence")


def count_strangers(tree: np.ndarray, majority: list[str], counts: list[int]) -> int | None:
    """Count the clusters of other relations between those of residence.

    Args:
        tree: Output of `relation_tree`.
        majority: The relation of each cluster.
        counts: Examples of that relation in each cluster.

    Returns:
        The number; `None` where one of the three has no cluster.
    """
    clusters_of = {
        name: [cluster for cluster, other in enumerate(majority) if other == name]
        for name in RESIDENCE
    }
    if not all(clusters_of.values()):
        return None
    largest = [
        max(clusters, key=lambda cluster: counts[cluster]) for clusters in clusters_of.values()
    ]
    return sum(majority[cluster] not in RESIDENCE for cluster in siblings(tree, largest))


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_seeds([0, 1, 2, 3, 4])
    parser.add_argument("--num_clusters", type=int, nargs="+", default=[19, 25, 35, 50])
    args = parser.parse_args()
    examples = load("sample", None)
    gold = np.array(examples["relation"])
    pairs = type_pairs(examples)
    h = untrained_embeddings(examples, args.work_dir / "embeddings" / "sample.npy")
    context_sizes = {"words between": h.shape[1] // 3, "whole h": 0}
    names, labels = np.unique(gold, return_inverse=True)
    normalized = normalize(h)
    by_gold = np.stack([normalized[labels == label].mean(axis=0) for label in range(len(names))])
    results: dict[int | str, dict[str, list[int | None]]] = {"gold": {}}
    for name, context_size in context_sizes.items():
        strangers = count_strangers(
            relation_tree(by_gold, context_size), names.tolist(), np.bincount(labels)
        )
        results["gold"][name] = [strangers]
    for number in args.num_clusters:
        results[number] = {name: [] for name in context_sizes}
        for seed in args.seeds:
            clusters = consensus(h, number, seed, pairs, h.shape[1] // 3)
            most_common = [
                Counter(gold[clusters.labels == cluster]).most_common(1)[0]
                for cluster in range(number)
            ]
            majority = [relation for relation, _ in most_common]
            counts = [count for _, count in most_common]
            for name, context_size in context_sizes.items():
                tree = relation_tree(clusters.centroids, context_size)
                results[number][name].append(count_strangers(tree, majority, counts))
    columns = " | ".join(f"strangers, {name}" for name in context_sizes)
    lines = [f"| clusters | {columns} |", "|---|---|---|"]
    for number, by_tree in results.items():
        cells = [
            ", ".join("-" if count is None else str(count) for count in counts)
            for counts in by_tree.values()
        ]
        lines.append(f"| {number} | {' | '.join(cells)} |")
    write_report(args, "discovery/hierarchy", {"strangers": results}, "\n".join(lines))


if __name__ == "__main__":
    main()

"""Compare clusterings of h before any training: k-means, Ward, consensus, parts of type pairs.

    python -m benchmarks.discovery.clusterings --data_root DATA [--seeds 0 1]

Chosen on these corpora while looking at their gold relations, so none of them is a clean test. A
seed draws the examples.
"""

from collections.abc import Callable

import numpy as np
from sklearn.preprocessing import normalize

from modeling_siamure.clustering import Clusters, assign, consensus, kmeans, ward
from modeling_siamure.clustering.partitions import centroids_of, count_micro_clusters
from modeling_siamure.clustering.type_pairs import (
    divide_type_pairs,
    neighbor_agreement_beyond_types,
)
from modeling_siamure.data_collator import type_pairs

from ..corpora import draw, load, untrained_embeddings
from ..runs import BenchmarkParser, metric, score_table, write_report

# Of Re-DocRED: as many as type pairs, between, and as many as relations.
NUM_CLUSTERS = {"sample": [19], "fewrel": [16], "redocred": [23, 40, 87]}
Scores = dict[str, float]


def clusterings(
    embeddings: np.ndarray, num_clusters: int, seed: int, pairs: np.ndarray | None
) -> dict[str, Callable[[], Clusters]]:
    """Return what makes each clustering, by its name in the table.

    Args:
        embeddings: h, `(examples, size)`.
        num_clusters: How many clusters.
        seed: Of the clustering.
        pairs: Type pair of each example; `None` without types.
    """
    normalized = normalize(embeddings)

    def divide(context_size: int) -> Clusters:
        labels = divide_type_pairs(normalized, pairs, num_clusters, context_size, seed)
        centroids = centroids_of(normalized, labels)
        return Clusters(assign(embeddings, centroids), centroids, "parts of type pairs")

    methods = {
        "k-means": lambda: kmeans(embeddings, num_clusters, seed),
        "Ward": lambda: ward(embeddings, num_clusters, seed),
        "Ward on small clusters": lambda: ward(
            embeddings, num_clusters, seed, count_micro_clusters(num_clusters)
        ),
        "consensus of heads": lambda: consensus(embeddings, num_clusters, seed),
    }
    if pairs is not None:
        methods["parts of type pairs, by linkage"] = lambda: divide(0)
        methods["parts of type pairs"] = lambda: divide(normalized.shape[1] // 3)
    return methods


def compare(
    embeddings: np.ndarray,
    gold: np.ndarray,
    pairs: np.ndarray | None,
    num_clusters: int,
    seed: int,
) -> dict[str, Scores]:
    """Score each clustering of a draw."""
    scores = {}
    if pairs is not None:
        scores["one cluster per type pair"] = metric().compute(predictions=pairs, references=gold)
    for title, cluster in clusterings(embeddings, num_clusters, seed, pairs).items():
        scores[title] = metric().compute(predictions=cluster().labels, references=gold)
    return scores


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_data_root()
    parser.add_seeds([0, 1])
    parser.add_argument("--rows", type=int, default=2000)
    args = parser.parse_args()
    results: dict[str, dict[str, list[Scores]]] = {}
    agreements: dict[str, list[float]] = {}
    for name, numbers in NUM_CLUSTERS.items():
        corpus = load(name, args.data_root)
        for seed in args.seeds:
            examples = draw(corpus, args.rows, seed)
            cache = args.work_dir / "embeddings" / f"{name}-{args.rows}-seed-{seed}.npy"
            embeddings = untrained_embeddings(examples, cache)
            pairs = type_pairs(examples)
            gold = np.array(examples["relation"])
            groups = np.zeros(len(examples)) if pairs is None else pairs
            for number in numbers:
                title = f"**{name}**, {number} clusters"
                agreement = neighbor_agreement_beyond_types(embeddings, number, groups, seed)
                agreements.setdefault(title, []).append(agreement)
                scores = compare(embeddings, gold, pairs, number, seed)
                for method, values in scores.items():
                    results.setdefault(title, {}).setdefault(method, []).append(values)
    tables = []
    for title, by_method in results.items():
        agreement = ", ".join(f"{value:.2f}" for value in agreements[title])
        caption = f"{title}; neighbors agree beyond chance (and types): {agreement}"
        tables.append(f"{caption}\n\n{score_table(by_method)}")
    figures = {"agreement": agreements, "scores": results}
    write_report(args, "discovery/clusterings", figures, "\n\n".join(tables))


if __name__ == "__main__":
    main()

"""Whether residence in a city, a state and a country are siblings in the tree of the clusters that are found.

    python -m benchmarks.hierarchy --work_dir DIR [--seeds 0 1 2 3 4]

On the embedded corpus (train), with h of the default recipe's encoder before any training. A cluster counts as that of
the relation that most of its rows have; of several, the one with most rows. Strangers are the clusters of other
relations below the lowest node that holds the three: siblings have none. Where one of the three has no cluster, the
question does not arise. Beside the tree of this package (words between the mentions), Ward's on the whole of
h.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.preprocessing import normalize

from modeling_siamure import SiamUREConfig
from modeling_siamure.consensus import consensus
from modeling_siamure.evaluation import type_pairs
from modeling_siamure.hierarchy import relation_tree, siblings

from .corpora import load, untrained_embeddings
from .runs import write

RESIDENCE = ("city_of_residence", "state_of_residence", "country_of_residence")
NUMBERS = (19, 25, 35, 50)


def strangers(tree: np.ndarray, majority: list[str], counts: list[int]) -> int | None:
    """How many clusters of other relations stand between those of the three; `None` where one has no cluster."""
    own = {name: [c for c, other in enumerate(majority) if other == name] for name in RESIDENCE}
    if not all(own.values()):
        return None
    largest = [max(clusters, key=lambda c: counts[c]) for clusters in own.values()]
    return sum(majority[c] not in RESIDENCE for c in siblings(tree, largest))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work_dir", type=Path, required=True, help="Where embeddings are kept.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    rows = load("sample", None)
    gold = np.array(rows["relation"])
    embeddings = untrained_embeddings(rows, args.work_dir / "sample.npy")
    encoder = {"hidden_size": embeddings.shape[1] // 3, "num_attention_heads": 1}
    trees = {"words between": "marker_context", "whole h": "marker"}
    configs = {name: SiamUREConfig(encoder_config=encoder, pooling=pooling) for name, pooling in trees.items()}
    names, labels = np.unique(gold, return_inverse=True)
    by_gold = np.stack([normalize(embeddings)[labels == label].mean(axis=0) for label in range(len(names))])
    results = {"gold": {}}
    for name, config in configs.items():
        results["gold"][name] = [strangers(relation_tree(by_gold, config), names.tolist(), np.bincount(labels))]
    for number in NUMBERS:
        results[number] = {name: [] for name in configs}
        for seed in args.seeds:
            clusters = consensus(embeddings, number, seed, type_pairs(rows), embeddings.shape[1] // 3)
            top = [Counter(gold[clusters.labels == c]).most_common(1)[0] for c in range(number)]
            majority, counts = [name for name, _ in top], [count for _, count in top]
            for name, config in configs.items():
                results[number][name].append(strangers(relation_tree(clusters.centroids, config), majority, counts))
    lines = [f"| clusters | {' | '.join(f'strangers, {name}' for name in configs)} |", "|---|---|---|"]
    for number, found in results.items():
        cells = [", ".join("-" if count is None else str(count) for count in counts) for counts in found.values()]
        lines.append(f"| {number} | {' | '.join(cells)} |")
    write("hierarchy", {"seeds": args.seeds, "strangers": results}, "\n".join(lines))


if __name__ == "__main__":
    main()

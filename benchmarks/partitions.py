"""What partition of h is best before any training? k-means, Ward, the consensus of cluster heads, parts of type pairs.

python -m benchmarks.partitions --data_root DATA --work_dir DIR [--seeds 0 1]

Chosen on these corpora while looking at their gold relations, so none of them is a clean test. A seed draws the rows.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.preprocessing import normalize

from modeling_siamure.clustering import kmeans, ward
from modeling_siamure.consensus import agreement_beyond_types, complete, consensus, divide_type_pairs, start_leaves
from modeling_siamure.evaluation import type_pairs

from .corpora import draw, load, untrained_embeddings
from .paper_methods import metric
from .runs import argument_parser, summarize, write

ROWS = 2000
NUM_CLUSTERS = {"sample": [19], "fewrel": [16], "redocred": [23, 40, 87]}  # type pairs, between, and relations


def partitions(embeddings: np.ndarray, number: int, seed: int, pairs: np.ndarray | None) -> dict[str, Callable]:
    """What makes each partition of h `(rows, size)` into so many clusters, by its name in the table."""
    rows = normalize(embeddings)
    found = {
        "k-means": lambda: kmeans(embeddings, number, seed),
        "Ward": lambda: ward(embeddings, number, seed),
        "Ward on small clusters": lambda: ward(embeddings, number, seed, start_leaves(number)),
        "consensus of heads": lambda: consensus(embeddings, number, seed),
    }
    if pairs is not None:
        for title, size in {"parts of type pairs, by linkage": 0, "parts of type pairs": rows.shape[1] // 3}.items():
            found[title] = lambda size=size: complete(
                embeddings, rows, divide_type_pairs(rows, pairs, number, size, seed)
            )
    return found


def main():
    parser = argument_parser(__doc__)
    parser.set_defaults(seeds=[0, 1])
    parser.add_argument("--data_root", type=Path, required=True)
    args = parser.parse_args()
    tables, agreements = [], {}
    for name, numbers in NUM_CLUSTERS.items():
        results: dict[int, dict[str, list]] = {number: {} for number in numbers}
        corpus = load(name, args.data_root)
        for seed in args.seeds:
            rows = draw(corpus, ROWS, seed)
            embeddings = untrained_embeddings(rows, args.work_dir / f"{name}-{seed}.npy")
            pairs, gold = type_pairs(rows), np.array(rows["relation"])
            for number in numbers:
                groups = np.zeros(len(rows)) if pairs is None else pairs
                found = agreement_beyond_types(embeddings, number, groups, seed)
                agreements.setdefault(f"{name}, {number}", []).append(found)
                if pairs is not None:
                    scores = metric().compute(predictions=pairs, references=gold)
                    results[number].setdefault("one cluster per type pair", []).append(scores)
                for title, partition in partitions(embeddings, number, seed, pairs).items():
                    scores = metric().compute(predictions=partition().labels, references=gold)
                    results[number].setdefault(title, []).append(scores)
        for number, its in results.items():
            beyond = ", ".join(f"{value:.2f}" for value in agreements[f"{name}, {number}"])
            title = f"**{name}**, {number} clusters; neighbors agree beyond chance (and types): {beyond}"
            tables.append(f"{title}\n\n{summarize({title: ('', runs) for title, runs in its.items()})}")
    write("partitions", {"seeds": args.seeds, "rows": ROWS, "agreement": agreements}, "\n\n".join(tables))


if __name__ == "__main__":
    main()

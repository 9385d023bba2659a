"""Rows without a relation: how many of them stay unassigned, on Re-DocRED dev with unlabelled pairs mixed in.

    python -m benchmarks.rejection --data_root DATA --work_dir DIR [--rows 2500] [--seeds 0 1 2]

So many labelled pairs (of one label) and as many pairs that share a sentence and have no label, both drawn by seed 0.
h is that of the default recipe's encoder before any training. Precision: how many of the unassigned rows have no label;
recall: how many of those without a label are unassigned. Scores are those of the labelled rows: with all of them in
their nearest cluster, and with the assigned ones alone. The area under the curve is that of distance and of margin as
they are, without a threshold: 50 is chance.
"""

import argparse
from pathlib import Path
from statistics import mean, stdev

import evaluate
import numpy as np
from datasets import concatenate_datasets
from sklearn.metrics import roc_auc_score

from modeling_siamure.assignment import Rejection, assign_rows, fit_rejection
from modeling_siamure.consensus import consensus
from modeling_siamure.evaluation import type_pairs
from modeling_siamure.model_card import SCORES

from .corpora import draw, load, negatives, untrained_embeddings
from .runs import REPOSITORY, write


def measure(
    embeddings: np.ndarray, gold: np.ndarray, pairs: np.ndarray, number: int, seed: int, metric
) -> dict[str, float]:
    clusters = consensus(embeddings, number, seed, pairs, embeddings.shape[1] // 3)
    has_none = gold == "no relation"
    found = assign_rows(embeddings, clusters.centroids)
    rejection = fit_rejection(embeddings, found, number, seed)
    rejected = rejection.label(found) < 0
    far = Rejection(rejection.max_distances, 0.0).label(found) < 0
    results = {
        "unassigned": rejected.mean(),
        "precision": has_none[rejected].mean(),
        "recall": rejected[has_none].mean(),
        "unassigned for their distance": far.mean(),
        "precision of these": has_none[far].mean(),
        "area, distance": roc_auc_score(has_none, found.distances),
        "area, margin": roc_auc_score(has_none, -found.margins),
    }
    for name, rows in {"all": ~has_none, "assigned": ~has_none & ~rejected}.items():
        scores = metric.compute(predictions=found.clusters[rows], references=gold[rows])
        results |= {f"{score}, {name}": scores[key] for score, key in SCORES.items()}
    return {name: float(value) for name, value in results.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_root", type=Path, required=True)
    parser.add_argument("--work_dir", type=Path, required=True, help="Where embeddings are kept.")
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--num_clusters", type=int, nargs="+", default=[25, 95])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    parts = [load("redocred", args.data_root), negatives(args.data_root)]
    rows = concatenate_datasets([draw(part, args.rows) for part in parts])
    embeddings = untrained_embeddings(rows, args.work_dir / f"redocred-negatives-{args.rows}.npy")
    gold, metric = np.array(rows["relation"]), evaluate.load(str(REPOSITORY / "metrics" / "b_cubed"))
    results = {
        number: [measure(embeddings, gold, type_pairs(rows), number, seed, metric) for seed in args.seeds]
        for number in args.num_clusters
    }
    lines = [
        f"| percent | {' | '.join(f'{number} clusters' for number in results)} |",
        "|---|" + "---:|" * len(results),
    ]
    for name in results[args.num_clusters[0]][0]:
        cells = [[100 * run[name] for run in runs] for runs in results.values()]
        lines.append(f"| {name} | {' | '.join(f'{mean(cell):.1f} ± {stdev(cell):.1f}' for cell in cells)} |")
    write("rejection", {"rows": args.rows, "seeds": args.seeds, "results": results}, "\n".join(lines))


if __name__ == "__main__":
    main()

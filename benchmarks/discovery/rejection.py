"""Measure how many examples without a relation stay unassigned, on Re-DocRED dev.

    python -m benchmarks.discovery.rejection --data_root DATA [--rows 2500] [--seeds 0 1 2]

`--rows` labeled pairs (of one label) and as many pairs that share a sentence and have no label,
both drawn by seed 0. h is that of the default recipe's encoder before any training. Precision: how
many of the unassigned examples have no label; recall: how many of those without a label are
unassigned. Scores are those of the labeled examples: with all of them in their nearest cluster, and
with the assigned ones alone. The area under the curve is that of distance and of margin as they
are, without a threshold: 50 is chance.
"""

import numpy as np
from datasets import concatenate_datasets
from sklearn.metrics import roc_auc_score

from modeling_siamure.clustering import consensus
from modeling_siamure.clustering.assignment import RejectionRule, assign_rows, fit_rejection
from modeling_siamure.data_collator import type_pairs
from modeling_siamure.training.model_card import SCORES

from ..corpora import draw, load, load_negatives, untrained_embeddings
from ..runs import BenchmarkParser, format_scores, metric, write_report


def measure(
    embeddings: np.ndarray, gold: np.ndarray, pairs: np.ndarray, num_clusters: int, seed: int
) -> dict[str, float]:
    """Cluster by consensus, reject, and compare with the gold labels.

    Args:
        embeddings: h, `(examples, size)`.
        gold: Relation of each example, `"no relation"` where it has none.
        pairs: Type pair of each example.
        num_clusters: How many clusters.
        seed: Of clustering and thresholds.
    """
    clusters = consensus(embeddings, num_clusters, seed, pairs, embeddings.shape[1] // 3)
    has_none = gold == "no relation"
    rule = fit_rejection(embeddings, clusters.centroids, seed=seed)
    assignment = assign_rows(embeddings, clusters.centroids, rule=rule)
    is_rejected = assignment.labels < 0
    is_far = RejectionRule(rule.max_distances, 0.0).apply(assignment).labels < 0
    results = {
        "unassigned": is_rejected.mean(),
        "precision": has_none[is_rejected].mean(),
        "recall": is_rejected[has_none].mean(),
        "unassigned for their distance": is_far.mean(),
        "precision of these": has_none[is_far].mean(),
        "area, distance": roc_auc_score(has_none, assignment.distances),
        "area, margin": roc_auc_score(has_none, -assignment.margins),
    }
    for name, chosen in {"all": ~has_none, "assigned": ~has_none & ~is_rejected}.items():
        scores = metric().compute(predictions=assignment.clusters[chosen], references=gold[chosen])
        results |= {f"{score}, {name}": scores[key] for score, key in SCORES.items()}
    return {name: float(value) for name, value in results.items()}


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_data_root()
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--num_clusters", type=int, nargs="+", default=[25, 95])
    parser.add_seeds([0, 1, 2])
    args = parser.parse_args()
    parts = [load("redocred", args.data_root), load_negatives(args.data_root)]
    examples = concatenate_datasets([draw(part, args.rows) for part in parts])
    cache = args.work_dir / "embeddings" / f"redocred-negatives-{args.rows}.npy"
    embeddings = untrained_embeddings(examples, cache)
    gold = np.array(examples["relation"])
    pairs = type_pairs(examples)
    results = {
        number: [measure(embeddings, gold, pairs, number, seed) for seed in args.seeds]
        for number in args.num_clusters
    }
    columns = " | ".join(f"{number} clusters" for number in results)
    lines = [f"| percent | {columns} |", "|---|" + "---:|" * len(results)]
    for name in results[args.num_clusters[0]][0]:
        cells = [format_scores([run[name] for run in runs]) for runs in results.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    write_report(args, "discovery/rejection", {"results": results}, "\n".join(lines))


if __name__ == "__main__":
    main()

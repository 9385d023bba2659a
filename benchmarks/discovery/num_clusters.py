"""Compare the estimated number of clusters with the number of gold relations.

    python -m benchmarks.discovery.num_clusters --data_root DATA [--rows 2500] [--seeds 0 1 2]

DATA holds the folders fewrel, redocred and fire. h is that of the default recipe's encoder before
any training; the seed draws the examples that the estimate looks at, and their halves.
"""

import numpy as np

from modeling_siamure import estimate_num_clusters

from ..corpora import draw, load, untrained_embeddings
from ..runs import BenchmarkParser, write_report

CORPORA = ("sample", "fewrel", "redocred", "fire")
COLUMNS = (
    "corpus",
    "rows",
    "gold relations",
    "as many equal ones",
    "chosen, by seed",
    "candidates of the first seed",
)


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_data_root()
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_seeds([0, 1, 2])
    args = parser.parse_args()
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---:|---:|---:|---|---|"]
    results = {}
    for name in CORPORA:
        examples = draw(load(name, args.data_root), args.rows)
        cache = args.work_dir / "embeddings" / f"{name}-{args.rows}.npy"
        embeddings = untrained_embeddings(examples, cache)
        types = zip(examples["head_type"], examples["tail_type"], strict=True)
        pairs = np.array([f"{head} {tail}" for head, tail in types])
        estimates = [estimate_num_clusters(embeddings, pairs, seed) for seed in args.seeds]
        shares = np.unique(examples["relation"], return_counts=True)[1] / len(examples)
        effective = float(np.exp(-(shares * np.log(shares)).sum()))
        chosen = [estimate.chosen for estimate in estimates]
        candidates = estimates[0].candidates
        trials = [vars(trial) for trial in estimates[0].trials]
        results[name] = {
            "gold": len(shares),
            "effective": effective,
            "chosen": chosen,
            "candidates": candidates,
            "trials": trials,
        }
        cells = [
            name,
            str(len(examples)),
            str(len(shares)),
            f"{effective:.0f}",
            ", ".join(map(str, chosen)),
            ", ".join(map(str, candidates)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    write_report(args, "discovery/num_clusters", results, "\n".join(lines))


if __name__ == "__main__":
    main()

"""The estimated number of clusters against the number of gold relations.

    python -m benchmarks.num_clusters --data_root DATA --work_dir DIR [--rows 2500] [--seeds 0 1 2]

DATA holds the folders fewrel, redocred and fire. h is that of the default recipe's encoder before any training; the
seed draws the rows that the estimate looks at, and their halves.
"""

import argparse
from pathlib import Path

import numpy as np

from modeling_siamure.num_clusters import estimate_num_clusters

from .corpora import draw, load, untrained_embeddings
from .runs import write

CORPORA = ("sample", "fewrel", "redocred", "fire")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_root", type=Path, required=True)
    parser.add_argument("--work_dir", type=Path, required=True, help="Where embeddings are kept.")
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    lines = ["| corpus | rows | gold relations | as many equal ones | chosen, by seed | candidates of the first seed |"]
    lines.append("|---|---:|---:|---:|---|---|")
    results = {}
    for name in CORPORA:
        rows = draw(load(name, args.data_root), args.rows)
        embeddings = untrained_embeddings(rows, args.work_dir / f"{name}-{args.rows}.npy")
        pairs = np.array([f"{head} {tail}" for head, tail in zip(rows["head_type"], rows["tail_type"], strict=True)])
        found = [estimate_num_clusters(embeddings, pairs, seed) for seed in args.seeds]
        shares = np.unique(rows["relation"], return_counts=True)[1] / len(rows)
        effective = float(np.exp(-(shares * np.log(shares)).sum()))
        chosen = [estimate.chosen for estimate in found]
        candidates = ", ".join(map(str, found[0].candidates))
        shown = f"{len(shares)} | {effective:.0f} | {', '.join(map(str, chosen))} | {candidates}"
        lines.append(f"| {name} | {len(rows)} | {shown} |")
        results[name] = {
            "gold": len(shares),
            "effective": effective,
            "chosen": chosen,
            "candidates": found[0].candidates,
        }
        results[name]["trials"] = [{**vars(trial), "excess": trial.excess} for trial in found[0].trials]
        print(lines[-1], flush=True)
    write("num_clusters", {"rows": args.rows, "seeds": args.seeds, "corpora": results}, "\n".join(lines))


if __name__ == "__main__":
    main()

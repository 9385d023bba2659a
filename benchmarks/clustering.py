"""k-means of many rows: what the batches lose to the whole, and how long a million rows take.

    python -m benchmarks.clustering [--rows 100000] [--clusters 10 100 1000] [--restarts 1] [--large_rows 1000000]

The rows are jittered real embeddings. Inertia is the mean squared distance to the nearest centroid; both sides cluster
the same `--rows` rows, the whole from `--restarts` starts. `--large_rows` rows are clustered in batches alone.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from modeling_siamure import clustering
from modeling_siamure.clustering import Clusters, kmeans

from .jitter import jittered
from .runs import threads, write


def inertia(rows: np.ndarray, clusters: Clusters) -> float:
    total = 0.0
    for start in range(0, len(rows), 65536):
        part = slice(start, start + 65536)
        total += float(np.square(rows[part] - clusters.centroids[clusters.labels[part]]).sum())
    return total / len(rows)


def fit(rows: np.ndarray, num_clusters: int, restarts: int, full_rows: int) -> dict[str, float]:
    clustering.FULL_ROWS = full_rows
    wall, processor = time.perf_counter(), time.process_time()
    clusters = kmeans(rows, num_clusters, seed=0, num_restarts=restarts)
    seconds = {"seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - processor}
    return seconds | {"inertia": inertia(rows, clusters)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--clusters", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--restarts", type=int, default=1)
    parser.add_argument("--large_rows", type=int, default=1_000_000)
    args = parser.parse_args()
    lines = [
        "| clusters | whole, inertia | batches | loss | whole, processor s | batches | of whole | large, processor s |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    results = {}
    with tempfile.TemporaryDirectory() as folder, threads(torch.get_num_threads()):
        rows = jittered(args.rows, 768, Path(folder, "rows.npy"))
        large = jittered(args.large_rows, 768, Path(folder, "large.npy")) if args.large_rows else None
        for count in args.clusters:
            whole = fit(rows, count, args.restarts, full_rows=len(rows))
            batches = fit(rows, count, args.restarts, full_rows=0)
            results[count] = {"whole": whole, "batches": batches}
            cells = [f"{count}", f"{whole['inertia']:.4f}", f"{batches['inertia']:.4f}"]
            cells += [f"{batches['inertia'] / whole['inertia'] - 1:+.1%}"]
            cells += [f"{side['processor_seconds']:.1f}" for side in (whole, batches)]
            cells += [f"{batches['processor_seconds'] / whole['processor_seconds']:.2f}", "-"]
            if large is not None:
                results[count]["large"] = fit(large, count, args.restarts, full_rows=0)
                cells[-1] = f"{results[count]['large']['processor_seconds']:.1f}"
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    settings = {name: value for name, value in vars(args).items() if name != "clusters"}
    write("clustering", {**settings, "size": 768, "clusters": results}, "\n".join(lines))


if __name__ == "__main__":
    main()

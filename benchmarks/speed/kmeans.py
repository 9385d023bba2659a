"""Compare k-means batch by batch with k-means of all embeddings, and time it on a million.

    python -m benchmarks.speed.kmeans [--rows 100000] [--clusters 10 100 1000] [--restarts 1]

The embeddings are jittered real ones. Inertia is the mean squared distance to the nearest centroid;
both sides cluster the same `--rows` embeddings, the whole from `--restarts` starts. `--large_rows`
embeddings are clustered in batches alone.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch

from modeling_siamure.clustering import Clusters, kmeans

from ..runs import BenchmarkParser, Stopwatch, threads, write_report
from .jitter import jittered

COLUMNS = (
    "clusters",
    "whole, inertia",
    "batches",
    "loss",
    "whole, processor s",
    "batches",
    "of whole",
    "large, processor s",
)


def inertia(embeddings: np.ndarray, clusters: Clusters, chunk: int = 65536) -> float:
    """Return the mean squared distance to the assigned centroid, computed chunk by chunk."""
    total = 0.0
    for start in range(0, len(embeddings), chunk):
        part = slice(start, start + chunk)
        differences = embeddings[part] - clusters.centroids[clusters.labels[part]]
        total += float(np.square(differences).sum())
    return total / len(embeddings)


def fit(
    embeddings: np.ndarray, num_clusters: int, restarts: int, in_batches: bool
) -> dict[str, float]:
    """Time k-means of all embeddings at once or batch by batch, and return its inertia too."""
    full_rows = 0 if in_batches else len(embeddings)
    with Stopwatch() as watch:
        clusters = kmeans(embeddings, num_clusters, 0, restarts, full_rows=full_rows)
    return watch.figures | {"inertia": inertia(embeddings, clusters)}


def format_line(num_clusters: int, sides: dict[str, dict[str, float]]) -> str:
    """Return a line of the table."""
    whole = sides["whole"]
    batches = sides["batches"]
    cells = [
        str(num_clusters),
        f"{whole['inertia']:.4f}",
        f"{batches['inertia']:.4f}",
        f"{batches['inertia'] / whole['inertia'] - 1:+.1%}",
        f"{whole['processor_seconds']:.1f}",
        f"{batches['processor_seconds']:.1f}",
        f"{batches['processor_seconds'] / whole['processor_seconds']:.2f}",
        f"{sides['large']['processor_seconds']:.1f}" if "large" in sides else "-",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--clusters", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--restarts", type=int, default=1)
    parser.add_argument("--large_rows", type=int, default=1_000_000, help="0 leaves them out.")
    args = parser.parse_args()
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---:|" * len(COLUMNS)]
    results = {}
    with tempfile.TemporaryDirectory() as folder, threads(torch.get_num_threads()):
        embeddings = jittered(args.rows, 768, Path(folder, "embeddings.npy"))
        large = None
        if args.large_rows:
            large = jittered(args.large_rows, 768, Path(folder, "large.npy"))
        for count in args.clusters:
            sides = {
                "whole": fit(embeddings, count, args.restarts, in_batches=False),
                "batches": fit(embeddings, count, args.restarts, in_batches=True),
            }
            if large is not None:
                sides["large"] = fit(large, count, args.restarts, in_batches=True)
            results[count] = sides
            lines.append(format_line(count, sides))
            print(lines[-1], flush=True)
    write_report(args, "speed/kmeans", results, "\n".join(lines))


if __name__ == "__main__":
    main()

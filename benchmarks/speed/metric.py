"""Measure speed and memory of the metric, beside scikit-learn and the PyPI package bcubed.

    python -m benchmarks.speed.metric

A million items with int64 labels and with Python strings, scikit-learn's V-measure and ARI alone on
the same arrays, and bcubed (`pip install bcubed==1.5`), which compares every two items, at the
largest size that it does in a minute. Each case runs in a process of its own, so that its peak of
memory is its own.
"""

import ctypes
import math
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score, homogeneity_completeness_v_measure

from metrics.b_cubed.b_cubed import clustering_scores

SIZES = {  # items, classes, clusters
    "few large clusters": (1_000_000, 1_000, 2_000),
    "deduplication": (1_000_000, 300_000, 300_000),
}
COLUMNS = {
    "seconds": "int64 arrays (s)",
    "megabytes": "above the inputs (MB)",
    "seconds_strings": "lists of strings (s)",
    "seconds_sklearn": "scikit-learn, V and ARI alone (s)",
}


def labels(num_items: int, num_classes: int, num_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Make clusters and classes, int64 `(num_items,)`; half of the items match their class."""
    random = np.random.default_rng(0)
    classes = random.integers(num_classes, size=num_items)
    matches = random.random(num_items) < 0.5
    other = random.integers(num_clusters, size=num_items)
    return np.where(matches, classes % num_clusters, other), classes


def median_seconds(function: Callable[[], object], repeats: int = 5) -> float:
    """Return the median wall-clock time of several calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_memory(function: Callable[[], object]) -> float:
    """Return the megabytes (10**6 bytes) that a call adds to resident memory. Linux only."""

    def resident(field: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024

    # Otherwise the call would be served from what making the inputs has left free.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # resets the recorded peak
    before = resident("VmRSS")
    function()
    return (resident("VmHWM") - before) / 1e6


def measure_arrays(name: str) -> dict[str, float]:
    """Measure the metric on one of `SIZES`, and scikit-learn on the same arrays."""
    clusters, classes = labels(*SIZES[name])
    clustering_scores(clusters[:1000], classes[:1000])  # loads what the first call loads

    def score_by_sklearn() -> None:
        homogeneity_completeness_v_measure(classes, clusters)
        adjusted_rand_score(classes, clusters)

    megabytes = peak_memory(lambda: clustering_scores(clusters, classes))
    return {
        "seconds": median_seconds(lambda: clustering_scores(clusters, classes)),
        "megabytes": megabytes,
        "seconds_sklearn": median_seconds(score_by_sklearn),
    }


def measure_strings(name: str) -> dict[str, float]:
    """Measure the metric on Python lists of strings."""
    clusters, classes = labels(*SIZES[name])
    cluster_names = [f"cluster {label}" for label in clusters]
    class_names = [f"class {label}" for label in classes]
    seconds = median_seconds(lambda: clustering_scores(cluster_names, class_names))
    return {"seconds_strings": seconds}


def measure_bcubed(trial: int = 4000, limit: float = 60.0) -> dict[str, float]:
    """Compare with bcubed at the size that takes it just under the limit.

    Args:
        trial: Items of a first run, from whose time the size follows.
        limit: Seconds.
    """
    import bcubed

    def run(num_items: int) -> tuple[float, tuple[float, float]]:
        sides = labels(num_items, 1_000, 2_000)
        clusters, classes = (
            {item: {label} for item, label in enumerate(side.tolist())} for side in sides
        )
        start = time.perf_counter()
        result = bcubed.precision(clusters, classes), bcubed.recall(clusters, classes)
        return time.perf_counter() - start, result

    trial_seconds, _ = run(trial)
    num_items = int(trial * math.sqrt(0.8 * limit / trial_seconds))
    seconds, expected = run(num_items)
    clusters, classes = labels(num_items, 1_000, 2_000)
    seconds_ours = median_seconds(lambda: clustering_scores(clusters, classes), repeats=20)
    scores = clustering_scores(clusters, classes)
    both = scores["b3_precision"], scores["b3_recall"]
    np.testing.assert_allclose(both, expected, rtol=0, atol=1e-12)
    return {"items": num_items, "seconds_bcubed": seconds, "seconds": seconds_ours}


def run_alone(function: Callable[..., dict[str, float]], *arguments: str) -> dict[str, float]:
    """Call a function in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(function, *arguments).result()


def to_table(million: dict[str, dict[str, float]], bcubed: dict[str, float]) -> str:
    """Return the figures as a Markdown table and a sentence on bcubed."""
    lines = [f"| 1,000,000 items | {' | '.join(COLUMNS.values())} |"]
    lines.append("|---|" + "---:|" * len(COLUMNS))
    for name, (_, num_classes, num_clusters) in SIZES.items():
        cells = [
            f"{million[name][key]:.0f}" if key == "megabytes" else f"{million[name][key]:.3f}"
            for key in COLUMNS
        ]
        title = f"{name}: {num_classes:,} classes, {num_clusters:,} clusters"
        lines.append(f"| {title} | {' | '.join(cells)} |")
    faster = bcubed["seconds_bcubed"] / bcubed["seconds"]
    lines += [
        "",
        f"At {bcubed['items']:,} items bcubed takes {bcubed['seconds_bcubed']:.1f} s for precision "
        f"and recall, the metric {1000 * bcubed['seconds']:.2f} ms for all seven numbers: "
        f"{faster:,.0f} times faster, with the same two values to 1e-12.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    from ..runs import BenchmarkParser, write_report  # late: the spawned processes need no torch

    args = BenchmarkParser(__doc__).parse_args()
    million = {
        name: run_alone(measure_arrays, name) | run_alone(measure_strings, name) for name in SIZES
    }
    bcubed = run_alone(measure_bcubed)
    figures = {"million": million, "bcubed": bcubed}
    write_report(args, "speed/metric", figures, to_table(million, bcubed))


if __name__ == "__main__":
    main()

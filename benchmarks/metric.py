"""Speed and memory of the metric: `python -m benchmarks.metric` writes benchmarks/results/metric.json.

A million items with int64 labels and with Python strings, scikit-learn's V-measure and ARI beside it on the same
arrays, and the PyPI package bcubed (`pip install bcubed==1.5`) at the largest size that it does in a minute. Every case
runs in a process of its own, so that its peak of memory is its own.
"""

import ctypes
import json
import math
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

import bcubed
import numpy as np
from sklearn.metrics import adjusted_rand_score, homogeneity_completeness_v_measure

from metrics.b_cubed.b_cubed import clustering_scores

RESULT = Path(__file__).parent / "results" / "metric.json"
MINUTE = 60.0
SIZES = {  # items, classes, clusters
    "few large clusters": (1_000_000, 1_000, 2_000),
    "deduplication": (1_000_000, 300_000, 300_000),
}


def labels(n_items: int, n_classes: int, n_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Clusters and classes as int64 arrays of shape [n_items]; half of the items are in the cluster of their class."""
    random = np.random.default_rng(0)
    classes = random.integers(n_classes, size=n_items)
    clusters = np.where(random.random(n_items) < 0.5, classes % n_clusters, random.integers(n_clusters, size=n_items))
    return clusters, classes


def seconds(function: Callable, repeats: int = 5) -> float:
    """Median wall-clock time of some calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_memory(function: Callable) -> float:
    """By how many megabytes (10**6 bytes) a call raises the process's resident memory at its peak. Linux only."""

    def resident(field: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024

    ctypes.CDLL(None).malloc_trim(0)  # else the call would be served from what making the inputs has left free
    Path("/proc/self/clear_refs").write_text("5")  # sets the recorded peak back to what is resident now
    before = resident("VmRSS")
    function()
    return (resident("VmHWM") - before) / 1e6


def million(name: str) -> dict:
    """The metric on one of `SIZES`, and scikit-learn on the same arrays."""
    clusters, classes = labels(*SIZES[name])
    clustering_scores(clusters[:1000], classes[:1000])  # what is loaded at the first call belongs to no size
    memory = peak_memory(lambda: clustering_scores(clusters, classes))
    ours = seconds(lambda: clustering_scores(clusters, classes))

    def scikit_learn() -> None:
        homogeneity_completeness_v_measure(classes, clusters)
        adjusted_rand_score(classes, clusters)

    return {
        "items, classes, clusters": SIZES[name],
        "seconds": round(ours, 3),
        "megabytes above the inputs": round(memory),
        "seconds, scikit-learn's V-measure and ARI alone": round(seconds(scikit_learn), 3),
    }


def strings(name: str) -> dict:
    """The metric on Python lists of strings."""
    clusters, classes = labels(*SIZES[name])
    clusters, classes = [f"cluster {label}" for label in clusters], [f"class {label}" for label in classes]
    return {"seconds, lists of strings": round(seconds(lambda: clustering_scores(clusters, classes)), 3)}


def beside_bcubed() -> dict:
    """bcubed, which compares every two items, at the size that takes it just under a minute."""

    def run(n_items: int) -> tuple[float, tuple[float, float]]:
        clusters, classes = labels(n_items, 1_000, 2_000)
        as_sets = [{item: {label} for item, label in enumerate(side.tolist())} for side in (clusters, classes)]
        start = time.perf_counter()
        result = bcubed.precision(*as_sets), bcubed.recall(*as_sets)
        return time.perf_counter() - start, result

    trial = 4_000
    n_items = int(trial * math.sqrt(0.8 * MINUTE / run(trial)[0]))
    theirs, expected = run(n_items)
    clusters, classes = labels(n_items, 1_000, 2_000)
    ours = seconds(lambda: clustering_scores(clusters, classes), repeats=20)
    scores = clustering_scores(clusters, classes)
    np.testing.assert_allclose((scores["b3_precision"], scores["b3_recall"]), expected, rtol=0, atol=1e-12)
    return {
        "items": n_items,
        "seconds, bcubed (precision and recall)": round(theirs, 1),
        "seconds, ours (all seven numbers)": round(ours, 5),
        "times faster": round(theirs / ours),
    }


def alone(function: Callable, *arguments: str) -> dict:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def main() -> None:
    results = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("numpy", "pandas", "scipy", "scikit-learn", "bcubed")},
        **{name: alone(million, name) | alone(strings, name) for name in SIZES},
        "beside bcubed": alone(beside_bcubed),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=2) + "\n")
    print(RESULT.read_text())


if __name__ == "__main__":
    main()

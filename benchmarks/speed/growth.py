"""Measure how time and peak memory of each part grow with the number of examples.

    python -m benchmarks.speed.growth [--rows 10000 100000 1000000]

Draws a log-log figure with fitted exponents. Embeddings are jittered real ones (768 dimensions),
sentences are as long as FewRel's. Each part and size runs in a process of its own, on one thread;
what is measured is kept in the work folder and not measured again. Parts are measured up to their
limit (`--limits "neighbors, FAISS=100000"`) and drawn dashed beyond it: those values are
extrapolated by the fitted exponent, not measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..runs import BenchmarkParser, PeakMemory, Stopwatch, write_report
from .jitter import jittered
from .text import sentences

LIMITS = {"embedding": 10_000, "training": 10_000, "neighbors, exact": 100_000}
AXES = {"processor_seconds": "processor seconds", "mib": "peak MiB"}


def prepare_embedding(count: int, folder: Path) -> Callable[[], object]:
    """Prepare the embedding of sentences."""
    from ..encoders import embed_tokenized

    model, tokenizer, tokenized = _model_and_examples(count)
    return lambda: embed_tokenized(model, tokenizer, tokenized, folder=folder / "h")


def prepare_training(count: int, folder: Path) -> Callable[[], object]:
    """Prepare one epoch of the siamese phase, without the embeddings that are made after it."""
    from modeling_siamure import SiamURETrainer, SiamURETrainingArguments

    model, tokenizer, tokenized = _model_and_examples(count)
    args = SiamURETrainingArguments(
        str(folder),
        num_train_epochs=1,
        per_device_train_batch_size=64,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    trainer = SiamURETrainer(model, args, train_dataset=tokenized, processing_class=tokenizer)
    trainer.fit_clusters = lambda: None
    trainer._log_diagnostics = lambda: None
    return trainer.train


def prepare_exact_neighbors(count: int, folder: Path) -> Callable[[], object]:
    """Prepare the exact search."""
    return _prepare_neighbors(count, folder, "exact")


def prepare_faiss_neighbors(count: int, folder: Path) -> Callable[[], object]:
    """Prepare the search by FAISS."""
    return _prepare_neighbors(count, folder, "faiss")


def prepare_kmeans(count: int, folder: Path) -> Callable[[], object]:
    """Prepare k-means of 100 clusters from one start."""
    from modeling_siamure.clustering import kmeans

    embeddings = jittered(count, 768, folder / "embeddings.npy")
    return lambda: kmeans(embeddings, 100, num_restarts=1)


PARTS = {
    "embedding": prepare_embedding,
    "training": prepare_training,
    "neighbors, exact": prepare_exact_neighbors,
    "neighbors, FAISS": prepare_faiss_neighbors,
    "k-means, 100 clusters": prepare_kmeans,
}


def _prepare_neighbors(count: int, folder: Path, search: str) -> Callable[[], object]:
    from modeling_siamure.clustering.neighbors import nearest_neighbors

    embeddings = jittered(count, 768, folder / "embeddings.npy")
    return lambda: nearest_neighbors(embeddings, search=search)


def _model_and_examples(count: int):
    from datasets import Dataset

    from modeling_siamure.data_collator import tokenize_dataset

    from ..encoders import build_model

    model, tokenizer = build_model([], pooling="marker")
    examples = Dataset.from_dict({"text": sentences(count)})
    return model, tokenizer, tokenize_dataset(examples, tokenizer)


def measure(part: str, count: int) -> dict[str, float]:
    """Measure a part without the making of its input."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = PARTS[part](count, Path(folder))
        with PeakMemory() as memory, Stopwatch() as watch:
            work()
    return {"rows": count, **watch.figures, "mib": memory.mib}


def figures_file(part: str, count: int, work_dir: Path) -> Path:
    """Return where the figures of a part and size are kept."""
    return work_dir / "speed" / "growth" / f"{part}, {count}.json"


def measure_once(part: str, count: int, work_dir: Path) -> dict[str, float]:
    """Measure a part in a process of its own unless its figures are kept already."""
    file = figures_file(part, count, work_dir)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.speed.growth", "--work_dir", str(work_dir)]
        command += ["--worker", part, str(count)]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return json.loads(file.read_text())


def exponent(points: list[dict[str, float]], key: str) -> float:
    """Return the power of the size by which a figure grows: least squares of the logarithms."""
    sizes = np.log([point["rows"] for point in points])
    return float(np.polyfit(sizes, np.log([point[key] for point in points]), 1)[0])


def draw(results: dict[str, list[dict[str, float]]], last: int, path: Path) -> None:
    """Draw time and memory by size.

    Args:
        results: The points of each part.
        last: The size at which the extrapolation ends.
        path: Of the picture.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 5.5), layout="constrained")
    for axis, (key, label) in zip(axes, AXES.items(), strict=True):
        for number, (part, points) in enumerate(results.items()):
            power = exponent(points, key)
            color = f"C{number}"
            sizes = [point["rows"] for point in points]
            values = [point[key] for point in points]
            name = f"{part}: rows^{power:.2f}"
            axis.plot(sizes, values, marker="os^Dv"[number], color=color, label=name)
            if sizes[-1] < last:
                beyond = np.array([sizes[-1], last])
                axis.plot(beyond, values[-1] * (beyond / sizes[-1]) ** power, "--", color=color)
        axis.set(xscale="log", yscale="log", xlabel="rows", ylabel=label)
        axis.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    figure.suptitle("measured (points), extrapolated (dashed)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def to_table(results: dict[str, list[dict[str, float]]]) -> str:
    """Return the points and exponents as a Markdown table."""
    columns = "rows", "processor s", "peak MiB", "time grows as", "memory as"
    lines = [f"| | {' | '.join(columns)} |", "|---|---:|---:|---:|---|---|"]
    for part, points in results.items():
        time = f"rows^{exponent(points, 'processor_seconds'):.2f}"
        memory = f"rows^{exponent(points, 'mib'):.2f}"
        for point in points:
            cells = [
                part,
                f"{point['rows']:,}",
                f"{point['processor_seconds']:.1f}",
                f"{point['mib']:.0f}",
                time,
                memory,
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--limits", nargs="*", default=[], help="PART=ROWS: the largest size.")
    parser.add_argument("--last", type=int, default=1_000_000, help="Where the extrapolation ends.")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        part, count = args.worker
        figures = measure(part, int(count))
        figures_file(part, int(count), args.work_dir).write_text(json.dumps(figures))
        return
    given = [limit.partition("=") for limit in args.limits]
    limits = LIMITS | {part: int(count) for part, _, count in given}
    results: dict[str, list[dict[str, float]]] = {part: [] for part in PARTS}
    for part, points in results.items():
        limit = limits.get(part, max(args.rows))
        sizes = [count for count in args.rows if count <= limit]
        if len(sizes) < 2:  # an exponent needs two
            sizes = [limit // 10, limit]
        for count in sizes:
            points.append(measure_once(part, count, args.work_dir))
            print(part, points[-1], flush=True)
    draw(results, args.last, args.results_dir / "speed" / "growth.png")
    write_report(args, "speed/growth", results, to_table(results))


if __name__ == "__main__":
    main()

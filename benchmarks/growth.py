"""How time and peak memory of each part grow with the rows: a log-log figure with fitted exponents.

    python -m benchmarks.growth --work_dir DIR [--rows 10000 100000 1000000] [--limits "neighbors, FAISS=100000"]

Rows are jittered real embeddings (768 dimensions), sentences are as long as FewRel's. Each part and size runs in a
process of its own, on one thread; what is measured is kept in DIR and not measured again. Parts are measured up to
their limit and drawn dashed beyond it: those values are extrapolated by the fitted exponent, not measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from .jitter import ENCODER, jittered
from .runs import RESULTS, PeakMemory, write
from .text import sentences

LIMITS = {"embedding": 10_000, "training": 10_000, "neighbors, exact": 100_000}


def embedding(count: int, folder: Path) -> Callable[[], object]:
    from accelerate import Accelerator

    from modeling_siamure.evaluation import embed

    model, tokenizer, rows = _model_and_rows(count)
    return lambda: embed(model, rows, tokenizer, Accelerator(cpu=True), relation_only=True, folder=folder / "h")


def training(count: int, folder: Path) -> Callable[[], object]:
    """One epoch of the siamese phase, without the embeddings that are made after it."""
    from modeling_siamure import SiamURETrainer, SiamURETrainingArguments

    model, tokenizer, rows = _model_and_rows(count)
    args = SiamURETrainingArguments(
        str(folder), num_train_epochs=1, per_device_train_batch_size=64, disable_tqdm=True, dataloader_pin_memory=False
    )
    trainer = SiamURETrainer(model, args, train_dataset=rows, processing_class=tokenizer)
    trainer.fit_clusters = trainer.diagnose_epoch = lambda: None
    return trainer.train


def exact_neighbors(count: int, folder: Path) -> Callable[[], object]:
    from modeling_siamure.neighbors import nearest_neighbors

    rows = jittered(count, 768, folder / "rows.npy")
    return lambda: nearest_neighbors(rows, search="exact")


def faiss_neighbors(count: int, folder: Path) -> Callable[[], object]:
    from modeling_siamure.neighbors import nearest_neighbors

    rows = jittered(count, 768, folder / "rows.npy")
    return lambda: nearest_neighbors(rows, search="faiss")


def clustering(count: int, folder: Path) -> Callable[[], object]:
    from modeling_siamure.clustering import kmeans

    rows = jittered(count, 768, folder / "rows.npy")
    return lambda: kmeans(rows, 100, num_restarts=1)


PARTS = {
    "embedding": embedding,
    "training": training,
    "neighbors, exact": exact_neighbors,
    "neighbors, FAISS": faiss_neighbors,
    "k-means, 100 clusters": clustering,
}


def _model_and_rows(count: int):
    from datasets import Dataset
    from transformers import AutoTokenizer

    from modeling_siamure import SiamUREModel
    from modeling_siamure.data_collator import tokenize_dataset
    from train import encoder_path

    tokenizer = AutoTokenizer.from_pretrained(encoder_path(ENCODER))
    model = SiamUREModel.from_encoder(encoder_path(ENCODER), tokenizer, [], pooling="marker")
    return model, tokenizer, tokenize_dataset(Dataset.from_dict({"text": sentences(count)}), tokenizer)


def measure(part: str, count: int) -> dict[str, float]:
    """What a part takes, without making its input."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = PARTS[part](count, Path(folder))
        with PeakMemory() as memory:
            wall, processor = time.perf_counter(), time.process_time()
            work()
            seconds = {"seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - processor}
    return {"rows": count, **seconds, "mib": memory.mib}


def kept(part: str, rows: int, work_dir: Path) -> Path:
    return work_dir / f"{part}, {rows}.json"


def measured(part: str, rows: int, work_dir: Path) -> dict[str, float]:
    """What a part takes, measured in a process of its own unless it has been already."""
    if not kept(part, rows, work_dir).exists():
        work_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.growth", "--work_dir", str(work_dir), "--worker", part, str(rows)]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return json.loads(kept(part, rows, work_dir).read_text())


def exponent(points: list[dict[str, float]], key: str) -> float:
    """By which power of the rows a figure grows: least squares of the logarithms."""
    return float(np.polyfit(np.log([p["rows"] for p in points]), np.log([p[key] for p in points]), 1)[0])


def draw(results: dict[str, list[dict[str, float]]], last: int):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 5.5), layout="constrained")
    for axis, key, label in zip(axes, ("processor_seconds", "mib"), ("processor seconds", "peak MiB"), strict=True):
        for number, (part, points) in enumerate(results.items()):
            power = exponent(points, key)
            rows = [point["rows"] for point in points]
            axis.plot(
                rows,
                [p[key] for p in points],
                f"{'os^Dv'[number]}-",
                color=f"C{number}",
                label=f"{part}: rows^{power:.2f}",
            )
            if rows[-1] < last:
                beyond = np.array([rows[-1], last])
                axis.plot(beyond, points[-1][key] * (beyond / rows[-1]) ** power, "--", color=f"C{number}")
        axis.set(xscale="log", yscale="log", xlabel="rows", ylabel=label)
        axis.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    figure.suptitle("measured (points), extrapolated (dashed)")
    figure.savefig(RESULTS / "growth.png", dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--limits", nargs="*", default=[], help="PART=ROWS: measure a part to so many rows only.")
    parser.add_argument("--work_dir", type=Path, required=True, help="Where what is measured is kept.")
    parser.add_argument("--last", type=int, default=1_000_000, help="Where the extrapolation ends.")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        part, rows = args.worker
        kept(part, int(rows), args.work_dir).write_text(json.dumps(measure(part, int(rows))))
        return
    limits = LIMITS | {part: int(rows) for part, _, rows in (limit.partition("=") for limit in args.limits)}
    results: dict[str, list[dict[str, float]]] = {part: [] for part in PARTS}
    for part, points in results.items():
        limit = limits.get(part, max(args.rows))
        # Two sizes at the least, or there is no exponent.
        sizes = [rows for rows in args.rows if rows <= limit]
        for rows in sizes if len(sizes) > 1 else [limit // 10, limit]:
            points.append(measured(part, rows, args.work_dir))
            print(part, points[-1], flush=True)
    lines = ["| | rows | processor s | peak MiB | time grows as | memory as |", "|---|---:|---:|---:|---|---|"]
    for part, points in results.items():
        exponents = f"rows^{exponent(points, 'processor_seconds'):.2f} | rows^{exponent(points, 'mib'):.2f}"
        for point in points:
            lines.append(
                f"| {part} | {point['rows']:,} | {point['processor_seconds']:.1f} | {point['mib']:.0f} | {exponents} |"
            )
    draw(results, args.last)
    write("growth", {"parts": results, "extrapolated to": args.last}, "\n".join(lines))


if __name__ == "__main__":
    main()

"""Compare exact neighbors by two processes with those by one, and measure time and peak memory.

    python -m benchmarks.speed.mining [--rows 100000] [--size 768]

The embeddings lie in a memory-mapped file that the processes share. The neighbors must be the same.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from modeling_siamure.clustering.neighbors import nearest_neighbors

from ..runs import BenchmarkParser, Stopwatch, write_report
from .jitter import jittered


def mine(source: Path, output: Path, num_neighbors: int = 20) -> None:
    """Search neighbors in one of the processes; each writes figures, the main one neighbors."""
    accelerator = Accelerator(cpu=True)
    embeddings = np.load(source, mmap_mode="c")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Stopwatch() as watch:
        neighbors = nearest_neighbors(embeddings, num_neighbors, accelerator)
    figures = {
        **watch.figures,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak_mib_before": before / 1024,
    }
    file = output.with_suffix(f".{accelerator.process_index}.json")
    file.write_text(json.dumps(figures))
    if accelerator.is_main_process:
        np.save(output, neighbors.numpy())


def run(processes: int, source: Path) -> tuple[np.ndarray, list[dict[str, float]]]:
    """Return the neighbors that this number of processes finds, and the figures per process."""
    output = source.with_name(f"{processes}.npy")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    worker = ["-m", "benchmarks.speed.mining", "--worker", str(source), str(output)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    subprocess.run([sys.executable, *launcher, *worker], check=True, env=environment)
    files = [output.with_suffix(f".{rank}.json") for rank in range(processes)]
    return np.load(output), [json.loads(file.read_text()) for file in files]


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--worker", type=Path, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        torch.set_num_threads(1)
        mine(*args.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "embeddings.npy")
        jittered(args.rows, args.size, source)
        one, one_figures = run(1, source)
        two, two_figures = run(2, source)
    if not np.array_equal(one, two):
        sys.exit(f"{(one != two).mean():.2%} of the neighbors differ")
    columns = "processes", "process", "seconds", "processor seconds", "peak memory (MiB)"
    lines = [f"| {' | '.join(columns)} | of it before mining |", "|---|---|---:|---:|---:|---:|"]
    for processes in (one_figures, two_figures):
        for rank, figures in enumerate(processes):
            keys = ("seconds", "processor_seconds", "peak_mib", "peak_mib_before")
            cells = [str(len(processes)), str(rank), *(f"{figures[key]:.0f}" for key in keys)]
            lines.append(f"| {' | '.join(cells)} |")
    figures = {"one": one_figures, "two": two_figures}
    write_report(args, f"speed/mining_{args.rows}_{args.size}", figures, "\n".join(lines))


if __name__ == "__main__":
    main()

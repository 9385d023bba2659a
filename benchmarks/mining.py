"""Exact neighbors of many rows: two processes against one, with the peak memory of each process.

    python -m benchmarks.mining [--rows 100000] [--size 768]

The rows lie in a memory-mapped file that the processes share. The neighbors must be the same.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from modeling_siamure.neighbors import nearest_neighbors

from .jitter import jittered
from .runs import write

NUM_NEIGHBORS = 20


def mine(source: Path, output: Path):
    """One process' part; the main one writes the neighbors, each its time and memory."""
    accelerator = Accelerator(cpu=True)
    embeddings = np.load(source, mmap_mode="c")
    processor = time.process_time()
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = nearest_neighbors(embeddings, NUM_NEIGHBORS, accelerator)
    figures = {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - processor,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak_mib_before": before / 1024,
    }
    output.with_suffix(f".{accelerator.process_index}.json").write_text(json.dumps(figures))
    if accelerator.is_main_process:
        np.save(output, found.numpy())


def run(processes: int, source: Path) -> tuple[np.ndarray, list[dict[str, float]]]:
    """The neighbors that so many processes find, and the figures of each process."""
    output = source.with_name(f"{processes}.npy")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command += ["-m", "benchmarks.mining", "--worker", str(source), str(output)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"})
    figures = [json.loads(output.with_suffix(f".{rank}.json").read_text()) for rank in range(processes)]
    return np.load(output), figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--worker", type=Path, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        torch.set_num_threads(1)
        mine(*args.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "rows.npy")
        jittered(args.rows, args.size, source)
        (one, one_figures), (two, two_figures) = (run(count, source) for count in (1, 2))
    if not np.array_equal(one, two):
        sys.exit(f"{(one != two).mean():.2%} of the neighbors differ")
    lines = ["| processes | process | seconds | processor seconds | peak memory (MiB) | of it before mining |"]
    lines += ["|---|---|---:|---:|---:|---:|"]
    for figures in (one_figures, two_figures):
        for rank, its in enumerate(figures):
            time_, memory = f"{its['seconds']:.0f} | {its['processor_seconds']:.0f}", f"{its['peak_mib']:.0f}"
            lines.append(f"| {len(figures)} | {rank} | {time_} | {memory} | {its['peak_mib_before']:.0f} |")
    name = f"mining_{args.rows}_{args.size}"
    write(name, {"rows": args.rows, "size": args.size, "one": one_figures, "two": two_figures}, "\n".join(lines))


if __name__ == "__main__":
    main()

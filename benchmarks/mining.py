"""Exact neighbors of many rows: two processes against one, with the peak memory of each process.

    python -m benchmarks.mining [--rows 100000] [--size 64]

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

from modeling_siamure.distributed import gather_rows, shared_array
from modeling_siamure.neighbors import nearest_neighbors, shard_rows

from .runs import write

CHUNK = 16384


def mine(rows: int, size: int, output: Path):
    """One process' part; the main one writes the neighbors, each its time and memory."""
    accelerator = Accelerator(cpu=True)
    torch.set_num_threads(1)
    embeddings = shared_array(rows, size)
    if accelerator.is_local_main_process:
        rng = np.random.default_rng(0)
        for start in range(0, rows, CHUNK):
            embeddings[start : start + CHUNK] = rng.standard_normal(embeddings[start : start + CHUNK].shape)
    accelerator.wait_for_everyone()
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    own = shard_rows(rows, accelerator.process_index, accelerator.num_processes)
    found = gather_rows(nearest_neighbors(embeddings, rows=own), accelerator)
    figures = {
        "seconds": time.perf_counter() - began,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak_mib_before": before / 1024,
    }
    output.with_suffix(f".{accelerator.process_index}.json").write_text(json.dumps(figures))
    if accelerator.is_main_process:
        np.save(output, found.numpy())


def run(processes: int, rows: int, size: int, folder: Path) -> tuple[np.ndarray, list[dict[str, float]]]:
    """The neighbors that so many processes find, and the figures of each process."""
    output = folder / f"{processes}.npy"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command += ["-m", "benchmarks.mining", "--rows", str(rows), "--size", str(size), "--worker", str(output)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"})
    figures = [json.loads(output.with_suffix(f".{rank}.json").read_text()) for rank in range(processes)]
    return np.load(output), figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        mine(args.rows, args.size, args.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        (one, one_figures), (two, two_figures) = (run(count, args.rows, args.size, Path(folder)) for count in (1, 2))
    if not np.array_equal(one, two):
        sys.exit(f"{(one != two).mean():.2%} of the neighbors differ")
    lines = ["| processes | process | seconds | peak memory (MiB) | of it before mining |", "|---|---|---:|---:|---:|"]
    for figures in (one_figures, two_figures):
        for rank, its in enumerate(figures):
            memory = f"{its['peak_mib']:.0f} | {its['peak_mib_before']:.0f}"
            lines.append(f"| {len(figures)} | {rank} | {its['seconds']:.1f} | {memory} |")
    write("mining", {"rows": args.rows, "size": args.size, "one": one_figures, "two": two_figures}, "\n".join(lines))


if __name__ == "__main__":
    main()

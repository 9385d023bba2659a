"""On a GPU: training steps in bfloat16, with and without compiling, and exact mining of a million rows.

    python -m benchmarks.gpu [--encoders minilm bert-base] [--batch_size 64] [--steps 50] [--rows 1000000]

Where there is no GPU, it says so and writes that nothing was measured. `of the peak` is the FLOPs that the model needs
for the tokens without padding, by time, of what a product of two square bfloat16 matrices reaches in the same run.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator
from datasets import disable_progress_bars

from modeling_siamure.neighbors import nearest_neighbors

from .jitter import jittered
from .runs import write
from .train_step import PHASES, OurLoop, build_ours, model_flops

SIZE = 1536  # of h for BERT-base
WARM_UP = 5  # steps: compiling, and the choice of kernels


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long it takes, until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def matmul_flops(device: torch.device, size: int = 8192) -> float:
    """FLOPs a second that a product of square bfloat16 matrices reaches: the best of five."""
    matrix = torch.randn(size, size, dtype=torch.bfloat16, device=device)
    return 2 * size**3 / min(seconds(lambda: matrix @ matrix, device) for _ in range(5))


def train(loop: OurLoop, phase: str, steps: int, device: torch.device) -> dict[str, float]:
    """Instances a second in a phase, and the share of the peak."""
    loop.begin(phase)
    for _ in range(WARM_UP):
        loop.step(phase)
    loop.tokens, instances = 0, 0

    def work():
        nonlocal instances
        instances = sum(loop.step(phase) for _ in range(steps))

    spent = seconds(work, device)
    share = model_flops(loop, phase, instances) / spent / matmul_flops(device)
    return {"instances/s": instances / spent, "of the peak": share}


def mine(rows: int, device: torch.device) -> float:
    """Seconds of an exact search for the neighbors of so many rows."""
    accelerator = Accelerator(cpu=device.type == "cpu")
    with tempfile.TemporaryDirectory() as folder:
        embeddings = jittered(rows, SIZE, Path(folder, "rows.npy"))
        return seconds(lambda: nearest_neighbors(embeddings, accelerator=accelerator), device)


def measure(args: argparse.Namespace, device: torch.device) -> tuple[dict, str]:
    lines = ["| encoder | phase | compiled | instances/s | of the peak |", "|---|---|---|---:|---:|"]
    results: dict[str, dict] = {"training": {}}
    for encoder in args.encoders:
        for is_compiled in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                loop = build_ours(encoder, folder, args.batch_size, args.steps + WARM_UP, torch_compile=is_compiled)
                for phase in PHASES:
                    figures = train(loop, phase, args.steps, device)
                    results["training"][f"{encoder}, {phase}, compiled: {is_compiled}"] = figures
                    told = f"{figures['instances/s']:.0f} | {figures['of the peak']:.0%}"
                    lines.append(f"| {encoder} | {phase} | {'yes' if is_compiled else 'no'} | {told} |")
                    print(lines[-1], flush=True)
    results["mining_seconds"] = mine(args.rows, device)
    lines += ["", f"Exact neighbors of {args.rows:,} x {SIZE}: {results['mining_seconds']:.1f} s."]
    return results, "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", nargs="+", choices=["minilm", "bert-base"], default=["minilm", "bert-base"])
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rows", type=int, default=1_000_000)
    args = parser.parse_args()
    disable_progress_bars()
    if not torch.cuda.is_available():
        write("gpu", {"measured": False}, "Not measured: there is no GPU here.")
        return
    results, table = measure(args, torch.device("cuda"))
    name = torch.cuda.get_device_name()
    write("gpu", {"measured": True, "device": name, **vars(args), **results}, f"{name}:\n\n{table}")


if __name__ == "__main__":
    main()

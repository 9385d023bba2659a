"""Measure training steps in bfloat16 on a GPU, with and without compiling, and exact mining.

    python -m benchmarks.speed.gpu [--encoders minilm bert-base] [--batch_size 64] [--steps 50]

Mining searches the neighbors of `--rows` embeddings. Where there is no GPU, the report says that
nothing was measured. `of the peak` is the FLOPs that the model needs for the tokens without
padding, per time, divided by what a product of two square bfloat16 matrices reaches in the same
run.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from accelerate import Accelerator
from datasets import disable_progress_bars

from modeling_siamure.clustering.neighbors import nearest_neighbors

from ..runs import BenchmarkParser, device_seconds, matmul_flops, write_report
from .jitter import jittered
from .train_step import ENCODERS, PHASES, OurLoop, build_ours, model_flops


def train(
    loop: OurLoop, phase: str, steps: int, warmup_steps: int, device: torch.device
) -> dict[str, float]:
    """Measure examples per second in a phase, and the share of the peak.

    Args:
        loop: Our training steps.
        phase: One of `PHASES`.
        steps: Steps that are measured.
        warmup_steps: Steps before them, for compiling and the choice of kernels.
        device: Where the model is.
    """
    loop.begin(phase)
    for _ in range(warmup_steps):
        loop.step(phase)
    loop.tokens = 0
    counts: list[int] = []

    def work() -> None:
        counts.extend(loop.step(phase) for _ in range(steps))

    seconds = device_seconds(work, device)
    flops = model_flops(loop, phase, sum(counts)) / seconds
    peak = matmul_flops(torch.bfloat16, device, size=8192)
    return {"instances/s": sum(counts) / seconds, "of the peak": flops / peak}


def mine(rows: int, size: int, device: torch.device) -> float:
    """Return the seconds of an exact search for the neighbors of all embeddings."""
    accelerator = Accelerator(cpu=device.type == "cpu")
    with tempfile.TemporaryDirectory() as folder:
        embeddings = jittered(rows, size, Path(folder, "embeddings.npy"))
        return device_seconds(
            lambda: nearest_neighbors(embeddings, accelerator=accelerator), device
        )


def measure(args: argparse.Namespace, device: torch.device) -> tuple[dict, str]:
    """Measure all; return the figures and the table."""
    lines = [
        "| encoder | phase | compiled | instances/s | of the peak |",
        "|---|---|---|---:|---:|",
    ]
    training = {}
    num_batches = args.steps + args.warmup_steps
    for encoder in args.encoders:
        for is_compiled in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                loop = build_ours(
                    encoder, folder, args.batch_size, num_batches, torch_compile=is_compiled
                )
                for phase in PHASES:
                    figures = train(loop, phase, args.steps, args.warmup_steps, device)
                    training[f"{encoder}, {phase}, compiled: {is_compiled}"] = figures
                    rate = f"{figures['instances/s']:.0f} | {figures['of the peak']:.0%}"
                    compiled = "yes" if is_compiled else "no"
                    lines.append(f"| {encoder} | {phase} | {compiled} | {rate} |")
                    print(lines[-1], flush=True)
    seconds = mine(args.rows, args.size, device)
    lines += ["", f"Exact neighbors of {args.rows:,} x {args.size}: {seconds:.1f} s."]
    return {"training": training, "mining_seconds": seconds}, "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--warmup_steps", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=1536, help="Of h; BERT-base's by default.")
    args = parser.parse_args()
    disable_progress_bars()
    if not torch.cuda.is_available():
        write_report(args, "speed/gpu", {"measured": False}, "Not measured: there is no GPU here.")
        return
    figures, table = measure(args, torch.device("cuda"))
    device = torch.cuda.get_device_name()
    figures |= {"measured": True, "device": device}
    write_report(args, "speed/gpu", figures, f"{device}:\n\n{table}")


if __name__ == "__main__":
    main()

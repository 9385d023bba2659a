"""Measure what `siamure discover` and `siamure assign` cost: time and peak memory of the commands.

    python -m benchmarks.speed.cost --data_root DATA [--rows 1000 10000] [--threads 1]

Runs the commands as a user does, in processes of their own, on examples of FewRel's `val_wiki` that
are drawn by seed 0, without their relations: from the start of Python to the last file, report
included. Memory is the most that was resident, of which the libraries alone take a part that does
not grow. `--train_rows` also measures `--train`.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ..corpora import draw, load
from ..runs import REPOSITORY, BenchmarkParser, Stopwatch, write_report

COLUMNS = ["sentence", "head_start", "head_end", "tail_start", "tail_end"]


def run(words: list[str], num_threads: int) -> dict[str, float]:
    """Run `siamure` and return its seconds, processor seconds and peak memory (MiB)."""
    # A process of its own per command: the peak that the system reports is that of all children.
    code = (
        "import json, resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "usage = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)"
    )
    environment = os.environ | {"OMP_NUM_THREADS": str(num_threads), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "modeling_siamure.cli", *words, "--no_progress"]
    with Stopwatch() as watch:
        done = subprocess.run(
            [sys.executable, "-c", code, *command],
            cwd=REPOSITORY,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    processor_seconds, mib = map(float, done.stdout.split())
    return {"seconds": watch.seconds, "processor_seconds": processor_seconds, "mib": mib}


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_data_root()
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--train_rows", type=int, nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    examples = load("fewrel", args.data_root)
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in sorted({*args.rows, *args.train_rows}):
            file = Path(folder) / f"{count}.jsonl"
            draw(examples, count).select_columns(COLUMNS).to_json(file)
            commands = {}
            output = Path(folder) / f"{count}"
            if count in args.rows:
                commands["discover"] = ["discover", str(file), "--output_dir", str(output)]
                commands["assign"] = ["assign", str(file), "--model", str(output / "model")]
            if count in args.train_rows:
                trained = str(output) + "-trained"
                words = ["discover", str(file), "--train", "--output_dir", trained]
                commands["discover --train"] = words
            for name, words in commands.items():
                figures[f"`siamure {name}`", count] = run(words, args.threads)
                print(name, count, figures[f"`siamure {name}`", count], flush=True)
    lines = ["| | sentences | seconds | processor seconds | peak memory (MiB) |"]
    lines.append("|---|---:|---:|---:|---:|")
    for (name, count), measured in figures.items():
        values = [f"{count:,}", *(f"{value:,.0f}" for value in measured.values())]
        lines.append(f"| {name} | {' | '.join(values)} |")
    lines += ["", f"{args.threads} thread(s) per process."]
    raw = {f"{name} {count}": measured for (name, count), measured in figures.items()}
    write_report(args, "speed/cost", raw, "\n".join(lines))


if __name__ == "__main__":
    main()

"""Measure how long `train.py --help` takes, beside the imports that it cannot do without.

    python -m benchmarks.speed.startup [--repeats 5]

Each runs in a process of its own, one after the other in turn.
"""

import resource
import subprocess
import sys
import time

from ..runs import REPOSITORY, BenchmarkParser, ratio_table, write_report

BASELINE = "torch and transformers' arguments"
COMMANDS = {
    BASELINE: ["-c", "from transformers import HfArgumentParser, TrainingArguments"],
    "import modeling_siamure": ["-c", "import modeling_siamure"],
    "train.py --help": ["train.py", "--help"],
}


def child_processor_seconds() -> float:
    """Return the processor seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(arguments: list[str]) -> dict[str, float]:
    """Run Python with these arguments and return the time that it took."""
    command = [sys.executable, *arguments]
    processor = child_processor_seconds()
    wall = time.perf_counter()
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    return {
        "seconds": time.perf_counter() - wall,
        "processor seconds": child_processor_seconds() - processor,
    }


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    sides: dict[str, list[dict[str, float]]] = {name: [] for name in COMMANDS}
    for _ in range(args.repeats):
        for name, arguments in COMMANDS.items():
            sides[name].append(measure(arguments))
    write_report(args, "speed/startup", sides, ratio_table(sides, "processor seconds", BASELINE))


if __name__ == "__main__":
    main()

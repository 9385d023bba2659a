"""How long it takes until a command speaks: `train.py --help`, beside the import of what it can't do without.

    python -m benchmarks.startup [--repeats 5]

Each runs in a process of its own, one after the other in turn.
"""

import argparse
import resource
import subprocess
import sys
import time

from .runs import REPOSITORY, ratio_table, write

COMMANDS = {
    "torch and transformers' arguments": ["-c", "from transformers import HfArgumentParser, TrainingArguments"],
    "import modeling_siamure": ["-c", "import modeling_siamure"],
    "train.py --help": ["train.py", "--help"],
}


def seconds(arguments: list[str]) -> dict[str, float]:
    def processor() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    began, before = time.perf_counter(), processor()
    subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    return {"seconds": time.perf_counter() - began, "processor seconds": processor() - before}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    sides = {name: [] for name in COMMANDS}
    for _ in range(args.repeats):
        for name, arguments in COMMANDS.items():
            sides[name].append(seconds(arguments))
    write("startup", {"sides": sides}, ratio_table(sides, "processor seconds", next(iter(COMMANDS))))


if __name__ == "__main__":
    main()

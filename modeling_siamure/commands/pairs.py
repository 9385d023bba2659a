"""`siamure pairs`: the pairs of entities of plain text, as rows."""

import argparse
import sys

from data_scripts.plain_text import write_pairs

from ..utils.files import lock_file
from .inputs import pair_options


def run(args: argparse.Namespace) -> None:
    """Pair up the entities of documents, and write the rows."""
    output = args.output
    if output.suffix.lower() not in (".jsonl", ".ndjson"):
        raise ValueError(f"--output {output}: the rows are JSON lines; give a name in .jsonl")
    options = pair_options(args)
    with lock_file(output, "--output"):
        was_there = output.exists()
        counts = write_pairs(
            args.inputs,
            output,
            options,
            num_processes=args.num_processes or 1,
            show_progress=sys.stderr.isatty() and not args.no_progress,
        )
    if was_there:
        print(f"{output} is there already, and holds the result of this command")
    print(f"{output}: {counts.describe()}")

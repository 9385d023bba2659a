"""The command `siamure`: find the relations of a corpus, correct and export them.

    siamure pairs TEXT... --ner MODEL --output pairs.jsonl
    siamure discover FILE --output_dir OUT [--model DIR | --train] [--num_clusters N|auto]
    siamure assign FILE --model OUT/model [--output FILE]
    siamure edit OUT edits.yaml [--output_dir NEW]
    siamure export OUT --to FORMAT [--output FILE]

Several processes: accelerate launch -m modeling_siamure.cli discover FILE --output_dir OUT
"""

import argparse
import importlib
import logging
import sys
from pathlib import Path
from typing import NoReturn

from .utils.terminal import end_in_one_line, fail


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        fail(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="siamure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command")
    discover = commands.add_parser(
        "discover", help="find the relations of a corpus, with a report and a model"
    )
    assign = commands.add_parser("assign", help="assign sentences to the clusters of a model")
    pairs = commands.add_parser("pairs", help="pair up the entities of plain text, as rows")
    _add_pairs_arguments(pairs)
    for command in (discover, assign):
        command.add_argument(
            "file",
            type=Path,
            help="JSON lines, JSON, CSV, TSV or Parquet, in the instance schema; or annotated text",
        )
        command.add_argument(
            "--format", help="how to read the file, such as brat or spert; recognized by default"
        )
        command.add_argument(
            "--reader_options",
            nargs="+",
            default=[],
            metavar="NAME=VALUE",
            help="options of the reader, such as pairs=all",
        )
        command.add_argument(
            "--text_column", "--text-column", help="the column that holds the sentence"
        )
        command.add_argument(
            "--columns", nargs="+", default=[], metavar="COLUMN=NAME", help="the file's other names"
        )
        command.add_argument(
            "--offsets", help="what the file's offsets count: characters, inclusive, utf16, bytes"
        )
        command.add_argument(
            "--on_error",
            choices=("raise", "skip"),
            default="raise",
            help="end at a row that can't be read, or skip it",
        )
        command.add_argument("--no_progress", action="store_true", help="no progress bars")
        command.add_argument(
            "--strict", action="store_true", help="refuse rows that would only be warned of"
        )
    discover.add_argument(
        "more", nargs="*", type=Path, metavar="TEXT", help="further files of plain text"
    )
    _add_text_arguments(discover)
    discover.add_argument(
        "--min_precision",
        type=float,
        help="share of the pairs left out as unrelated that should be so; 1 leaves none out; "
        "by default 0.9 for pairs of plain text, and 1 for other rows",
    )
    discover.add_argument(
        "--output_dir", required=True, type=Path, help="a folder that is not there yet"
    )
    which = discover.add_mutually_exclusive_group()
    which.add_argument(
        "--model", help="embed with this trained model: a folder, or a name on the hub"
    )
    which.add_argument(
        "--train",
        action="store_true",
        help="train on the sentences first; else take the encoder as it is",
    )
    discover.add_argument(
        "--recipe", type=Path, help="encoder and training, as a recipe of train.py; the default one"
    )
    discover.add_argument(
        "--encoder",
        help="small (the default), base (slower, better), or the name of a base-size encoder",
    )
    discover.add_argument(
        "--num_clusters", default="auto", help="how many relations to look for, or auto"
    )
    discover.add_argument("--keep_all", action="store_true", help="leave no row unassigned")
    discover.add_argument(
        "--max_unassigned",
        type=float,
        default=0.1,
        help="largest share of the rows that may stay unassigned; 0.1",
    )
    discover.add_argument(
        "--no_report", action="store_true", help="no report.html, for which plotly is needed"
    )
    discover.add_argument("--metric", help="scores clusters where gold is known: evaluate's name")
    discover.add_argument(
        "--trust_remote_code",
        action="store_true",
        help="run the code of a --metric that is not of this package",
    )
    discover.add_argument("--seed", type=int, default=0)
    assign.add_argument(
        "--model", required=True, help="the model folder of a discovery, or a name on the hub"
    )
    assign.add_argument(
        "--output", type=Path, help="a Parquet file; FILE-assignments.parquet by default"
    )
    edit = commands.add_parser(
        "edit", help="merge, split, rename and reject clusters of a discovery"
    )
    edit.add_argument("folder", type=Path, help="the --output_dir of siamure discover")
    edit.add_argument(
        "edits",
        type=Path,
        help="YAML with all edits of the discovery as it was found, as its report writes it",
    )
    edit.add_argument(
        "--output_dir",
        type=Path,
        help="a folder that is not there yet, for the edited discovery; in place by default",
    )
    export = commands.add_parser(
        "export", help="facts and relations of a discovery, for other tools"
    )
    export.add_argument("folder", type=Path, help="the --output_dir of siamure discover")
    export.add_argument(
        "--to",
        required=True,
        help="triples, graphml, turtle, jsonld, neo4j, schema, labelstudio, prodigy or gliner",
    )
    export.add_argument(
        "--output", type=Path, help="a file, or a folder for neo4j; beside the rest"
    )
    export.add_argument("--min_score", type=float, default=0.0, help="least mean score of a fact")
    export.add_argument(
        "--min_support", type=int, default=1, help="least number of sentences of a fact"
    )
    export.add_argument(
        "--merge_inverses", action="store_true", help="make relations one that are inverse"
    )
    return parser


def _add_pairs_arguments(pairs: argparse.ArgumentParser) -> None:
    pairs.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="TEXT",
        help=".txt, a folder of .txt, JSON lines, CSV, TSV, Parquet, or spaCy's .spacy",
    )
    pairs.add_argument("--output", required=True, type=Path, help="JSON lines")
    pairs.add_argument("--text_column", help="the column of a table that holds the text; text")
    pairs.add_argument("--no_progress", action="store_true", help="no progress bar")
    _add_text_arguments(pairs)


def _add_text_arguments(command: argparse.ArgumentParser) -> None:
    texts = command.add_argument_group("plain text")
    texts.add_argument(
        "--ner", help="what finds entities: spacy:NAME, gliner:NAME, hf:NAME or list:FILE"
    )
    texts.add_argument("--types", metavar="TYPE,...", help="types of entities; GLiNER needs them")
    texts.add_argument(
        "--order",
        choices=("first", "both"),
        help="whether the head is what comes first in the text, or each in turn; first",
    )
    texts.add_argument(
        "--max_distance", type=int, help="largest number of tokens between two mentions; 30"
    )
    texts.add_argument(
        "--type_pairs", metavar="HEAD:TAIL,...", help="types of head and tail; all by default"
    )
    texts.add_argument("--encoding", help="of .txt files; utf-8")
    texts.add_argument("--language", help="code of the language, for sentences; en")
    texts.add_argument("--num_processes", type=int, help="processes that look for entities; 1")


def main(argv: list[str] | None = None) -> None:
    """Run the command; a person's mistake is one line and exit status 2."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help(sys.stderr)
        sys.exit(2)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        with end_in_one_line():
            # The help comes at once: only the command that is run is imported.
            importlib.import_module(f"modeling_siamure.commands.{args.command}").run(args)
    except KeyboardInterrupt:
        print("siamure: stopped; the same command resumes", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()

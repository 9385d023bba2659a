"""`python -m data_scripts`: list the corpora, describe one, or prepare it with a card."""

import argparse
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import datasets
from huggingface_hub import HfApi
from huggingface_hub.errors import HTTPError

from modeling_siamure.utils.files import file_digest, lock_file, replace_flushed
from modeling_siamure.utils.terminal import end_in_one_line

from .card import PICTURE, Summary, summarize, to_card, to_markdown, write_picture
from .loading import CORPORA, Corpus, parse_pairs, relation_builder

_COMMANDS = {
    "describe": "print what a corpus holds",
    "prepare": "write it as Parquet with a card",
}
_OPTIONS = {
    "markers": "typed (default) or untyped",
    "no_relation": "keep or drop pairs that are labeled as unrelated (TACRED: drop by default)",
    "labels": "of a pair with several: first, all or single, which drops such pairs",
    "on_error": "raise (default), or skip bad rows and count them",
    "pairs": "annotated text: labeled (default), or all pairs of entities in a sentence",
    "offsets": "what offsets count, such as inclusive, utf16, bytes",
    "tag_column": "conll: the column of the tags, counted from 1",
    "entities": "conllu: key of MISC, or column, that holds the entities",
    "tacrev": "TACRED: folder of the TACREV patches",
    "retacred": "TACRED: folder of the Re-TACRED patches",
}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one line and exit status 2."""
    args = _parser().parse_args(arguments)
    with end_in_one_line("error"):
        {"describe": describe, "prepare": prepare, None: list_corpora}[args.command](args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data_scripts", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    for command, text in _COMMANDS.items():
        sub = commands.add_parser(command, help=text)
        sub.add_argument("name", help=f"one of {', '.join(CORPORA)}")
        sub.add_argument("--data_dir", help="the corpus' folder")
        sub.add_argument(
            "--data_files", nargs="+", metavar="SPLIT=FILE", help="files, instead of a folder"
        )
        sub.add_argument(
            "--columns",
            nargs="+",
            metavar="COLUMN=NAME",
            help="your own data: name of a column in the file",
        )
        sub.add_argument("--num_proc", type=int, help="processes, where the file can be cut")
        for option, option_text in _OPTIONS.items():
            sub.add_argument(f"--{option}", help=option_text)
        if command == "prepare":
            sub.add_argument("--output_dir", required=True, help="a folder that does not exist yet")
            sub.add_argument(
                "--push_to_hub", metavar="ID", help="also upload it as a private dataset"
            )
    return parser


def list_corpora(args: argparse.Namespace) -> None:
    """Print the names of the corpora with a line about each."""
    names: dict[Corpus, list[str]] = {}
    for name, corpus in CORPORA.items():
        names.setdefault(corpus, []).append(name)
    for corpus, known_as in names.items():
        print(f"{', '.join(known_as):<36} {corpus.about}")


def describe(args: argparse.Namespace) -> None:
    """Print the body of the card."""
    summary, _ = _read(args)
    print(to_markdown(summary))


def prepare(args: argparse.Namespace) -> None:
    """Write Parquet files, picture and card, all of them or none."""
    target = Path(args.output_dir)
    taken = f"{target} exists already; choose another --output_dir or remove it"
    if target.exists() and not (target / "README.md").exists():
        raise FileExistsError(taken)
    with lock_file(target, "--output_dir"):
        summary, dataset = _read(args)
        with _incomplete(target) as folder:
            picture = _write_folder(folder, summary, dataset)
            if not target.exists():
                replace_flushed(folder, target)
            elif file_digest(target) != file_digest(folder):
                raise FileExistsError(taken)
    if not picture:
        message = "no picture of the labels: there are none, or matplotlib is not installed"
        print(message, file=sys.stderr)
    if args.push_to_hub:
        _push(target, args.push_to_hub)
    counts = ", ".join(f"{split} {count:,}" for split, count in summary.rows.items())
    print(f"{target}: {counts}")


@contextmanager
def _incomplete(target: Path) -> Iterator[Path]:
    """Give an empty folder beside the target, which is gone in the end."""
    folder = target.with_name(f"{target.name}.incomplete")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_folder(folder: Path, summary: Summary, dataset: datasets.DatasetDict) -> bool:
    """Write the files of a folder.

    Returns:
        Whether it has a picture.
    """
    (folder / "data").mkdir(parents=True)
    for split, rows in dataset.items():
        rows.to_parquet(folder / "data" / f"{split}.parquet")
    picture = write_picture(summary, folder / PICTURE)
    data_files = {split: f"data/{split}.parquet" for split in dataset}
    to_card(summary, data_files, picture).save(folder / "README.md")
    return picture


def _push(folder: Path, repo_id: str) -> None:
    """Upload a folder as a private dataset, because most corpora may not be passed on."""
    api = HfApi()
    try:
        api.create_repo(repo_id, repo_type="dataset", private=True, exist_ok=True)
        api.upload_folder(repo_id=repo_id, repo_type="dataset", folder_path=folder)
    except (OSError, HTTPError) as error:
        message = f"the data is in {folder}, but {repo_id} was not published: {error}"
        raise OSError(message) from error


def _read(args: argparse.Namespace) -> tuple[Summary, datasets.DatasetDict]:
    values = {option: getattr(args, option) for option in _OPTIONS}
    options = {option: value for option, value in values.items() if value is not None}
    if args.columns:
        options["columns"] = parse_pairs("--columns", args.columns)
    data_files = parse_pairs("--data_files", args.data_files) if args.data_files else None
    builder = relation_builder(args.name, args.data_dir, data_files, **options)
    dataset = builder.read(args.num_proc)
    return summarize(args.name, builder, dataset), dataset


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` may close the pipe
    main()

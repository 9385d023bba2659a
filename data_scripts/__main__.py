"""`python -m data_scripts`: list the corpora, describe one, or prepare it as Parquet with a dataset card."""

import argparse
import shutil
import signal
import sys
from pathlib import Path

import datasets
from huggingface_hub import HfApi
from huggingface_hub.errors import HTTPError

from .card import PICTURE, Summary, summarize, to_card, to_markdown, write_picture
from .loading import CORPORA, Corpus, parse_pairs, relation_builder

_OPTIONS = {
    "markers": "typed (default) or untyped",
    "no_relation": "keep or drop pairs that are labelled as unrelated (TACRED: drop by default)",
    "labels": "of a pair with several: first, all or single, which drops such pairs",
    "on_error": "raise (default), or skip bad rows and count them",
    "tacrev": "TACRED: folder of the TACREV patches",
    "retacred": "TACRED: folder of the Re-TACRED patches",
}


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; a person's mistake is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m data_scripts", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    for command, text in (("describe", "print what a corpus holds"), ("prepare", "write it as Parquet with a card")):
        sub = commands.add_parser(command, help=text)
        sub.add_argument("name", help=f"one of {', '.join(CORPORA)}")
        sub.add_argument("--data_dir", help="the corpus' folder")
        sub.add_argument("--data_files", nargs="+", metavar="SPLIT=FILE", help="files by split, instead of a folder")
        sub.add_argument("--columns", nargs="+", metavar="COLUMN=NAME", help="own data: name of a column in the file")
        sub.add_argument("--num_proc", type=int, help="processes, where the file can be cut")
        for option, option_text in _OPTIONS.items():
            sub.add_argument(f"--{option}", help=option_text)
        if command == "prepare":
            sub.add_argument("--output_dir", required=True, help="a folder that is not there yet")
            sub.add_argument("--push_to_hub", metavar="ID", help="also upload it as a private dataset")
    args = parser.parse_args(arguments)
    try:
        {"describe": describe, "prepare": prepare, None: list_corpora}[args.command](args)
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


def list_corpora(args: argparse.Namespace) -> None:
    """Prints the names of the corpora with a line about each."""
    names: dict[Corpus, list[str]] = {}
    for name, corpus in CORPORA.items():
        names.setdefault(corpus, []).append(name)
    for corpus, known_as in names.items():
        print(f"{', '.join(known_as):<36} {corpus.about}")


def describe(args: argparse.Namespace) -> None:
    """Prints the body of the card."""
    summary, _ = _read(args)
    print(to_markdown(summary))


def prepare(args: argparse.Namespace) -> None:
    """Writes Parquet files, picture and card, all of them or none."""
    target = Path(args.output_dir)
    if target.exists():
        raise FileExistsError(f"{target} is there already; choose another --output_dir or remove it")
    summary, dataset = _read(args)
    unfinished = target.with_name(target.name + ".incomplete")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        (unfinished / "data").mkdir(parents=True)
        for split, rows in dataset.items():
            rows.to_parquet(unfinished / "data" / f"{split}.parquet")
        picture = write_picture(summary, unfinished / PICTURE)
        to_card(summary, {split: f"data/{split}.parquet" for split in dataset}, picture).save(unfinished / "README.md")
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    if not picture:
        print("no picture of the labels: there are none, or matplotlib is not installed", file=sys.stderr)
    if args.push_to_hub:
        # Private, because most corpora may not be passed on; the owner can open it on the hub.
        api = HfApi()
        try:
            api.create_repo(args.push_to_hub, repo_type="dataset", private=True, exist_ok=True)
            api.upload_folder(repo_id=args.push_to_hub, repo_type="dataset", folder_path=target)
        except (OSError, HTTPError) as error:
            raise OSError(f"the data is in {target}, but {args.push_to_hub} was not published: {error}") from error
    print(f"{target}: {', '.join(f'{split} {count:,}' for split, count in summary.rows.items())}")


def _read(args: argparse.Namespace) -> tuple[Summary, datasets.DatasetDict]:
    options = {option: getattr(args, option) for option in _OPTIONS if getattr(args, option) is not None}
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

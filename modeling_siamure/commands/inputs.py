"""What commands read, and what their results are of."""

import argparse
import importlib.util
from pathlib import Path
from typing import Any

from data_scripts.formats import list_files, recognize
from data_scripts.loading import load_user_file, parse_pairs
from data_scripts.plain_text import PairOptions, PairRules, parse_type_pairs

from ..modeling_siamure import resolve_encoder
from ..recipe import Recipe
from ..training.run_record import describe_arguments
from ..utils.files import file_digest

# What only plain text has.
TEXT_ARGUMENTS = (
    "ner",
    "types",
    "order",
    "max_distance",
    "type_pairs",
    "encoding",
    "language",
    "num_processes",
)


def is_plain_text(args: argparse.Namespace) -> bool:
    """Tell whether the inputs of a discovery are documents, whose pairs have to be found.

    Raises:
        ValueError: They are rows, and an option for plain text is given; or the other way round.
    """
    if args.ner or (args.format is None and _holds_documents(args.file)):
        for name in ("columns", "offsets"):
            if getattr(args, name):
                raise ValueError(f"--{name} is for rows, not for plain text; leave it out")
        return True
    if args.more:
        raise ValueError(f"{args.more[0]}: several files are read as plain text only; give --ner")
    for name in TEXT_ARGUMENTS:
        if getattr(args, name) is not None:
            raise ValueError(f"--{name} is for plain text; give --ner, or leave it out")
    return False


def _holds_documents(path: Path) -> bool:
    """Tell whether a file or a folder holds text without annotations, or documents of spaCy."""
    files = list_files(path) if path.is_dir() else [path]
    if all(file.suffix.lower() == ".spacy" for file in files):
        return True
    is_text = path.exists() and all(file.suffix.lower() == ".txt" for file in files)
    return is_text and recognize(files) == "table"


def pair_options(args: argparse.Namespace) -> PairOptions:
    """Return which pairs the command asks for.

    Raises:
        ValueError: An option has a wrong value.
    """
    for name, least in (("max_distance", 0), ("num_processes", 1)):
        number = getattr(args, name)
        if number is not None and number < least:
            raise ValueError(f"--{name} {number}: give a whole number of {least} or more")
    rules = {
        "order": args.order,
        "max_distance": args.max_distance,
        "type_pairs": parse_type_pairs(args.type_pairs) if args.type_pairs else None,
    }
    types = [word.strip() for word in (args.types or "").split(",")]
    options = {
        "ner": args.ner,
        "types": tuple(filter(None, types)) or None,
        "text_column": args.text_column,
        "encoding": args.encoding,
        "language": args.language,
    }
    return PairOptions(
        rules=PairRules(**_given(rules)),
        **_given(options),
    )


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def load_input(args: argparse.Namespace, pairs_file: Path | None = None):
    """Return all rows of the file, in its order.

    Args:
        args: The command.
        pairs_file: What plain text was made of; it is read instead.
    """
    if pairs_file:
        return load_user_file(pairs_file)
    columns = parse_pairs("--columns", args.columns) | (
        {"text": args.text_column} if args.text_column else {}
    )
    return load_user_file(
        args.file,
        columns=columns or None,
        on_error=args.on_error,
        offsets=args.offsets,
        format=args.format,
        **parse_pairs("--reader_options", args.reader_options),
    )


def describe_command(args: argparse.Namespace, recipe: Recipe) -> dict[str, Any]:
    """Return what decides the result of a command, for `list_changes`.

    Files and models are told by their content, not by where they are.
    """
    run: dict[str, Any] = {}
    if args.command == "discover":
        run |= describe_arguments(recipe.training_arguments("", seed=args.seed))
        run |= {} if args.model else vars(recipe.model_arguments)
    aside = {"command", "output_dir", "output", "no_progress", "recipe", "encoder"}
    if args.command == "discover" and is_plain_text(args):
        run |= pair_options(args).describe([args.file, *args.more])
        aside |= {"file", "more", "text_column", *TEXT_ARGUMENTS}
    # Last: the number of clusters is that of the command, whatever the recipe says.
    run |= {name: value for name, value in vars(args).items() if name not in aside}
    for name in ("file", "model", "model_name_or_path", "metric"):
        if run.get(name):
            source = Path(resolve_encoder(str(run[name])))
            run[name] = f"#{file_digest(source)}" if source.exists() else str(run[name])
    return run


def require_plotly() -> None:
    """Raise an `ImportError` that names the fix where the report can't be drawn."""
    if importlib.util.find_spec("plotly") is None:
        raise ImportError("the report needs plotly: pip install plotly, or give --no_report")

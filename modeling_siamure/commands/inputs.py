"""What commands read, and what their results are of."""

import argparse
import importlib.util
from pathlib import Path
from typing import Any

from data_scripts.loading import load_user_file, parse_pairs

from ..modeling_siamure import resolve_encoder
from ..recipe import Recipe
from ..training.run_record import describe_arguments
from ..utils.files import file_digest


def load_input(args: argparse.Namespace):
    """Return all rows of the file, in its order."""
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
    aside = ("command", "output_dir", "output", "no_progress", "recipe", "encoder")
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

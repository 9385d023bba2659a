"""Recipes: the YAML files that say how a model is made and trained."""

import importlib.util
import json
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

DEFAULT_RECIPE = Path(__file__).with_name("default.yaml")
MODEL_KEYS = ("pooling", "pooling_layer", "mention_depth", "dropout", "projection_size", "predictor_size")
OTHER_KEYS = ("model_name_or_path", "num_clusters", *MODEL_KEYS)  # all others are arguments of the training


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The keys of a recipe and their values.

    Raises:
        ValueError: It is not YAML, or holds no keys.
    """
    try:
        recipe = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} can't be read as a recipe: {error}") from None
    if not isinstance(recipe, dict):
        raise ValueError(f"{path} can't be read as a recipe: it holds no keys")
    return recipe


def recipe_words(path: str | Path, parser: ArgumentParser) -> list[str]:
    """The words of a command line that say what a recipe says, so that the line itself can follow and override them.

    A mapping becomes words such as `labels=first` and `columns.sentence=body` where the argument takes several words,
    and JSON where it takes one, as transformers' `lr_scheduler_kwargs` does. A key without a value is left out.

    Args:
        path: The recipe: names of arguments to their values.
        parser: Knows the arguments.

    Raises:
        ValueError: The recipe can't be read, or has a key that is no argument. Names the file.
    """
    arguments = {action.dest: action for action in parser._actions}
    words = []
    for key, value in read_recipe(path).items():
        if key not in arguments:
            raise ValueError(f"{path}: {key!r} is no recipe key")
        if not isinstance(value, dict):
            texts = [] if value is None else [str(value)]
        elif arguments[key].nargs == "+":
            texts = list(_pairs(value))
        else:
            texts = [json.dumps(value)]
        words += [f"--{key}", *texts] if texts else []
    return words


def encoder_path(name: str) -> str:
    """Resolves pip:PACKAGE/FOLDER to the folder inside the installed package, without importing it.

    Raises:
        ValueError: The package is not installed.

    >>> encoder_path("google-bert/bert-base-cased")
    'google-bert/bert-base-cased'
    """
    if not name.startswith("pip:"):
        return name
    package, _, folder = name.removeprefix("pip:").partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ValueError(f"the encoder's package {package} is not installed; pip install 'siamure[demo]'")
    return str(Path(spec.submodule_search_locations[0], folder))


def _pairs(mapping: Mapping) -> Iterator[str]:
    """
    >>> list(_pairs({"labels": "first", "columns": {"sentence": "body"}}))
    ['labels=first', 'columns.sentence=body']
    """
    for key, value in mapping.items():
        if isinstance(value, dict):
            yield from (f"{key}.{pair}" for pair in _pairs(value))
        else:
            yield f"{key}={value}"

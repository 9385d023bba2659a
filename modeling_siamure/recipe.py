"""Recipes: the YAML files that say how a model is made and trained."""

import importlib.util
from pathlib import Path
from typing import Any

import yaml

DEFAULT_RECIPE = Path(__file__).with_name("default.yaml")
MODEL_KEYS = ("pooling", "pooling_layer", "dropout", "projection_size", "predictor_size")
OTHER_KEYS = ("model_name_or_path", "num_clusters", *MODEL_KEYS)


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


def encoder_path(name: str) -> str:
    """Resolves pip:PACKAGE/FOLDER to the folder inside the installed package, without importing it.

    >>> encoder_path("google-bert/bert-base-cased")
    'google-bert/bert-base-cased'

    Raises:
        ValueError: The package is not installed.
    """
    if not name.startswith("pip:"):
        return name
    package, _, folder = name.removeprefix("pip:").partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ValueError(f"the encoder's package {package} is not installed; pip install 'siamure[demo]'")
    return str(Path(spec.submodule_search_locations[0], folder))

"""Keep the cells of `benchmarks.paper`: a method with a seed and a budget, run once."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from modeling_siamure.utils.files import atomic_write

from ..runs import provenance

Kind = Literal["one_cluster", "type_pairs", "prompt", "untrained", "contrastive", "trained"]
WITHOUT_ENCODER = ("one_cluster", "type_pairs")


@dataclass(frozen=True)
class Cell:
    """What is run once.

    Attributes:
        kind: How the clustering comes about.
        seed: Of examples, training and k-means.
        recipe: The recipe's name; empty where none has a part.
        overrides: What differs from the recipe, by its keys.
        keeps_embeddings: Whether h of the scored examples is kept for a picture.
    """

    kind: Kind
    seed: int
    recipe: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    keeps_embeddings: bool = False

    @property
    def name(self) -> str:
        """A file name, without its ending.

        >>> Cell("trained", 0, "default", {"dropout": 0.05}).name
        'trained,default,dropout=0.05,seed=0'
        """
        overrides = [f"{key}={value}" for key, value in self.overrides.items()]
        parts = [self.kind, self.recipe, *overrides, f"seed={self.seed}"]
        return ",".join(filter(None, parts))


class CellStore:
    """Finished cells in a folder. One whose settings have changed counts as not run.

    Args:
        folder: Where the files lie.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def read(self, cell: Cell, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """Read the record of a cell.

        Returns:
            `scores`, `settings`, `measured` and more; `None` if the cell has not been run with
            these settings.
        """
        path = self._path(cell, ".json")
        if not path.exists():
            return None
        record = json.loads(path.read_text(encoding="utf-8"))
        return record if record["hash"] == settings_hash(settings) else None

    def write(
        self,
        cell: Cell,
        settings: Mapping[str, Any],
        result: Mapping[str, Any],
        arrays: dict[str, np.ndarray],
    ) -> None:
        """Keep a result, whole or not at all, and arrays with a row per scored example."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # An older record must not stand beside newer arrays.
        self._path(cell, ".json").unlink(missing_ok=True)
        for name, array in arrays.items():
            path = self._path(cell, f".{name}.npy")
            partial = path.with_name(f"{path.name}.partial")
            with partial.open("wb") as file:
                np.save(file, array)
            partial.replace(path)
        record = {
            "hash": settings_hash(settings),
            "settings": settings,
            "measured": provenance(),
            **result,
        }
        atomic_write(self._path(cell, ".json"), json.dumps(record, indent=2) + "\n")

    def array(self, cell: Cell, name: str) -> np.ndarray | None:
        """Read an array of a finished cell.

        Args:
            cell: The cell.
            name: `"labels"`, `(examples,)`, or `"h"`, `(examples, size)`.

        Returns:
            The array; `None` if it is gone.
        """
        path = self._path(cell, f".{name}.npy")
        return np.load(path) if path.exists() else None

    def _path(self, cell: Cell, ending: str) -> Path:
        return self.folder / (cell.name + ending)


def settings_hash(settings: Mapping[str, Any]) -> str:
    """Hash settings, whatever their order.

    >>> settings_hash({"a": 1, "b": 2}) == settings_hash({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]

"""The cells of `benchmarks.paper` on one corpus: which are needed, which are there, and running the others."""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm
from transformers import AutoConfig

from modeling_siamure.recipe import encoder_path

from .paper_cells import WITHOUT_ENCODER, Cell, CellStore
from .paper_corpora import Corpus, Rows
from .paper_methods import (
    DROPOUTS,
    METHODS,
    NEIGHBORS,
    Budget,
    Method,
    make_cell,
    recipe_of,
    recipe_values,
    run,
    variant,
)
from .paper_rivals import lacks_masked_words

ITEMS = ("table2", "table3", "figure2", "figure3", "figure4", "figure5")


class Experiment:
    """A corpus, an encoder and a budget.

    Args:
        corpus: Gives the rows.
        folder: Where cells are kept, in `cells/`.
        seeds: Of rows, training and k-means.
        encoder: As a recipe names it; that of the corpus' recipe by default.
        num_clusters: C; the protocol's by default.
        budget: How long is trained.
        methods: Rows of Table 2; all that there are by default.

    Raises:
        ValueError, OSError: The encoder is not there, or the rows or the budget are too small.
    """

    def __init__(
        self,
        corpus: Corpus,
        folder: Path,
        seeds: list[int],
        encoder: str | None = None,
        num_clusters: int | None = None,
        budget: Budget | None = None,
        methods: Iterable[str] | None = None,
    ):
        self.corpus, self.seeds, self.budget = corpus, seeds, budget or Budget()
        self.encoder = encoder or recipe_of(corpus.protocol.recipe)["model_name_or_path"]
        self.folder, self.store = folder, CellStore(folder / "cells")
        self._rows = {seed: corpus.rows(seed) for seed in seeds}
        self._fingerprints = {seed: rows.fingerprint() for seed, rows in self._rows.items()}
        self.num_clusters = num_clusters or corpus.num_clusters(self.rows)
        smallest = min(len(part) for rows in self._rows.values() for part in (rows.train, rows.scored))
        if smallest < self.num_clusters:
            raise ValueError(f"{smallest} rows can't form {self.num_clusters} clusters; give more, or --num_clusters")
        for recipe in ("default", "paper"):
            self.budget.overrides(recipe)
        self.notes: list[str] = []
        self.methods = self._applicable(METHODS if methods is None else methods)

    @property
    def rows(self) -> Rows:
        """The first seed's."""
        return self._rows[self.seeds[0]]

    @property
    def encoder_name(self) -> str:
        """The encoder's name without the folders of this machine."""
        return Path(self.encoder).name if Path(self.encoder).exists() else self.encoder

    @cached_property
    def own_dropout(self) -> float | None:
        """The encoder's dropout, if all its layers have the same (see `SiamUREModel.from_encoder`)."""
        config = AutoConfig.from_pretrained(encoder_path(self.encoder)).to_dict()
        found = {value for name, value in config.items() if "dropout" in name and "classifier" not in name}
        found = {value for value in found if isinstance(value, int | float)}
        return found.pop() if len(found) == 1 else None

    def _applicable(self, names: Iterable[str]) -> dict[str, Method]:
        methods = {name: METHODS[name] for name in METHODS if name in set(names)}
        if self.rows.has_types:
            self.notes.append(f"The scored rows have {len(set(self.rows.type_pairs()))} type pairs.")
        elif methods.pop("type_pairs", None):
            self.notes.append("There are no entity types, so there is no row of type pairs.")
        if "prompt" in methods and (reason := lacks_masked_words(encoder_path(self.encoder))):
            del methods["prompt"]
            self.notes.append(f"The encoder is not prompted: {reason}.")
        return methods

    # ------------------------------------------------------------------------------------------------------------------
    # Cells

    def sweep(self, item: str) -> dict[float, Method]:
        """The methods of Table 3 by dropout, or of Figure 3 by K."""
        if item == "table3":
            return {dropout: variant(dropout=dropout) for dropout in DROPOUTS}
        smallest = min(len(rows.train) for rows in self._rows.values())
        return {count: variant(num_neighbors=count) for count in NEIGHBORS if count < smallest}

    def cell(self, method: Method, seed: int) -> Cell:
        return make_cell(method, seed, self.budget, len(self._rows[seed].train), self.own_dropout)

    def settings(self, cell: Cell) -> dict[str, Any]:
        """All that decides what a cell gives."""
        settings = {"corpus": self.corpus.name, "kind": cell.kind, "seed": cell.seed}
        settings["rows"] = self._fingerprints[cell.seed]
        if cell.kind not in WITHOUT_ENCODER:
            settings |= {"num_clusters": self.num_clusters, "encoder": self.encoder_name}
            settings["encoder_sha256"] = hashlib.sha256(self.encoder.encode()).hexdigest()
            settings |= {"recipe": cell.recipe, "overrides": dict(cell.overrides)}
            settings["recipe_values"] = recipe_values(cell)
        return settings

    def record(self, cell: Cell) -> dict[str, Any] | None:
        """What a finished cell gave."""
        return self.store.read(cell, self.settings(cell))

    def records(self, method: Method) -> list[dict[str, Any]] | None:
        """What a method's cells gave, one a seed; `None` if some are not finished."""
        found = [self.record(self.cell(method, seed)) for seed in self.seeds]
        return found if all(found) else None

    def array(self, method: str, name: str) -> np.ndarray | None:
        """An array of the first seed's cell of a method, if that is finished and its arrays are kept."""
        cell = self.cell(METHODS[method], self.seeds[0])
        return self.store.array(cell, name) if self.record(cell) else None

    def cells(self, items: Iterable[str]) -> list[Cell]:
        """The cells that some tables and figures need, each once."""
        wanted: list[tuple[Method, list[int]]] = []
        for item in ITEMS:
            if item not in set(items):
                continue
            if item == "table2":
                wanted += [(method, self.seeds) for method in self.methods.values()]
            elif item in ("table3", "figure3"):
                wanted += [(method, self.seeds) for method in self.sweep(item).values()]
            elif item == "figure4":
                wanted += [(METHODS["as_trained"], self.seeds[:1]), (METHODS["no_clustering"], self.seeds[:1])]
            elif item == "figure5":
                wanted.append((METHODS["default"], self.seeds[:1]))
        return list({cell.name: cell for method, seeds in wanted for cell in self._cells(method, seeds)}.values())

    def _cells(self, method: Method, seeds: list[int]) -> list[Cell]:
        return [self.cell(method, seed) for seed in seeds]

    def run(self, items: Iterable[str], row_folder: Path) -> int:
        """Runs the cells that are not finished; returns how many these were.

        Args:
            items: The tables and figures to run them for.
            row_folder: Where rows are written for the trainer.
        """
        cells = self.cells(items)
        missing = [cell for cell in cells if self.record(cell) is None]
        bar = tqdm(total=len(cells), initial=len(cells) - len(missing), unit="cell", desc=self.corpus.name)
        with bar, logging_redirect_tqdm():
            for cell in missing:
                bar.set_postfix_str(cell.name)
                rows = self._rows[cell.seed]
                files = {} if cell.kind in WITHOUT_ENCODER else rows.write(row_folder / str(cell.seed))
                self.store.write(cell, self.settings(cell), *run(cell, rows, files, self.encoder, self.num_clusters))
                bar.update()
        return len(missing)

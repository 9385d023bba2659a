"""Find out which cells `benchmarks.paper` needs on one corpus, and run those that are missing."""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm
from transformers import AutoConfig

from modeling_siamure.modeling_siamure import resolve_encoder

from .cells import WITHOUT_ENCODER, Cell, CellStore
from .methods import METHODS, Budget, Method, make_cell, recipe_of, recipe_values, run, variant
from .protocols import Corpus, Examples
from .rivals import lacks_masked_words

ITEMS = ("table2", "table3", "figure2", "figure3", "figure4", "figure5")


class Experiment:
    """A corpus, an encoder and a budget.

    Args:
        corpus: Gives the examples.
        folder: Where cells are kept, in `cells/`.
        seeds: Of examples, training and k-means.
        encoder: As a recipe names it; that of the corpus's recipe by default.
        num_clusters: C; the protocol's by default.
        budget: How long is trained.
        methods: Rows of Table 2; all that there are by default.
        dropouts: Rows of Table 3.
        neighbors: K, the points of Figure 3; those that exceed the examples are left out.

    Raises:
        ValueError: The examples or the budget are too small.
        OSError: The encoder is not there.
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
        dropouts: Iterable[float] = (0.01, 0.05, 0.1, 0.15, 0.2, 0.5),
        neighbors: Iterable[int] = (5, 10, 20, 30, 40, 50),
    ):
        self.corpus = corpus
        self.folder = folder
        self.store = CellStore(folder / "cells")
        self.seeds = seeds
        self.encoder = encoder or recipe_of(corpus.protocol.recipe)["model_name_or_path"]
        self.budget = budget or Budget()
        self.dropouts = tuple(dropouts)
        self.neighbors = tuple(neighbors)
        self._examples = {seed: corpus.examples(seed) for seed in seeds}
        self._fingerprints = {seed: part.fingerprint() for seed, part in self._examples.items()}
        self.num_clusters = num_clusters or corpus.num_clusters(self.examples)
        smallest = min(
            len(part)
            for examples in self._examples.values()
            for part in (examples.train, examples.scored)
        )
        if smallest < self.num_clusters:
            raise ValueError(
                f"{smallest} rows can't form {self.num_clusters} clusters; "
                "give more, or --num_clusters"
            )
        for recipe in ("default", "paper"):
            self.budget.overrides(recipe)
        self.notes: list[str] = []
        self.methods = self._applicable(METHODS if methods is None else methods)

    @property
    def examples(self) -> Examples:
        """The examples of the first seed."""
        return self._examples[self.seeds[0]]

    @property
    def encoder_name(self) -> str:
        """The encoder's name without the folders of this machine."""
        return Path(self.encoder).name if Path(self.encoder).exists() else self.encoder

    @cached_property
    def own_dropout(self) -> float | None:
        """The encoder's dropout, if all its layers have the same."""
        config = AutoConfig.from_pretrained(resolve_encoder(self.encoder)).to_dict()
        dropouts = {
            value
            for name, value in config.items()
            if "dropout" in name and "classifier" not in name and isinstance(value, int | float)
        }
        return dropouts.pop() if len(dropouts) == 1 else None

    def _applicable(self, names: Iterable[str]) -> dict[str, Method]:
        methods = {name: METHODS[name] for name in METHODS if name in set(names)}
        if self.examples.has_types:
            count = len(set(self.examples.type_pairs()))
            self.notes.append(f"The scored rows have {count} type pairs.")
        elif methods.pop("type_pairs", None):
            self.notes.append("There are no entity types, so there is no row of type pairs.")
        if "prompt" in methods and (reason := lacks_masked_words(resolve_encoder(self.encoder))):
            del methods["prompt"]
            self.notes.append(f"The encoder is not prompted: {reason}.")
        return methods

    # ----------------------------------------------------------------------------------------------
    # Cells

    def sweep(self, item: str) -> dict[float, Method]:
        """Return the methods of Table 3 by dropout, or of Figure 3 by K."""
        if item == "table3":
            return {dropout: variant(dropout=dropout) for dropout in self.dropouts}
        smallest = min(len(examples.train) for examples in self._examples.values())
        counts = [count for count in self.neighbors if count < smallest]
        return {count: variant(num_neighbors=count) for count in counts}

    def cell(self, method: Method, seed: int) -> Cell:
        """Return the cell of a method and a seed."""
        num_examples = len(self._examples[seed].train)
        return make_cell(method, seed, self.budget, num_examples, self.own_dropout)

    def settings(self, cell: Cell) -> dict[str, Any]:
        """Return all that decides what a cell gives."""
        settings = {"corpus": self.corpus.name, "kind": cell.kind, "seed": cell.seed}
        settings["rows"] = self._fingerprints[cell.seed]
        if cell.kind not in WITHOUT_ENCODER:
            settings |= {"num_clusters": self.num_clusters, "encoder": self.encoder_name}
            settings["encoder_sha256"] = hashlib.sha256(self.encoder.encode()).hexdigest()
            settings |= {"recipe": cell.recipe, "overrides": dict(cell.overrides)}
            settings["recipe_values"] = recipe_values(cell)
        return settings

    def record(self, cell: Cell) -> dict[str, Any] | None:
        """Return the record of a finished cell; `None` if it is not finished."""
        return self.store.read(cell, self.settings(cell))

    def records(self, method: Method) -> list[dict[str, Any]] | None:
        """Return the records of a method, one per seed; `None` if some are not finished."""
        records = [self.record(self.cell(method, seed)) for seed in self.seeds]
        return records if all(records) else None

    def array(self, method: str, name: str) -> np.ndarray | None:
        """Return an array of the first seed's cell of a method.

        Returns:
            The array; `None` if the cell is not finished or its arrays are gone.
        """
        cell = self.cell(METHODS[method], self.seeds[0])
        return self.store.array(cell, name) if self.record(cell) else None

    def cells(self, items: Iterable[str]) -> list[Cell]:
        """Return the cells that some tables and figures need, each once."""
        items = set(items)
        first = self.seeds[:1]
        wanted: list[tuple[Method, list[int]]] = []
        if "table2" in items:
            wanted += [(method, self.seeds) for method in self.methods.values()]
        for item in ("table3", "figure3"):
            if item in items:
                wanted += [(method, self.seeds) for method in self.sweep(item).values()]
        if "figure4" in items:
            wanted += [(METHODS["as_trained"], first), (METHODS["no_clustering"], first)]
        if "figure5" in items:
            wanted.append((METHODS["default"], first))
        cells = [self.cell(method, seed) for method, seeds in wanted for seed in seeds]
        return list({cell.name: cell for cell in cells}.values())

    def run(self, items: Iterable[str]) -> int:
        """Run the cells that are not finished; return how many these were.

        Args:
            items: The tables and figures to run them for.
        """
        cells = self.cells(items)
        missing = [cell for cell in cells if self.record(cell) is None]
        finished = len(cells) - len(missing)
        bar = tqdm(total=len(cells), initial=finished, unit="cell", desc=self.corpus.name)
        with bar, logging_redirect_tqdm():
            for cell in missing:
                bar.set_postfix_str(cell.name)
                examples = self._examples[cell.seed]
                result, arrays = run(cell, examples, self.encoder, self.num_clusters)
                self.store.write(cell, self.settings(cell), result, arrays)
                bar.update()
        return len(missing)

"""The methods that `benchmarks.paper` compares, each as a recipe with overrides, and what runs one."""

import functools
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import torch
from transformers import PrinterCallback

from modeling_siamure import SiamURETrainer, SiamURETrainingArguments
from modeling_siamure.checkpointing import StopCallback
from modeling_siamure.clustering import kmeans
from modeling_siamure.recipe import MODEL_KEYS, encoder_path, read_recipe
from train import build_trainer, parse_arguments

from .paper_cells import WITHOUT_ENCODER, Cell, Kind
from .paper_corpora import Rows
from .paper_rivals import InstanceContrastiveTrainer, prompt_embeddings
from .runs import REPOSITORY

DROPOUTS = (0.01, 0.05, 0.1, 0.15, 0.2, 0.5)  # Table 3
NEIGHBORS = (5, 10, 20, 30, 40, 50)  # Figure 3
TRAINED = ("contrastive", "trained")


@dataclass(frozen=True)
class Method:
    """A row of Table 2.

    Attributes:
        title: What the table calls it.
        kind: How the partition comes about.
        recipe: Which recipe it is a variant of; the optimizer, epochs and batch size are this recipe's.
        overrides: The one thing that differs from it.
        shows_others: Whether the model's other partitions, by k-means and by its cluster head, have rows too.
        keeps_embeddings: Whether h is kept for a picture.
    """

    title: str
    kind: Kind = "trained"
    recipe: str = "default"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    shows_others: bool = False
    keeps_embeddings: bool = False


# Two budgets. The paper's recipe is run to the letter: its SGD hardly moves an encoder in short runs. Rivals and
# ablations therefore are variants of the default recipe, and differ from it in what their row says; but what training
# does is to be seen, so none of them goes back to the encoder's start.
AS_TRAINED = {"start_share": 0.0}
AS_IN_THE_PAPER = {"partition": "kmeans", "mention_depth": 1.0}
POOLINGS = {
    f"untrained_{name}": Method(
        f"untrained, {name}, k-means", "untrained", overrides={"pooling": name, **AS_IN_THE_PAPER}
    )
    for name in ("marker", "mention", "marker_context", "mention_context")
}
UNTRAINED_KEYS = (*MODEL_KEYS, "max_length", "partition", "kmeans_restarts")
METHODS = {
    "one_cluster": Method("everything in one cluster", "one_cluster", recipe=""),
    "type_pairs": Method("one cluster per type pair", "type_pairs", recipe=""),
    **POOLINGS,
    "untrained": Method("untrained, default recipe", "untrained"),
    "prompt": Method("untrained, prompt with a mask (PromptORE)", "prompt"),
    "contrastive": Method(
        "instance contrast (InfoNCE)",
        "contrastive",
        overrides={"clustering_loss": "none", "use_mlps": False, **AS_TRAINED},
    ),
    "neighbor_cosine": Method(
        "neighbor cosine (the authors' code)",
        overrides={"clustering_loss": "neighbor_cosine", "clustering_weight": 1.0, "num_neighbors": 30, **AS_TRAINED},
    ),
    "no_mlps": Method("ours, without MLPs", overrides={"use_mlps": False, **AS_TRAINED}),
    "as_trained": Method("ours, as trained", overrides=AS_TRAINED, shows_others=True, keeps_embeddings=True),
    "no_clustering": Method(
        "ours, without clustering", overrides={"clustering_loss": "none", **AS_TRAINED}, keeps_embeddings=True
    ),
    "paper": Method("ours, paper recipe", recipe="paper", shows_others=True),
    "default": Method("ours, default recipe", shows_others=True, keeps_embeddings=True),
}


def variant(**overrides: Any) -> Method:
    """The default recipe with one thing changed, for a sweep."""
    return Method("", overrides=overrides)


@dataclass(frozen=True)
class Budget:
    """How long all that is trained is trained; `None` leaves it to the recipe.

    Attributes:
        epochs: All epochs.
        warmup_epochs: L. Where only `epochs` is given, the recipe's share of its own epochs, rounded down.
    """

    epochs: int | None = None
    warmup_epochs: int | None = None

    def overrides(self, recipe: str) -> dict[str, int]:
        """
        Raises:
            ValueError: No epoch is left for the clustering loss.

        >>> Budget(epochs=4).overrides("paper")
        {'num_train_epochs': 4, 'warmup_epochs': 2}
        """
        its = recipe_of(recipe)
        epochs = self.epochs or its["num_train_epochs"]
        warmup = its["warmup_epochs"] * epochs // its["num_train_epochs"]
        warmup = warmup if self.warmup_epochs is None else self.warmup_epochs
        if warmup >= epochs:
            raise ValueError(f"--warmup_epochs {warmup} leaves none of {epochs} epochs to the clustering loss")
        return {"num_train_epochs": epochs, "warmup_epochs": warmup}


def recipe_path(recipe: str) -> Path:
    return REPOSITORY / "recipes" / f"{recipe}.yaml"


@functools.cache
def recipe_of(recipe: str) -> dict[str, Any]:
    return read_recipe(recipe_path(recipe))


def recipe_values(cell: Cell) -> dict[str, Any]:
    """What of its recipe a cell depends on: in training all, else what h is made of and how it is partitioned.

    What the cell overrides is left out: the recipe may change there.
    """
    recipe = recipe_of(cell.recipe)
    keys = recipe.keys() - cell.overrides.keys()
    if cell.kind not in TRAINED:
        keys &= set(UNTRAINED_KEYS)
    return {key: recipe[key] for key in sorted(keys)}


def make_cell(method: Method, seed: int, budget: Budget, num_rows: int, own_dropout: float | None) -> Cell:
    """The cell of a method and a seed.

    Overrides that say what the recipe says anyway are left out, so that a sweep shares cells with Table 2.

    Args:
        method: What is run.
        seed: Of rows, training and k-means.
        budget: How long, if it is trained.
        num_rows: How many rows are trained on; more neighbors than that can't be mined.
        own_dropout: The encoder's, if all its dropout layers have the same.
    """
    if method.kind in (*WITHOUT_ENCODER, "prompt"):
        return Cell(method.kind, seed, method.recipe)
    recipe, overrides = recipe_of(method.recipe), dict(method.overrides)
    neighbors = overrides.get("num_neighbors", recipe.get("num_neighbors", SiamURETrainingArguments.num_neighbors))
    overrides["num_neighbors"] = min(neighbors, num_rows - 1)
    if method.kind in TRAINED:
        overrides |= budget.overrides(method.recipe)
    said = {"dropout": own_dropout} | recipe
    overrides = {key: value for key, value in overrides.items() if key not in said or said[key] != value}
    # A sweep that comes by the recipe's own value leaves what Table 2's cell does.
    is_recipe = method.recipe == "default" and overrides.keys() <= {"num_train_epochs", "warmup_epochs"}
    keeps_embeddings = method.keeps_embeddings or (method.kind == "trained" and is_recipe)
    return Cell(method.kind, seed, method.recipe, overrides, keeps_embeddings)


@functools.cache
def metric():
    return evaluate.load(str(REPOSITORY / "metrics" / "b_cubed"))


def run(
    cell: Cell, rows: Rows, files: Mapping[str, str], encoder: str, num_clusters: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Runs a cell.

    Args:
        cell: Which.
        rows: Of its seed.
        files: The same rows as arguments of `train.py`, from `Rows.write`.
        encoder: As a recipe names it.
        num_clusters: C.

    Returns:
        `scores` (0 to 1, the cluster head's behind `head_`), `neighbor_accuracy` of each mining, and `seconds`; and
        the arrays `labels` `(rows,)` and, for some cells, `h` `(rows, size)` in float16.
    """
    started = time.monotonic()
    if cell.kind in ("untrained", *TRAINED):
        result, arrays = _run_trainer(cell, files, encoder, num_clusters)
    else:
        labels = _partition(cell, rows, encoder, num_clusters)
        result, arrays = {"scores": metric().compute(predictions=labels, references=rows.scored["relation"])}, {}
        arrays["labels"] = labels
    return {**result, "seconds": round(time.monotonic() - started, 1)}, arrays


def _partition(cell: Cell, rows: Rows, encoder: str, num_clusters: int) -> np.ndarray:
    if cell.kind == "one_cluster":
        return np.zeros(len(rows.scored), int)
    if cell.kind == "type_pairs":
        return np.unique(rows.type_pairs(), return_inverse=True)[1]
    recipe = recipe_of(cell.recipe)
    embeddings = prompt_embeddings(
        encoder_path(encoder),
        rows.scored,
        recipe.get("max_length", SiamURETrainingArguments.max_length),
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    restarts = recipe.get("kmeans_restarts", SiamURETrainingArguments.kmeans_restarts)
    return kmeans(embeddings, num_clusters, cell.seed, restarts).labels


def _run_trainer(
    cell: Cell, files: Mapping[str, str], encoder: str, num_clusters: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    options = {"model_name_or_path": encoder, "num_clusters": num_clusters, "seed": cell.seed, **files}
    options |= {"save_strategy": "no", "disable_tqdm": True, "report_to": "none", **cell.overrides}
    with tempfile.TemporaryDirectory() as folder:
        words = [str(recipe_path(cell.recipe)), "--output_dir", folder]
        words += [word for key, value in options.items() for word in (f"--{key}", str(value))]
        trainer = build_trainer(*parse_arguments(words))
        if cell.kind == "contrastive":
            trainer = InstanceContrastiveTrainer.like(trainer)
        for callback in (StopCallback, PrinterCallback):  # Ctrl-C ends the cell; logs would tear the progress bar
            trainer.remove_callback(callback)
        partitions = keep_partitions(trainer)
        if cell.kind in TRAINED:
            trainer.train()
        metrics = trainer.evaluate()
        arrays = {"labels": np.asarray(partitions[0])}
        if cell.keeps_embeddings:
            arrays["h"] = trainer.embed(trainer.eval_dataset, relation_only=True).relation.astype(np.float16)
    history = [entry["neighbor_accuracy"] for entry in trainer.state.log_history if "neighbor_accuracy" in entry]
    scores = {key.removeprefix("eval_"): value for key, value in metrics.items()}
    return {"scores": scores, "neighbor_accuracy": history}, arrays


def keep_partitions(trainer: SiamURETrainer) -> list[np.ndarray]:
    """Lets a trainer keep the partitions that it scores from now on, in their order: the headline's comes first."""
    partitions, score = [], trainer.compute_metrics

    def score_and_keep(prediction):
        partitions.append(prediction.predictions)
        return score(prediction)

    trainer.compute_metrics = score_and_keep
    return partitions

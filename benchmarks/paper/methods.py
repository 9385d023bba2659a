"""Define and run the methods of `benchmarks.paper`: a recipe with overrides each."""

import functools
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import EvalPrediction, PrinterCallback, set_seed

from modeling_siamure import Recipe, SiamURETrainer, SiamURETrainingArguments
from modeling_siamure.clustering import kmeans
from modeling_siamure.modeling_siamure import resolve_encoder
from modeling_siamure.recipe import ModelArguments
from modeling_siamure.training.checkpointing import StopOnSignalCallback

from ..runs import REPOSITORY, metric
from .cells import WITHOUT_ENCODER, Cell, Kind
from .protocols import Examples
from .rivals import InstanceContrastiveTrainer, prompt_embeddings

TRAINED = ("contrastive", "trained")


@dataclass(frozen=True)
class Method:
    """A row of Table 2.

    Attributes:
        title: What the table calls it.
        kind: How the clustering comes about.
        recipe: Which recipe it is a variant of; optimizer, epochs and batch size are this recipe's.
        overrides: The one thing that differs from it.
        shows_others: Whether the model's other clusterings, by k-means and by its cluster head,
            have rows too.
        keeps_embeddings: Whether h is kept for a picture.
    """

    title: str
    kind: Kind = "trained"
    recipe: str = "default"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    shows_others: bool = False
    keeps_embeddings: bool = False


# Two budgets. The paper's recipe is run to the letter: its SGD hardly moves an encoder in short
# runs. Rivals and ablations therefore are variants of the default recipe, and differ from it in
# what their row says; but what training does has to show, so none of them returns to the
# pretrained encoder.
AS_TRAINED = {"pretrained_weight_share": 0.0}
BY_KMEANS = {"clustering_method": "kmeans", "mention_depth": 1.0}
POOLINGS = {
    f"untrained_{name}": Method(
        f"untrained, {name}, k-means", "untrained", overrides={"pooling": name, **BY_KMEANS}
    )
    for name in ("marker", "mention", "marker_context", "mention_context")
}
# Of these the encoder and C are settings of a cell beside its recipe.
MODEL_KEYS = {part.name for part in fields(ModelArguments)} - {"model_name_or_path", "num_clusters"}
UNTRAINED_KEYS = MODEL_KEYS | {"max_length", "clustering_method", "kmeans_restarts"}
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
        overrides={
            "clustering_loss": "neighbor_cosine",
            "clustering_weight": 1.0,
            "num_neighbors": 30,
            **AS_TRAINED,
        },
    ),
    "no_mlps": Method("ours, without MLPs", overrides={"use_mlps": False, **AS_TRAINED}),
    "as_trained": Method(
        "ours, as trained", overrides=AS_TRAINED, shows_others=True, keeps_embeddings=True
    ),
    "no_clustering": Method(
        "ours, without clustering",
        overrides={"clustering_loss": "none", **AS_TRAINED},
        keeps_embeddings=True,
    ),
    "paper": Method("ours, paper recipe", recipe="paper", shows_others=True),
    "default": Method("ours, default recipe", shows_others=True, keeps_embeddings=True),
}


def variant(**overrides: Any) -> Method:
    """Return the default recipe with one thing changed, for a sweep."""
    return Method("", overrides=overrides)


@dataclass(frozen=True)
class Budget:
    """How long all that is trained is trained; `None` leaves it to the recipe.

    Attributes:
        epochs: All epochs.
        warmup_epochs: L. Where only `epochs` is given, the recipe's share of its own epochs,
            rounded down.
    """

    epochs: int | None = None
    warmup_epochs: int | None = None

    def overrides(self, recipe: str) -> dict[str, int]:
        """Return what the budget changes in a recipe.

        Raises:
            ValueError: No epoch is left for the clustering loss.

        >>> Budget(epochs=4).overrides("paper")
        {'num_train_epochs': 4, 'warmup_epochs': 2}
        """
        values = recipe_of(recipe)
        recipe_epochs = int(values["num_train_epochs"])  # transformers takes fractions too
        epochs = self.epochs or recipe_epochs
        warmup = self.warmup_epochs
        if warmup is None:
            warmup = values["warmup_epochs"] * epochs // recipe_epochs
        if warmup >= epochs:
            raise ValueError(
                f"--warmup_epochs {warmup} leaves none of {epochs} epochs to the clustering loss"
            )
        return {"num_train_epochs": epochs, "warmup_epochs": warmup}


@functools.cache
def recipe_of(recipe: str) -> dict[str, Any]:
    """Read the values of a recipe of this repository by its name."""
    return Recipe.from_yaml(REPOSITORY / "recipes" / f"{recipe}.yaml").values


def recipe_values(cell: Cell) -> dict[str, Any]:
    """Return what of its recipe a cell depends on.

    All of it in training, else what h is made of and how it is clustered. What the cell overrides
    is left out: the recipe may change there.
    """
    recipe = recipe_of(cell.recipe)
    keys = recipe.keys() - cell.overrides.keys()
    if cell.kind not in TRAINED:
        keys &= UNTRAINED_KEYS
    return {key: recipe[key] for key in sorted(keys)}


def make_cell(
    method: Method, seed: int, budget: Budget, num_examples: int, own_dropout: float | None
) -> Cell:
    """Make the cell of a method and a seed.

    Overrides that say what the recipe says anyway are left out, so that a sweep shares cells with
    Table 2.

    Args:
        method: What is run.
        seed: Of examples, training and k-means.
        budget: How long, if it is trained.
        num_examples: How many are trained on; more neighbors than that cannot be mined.
        own_dropout: The encoder's, if all its dropout layers have the same.
    """
    if method.kind in (*WITHOUT_ENCODER, "prompt"):
        return Cell(method.kind, seed, method.recipe)
    recipe = recipe_of(method.recipe)
    overrides = dict(method.overrides)
    default = recipe.get("num_neighbors", SiamURETrainingArguments.num_neighbors)
    overrides["num_neighbors"] = min(overrides.get("num_neighbors", default), num_examples - 1)
    if method.kind in TRAINED:
        overrides |= budget.overrides(method.recipe)
    said = {"dropout": own_dropout} | recipe
    overrides = {
        key: value for key, value in overrides.items() if key not in said or said[key] != value
    }
    # A sweep that arrives at the recipe's own value does what Table 2's cell does.
    only_budget = overrides.keys() <= {"num_train_epochs", "warmup_epochs"}
    is_recipe = method.kind == "trained" and method.recipe == "default" and only_budget
    keeps_embeddings = method.keeps_embeddings or is_recipe
    return Cell(method.kind, seed, method.recipe, overrides, keeps_embeddings)


def run(
    cell: Cell, examples: Examples, encoder: str, num_clusters: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Run a cell.

    Args:
        cell: Which.
        examples: Of its seed.
        encoder: As a recipe names it.
        num_clusters: C.

    Returns:
        `scores` (0 to 1, the cluster head's behind `head_`), `neighbor_accuracy` of each mining,
        and `seconds`; and the arrays `labels` `(examples,)` and, for some cells, `h`
        `(examples, size)` in float16.
    """
    started = time.monotonic()
    if cell.kind in ("untrained", *TRAINED):
        result, arrays = _run_trainer(cell, examples, encoder, num_clusters)
    else:
        labels = _cluster(cell, examples, encoder, num_clusters)
        relations = examples.scored["relation"]
        result = {"scores": metric().compute(predictions=labels, references=relations)}
        arrays = {"labels": labels}
    return {**result, "seconds": round(time.monotonic() - started, 1)}, arrays


def _cluster(cell: Cell, examples: Examples, encoder: str, num_clusters: int) -> np.ndarray:
    if cell.kind == "one_cluster":
        return np.zeros(len(examples.scored), int)
    if cell.kind == "type_pairs":
        return np.unique(examples.type_pairs(), return_inverse=True)[1]
    recipe = recipe_of(cell.recipe)
    embeddings = prompt_embeddings(
        resolve_encoder(encoder),
        examples.scored,
        recipe.get("max_length", SiamURETrainingArguments.max_length),
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    restarts = recipe.get("kmeans_restarts", SiamURETrainingArguments.kmeans_restarts)
    return kmeans(embeddings, num_clusters, cell.seed, restarts).labels


def _run_trainer(
    cell: Cell, examples: Examples, encoder: str, num_clusters: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(cell, examples, encoder, num_clusters, Path(folder))
        # Ctrl-C ends the cell, and logs would tear the progress bar.
        for callback in (StopOnSignalCallback, PrinterCallback):
            trainer.remove_callback(callback)
        clusterings = keep_clusterings(trainer)
        if cell.kind in TRAINED:
            trainer.train()
        metrics = trainer.evaluate()
        arrays = {"labels": np.asarray(clusterings[0])}
        if cell.keeps_embeddings:
            embeddings = trainer.embed(trainer.eval_dataset, relation_only=True)
            arrays["h"] = embeddings.relation.astype(np.float16)
    key = "neighbor_accuracy"
    history = [entry[key] for entry in trainer.state.log_history if key in entry]
    scores = {name.removeprefix("eval_"): value for name, value in metrics.items()}
    return {"scores": scores, key: history}, arrays


def build_trainer(
    cell: Cell, examples: Examples, encoder: str, num_clusters: int, folder: Path
) -> SiamURETrainer:
    """Build the trainer of a cell, as train.py builds one of the recipe and the overrides.

    Args:
        cell: Which.
        examples: Of its seed.
        encoder: As a recipe names it.
        num_clusters: C.
        folder: For the trainer's files.
    """
    model_values = {"model_name_or_path": encoder, "num_clusters": num_clusters}
    recipe = Recipe({**recipe_of(cell.recipe), **model_values, **cell.overrides})
    arguments = recipe.training_arguments(
        folder, seed=cell.seed, disable_tqdm=True, save_strategy="no", report_to="none"
    )
    set_seed(cell.seed)
    model, tokenizer = recipe.build_model(examples.train["text"])
    trainer_class = InstanceContrastiveTrainer if cell.kind == "contrastive" else SiamURETrainer
    return trainer_class(
        model,
        arguments,
        examples.train,
        examples.scored,
        processing_class=tokenizer,
        compute_metrics=compute_metrics,
    )


def compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """Score clusters against relations."""
    return metric().compute(predictions=prediction.predictions, references=prediction.label_ids)


def keep_clusterings(trainer: SiamURETrainer) -> list[np.ndarray]:
    """Let a trainer keep the clusterings that it scores from now on; the recipe's comes first."""
    clusterings: list[np.ndarray] = []
    score = trainer.compute_metrics

    def score_and_keep(prediction: EvalPrediction) -> dict[str, float]:
        clusterings.append(prediction.predictions)
        return score(prediction)

    trainer.compute_metrics = score_and_keep
    return clusterings

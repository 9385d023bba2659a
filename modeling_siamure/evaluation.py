"""Embeds a dataset, measures how healthy its embeddings are, and partitions it (paper, 3.3)."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from datasets import Dataset
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from .data_collator import RelationCollator
from .distributed import shared_array

DIAGNOSED_ROWS = 1024  # enough of them for `diagnose`


@dataclass(frozen=True)
class Embeddings:
    """What the model says of each row, in the order of the dataset; a machine holds it once, in memory-mapped files.

    Attributes:
        relation: h, `(rows, relation_embedding_size)`.
        projection: g(h), `(rows, projection_size)`.
        cluster_probabilities: Phi(h), `(rows, num_labels)`.
    """

    relation: np.ndarray
    projection: np.ndarray | None = None
    cluster_probabilities: np.ndarray | None = None


@torch.inference_mode()
def embed(
    model: torch.nn.Module,
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    accelerator: Accelerator,
    batch_size: int = 64,
    show_progress: bool = False,
    relation_only: bool = False,
) -> Embeddings:
    """Runs the model over a tokenized dataset without dropout, in float32 or under the accelerator's autocast.

    Rows of similar length share a batch. With several processes, each embeds some of the batches and all get the whole.
    The batches do not depend on the number of processes, so the embeddings do not either.

    Args:
        model: A [`SiamUREModel`].
        dataset: Output of `tokenize_dataset`.
        tokenizer: A tokenizer with markers.
        accelerator: Says where, in which precision and among how many processes to run.
        batch_size: Rows a process and step.
        show_progress: Whether to show a progress bar.
        relation_only: Whether to leave out all but h, which saves room where there are millions of rows.
    """
    collator = RelationCollator(tokenizer, num_views=1)
    order = np.argsort(dataset["length"], kind="stable")[::-1]  # longest first: too little memory shows at once
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    input_ids = dataset.select_columns("input_ids").with_format("numpy")
    was_training = model.training
    model.eval()
    results: list[np.ndarray] = []
    steps = range(0, len(batches), accelerator.num_processes)
    for step in tqdm(steps, desc="Embedding", unit="batch", disable=not show_progress):
        shares = batches[step : step + accelerator.num_processes]
        # A process without a share repeats the last one: all must take part in the gathering.
        rows = shares[min(accelerator.process_index, len(shares) - 1)].tolist()
        batch = collator([{"input_ids": ids} for ids in input_ids[rows]["input_ids"]])
        with accelerator.autocast():
            output = model(**{name: tensor.to(accelerator.device) for name, tensor in batch.items()})
        values = [output.relation_embedding.float()]
        if not relation_only:
            values += [output.projection.float(), output.cluster_logits.float().softmax(dim=-1)]
        results = results or [shared_array(len(order), part.shape[1]) for part in values]
        for result, part in zip(results, values, strict=True):
            gathered = accelerator.gather(F.pad(part, (0, 0, 0, batch_size - len(part)))).split(batch_size)
            if accelerator.is_local_main_process:
                for share, found in zip(shares, gathered, strict=False):
                    result[share] = found[: len(share)].cpu().numpy()
    model.train(was_training)
    accelerator.wait_for_everyone()
    return Embeddings(*results)


def spread(embeddings: np.ndarray) -> float:
    """Standard deviation a dimension of L2-normalized rows, times the root of the dimension: about 1 for isotropic
    embeddings, 0 where all rows point one way (SimSiam, 4.1).

    >>> spread(np.array([[1.0, 0.0], [1.0, 0.0]]))
    0.0
    """
    normalized = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return float(normalized.std(axis=0).mean() * np.sqrt(embeddings.shape[1]))


def effective_rank(embeddings: np.ndarray) -> float:
    """Exponential of the entropy of the normalized eigenvalues of the covariance (Roy and Vetterli 2007): how many
    dimensions the rows really use; 0 where all rows are one.

    >>> round(effective_rank(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 6)
    2.0
    """
    values = np.linalg.svd(embeddings - embeddings.mean(axis=0), compute_uv=False) ** 2
    if not values.any():
        return 0.0
    shares = values / values.sum()
    return float(np.exp(-(shares * np.log(shares.clip(1e-38))).sum()))


def mean_cosine(embeddings: np.ndarray) -> float:
    """Mean cosine over all pairs of different rows.

    >>> mean_cosine(np.array([[1.0, 0.0], [0.0, 1.0]]))
    0.0
    """
    normalized = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    rows = len(normalized)
    return float((np.square(normalized.sum(axis=0)).sum() - rows) / (rows * (rows - 1)))


def diagnose(embeddings: Embeddings) -> dict[str, float]:
    """Signs of health that need no labels: spread, effective rank and mean cosine of h and g, and the use of clusters.

    Returns:
        `h_spread`, `h_effective_rank`, `h_mean_cosine`, the same of `g`; `assignment_entropy` (nats, of the mean
        assignment), `confidence` (mean of the largest probability), `used_clusters`.
    """
    report = {}
    for name, rows in (("h", embeddings.relation), ("g", embeddings.projection)):
        report[f"{name}_spread"] = spread(rows)
        report[f"{name}_effective_rank"] = effective_rank(rows)
        report[f"{name}_mean_cosine"] = mean_cosine(rows)
    probabilities = embeddings.cluster_probabilities
    mean = probabilities.mean(axis=0)
    report["assignment_entropy"] = float(-(mean * np.log(mean.clip(1e-38))).sum())
    report["confidence"] = float(probabilities.max(axis=1).mean())
    report["used_clusters"] = len(np.unique(probabilities.argmax(axis=1)))
    return report


def gold_labels(dataset: Dataset) -> np.ndarray | None:
    """The gold relations of a dataset `(rows,)`, `None` where a row has none; `None` if no row has one."""
    if "relation" not in dataset.column_names:
        return None
    labels = np.array(dataset["relation"], dtype=object)
    return labels if any(label is not None for label in labels) else None

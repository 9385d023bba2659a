"""Embeds a dataset, measures how healthy its embeddings are, and partitions it (paper, 3.3)."""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

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
FILES = ("relation.f32", "projection.f32", "cluster_probabilities.f32")
SECONDS = 30  # between two records of how far an embedding in a folder has come


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
    folder: str | os.PathLike | None = None,
) -> Embeddings:
    """Runs the model over a tokenized dataset without dropout, in float32 or under the accelerator's autocast.

    Rows of similar length share a batch. With several processes, each embeds some of the batches and all get the whole.
    The batches do not depend on the number of processes, so the embeddings do not either.

    Results go to memory-mapped files as they come, so memory grows by a few bytes a row only.

    Args:
        model: A [`SiamUREModel`].
        dataset: Output of `tokenize_dataset`.
        tokenizer: A tokenizer with markers.
        accelerator: Says where, in which precision and among how many processes to run.
        batch_size: Rows a process and step.
        show_progress: Whether to show a progress bar, in sentences; the time that it says remains is too long rather
            than too short, for the longest sentences come first.
        relation_only: Whether to leave out all but h, which saves room where there are millions of rows.
        folder: Where a machine keeps the results, such as `relation.f32`: `(rows, size)` float32 without a header. The
            same call, made again after it was cut short, goes on there. By default they are in files without a name,
            which are gone when they are no longer used.

    Raises:
        ValueError: The folder holds the embeddings of other rows, or of another model.
        OSError: There is not enough room for the results.
    """
    collator = RelationCollator(tokenizer, num_views=1)
    order = np.argsort(dataset["length"], kind="stable")[::-1]  # longest first: too little memory shows at once
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    input_ids = dataset.select_columns("input_ids").with_format("numpy")
    progress = None
    if folder is not None:
        settings = f"{accelerator.mixed_precision} {batch_size} {relation_only}"
        progress = Progress(Path(folder), _fingerprint(model, input_ids, settings), accelerator)
    # Where all is done, the last batch is embedded once more: it says how wide the results are.
    first = min(progress.done, len(batches) - 1) if progress else 0
    was_training = model.training
    model.eval()
    results: list[np.ndarray] = []
    rows_done = first * batch_size
    with tqdm(
        total=len(order), initial=rows_done, desc="Embedding", unit=" sentences", disable=not show_progress
    ) as bar:
        for step in range(first, len(batches), accelerator.num_processes):
            shares = batches[step : step + accelerator.num_processes]
            # A process without a share repeats the last one: all must take part in the gathering.
            rows = shares[min(accelerator.process_index, len(shares) - 1)].tolist()
            batch = collator([{"input_ids": ids} for ids in input_ids[rows]["input_ids"]])
            with accelerator.autocast():
                output = model(**{name: tensor.to(accelerator.device) for name, tensor in batch.items()})
            values = [output.relation_embedding.float()]
            if not relation_only:
                values += [output.projection.float(), output.cluster_logits.float().softmax(dim=-1)]
            if not results:
                results = [
                    shared_array(len(order), part.shape[1], progress and progress.folder / name)
                    for part, name in zip(values, FILES, strict=False)
                ]
            for result, part in zip(results, values, strict=True):
                gathered = accelerator.gather(F.pad(part, (0, 0, 0, batch_size - len(part)))).split(batch_size)
                if accelerator.is_local_main_process:
                    for share, found in zip(shares, gathered, strict=False):
                        result[share] = found[: len(share)].cpu().numpy()
            if progress:
                progress.record(step + len(shares), results, is_last=step + len(shares) == len(batches))
            bar.update(sum(map(len, shares)))
    model.train(was_training)
    accelerator.wait_for_everyone()
    return Embeddings(*results)


class Progress:
    """How many of the batches of an embedding are in its folder."""

    def __init__(self, folder: Path, fingerprint: str, accelerator: Accelerator):
        self.folder, self._fingerprint = folder, fingerprint
        self._file, self._recorded = folder / "progress.json", time.monotonic()
        self._is_writer = accelerator.is_local_main_process
        folder.mkdir(parents=True, exist_ok=True)
        record = json.loads(self._file.read_text()) if self._file.exists() else {"batches": 0}
        if record.get("fingerprint", fingerprint) != fingerprint:
            raise ValueError(f"{folder} holds embeddings of other rows or another model; give another folder")
        # Machines may have come unequally far.
        self.done = int(accelerator.gather(torch.tensor([record["batches"]], device=accelerator.device)).min())

    def record(self, batches: int, results: list[np.ndarray], is_last: bool):
        """Writes down that so many batches are in `results`, every `SECONDS` seconds and after the last one."""
        if self._is_writer and (is_last or time.monotonic() > self._recorded + SECONDS):
            for result in results:
                result.flush()
            partial = self._file.with_suffix(".partial")
            partial.write_text(json.dumps({"fingerprint": self._fingerprint, "batches": batches}))
            partial.replace(self._file)
            self._recorded = time.monotonic()


def _fingerprint(model: torch.nn.Module, input_ids: Dataset, settings: str) -> str:
    """A hash of all that decides what the embeddings are: weights, configuration, tokens and settings."""
    found = hashlib.blake2b((settings + model.config.to_json_string()).encode(), digest_size=16)
    for tensor in model.state_dict().values():
        found.update(tensor.cpu().contiguous().view(torch.uint8).numpy())
    for batch in input_ids.iter(1024):
        for ids in batch["input_ids"]:
            found.update(len(ids).to_bytes(4, "little"))
            found.update(np.ascontiguousarray(ids))
    return found.hexdigest()


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


def type_pairs(dataset: Dataset) -> np.ndarray | None:
    """Head and tail type of each row as one word `(rows,)`; `None` if no row has types."""
    if not {"head_type", "tail_type"} <= set(dataset.column_names):
        return None
    pairs = list(zip(dataset["head_type"], dataset["tail_type"], strict=True))
    if all(pair == (None, None) for pair in pairs):
        return None
    return np.array([f"{head} {tail}" for head, tail in pairs])

"""Embed sentences with a model: in one line, or a dataset that many processes share."""

import hashlib
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from datasets import Dataset
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from .data_collator import RelationCollator
from .markers import encode_marked
from .modeling_siamure import SiamUREModel
from .utils.distributed import shared_memmap
from .utils.files import read_record, write_record

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Embeddings:
    """Outputs of the model, in the order of the dataset: memory-mapped files, once per machine.

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
    model: SiamUREModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    batch_size: int = 64,
    show_progress: bool = False,
) -> np.ndarray:
    """Embed marked sentences in this process, without dropout.

    Args:
        model: A [`SiamUREModel`]; it stays where it is, as it is.
        tokenizer: Its tokenizer.
        texts: Marked sentences; those longer than tokenizer and encoder allow are cut, never in
            their mentions.
        batch_size: Sentences per step.
        show_progress: Whether to show a progress bar.

    Returns:
        h, `(sentences, relation_embedding_size)`, float32, in the order of the sentences.

    Raises:
        ValueError: A sentence lacks a marker, or its two mentions alone are too long.

    ```python
    embeddings = embed(model, tokenizer, ["<e1> Ada Roe </e1> leads <e2> Acme </e2> ."])
    ```
    """
    config = model.config
    limit = min(tokenizer.model_max_length, config.max_sentence_length)
    encoded = encode_marked(tokenizer, list(texts), limit)
    # None is skipped: a sentence that does not fit has raised.
    input_ids = [ids for ids in encoded.input_ids if ids is not None]
    collator = RelationCollator(tokenizer, num_views=1)
    embeddings = np.empty((len(input_ids), config.relation_embedding_size), np.float32)
    order = sorted(range(len(input_ids)), key=lambda row: len(input_ids[row]), reverse=True)
    was_training = model.training
    model.eval()
    with tqdm(
        total=len(order), desc="Embedding", unit=" sentences", disable=not show_progress
    ) as bar:
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = collator([{"input_ids": input_ids[row]} for row in rows])
            output = model(**{name: tensor.to(model.device) for name, tensor in batch.items()})
            embeddings[rows] = output.relation_embedding.float().cpu().numpy()
            bar.update(len(rows))
    model.train(was_training)
    return embeddings


@torch.inference_mode()
def embed_dataset(
    model: SiamUREModel,
    tokenizer: PreTrainedTokenizerBase,
    dataset: Dataset,
    accelerator: Accelerator,
    batch_size: int = 64,
    show_progress: bool = False,
    relation_only: bool = False,
    folder: str | os.PathLike | None = None,
    seconds_between_records: float = 30,
    description: str = "Embedding the sentences",
) -> Embeddings:
    """Embed a tokenized dataset without dropout, in float32 or under the accelerator's autocast.

    Sentences of similar length share a batch. With several processes, each embeds some of the
    batches and all get the whole. The batches do not depend on the number of processes, so the
    embeddings do not either. Results go to memory-mapped files as they come, so memory grows by a
    few bytes per sentence only.

    Args:
        model: A [`SiamUREModel`] on the accelerator's device.
        tokenizer: A tokenizer with markers.
        dataset: Output of `tokenize_dataset`.
        accelerator: Says where, in which precision and among how many processes to run.
        batch_size: Sentences per process and step.
        show_progress: Whether to show a progress bar, in sentences. The time that it says remains
            is too long rather than too short, for the longest sentences come first.
        relation_only: Whether to leave out all but h, which saves room for millions of sentences.
        folder: Where a machine keeps the results, such as `relation.f32`: `(rows, size)` float32
            without a header. The same call, made again after it was cut short, resumes there. By
            default results are in temporary files, which go when they are no longer used.
        description: What the progress bar says.
        seconds_between_records: How often to write down in the folder how far the work has come.

    Raises:
        ValueError: The folder holds the embeddings of other sentences, or of another model.
        OSError: There is not enough room for the results.
    """
    collator = RelationCollator(tokenizer, num_views=1)
    # Longest first: too little memory shows at once.
    order = np.argsort(dataset["length"], kind="stable")[::-1]
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    input_ids = dataset.select_columns("input_ids").with_format("numpy")
    cache = None
    if folder is not None:
        settings = f"{accelerator.mixed_precision} {batch_size} {relation_only}"
        fingerprint = _fingerprint(model, input_ids, settings)
        cache = EmbeddingCache(
            Path(folder), fingerprint, batches, accelerator, seconds_between_records
        )
    # Where all is done, the last batch is embedded once more: it says how wide the results are.
    first = min(cache.num_done, len(batches) - 1) if cache else 0
    if cache:
        cache.start(first)
    was_training = model.training
    model.eval()
    results: list[np.memmap] = []
    names = ("relation.f32", "projection.f32", "cluster_probabilities.f32")
    with tqdm(
        total=len(order),
        initial=first * batch_size,
        desc=description,
        unit=" sentences",
        disable=not show_progress,
    ) as bar:
        for step in range(first, len(batches), accelerator.num_processes):
            shares = batches[step : step + accelerator.num_processes]
            # A process without a share repeats the last one: all must take part in the gathering.
            rows = shares[min(accelerator.process_index, len(shares) - 1)].tolist()
            batch = collator([{"input_ids": ids} for ids in input_ids[rows]["input_ids"]])
            with accelerator.autocast():
                output = model(
                    **{name: tensor.to(accelerator.device) for name, tensor in batch.items()}
                )
            values = [output.relation_embedding.float()]
            if not relation_only:
                values.append(output.projection.float())
                values.append(output.cluster_logits.float().softmax(dim=-1))
            if not results:
                for part, name in zip(values, names, strict=False):
                    path = cache.folder / name if cache else None
                    results.append(shared_memmap(len(order), part.shape[1], path))
            for result, name, part in zip(results, names, values, strict=False):
                padded = F.pad(part, (0, 0, 0, batch_size - len(part)))
                gathered = accelerator.gather(padded).split(batch_size)
                if accelerator.is_local_main_process:
                    for share, values_of_share in zip(shares, gathered, strict=False):
                        embedded = values_of_share[: len(share)].cpu().numpy()
                        result[share] = embedded
                        if cache:
                            cache.add(name, embedded)
            if cache:
                num_done = step + len(shares)
                cache.record(num_done, results, is_last=num_done == len(batches))
            bar.update(sum(map(len, shares)))
    model.train(was_training)
    accelerator.wait_for_everyone()
    return Embeddings(*results)


class EmbeddingCache:
    """A folder that holds embeddings, how many of their batches are done, and a digest of these.

    Args:
        folder: The folder; it is made if it is not there.
        fingerprint: What the embeddings are of.
        batches: Rows of each batch, in the order of the work.
        accelerator: The processes that share the work.
        seconds_between_records: How often to write down how far the work has come.

    Raises:
        ValueError: The folder holds the embeddings of other sentences, or of another model.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        batches: Sequence[np.ndarray],
        accelerator: Accelerator,
        seconds_between_records: float = 30,
    ):
        self.folder = folder
        self._fingerprint = fingerprint
        self._batches = batches
        self._file = folder / "progress.json"
        self._seconds = seconds_between_records
        self._recorded = time.monotonic()
        self._is_writer = accelerator.is_local_main_process
        folder.mkdir(parents=True, exist_ok=True)
        # Machines may have come unequally far.
        done = torch.tensor([self._read()], device=accelerator.device)
        self.num_done = int(accelerator.gather(done).min())
        self._digests = self._digest_files(0)

    def start(self, num_done: int) -> None:
        """Begin behind a number of batches, which is at most `num_done`."""
        if self._is_writer:
            self._digests = self._digest_files(num_done)

    def _read(self) -> int:
        """Return how many batches are done and as they were written."""
        if not self._file.exists():
            return 0
        try:
            record = read_record(self._file)
        except ValueError as error:
            return self._start_again(str(error))
        if record["fingerprint"] != self._fingerprint:
            raise ValueError(
                f"{self.folder} holds embeddings of other rows or another model; give another "
                "folder"
            )
        if self._is_writer:
            digests = self._digest_files(record["batches"])
            for name, written in record["digests"].items():
                if name not in digests or digests[name].hexdigest() != written:
                    return self._start_again(f"{name} is missing or damaged")
        return record["batches"]

    def _start_again(self, damage: str) -> int:
        if self._is_writer:
            logger.warning("%s is not resumed from, but embedded again: %s", self.folder, damage)
            for path in self.folder.glob("*.f32"):
                path.unlink()
        return 0

    def _digest_files(self, num_done: int) -> dict[str, Any]:
        """Return the running digest of the finished batches in each file."""
        digests = {}
        num_rows = sum(map(len, self._batches))
        for path in self.folder.glob("*.f32"):
            size, remainder = divmod(path.stat().st_size, 4 * num_rows)
            if size and not remainder:
                values = np.memmap(path, np.float32, "r", shape=(num_rows, size))
                digests[path.name] = hashlib.blake2b(digest_size=16)
                for rows in self._batches[:num_done]:
                    digests[path.name].update(values[rows].data)
        return digests

    def add(self, name: str, values: np.ndarray) -> None:
        """Take up the embeddings of the next batch into the digest of their file."""
        self._digests.setdefault(name, hashlib.blake2b(digest_size=16)).update(values.data)

    def record(self, num_done: int, results: list[np.memmap], is_last: bool) -> None:
        """Write down that a number of batches is in `results`, at times and after the last one."""
        if self._is_writer and (is_last or time.monotonic() > self._recorded + self._seconds):
            for result in results:
                result.flush()
            digests = {name: state.hexdigest() for name, state in self._digests.items()}
            record = {"fingerprint": self._fingerprint, "batches": num_done, "digests": digests}
            write_record(self._file, record)
            self._recorded = time.monotonic()


def _fingerprint(model: SiamUREModel, input_ids: Dataset, settings: str) -> str:
    """Return a hash of what decides the embeddings: weights, configuration, tokens, settings."""
    digest = hashlib.blake2b((settings + model.config.to_json_string()).encode(), digest_size=16)
    for tensor in model.state_dict().values():
        digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy())
    for batch in input_ids.iter(1024):
        for ids in batch["input_ids"]:
            digest.update(len(ids).to_bytes(4, "little"))
            digest.update(np.ascontiguousarray(ids).data)
    return digest.hexdigest()

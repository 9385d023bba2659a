"""From marked sentences to batches: tokenizing, pairing anchors with neighbors, bucketing by length, stacking views."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from .markers import (
    HEAD_START,
    check_marked,
    encode_marked,
    known_entity_types,
    marker,
    marker_roles,
)

logger = logging.getLogger(__name__)


def tokenize_dataset(
    dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int = 128, on_overflow: str = "raise"
) -> Dataset:
    """Adds `input_ids` and `length` to a dataset with a `text` column of marked sentences.

    What had to be done to the rows (cut, skipped, mentions of unknown types) is reported once, by one warning a kind.

    Args:
        dataset: Rows of the instance schema; other columns are kept.
        tokenizer: A tokenizer with markers.
        max_length: The largest number of tokens a row.
        on_overflow: What to do with rows whose mentions alone are longer: `"raise"` or `"skip"`.

    Raises:
        ValueError: A row lacks a marker or does not fit. Names the row.
    """

    def encode(texts: list[str], rows: list[int]) -> dict[str, list]:
        try:
            encoded = encode_marked(tokenizer, texts, max_length, on_overflow)
        except ValueError as error:
            raise ValueError(f"of the rows from {rows[0]} on, {error}") from None
        truncated, skipped, unknown = [0] * len(texts), [0] * len(texts), [0] * len(texts)
        truncated[0], skipped[0], unknown[0] = (
            encoded.num_truncated,
            encoded.num_skipped,
            encoded.unknown_types.total(),
        )
        return {
            "input_ids": encoded.input_ids,
            "length": [len(ids) if ids is not None else 0 for ids in encoded.input_ids],
            "_truncated": truncated,
            "_skipped": skipped,
            "_unknown": unknown,
        }

    tokenized = dataset.map(encode, input_columns="text", with_indices=True, batched=True, desc="Tokenizing")
    counts = {name: int(np.sum(tokenized[name])) for name in ("_truncated", "_skipped", "_unknown")}
    tokenized = tokenized.remove_columns(list(counts))
    if counts["_truncated"]:
        logger.warning(
            "%d of %d sentences were cut to max_length=%d tokens; both mentions were kept",
            counts["_truncated"],
            len(dataset),
            max_length,
        )
    if counts["_unknown"]:
        logger.warning(
            "%d mentions have an entity type that the tokenizer does not know; they got the untyped markers",
            counts["_unknown"],
        )
    if counts["_skipped"]:
        logger.warning(
            "%d of %d sentences were skipped: their two mentions alone exceed max_length=%d tokens",
            counts["_skipped"],
            len(dataset),
            max_length,
        )
        tokenized = tokenized.filter(lambda length: length > 0, input_columns="length", desc="Skipping")
    return tokenized


class AnchorDataset(torch.utils.data.Dataset):
    """Anchors of a tokenized dataset, each with the neighbors that were drawn for it in this epoch (if any)."""

    def __init__(self, dataset: Dataset):
        self.input_ids = dataset.select_columns("input_ids").with_format("numpy")
        self.lengths = np.asarray(dataset["length"])
        self.drawn: np.ndarray | None = None

    def draw_neighbors(self, neighbors: np.ndarray | None, per_anchor: int, seed: int, epoch: int):
        """Draws `per_anchor` of each row's neighbors `(rows, K)`; a row's draw depends on seed, epoch and row alone."""
        self.drawn = None
        if neighbors is not None:
            draws = np.random.default_rng([seed, epoch]).integers(neighbors.shape[1], size=(len(self), per_anchor))
            self.drawn = np.take_along_axis(neighbors, draws, axis=1)

    def batch_lengths(self) -> np.ndarray:
        """The longest row that each anchor brings into its batch, in tokens: `(rows,)`."""
        if self.drawn is None:
            return self.lengths
        return np.maximum(self.lengths, self.lengths[self.drawn].max(axis=1))

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitems__(self, rows: list[int]) -> list[dict]:
        if not rows:  # a row that does not count keeps a process without one in step with the others
            return [{**self[0], "is_filler": True}]
        anchors = self.input_ids[rows]["input_ids"]
        if self.drawn is None:
            return [{"input_ids": ids} for ids in anchors]
        neighbors = iter(self.input_ids[self.drawn[rows].ravel().tolist()]["input_ids"])
        return [
            {"input_ids": ids, "neighbors": [next(neighbors) for _ in range(self.drawn.shape[1])]} for ids in anchors
        ]

    def __getitem__(self, row: int) -> dict:
        return self.__getitems__([row])[0]


class LengthBucketBatchSampler(torch.utils.data.Sampler[list[int]]):
    """Batches of rows of similar length, in an order that seed and epoch fix.

    The rows of an optimizer step are chosen for all processes together and then split, so that any number of processes
    and accumulation steps sees the same rows in each optimizer step, and every row once an epoch. Where the last rows
    are fewer than processes, some processes get an empty batch.

    Args:
        lengths: Length of each row.
        batch_size: Rows a process and batch.
        seed: Fixes the order together with the epoch.
        rank, world_size: Which of how many processes this is.
        accumulation_steps: Batches an optimizer step.

    >>> sampler = LengthBucketBatchSampler([3, 9, 3, 9], batch_size=2)
    >>> sorted(sorted(batch) for batch in sampler)
    [[0, 2], [1, 3]]
    """

    POOL = 50  # batches that are sorted by length together: enough for little padding, few enough to stay random

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        accumulation_steps: int = 1,
    ):
        self.lengths = np.asarray(lengths)
        self.rows_per_update = batch_size * world_size * accumulation_steps
        self.seed, self.epoch = seed, 0
        self.rank, self.world_size = rank, world_size
        self.accumulation_steps = accumulation_steps

    def set_epoch(self, epoch: int):
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.rows_per_update) * self.accumulation_steps

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.lengths))
        size = self.rows_per_update
        pools = np.split(order, range(size * self.POOL, len(order), size * self.POOL))
        order = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
        updates = np.split(order, range(size, len(order), size))
        for index in rng.permutation(len(updates)):
            parts = np.array_split(updates[index], self.world_size * self.accumulation_steps)
            for part in parts[self.rank :: self.world_size]:
                yield part.tolist()


@dataclass
class RelationCollator:
    """Stacks views of the anchors, and their neighbors, into one padded batch.

    The rows of a batch are: all anchors, once a view; then the first neighbor of each anchor, the second, and so on.
    Both views hold the same tokens: dropout makes them differ (paper, 2.1). The batch of a row that does not count has
    a third key, `is_filler`.

    Args:
        tokenizer: A tokenizer with markers.
        num_views: 2 for training, 1 for embedding.

    Raises:
        ValueError: A row lacks a marker.
    """

    tokenizer: PreTrainedTokenizerBase
    num_views: int = 2

    def __post_init__(self):
        self.first_marker_id = self.tokenizer.convert_tokens_to_ids(marker(HEAD_START))
        self.num_markers = 4 * (1 + len(known_entity_types(self.tokenizer)))

    def __call__(self, features: list[dict]) -> dict[str, torch.Tensor]:
        anchors = [feature["input_ids"] for feature in features]
        neighbors = zip(*(feature.get("neighbors", ()) for feature in features), strict=True)
        rows = anchors * self.num_views + [ids for column in neighbors for ids in column]
        rows = [torch.as_tensor(ids) for ids in rows]
        input_ids = pad_sequence(rows, batch_first=True, padding_value=self.tokenizer.pad_token_id)
        lengths = torch.tensor([len(ids) for ids in rows])
        check_marked(marker_roles(input_ids, self.first_marker_id, self.num_markers))
        attention_mask = (torch.arange(input_ids.shape[1]) < lengths.unsqueeze(1)).long()
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        return batch | {"is_filler": torch.tensor(True)} if "is_filler" in features[0] else batch

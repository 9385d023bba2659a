"""Which rows make up a batch: anchors with their neighbors, in buckets of similar length."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from datasets import Dataset


class AnchorDataset(torch.utils.data.Dataset):
    """Anchors of a tokenized dataset, each with the neighbors that were drawn for it (if any).

    Args:
        dataset: Output of `tokenize_dataset`.
    """

    def __init__(self, dataset: Dataset):
        self.input_ids = dataset.select_columns("input_ids").with_format("numpy")
        self.lengths = np.asarray(dataset["length"])
        self.drawn: np.ndarray | None = None

    def draw_neighbors(self, neighbors: np.ndarray | None, per_anchor: int, seed: int, epoch: int):
        """Draw the neighbors of an epoch; a row's draw depends on seed, epoch and row alone.

        Args:
            neighbors: N(x), `(rows, K)`; `None` draws none.
            per_anchor: Neighbors that are drawn for each row.
            seed, epoch: What fixes the draw.
        """
        self.drawn = None
        if neighbors is not None:
            draws = np.random.default_rng([seed, epoch]).integers(
                neighbors.shape[1], size=(len(self), per_anchor)
            )
            self.drawn = np.take_along_axis(neighbors, draws, axis=1)

    def batch_lengths(self) -> np.ndarray:
        """Return the longest row that each anchor brings into its batch, in tokens: `(rows,)`."""
        if self.drawn is None:
            return self.lengths
        return np.maximum(self.lengths, self.lengths[self.drawn].max(axis=1))

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitems__(self, rows: list[int]) -> list[dict]:
        if not rows:  # a padding batch keeps a process without rows in step with the others
            return [{**self[0], "is_padding_batch": True}]
        anchors = self.input_ids[rows]["input_ids"]
        if self.drawn is None:
            return [{"input_ids": ids} for ids in anchors]
        neighbors = iter(self.input_ids[self.drawn[rows].ravel().tolist()]["input_ids"])
        return [
            {"input_ids": ids, "neighbors": [next(neighbors) for _ in range(self.drawn.shape[1])]}
            for ids in anchors
        ]

    def __getitem__(self, row: int) -> dict:
        return self.__getitems__([row])[0]


class LengthBucketBatchSampler(torch.utils.data.Sampler[list[int]]):
    """Batches of rows of similar length, in an order that seed and epoch fix.

    The rows of an optimizer step are chosen for all processes together and then split, so that any
    number of processes and accumulation steps sees the same rows in each optimizer step, and every
    row once per epoch. Where the last rows are fewer than processes, some processes get an empty
    batch.

    Args:
        lengths: Length of each row.
        batch_size: Rows per process and batch.
        seed: Fixes the order together with the epoch.
        rank, world_size: Which of how many processes this is.
        accumulation_steps: Batches per optimizer step.
        batches_per_pool: Batches that are sorted by length together: enough for little padding, few
            enough to stay random.

    >>> sampler = LengthBucketBatchSampler([3, 9, 3, 9], batch_size=2)
    >>> sorted(sorted(batch) for batch in sampler)
    [[0, 2], [1, 3]]
    """

    def __init__(
        self,
        lengths: Sequence[int] | np.ndarray,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        accumulation_steps: int = 1,
        batches_per_pool: int = 50,
    ):
        self.lengths = np.asarray(lengths)
        self.rows_per_update = batch_size * world_size * accumulation_steps
        self.seed = seed
        self.epoch = 0
        self.rank = rank
        self.world_size = world_size
        self.accumulation_steps = accumulation_steps
        self.rows_per_pool = self.rows_per_update * batches_per_pool

    def set_epoch(self, epoch: int) -> None:
        """Fix the order of an epoch, counted from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.rows_per_update) * self.accumulation_steps

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.lengths))
        size = self.rows_per_update
        pools = np.split(order, range(self.rows_per_pool, len(order), self.rows_per_pool))
        order = np.concatenate(
            [pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools]
        )
        updates = np.split(order, range(size, len(order), size))
        for index in rng.permutation(len(updates)):
            parts = np.array_split(updates[index], self.world_size * self.accumulation_steps)
            for part in parts[self.rank :: self.world_size]:
                yield part.tolist()

"""Anchors and their neighbors: draws, and batches that hold every row once."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeling_siamure.data_collator import RelationCollator, tokenize_dataset
from modeling_siamure.training.sampling import AnchorDataset, LengthBucketBatchSampler


def test_neighbors_are_drawn_by_seed_epoch_and_row(model, rows, tokenizer):
    anchors = AnchorDataset(tokenize_dataset(rows, tokenizer))
    neighbors = np.stack([(np.arange(5) + row + 1) % 60 for row in range(60)])
    anchors.draw_neighbors(neighbors, per_anchor=2, seed=3, epoch=1)
    first = anchors.drawn.copy()
    assert all(set(drawn) <= set(mined) for drawn, mined in zip(first, neighbors, strict=True))
    assert (
        anchors.batch_lengths() == [max(anchors.lengths[[i, *first[i]]]) for i in range(60)]
    ).all()
    item = anchors[7]
    assert len(item["neighbors"]) == 2
    for drawn, ids in zip(first[7], item["neighbors"], strict=True):
        assert ids.tolist() == anchors[int(drawn)]["input_ids"].tolist()
    anchors.draw_neighbors(neighbors, 2, seed=3, epoch=2)
    assert (anchors.drawn != first).any()
    anchors.draw_neighbors(neighbors, 2, seed=3, epoch=1)
    assert (anchors.drawn == first).all()
    anchors.draw_neighbors(None, 2, seed=3, epoch=1)
    assert set(anchors[7]) == {"input_ids"}


@given(
    st.integers(1, 200), st.integers(1, 9), st.integers(1, 5), st.integers(1, 3), st.integers(0, 5)
)
def test_every_row_once_an_epoch_over_all_processes(
    rows, batch_size, world_size, accumulation, epoch
):
    lengths = np.random.default_rng(rows).integers(1, 50, size=rows)
    samplers = [
        LengthBucketBatchSampler(lengths, batch_size, 1, rank, world_size, accumulation)
        for rank in range(world_size)
    ]
    whole = LengthBucketBatchSampler(lengths, batch_size * world_size * accumulation, 1)
    for sampler in (*samplers, whole):
        sampler.set_epoch(epoch)
    parts = [list(sampler) for sampler in samplers]
    assert {len(part) for part in parts} == {len(samplers[0])} == {len(whole) * accumulation}
    steps = [[row for batch in batches for row in batch] for batches in zip(*parts, strict=True)]
    starts = range(0, len(steps), accumulation)
    updates = [
        [row for step in steps[first : first + accumulation] for row in step] for first in starts
    ]
    assert updates == list(whole)  # an optimizer step has the rows that it has with one process
    assert sorted(row for update in updates for row in update) == list(range(rows))


def test_a_process_without_rows_gets_one_that_does_not_count(model, rows, tokenizer):
    anchors = AnchorDataset(tokenize_dataset(rows, tokenizer))
    anchors.draw_neighbors(
        np.stack([(np.arange(5) + row + 1) % 60 for row in range(60)]), 2, seed=3, epoch=1
    )
    loader = torch.utils.data.DataLoader(
        anchors, batch_sampler=[[3], []], collate_fn=RelationCollator(tokenizer)
    )
    real, filler = loader
    assert real["input_ids"].shape[0] == filler["input_ids"].shape[0] == 4
    assert "is_padding_batch" not in real and "is_padding_batch" in filler


def test_epochs_differ_and_buckets_pad_little():
    lengths = np.random.default_rng(0).integers(5, 100, size=5000)
    sampler = LengthBucketBatchSampler(lengths, 16)
    first = list(sampler)
    assert first == list(sampler)
    padding = sum(lengths[batch].max() * len(batch) for batch in first) / lengths.sum()
    assert padding < 1.1
    sampler.set_epoch(1)
    assert first != list(sampler)

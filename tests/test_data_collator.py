"""From rows to batches: stacking by hand, draws, and batches that hold every row once."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeling_siamure.data_collator import AnchorDataset, LengthBucketBatchSampler, RelationCollator, tokenize_dataset


@pytest.fixture
def marks(model, tokenizer):
    return tokenizer.convert_tokens_to_ids(["<e1>", "</e1>", "<e2>", "</e2>"])


def test_collator_by_hand(tokenizer, marks):
    a, b, c, d = marks
    rows = [[a, 7, b, c, 8, d], [a, 7, b, 9, c, 8, d], [9, a, 7, b, c, 8, d, 9]]
    features = [
        {"input_ids": rows[0], "neighbors": [rows[2], rows[1]]},
        {"input_ids": rows[1], "neighbors": [rows[0], rows[0]]},
    ]
    batch = RelationCollator(tokenizer)(features)
    padded = [row + [0] * (8 - len(row)) for row in rows]
    order = [0, 1, 0, 1, 2, 0, 1, 0]  # view 1, view 2, first neighbors, second neighbors
    assert batch["input_ids"].tolist() == [padded[i] for i in order]
    assert batch["attention_mask"].sum(1).tolist() == [len(rows[i]) for i in order]
    assert set(batch) == {"input_ids", "attention_mask"}
    single = RelationCollator(tokenizer, num_views=1)([{"input_ids": np.array(rows[1])}])
    assert single["input_ids"].tolist() == [rows[1]]


def test_collator_refuses_a_row_without_markers(tokenizer, marks):
    with pytest.raises(ValueError, match="row 1 of the batch lacks the marker of the tail start"):
        RelationCollator(tokenizer, num_views=1)([{"input_ids": [*marks]}, {"input_ids": [marks[0], marks[1], 5]}])


def test_neighbors_are_drawn_by_seed_epoch_and_row(model, rows, tokenizer):
    anchors = AnchorDataset(tokenize_dataset(rows, tokenizer))
    neighbors = np.stack([(np.arange(5) + row + 1) % 60 for row in range(60)])
    anchors.draw_neighbors(neighbors, per_anchor=2, seed=3, epoch=1)
    first = anchors.drawn.copy()
    assert all(set(drawn) <= set(mined) for drawn, mined in zip(first, neighbors, strict=True))
    assert (anchors.batch_lengths() == [max(anchors.lengths[[i, *first[i]]]) for i in range(60)]).all()
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


@given(st.integers(1, 200), st.integers(1, 9), st.integers(1, 5), st.integers(1, 3), st.integers(0, 5))
def test_every_row_once_an_epoch_over_all_processes(rows, batch_size, world_size, accumulation, epoch):
    lengths = np.random.default_rng(rows).integers(1, 50, size=rows)
    samplers = [
        LengthBucketBatchSampler(lengths, batch_size, 1, rank, world_size, accumulation) for rank in range(world_size)
    ]
    whole = LengthBucketBatchSampler(lengths, batch_size * world_size * accumulation, 1)
    for sampler in (*samplers, whole):
        sampler.set_epoch(epoch)
    parts = [list(sampler) for sampler in samplers]
    assert {len(part) for part in parts} == {len(samplers[0])} == {len(whole) * accumulation}
    steps = [[row for batch in batches for row in batch] for batches in zip(*parts, strict=True)]
    starts = range(0, len(steps), accumulation)
    updates = [[row for step in steps[first : first + accumulation] for row in step] for first in starts]
    assert updates == list(whole)  # an optimizer step has the rows that it has with one process
    assert sorted(row for update in updates for row in update) == list(range(rows))


def test_a_process_without_rows_gets_one_that_does_not_count(model, rows, tokenizer):
    anchors = AnchorDataset(tokenize_dataset(rows, tokenizer))
    anchors.draw_neighbors(np.stack([(np.arange(5) + row + 1) % 60 for row in range(60)]), 2, seed=3, epoch=1)
    loader = torch.utils.data.DataLoader(anchors, batch_sampler=[[3], []], collate_fn=RelationCollator(tokenizer))
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


def test_padding_is_masked(tokenizer, marks):
    long, short = [*marks, 9, 9, 9], [*marks]
    batch = RelationCollator(tokenizer, 1)([{"input_ids": long}, {"input_ids": short}])
    assert torch.equal(batch["attention_mask"][1], torch.tensor([1, 1, 1, 1, 0, 0, 0]))

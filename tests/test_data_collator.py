"""From rows to batches: tokens, gold relations and type pairs, and stacking by hand."""

import numpy as np
import pytest
import torch

from modeling_siamure.data_collator import RelationCollator, tokenize_dataset


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


def test_padding_is_masked(tokenizer, marks):
    long, short = [*marks, 9, 9, 9], [*marks]
    batch = RelationCollator(tokenizer, 1)([{"input_ids": long}, {"input_ids": short}])
    assert torch.equal(batch["attention_mask"][1], torch.tensor([1, 1, 1, 1, 0, 0, 0]))

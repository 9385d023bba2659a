"""From rows to batches: tokens, gold relations and type pairs, and stacking by hand."""

import logging

import numpy as np
import pytest
import torch
from datasets import Dataset

from modeling_siamure.data_collator import (
    RelationCollator,
    relation_labels,
    tokenize_dataset,
    type_pairs,
)
from modeling_siamure.markers import extend_tokenizer

from .helpers.models import TEXTS


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
        RelationCollator(tokenizer, num_views=1)(
            [{"input_ids": [*marks]}, {"input_ids": [marks[0], marks[1], 5]}]
        )


def test_padding_is_masked(tokenizer, marks):
    long, short = [*marks, 9, 9, 9], [*marks]
    batch = RelationCollator(tokenizer, 1)([{"input_ids": long}, {"input_ids": short}])
    assert torch.equal(batch["attention_mask"][1], torch.tensor([1, 1, 1, 1, 0, 0, 0]))


def test_a_dataset_is_tokenized_as_its_sentences_are(model, tokenizer, rows):
    tokenized = tokenize_dataset(rows, tokenizer)
    assert tokenized["input_ids"] == tokenizer(list(rows["text"]))["input_ids"]
    assert tokenized["length"] == [len(ids) for ids in tokenized["input_ids"]]
    assert set(tokenized.column_names) == {*rows.column_names, "input_ids", "length"}


def test_an_overlong_sentence_is_an_error_or_skipped(model, tokenizer, caplog):
    dataset = Dataset.from_dict({"text": TEXTS[:2], "relation": ["left", None]})
    with pytest.raises(ValueError, match="row 0: its two mentions alone exceed max_length=8"):
        tokenize_dataset(dataset, tokenizer, max_length=8)
    with caplog.at_level(logging.WARNING):
        kept = tokenize_dataset(dataset, tokenizer, max_length=8, on_overflow="skip")
    assert kept["relation"] == [None]
    assert "1 of 2 sentences were skipped: their two mentions alone exceed" in caplog.text


def test_dataset_reports_once_a_kind(rows, tokenizer, caplog):
    extend_tokenizer(tokenizer, ["PERSON"])
    with caplog.at_level(logging.WARNING):
        tokenized = tokenize_dataset(rows, tokenizer, max_length=9, on_overflow="skip")
    assert len(tokenized) == len(rows)
    messages = [
        record.message for record in caplog.records if record.name.startswith("modeling_siamure")
    ]
    assert len(messages) == 2
    cut = sum(len(tokenizer(text)["input_ids"]) > 9 for text in rows["text"])
    assert messages[0].startswith(f"{cut} of 60 sentences were cut to max_length=9")
    assert messages[1].startswith(
        "60 mentions have an entity type that the tokenizer does not know"
    )
    with pytest.raises(
        ValueError, match="of the rows from 0 on, row 0: its two mentions alone exceed max_length=7"
    ):
        tokenize_dataset(rows, tokenizer, max_length=7)


def test_relation_labels():
    found = relation_labels(Dataset.from_dict({"relation": ["left", None]}))
    assert found.tolist() == ["left", None] and found.dtype == object
    assert relation_labels(Dataset.from_dict({"relation": [None, None]})) is None
    assert relation_labels(Dataset.from_dict({"text": ["a"]})) is None


def test_type_pairs():
    types = {"head_type": ["PERSON", None, "FIRM"], "tail_type": ["FIRM", None, None]}
    found = type_pairs(Dataset.from_dict(types))
    assert found.tolist() == ["PERSON FIRM", "None None", "FIRM None"]
    nothing = {"head_type": [None, None], "tail_type": [None, None]}
    assert type_pairs(Dataset.from_dict(nothing)) is None
    assert type_pairs(Dataset.from_dict({"head_type": ["PERSON"]})) is None

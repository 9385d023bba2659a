"""From marked sentences to batches: tokenize them, and stack views and neighbors."""

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from datasets import Dataset
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from .markers import (
    HEAD_START,
    check_marked,
    encode_marked,
    find_entity_types,
    known_entity_types,
    marker,
    marker_roles,
)
from .utils.doubts import warn_of_doubt

logger = logging.getLogger(__name__)


def tokenize_dataset(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int = 128,
    on_overflow: Literal["raise", "skip"] = "raise",
    max_truncated_share: float = 0.05,
) -> Dataset:
    """Add `input_ids` and `length` to a dataset with a `text` column of marked sentences.

    What had to be done to the sentences (cut, skipped, mentions of unknown types) is reported once,
    by one warning per kind.

    Args:
        dataset: Rows of the instance schema; other columns are kept.
        tokenizer: A tokenizer with markers.
        max_length: Largest number of tokens per sentence.
        on_overflow: What to do with sentences whose mentions alone are longer: `"raise"` or
            `"skip"`.
        max_truncated_share: Share of sentences that are cut from which strict runs refuse them.

    Raises:
        ValueError: A sentence lacks a marker or does not fit. Names the row.
    """

    def encode(texts: list[str], rows: list[int]) -> dict[str, list]:
        try:
            encoded = encode_marked(tokenizer, texts, max_length, on_overflow)
        except ValueError as error:
            raise ValueError(f"of the rows from {rows[0]} on, {error}") from None
        return {
            "input_ids": encoded.input_ids,
            "length": [len(ids) if ids is not None else 0 for ids in encoded.input_ids],
            "_truncated": _count_first(encoded.num_truncated, texts),
            "_skipped": _count_first(encoded.num_skipped, texts),
            "_unknown": _count_first(encoded.unknown_types.total(), texts),
        }

    tokenized = dataset.map(
        encode, input_columns="text", with_indices=True, batched=True, desc="Tokenizing"
    )
    counts = {name: int(np.sum(tokenized[name])) for name in ("_truncated", "_skipped", "_unknown")}
    tokenized = tokenized.remove_columns(list(counts))
    if num_truncated := counts["_truncated"]:
        warn_of_doubt(
            logger,
            "%d of %d sentences were cut to max_length=%d tokens; both mentions were kept",
            num_truncated,
            len(dataset),
            max_length,
            is_minor=num_truncated < max_truncated_share * len(dataset),
        )
    if counts["_unknown"]:
        warn_of_doubt(
            logger,
            "%d mentions have an entity type that the tokenizer does not know, e.g. %s; they got "
            "the untyped markers",
            counts["_unknown"],
            min(set(find_entity_types(dataset["text"][:])) - set(known_entity_types(tokenizer))),
        )
    if counts["_skipped"]:
        warn_of_doubt(
            logger,
            "%d of %d sentences were skipped: their two mentions alone exceed max_length=%d tokens",
            counts["_skipped"],
            len(dataset),
            max_length,
        )
        tokenized = tokenized.filter(
            lambda length: length > 0, input_columns="length", desc="Skipping"
        )
    return tokenized


def _count_first(count: int, texts: list[str]) -> list[int]:
    """Return a column whose first row holds the count of a batch, and zeros below it."""
    return [count] + [0] * (len(texts) - 1)


def relation_labels(dataset: Dataset) -> np.ndarray | None:
    """Return the gold relations of a dataset, `(rows,)`: `None` where a row has none.

    Returns:
        `None` if no row has one.
    """
    if "relation" not in dataset.column_names:
        return None
    labels = np.array(dataset["relation"], dtype=object)
    return labels if any(label is not None for label in labels) else None


def type_pairs(dataset: Dataset) -> np.ndarray | None:
    """Return head and tail type of each row as one word, `(rows,)`.

    Returns:
        `None` if no row has types.
    """
    if not {"head_type", "tail_type"} <= set(dataset.column_names):
        return None
    pairs = list(zip(dataset["head_type"][:], dataset["tail_type"][:], strict=True))
    if all(pair == (None, None) for pair in pairs):
        return None
    return np.array([f"{head} {tail}" for head, tail in pairs])


@dataclass
class RelationCollator:
    """Stack views of the anchors, and their neighbors, into one padded batch.

    The rows of a batch are: all anchors, once per view; then the first neighbor of each anchor, the
    second, and so on. Both views hold the same tokens: dropout makes them differ (paper, 2.1). A
    padding batch, whose one row does not count, has a third key, `is_padding_batch`.

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
        if "is_padding_batch" in features[0]:
            batch["is_padding_batch"] = torch.tensor(True)
        return batch

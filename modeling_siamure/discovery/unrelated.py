"""Rows that state no relation, as far as can be told, left out before anything is embedded."""

import logging

import numpy as np
from datasets import Dataset

from ..clustering.no_relation import find_unrelated, has_both_orders, relation_scores
from ..utils.distributed import broadcast_from_main
from ..utils.doubts import warn_of_doubt

logger = logging.getLogger(__name__)

# What `siamure pairs` writes, and nobody else has.
_COLUMNS_OF_PAIRS = {"document", "document_head_start", "document_tail_start"}


def leave_out_unrelated(
    rows: Dataset,
    positions: np.ndarray,
    min_precision: float | None,
    is_all_pairs: bool,
    share_unrelated: float = 0.75,
) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """Leave out the rows that state no relation (see `find_unrelated`), and say how many.

    Args:
        rows: With a column `text` of marked sentences.
        positions: Where they stand among all rows, `(rows,)`.
        min_precision: Share of the rows left out that should state no relation; 1 leaves none out.
            `None` is 0.9 where the rows are all pairs of their sentences, otherwise 1.
        is_all_pairs: Whether they are, see `holds_all_pairs`.
        share_unrelated: Share of all pairs that state no relation. (Of Re-DocRED dev, 77 % of the
            pairs that share a sentence have no label in either direction.) Of other rows, half are
            taken to state none.

    Returns:
        The rows that are kept, their positions, and the positions of those left out.

    Raises:
        ValueError: No row would be kept.
    """
    if min_precision is None:
        min_precision = 0.9 if is_all_pairs else 1
    if min_precision == 1:
        return rows, positions, positions[:0]
    share = share_unrelated if is_all_pairs else 0.5
    is_unrelated = broadcast_from_main(_find, rows["text"][:], min_precision, share)
    kept = np.flatnonzero(~is_unrelated)
    if not len(kept):
        raise ValueError(
            f"none of the {len(rows)} rows seems to state a relation; give min_precision=1 to "
            "keep them all"
        )
    if len(kept) < len(rows):
        warn_of_doubt(
            logger,
            "%d of %d rows state no relation, as far as the places of their mentions tell, and "
            "were left out (min_precision=%s)",
            len(rows) - len(kept),
            len(rows),
            min_precision,
            is_minor=True,
        )
        return rows.select(kept), positions[kept], positions[is_unrelated]
    return rows, positions, positions[:0]


def holds_all_pairs(dataset: Dataset) -> bool:
    """Tell whether a dataset holds the pairs that `siamure pairs` writes."""
    return _COLUMNS_OF_PAIRS.issubset(dataset.column_names)


def _find(texts: list[str], min_precision: float, share_unrelated: float) -> np.ndarray:
    # In one order only, a date that comes first is the head of a pair whose tail it should be.
    scores = relation_scores(texts, values_are_tails=has_both_orders(texts))
    return find_unrelated(scores, min_precision, share_unrelated)

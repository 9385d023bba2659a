"""Which rows state no relation between their two entities: scores and a filter before clustering.

Neither needs an encoder, so rows can be filtered before they are embedded. How well it works:
`benchmarks/results/discovery/no_relation.md`.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm, rankdata

from ..markers import MarkedSentence, read_markers

Span = tuple[int, int]

# What OntoNotes, CoreNLP and DocRED call dates, times and numbers.
VALUE_TYPES = frozenset(
    {
        "CARDINAL",
        "DATE",
        "DURATION",
        "MONEY",
        "NUM",
        "NUMBER",
        "ORDINAL",
        "PERCENT",
        "QUANTITY",
        "SET",
        "TIME",
        "YEAR",
    }
)


def relation_scores(texts: Sequence[str], values_are_tails: bool = True) -> np.ndarray:
    """Score how likely the two entities of each row stand in some relation, without labels.

    Three things speak for a relation: there are few characters between the mentions, few before the
    first one, and few other mentions are nearer to one of them than they are to each other. The
    score is the mean rank of the three. Other mentions are those of the rows with the same
    sentence. A date or a number is the value of a relation and hardly ever its head: such rows come
    last, in the same order.

    Args:
        texts: Marked sentences.
        values_are_tails: Whether rows whose head is a date or a number come last. Turn it off where
            a pair is given in one order only, which need not be that of its relation.

    Returns:
        `(rows,)`, the higher the likelier: up to 1, and at most 0 where the head is a value. Scores
        order the rows of one corpus; they are no probabilities.

    Raises:
        ValueError: A text lacks a marker.

    >>> near = "<e1:PER> Ada Roe </e1:PER> leads <e2:ORG> Acme </e2:ORG>, and Bo met Cy."
    >>> far = "<e1:PER> Ada Roe </e1:PER> leads Acme, and Bo met <e2:PER> Cy </e2:PER>."
    >>> relation_scores([near, far]).round(2).tolist()
    [0.92, 0.58]
    """
    if not len(texts):
        return np.empty(0)
    sentences = [read_markers(text) for text in texts]
    mentions: defaultdict[str, set[Span]] = defaultdict(set)
    for sentence in sentences:
        mentions[sentence.sentence] |= {sentence.head, sentence.tail}
    against = np.array(
        [
            (
                _distance(sentence.head, sentence.tail),
                min(sentence.head[0], sentence.tail[0]),
                _count_nearer(sentence, mentions[sentence.sentence]),
            )
            for sentence in sentences
        ]
    )
    scores = rankdata(-against, axis=0).mean(axis=1) / len(texts)
    return scores - [values_are_tails and _has_value_as_head(sentence) for sentence in sentences]


def has_both_orders(texts: Sequence[str], min_share: float = 0.9) -> bool:
    """Tell whether pairs whose head is a date or a number are given in the other order, too.

    Args:
        texts: Marked sentences.
        min_share: Share of these pairs that must be; there may be none.

    >>> one = "<e1> 1990 </e1> , Ada founded <e2> Acme </e2>"
    >>> other = "<e2> 1990 </e2> , Ada founded <e1> Acme </e1>"
    >>> has_both_orders([one]), has_both_orders([one, other])
    (False, True)
    """
    sentences = [read_markers(text) for text in texts]
    pairs = {(sentence.sentence, sentence.head, sentence.tail) for sentence in sentences}
    swapped = [
        (sentence.sentence, sentence.tail, sentence.head) in pairs
        for sentence in sentences
        if _has_value_as_head(sentence)
    ]
    return sum(swapped) >= min_share * len(swapped)


def find_unrelated(
    scores: np.ndarray,
    min_precision: float,
    share_unrelated: float = 0.5,
    area: float = 0.65,
) -> np.ndarray:
    """Choose the rows to filter out, so that about this share of them states no relation.

    How many rows of a corpus state none can't be told without labels, so it is assumed; and so is
    how well the scores tell them apart: as two normal distributions of equal variance do with this
    area under the curve. From both follows the precision of filtering the lowest scores. As many
    are filtered as it allows, but no more than are unrelated. Rows whose head is a value are taken
    to be unrelated, whatever the precision. With more unrelated rows than assumed the precision is
    higher, with fewer it is lower.

    Args:
        scores: From `relation_scores`, `(rows,)`.
        min_precision: Share of the filtered rows that should state no relation, between 0 and 1.
        share_unrelated: Share of all rows that state none, between 0 and 1.
        area: Area under the receiver operating characteristic of the rows whose head is no value,
            between 0.5 and 1.

    Returns:
        True where a row is filtered out, `(rows,)`.

    Raises:
        ValueError: A share or the area is out of its range.

    >>> find_unrelated(np.array([0.9, -0.2, 0.8, 0.3]), 0.8).tolist()
    [False, True, False, True]
    """
    for name, value in (("min_precision", min_precision), ("share_unrelated", share_unrelated)):
        if not 0 < value < 1:
            raise ValueError(f"{name}={value}: it must be above 0 and below 1")
    if not 0.5 < area < 1:
        raise ValueError(f"area={area}: it must be above 0.5 and below 1")
    num_values = int((scores <= 0).sum())
    num_others = len(scores) - num_values
    num_unrelated = max(share_unrelated * len(scores) - num_values, 0)
    # The ROC curve of two normal distributions whose means are `distance` deviations apart.
    distance = np.sqrt(2) * norm.ppf(area)
    false_alarms = np.linspace(0, 1, 10_001)
    hits = norm.cdf(norm.ppf(false_alarms) + distance)
    num_right = num_values + num_unrelated * hits
    num_filtered = num_right + (num_others - num_unrelated) * false_alarms
    is_allowed = (num_right >= min_precision * num_filtered) & (
        num_filtered <= num_values + num_unrelated
    )
    count = round(num_filtered[is_allowed].max())
    is_unrelated = np.zeros(len(scores), dtype=bool)
    is_unrelated[np.argsort(scores, kind="stable")[:count]] = True
    return is_unrelated


def _distance(one: Span, other: Span) -> int:
    """Return the number of characters between two mentions; 0 where they touch or overlap."""
    return max(0, one[0] - other[1], other[0] - one[1])


def _count_nearer(sentence: MarkedSentence, mentions: set[Span]) -> int:
    """Return how many of the mentions are nearer to head or to tail than these to each other.

    A mention that is nearer to both counts twice.
    """
    distance = _distance(sentence.head, sentence.tail)
    others = mentions - {sentence.head, sentence.tail}
    return sum(
        _distance(mention, other) < distance
        for mention in (sentence.head, sentence.tail)
        for other in others
    )


def _has_value_as_head(sentence: MarkedSentence, min_digits: float = 0.3) -> bool:
    """Tell whether the head is a date or a number, by its type or its share of digits."""
    start, end = sentence.head
    characters = [character for character in sentence.sentence[start:end] if character.isalnum()]
    num_digits = sum(character.isdigit() for character in characters)
    has_digits = num_digits > 0 and num_digits >= min_digits * len(characters)
    return has_digits or (sentence.head_type or "").upper() in VALUE_TYPES

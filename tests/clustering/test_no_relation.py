"""Scores for rows without a relation, and how many of them are filtered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from modeling_siamure.clustering.no_relation import (
    find_unrelated,
    has_both_orders,
    relation_scores,
)

NEAR = "<e1:PER> Ada </e1:PER> runs <e2:ORG> Acme </e2:ORG> and Bo ran Beta in 1990."
LATE = "Ada runs Acme and <e1:PER> Bo </e1:PER> ran <e2:ORG> Beta </e2:ORG> in 1990."
FAR = "<e1:PER> Ada </e1:PER> runs Acme and Bo ran <e2:ORG> Beta </e2:ORG> in 1990."
VALUE = "Ada runs Acme and Bo ran <e2:ORG> Beta </e2:ORG> in <e1:DATE> 1990 </e1:DATE>."


def swap(text):
    """Return the text with head and tail exchanged."""
    return text.replace("e1", "e0").replace("e2", "e1").replace("e0", "e2")


def test_scores_by_hand():
    # Characters between the mentions: 6, 5, 22, 4; before the first: 0, 18, 0, 25.
    nearness = np.array([2, 3, 1, 4]) / 4
    earliness = np.array([3.5, 2, 3.5, 1]) / 4
    # Bo is nearer than 6 to Acme, and 1990 nearer than 5 to Beta; nearer than 22 are Acme and Bo to
    # Ada, and Acme, Bo and 1990 to Beta; nothing is nearer than 4.
    seclusion = np.array([2.5, 2.5, 1, 4]) / 4
    scores = relation_scores([NEAR, LATE, FAR, VALUE])
    np.testing.assert_allclose(scores, (nearness + earliness + seclusion) / 3 - [0, 0, 0, 1])


def test_other_mentions_are_those_of_the_same_sentence():
    alone = relation_scores([FAR, NEAR.replace("1990", "1991")])
    np.testing.assert_allclose(alone, [(1 + 1.5 + 1.5) / 6, (2 + 1.5 + 1.5) / 6])
    np.testing.assert_allclose(relation_scores([FAR, NEAR]), [(1 + 1.5 + 1) / 6, (2 + 1.5 + 2) / 6])


def test_which_mention_is_the_head_does_not_matter_to_names():
    texts = [NEAR, LATE, FAR]
    np.testing.assert_array_equal(
        relation_scores([swap(text) for text in texts]), relation_scores(texts)
    )


@pytest.mark.parametrize(
    ("head", "is_value"),
    [
        ("<e1:DATE> last May </e1:DATE>", True),
        ("<e1:time> dusk </e1:time>", True),
        ("<e1> 15 May 1990 </e1>", True),
        ("<e1> 1990s </e1>", True),
        ("<e1> ١٩٩٠ </e1>", True),
        ("<e1> Winter Olympics 2002 </e1>", False),
        ("<e1:PER> Ada </e1:PER>", False),
        ("<e1> ?! </e1>", False),
    ],
)
def test_values_are_no_heads(head, is_value):
    texts = [f"{head} led to <e2> Acme </e2>.", NEAR]
    assert (relation_scores(texts)[0] <= 0) == is_value
    assert (relation_scores(texts, values_are_tails=False) > 0).all()
    assert (relation_scores([swap(text) for text in texts]) > 0).all()


def test_overlapping_mentions_have_nothing_between():
    nested = "<e1> Bank of <e2> Ruritania </e2> </e1> fell."
    touching = "<e1> Ada </e1><e2> Acme </e2> fell."
    np.testing.assert_array_equal(relation_scores([nested, touching]), [0.75, 0.75])


def test_no_rows_and_no_markers():
    assert relation_scores([]).shape == (0,)
    assert find_unrelated(np.empty(0), 0.9).shape == (0,)
    with pytest.raises(ValueError, match="the marker of the head start"):
        relation_scores(["Ada runs Acme."])


def expected_precision(num_filtered, num_rows, share, area):
    """Return the precision of filtering some of the rows: a search for their false alarms."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        hits = norm.cdf(norm.ppf(middle) + np.sqrt(2) * norm.ppf(area))
        filtered = num_rows * (share * hits + (1 - share) * middle)
        low, high = (middle, high) if filtered < num_filtered else (low, middle)
    return share * num_rows * hits / filtered


@pytest.mark.parametrize("min_precision", [0.7, 0.8, 0.9])
@pytest.mark.parametrize("share", [0.5, 0.6])
def test_as_many_rows_as_the_precision_allows(min_precision, share):
    scores = np.random.default_rng(0).permutation(1 + np.arange(10_000)) / 10_000
    is_unrelated = find_unrelated(scores, min_precision, share, area=0.8)
    count = int(is_unrelated.sum())
    assert scores[is_unrelated].max() < scores[~is_unrelated].min()
    assert expected_precision(count - 30, 10_000, share, 0.8) > min_precision
    at_limit = count >= 10_000 * share - 1
    assert at_limit or expected_precision(count + 30, 10_000, share, 0.8) < min_precision


def test_never_more_than_are_unrelated():
    scores = (1 + np.arange(100)) / 100
    assert find_unrelated(scores, 0.05, share_unrelated=0.3).sum() == 30
    assert find_unrelated(scores, 0.9999999).sum() == 0


def test_values_are_unrelated_whatever_the_precision():
    scores = np.concatenate([np.full(4, -0.5), (1 + np.arange(6)) / 6])
    assert find_unrelated(scores, 0.999).tolist() == [True] * 4 + [False] * 6
    # Of ten rows three are taken to be unrelated, and four are values already.
    assert find_unrelated(scores, 0.1, share_unrelated=0.3).sum() == 4
    assert find_unrelated(np.full(3, -0.5), 0.9).all()


def test_rows_that_are_as_assumed_are_filtered_with_the_precision_asked_for():
    rng = np.random.default_rng(0)
    has_none = rng.random(40_000) < 0.8
    scores = norm.cdf(rng.standard_normal(40_000) - np.sqrt(2) * norm.ppf(0.7) * has_none)
    is_unrelated = find_unrelated(scores, 0.92, share_unrelated=0.8, area=0.7)
    assert has_none[is_unrelated].mean() == pytest.approx(0.92, abs=0.01)
    assert 0.2 < is_unrelated.mean() < 0.8


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=50),
    st.floats(0.01, 0.99),
    st.floats(0.01, 0.99),
    st.floats(0.51, 0.99),
)
def test_a_higher_precision_filters_no_other_rows(scores, min_precision, share, area):
    scores = np.array(scores)
    is_unrelated = find_unrelated(scores, min_precision, share, area)
    stricter = find_unrelated(scores, (1 + min_precision) / 2, share, area)
    assert not (stricter & ~is_unrelated).any()
    assert is_unrelated[scores <= 0].all()
    assert is_unrelated.sum() <= max((scores <= 0).sum(), share * len(scores) + 0.5)


@pytest.mark.parametrize("value", [0, 1, -0.1, 85, float("nan")])
def test_what_is_no_share_is_refused(value):
    with pytest.raises(ValueError, match=r"min_precision=.*above 0 and below 1"):
        find_unrelated(np.ones(3), value)
    with pytest.raises(ValueError, match=r"share_unrelated=.*above 0 and below 1"):
        find_unrelated(np.ones(3), 0.9, value)
    with pytest.raises(ValueError, match=r"area=.*above 0.5 and below 1"):
        find_unrelated(np.ones(3), 0.9, area=value if value != -0.1 else 0.5)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], True),
        ([NEAR, LATE], True),  # no value is a head
        ([NEAR, VALUE], False),
        ([NEAR, VALUE, swap(VALUE)], True),
        ([VALUE, swap(VALUE), VALUE.replace("Bo", "Cy")], False),  # one of two
    ],
)
def test_values_that_come_first_may_be_heads_of_one_order(texts, expected):
    assert has_both_orders(texts) is expected

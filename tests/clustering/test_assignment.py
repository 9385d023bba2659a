"""Nearest clusters, margins, and which rows belong to none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from modeling_siamure import SiamUREConfig
from modeling_siamure.clustering import kmeans
from modeling_siamure.clustering.assignment import (
    SKIPPED,
    RejectionRule,
    assign_rows,
    fit_rejection,
)
from modeling_siamure.configuration_siamure import UNASSIGNED


def near(axis: int, count: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Rows of length 1 around an axis."""
    rows = noise * rng.standard_normal((count, 16))
    rows[:, axis] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def means(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.stack([rows[labels == label].mean(axis=0) for label in np.unique(labels)])


def test_values_by_hand():
    """A row at 60 degrees from the centroid of one row, and at 30 from that of three rows."""
    row = np.array([[np.cos(np.pi / 3), np.sin(np.pi / 3)]])
    assignment = assign_rows(5 * row, np.eye(2), [1, 3])
    near, far = 2 * np.sin(np.pi / 12), 1.0  # chords of 30 and 60 degrees
    assert assignment.clusters.tolist() == [1]
    np.testing.assert_allclose(assignment.distances, near, rtol=1e-6)
    np.testing.assert_allclose(assignment.margins, 1 - near, rtol=1e-6)
    scale = 2 * 2 / (1 - (0.25**2 + 0.75**2))
    np.testing.assert_allclose(
        assignment.scores, softmax(-scale / 2 * np.array([near**2, far**2]))[0], rtol=1e-6
    )


def test_blocks_change_nothing():
    rows, centroids = (
        np.random.default_rng(0).normal(size=(50, 6)),
        np.random.default_rng(1).normal(size=(4, 6)) / 4,
    )
    whole = assign_rows(rows, centroids)
    parts = assign_rows(rows, centroids, block_size=7)
    for one, other in zip(vars(whole).values(), vars(parts).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_one_cluster_leaves_no_doubt():
    assignment = assign_rows(np.eye(3), np.full((1, 3), 1 / 3))
    assert assignment.clusters.tolist() == [0, 0, 0] and assignment.margins.tolist() == [1, 1, 1]
    np.testing.assert_allclose(assignment.scores, 1)


def test_thresholds_are_kept():
    assignment = assign_rows(np.array([[1.0, 0.0], [1.0, 0.9], [1.0, 0.5]]), np.eye(2), [1, 1])
    rule = RejectionRule(max_distances=[0.4, 2.0], min_margin=0.1)
    # On the centroid, between two, far.
    assert rule.apply(assignment).labels.tolist() == [
        0,
        UNASSIGNED,
        UNASSIGNED,
    ]


def test_outliers_and_rows_between_two_are_rejected_without_labels():
    rng = np.random.default_rng(0)
    clear = np.repeat(np.eye(3, 8), 60, axis=0) + rng.normal(0, 0.05, (180, 8))
    odd = np.zeros((2, 8))
    odd[0, :2] = 1  # half-way between the first two clusters
    odd[1, 7] = 1  # like nothing else
    rows = np.concatenate([clear, odd])
    clusters = kmeans(rows, 3)
    rule = fit_rejection(rows, clusters.centroids)
    assignment = assign_rows(rows, clusters.centroids, rule=rule)
    labels = assignment.labels
    assert labels[-2:].tolist() == [UNASSIGNED, UNASSIGNED]
    assert (labels[:180] == UNASSIGNED).mean() < 0.1
    assert (labels[:180][labels[:180] >= 0] == assignment.clusters[:180][labels[:180] >= 0]).all()
    assert rule.num_doubtful == 0


def test_mixtures_have_low_scores():
    """Partitions put a row that is half of one group and half of another into either."""
    rng = np.random.default_rng(0)
    groups = np.concatenate([near(axis, 60, 0.05, rng) for axis in range(3)])
    mixtures = (groups[:60] + groups[60:120])[:15] / 2
    rows = np.concatenate([groups, mixtures])
    centroids = means(groups, np.repeat([0, 1, 2], 60))
    rule = fit_rejection(rows, centroids)
    scores = assign_rows(rows, centroids, rule=rule).scores
    assert scores[:180].min() > 0.9 and scores[180:].max() < 0.8


@pytest.mark.parametrize("rows", [np.ones((1, 4)), np.ones((30, 4))], ids=["one", "equal"])
def test_equal_rows_all_belong(rows):
    rule = fit_rejection(rows, np.full((1, 4), 0.5))
    assignment = assign_rows(rows, np.full((1, 4), 0.5), rule=rule)
    assert assignment.labels.tolist() == [0] * len(rows)


@pytest.mark.parametrize("num_copies", [3, 30, 300])
@pytest.mark.parametrize("num_alike", [1, 9])
def test_copies_of_a_row_do_not_push_those_out_that_are_like_it(num_copies, num_alike):
    rng = np.random.default_rng(0)
    copies = np.repeat(near(0, 1, 0.05, rng), num_copies, axis=0)
    rows = np.concatenate([copies, near(0, num_alike, 0.05, rng), near(1, 39, 0.05, rng)])
    labels = np.repeat([0, 1], [num_copies + num_alike, 39])
    centroids = means(rows, labels)
    rule = fit_rejection(rows, centroids)
    found = assign_rows(rows, centroids, rule=rule).labels
    assert found[: num_copies + num_alike].tolist() == [0] * (num_copies + num_alike)
    assert (found[num_copies + num_alike :] == UNASSIGNED).sum() <= 1


def test_clusters_that_halve_one_group_are_siblings():
    """Rows between the halves are as clear as others; rows between the groups are not."""
    rng = np.random.default_rng(0)
    rows = np.concatenate([near(0, 200, 0.1, rng), near(1, 100, 0.1, rng)])
    labels = np.repeat([0, 2], [200, 100])
    labels[:200] = rows[:200, 2] > 0  # a cut that nothing in the data asks for
    centroids = means(rows, labels)
    rule = fit_rejection(rows, centroids)
    assert rule.groups[0] == rule.groups[1] != rule.groups[2]
    between = (centroids[[0, 0]] + centroids[[1, 2]]) / 2
    assert assign_rows(between, centroids, [1, 1, 1]).margins.max() < 0.02
    assignment = assign_rows(between, centroids, [1, 1, 1], rule)
    assert assignment.margins[0] > 0.5 and assignment.scores[0] > 0.7
    assert assignment.margins[1] < 0.01 and assignment.scores[1] < 0.7


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.integers(1, 30), min_size=1, max_size=8),
    st.floats(0.01, 2),
    st.sampled_from([0.0, 0.02, 0.1, 0.5]),
)
def test_a_rule_takes_few_rows_and_no_cluster_whole(seed, sizes, noise, max_unassigned):
    """Whatever the rows are, also where they have no structure at all."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([near(axis, size, noise, rng) for axis, size in enumerate(sizes)])
    rows = np.concatenate([rows, np.repeat(rows[:1], rng.integers(0, 60), axis=0)])
    labels = np.repeat(np.arange(len(sizes)), sizes)
    centroids = means(rows[: len(labels)], labels)
    rule = fit_rejection(rows, centroids, max_unassigned, num_resamples=2)
    assignment = assign_rows(rows, centroids, rule=rule)
    assert (assignment.labels == UNASSIGNED).sum() <= max_unassigned * len(rows)
    assert set(assignment.clusters) == set(assignment.labels) - {UNASSIGNED}
    assert ((assignment.scores >= 0) & (assignment.scores <= 1)).all()
    order = np.argsort(assignment.margins)
    assert (np.diff(assignment.scores[order]) > -1e-5).all()
    # Other arithmetic, as on another machine, moves no row over a threshold.
    shifted = assign_rows(rows + rng.uniform(-1e-7, 1e-7, rows.shape), centroids, rule=rule)
    np.testing.assert_array_equal(shifted.labels, assignment.labels)


def test_the_cap_is_noted():
    rng = np.random.default_rng(0)
    rows = np.concatenate([near(0, 100, 0.02, rng), near(1, 100, 0.02, rng)])
    rows = np.concatenate([rows, near(2, 8, 0.3, rng) * [[1, 1, 0.3, *[1] * 13]]])
    centroids = means(rows[:200], np.repeat([0, 1], 100))
    free = fit_rejection(rows, centroids, max_unassigned=0.5)
    capped = fit_rejection(rows, centroids, max_unassigned=0.01)
    assert free.num_doubtful == 0
    num_free = (assign_rows(rows, centroids, rule=free).labels == UNASSIGNED).sum()
    assert capped.num_doubtful == num_free >= 8
    assert (assign_rows(rows, centroids, rule=capped).labels == UNASSIGNED).sum() == 2


def test_skipped_rows_have_no_cluster_and_no_score():
    assignment = assign_rows(np.eye(2), np.eye(2), [1, 1]).scatter(np.array([3, 1]), num_rows=4)
    assert assignment.labels.tolist() == [SKIPPED, 1, SKIPPED, 0]
    assert assignment.clusters.tolist() == [SKIPPED, 1, SKIPPED, 0]
    for values in (assignment.scores, assignment.distances, assignment.margins):
        assert np.isnan(values).tolist() == [True, False, True, False]


def test_a_rule_of_a_model():
    encoder = {"hidden_size": 4, "num_attention_heads": 1}
    config = SiamUREConfig(encoder_config=encoder)
    assert RejectionRule.from_config(config) == RejectionRule(None)
    config.max_distances = [0.5, 0.25]
    assert RejectionRule.from_config(config) == RejectionRule([0.5, 0.25], 0.0)
    config.min_margin = 0.125
    config.cluster_groups = [0, 1]
    config.score_curve = [0.0, 1.0]
    rule = RejectionRule([0.5, 0.25], 0.125, [0, 1], [0.0, 1.0])
    assert RejectionRule.from_config(config) == rule
    assert RejectionRule(**rule.fields_of_model()) == rule

"""Nearest clusters, margins, and which rows belong to none."""

import numpy as np
import pytest
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
    assignment = assign_rows(rows, clusters.centroids)
    labels = fit_rejection(rows, assignment, 3).apply(assignment).labels
    assert labels[-2:].tolist() == [UNASSIGNED, UNASSIGNED]
    assert (labels[:180] == UNASSIGNED).mean() < 0.1
    assert (labels[:180][labels[:180] >= 0] == assignment.clusters[:180][labels[:180] >= 0]).all()


@pytest.mark.parametrize("rows", [np.ones((1, 4)), np.ones((30, 4))], ids=["one", "equal"])
def test_equal_rows_all_belong(rows):
    assignment = assign_rows(rows, np.full((1, 4), 0.5))
    assert fit_rejection(rows, assignment, 1).apply(assignment).labels.tolist() == [0] * len(rows)


def test_skipped_rows_have_no_cluster_and_no_score():
    assignment = assign_rows(np.eye(2), np.eye(2), [1, 1]).scatter(np.array([3, 1]), num_rows=4)
    assert assignment.labels.tolist() == [SKIPPED, 1, SKIPPED, 0]
    assert assignment.clusters.tolist() == [SKIPPED, 1, SKIPPED, 0]
    for values in (assignment.scores, assignment.distances, assignment.margins):
        assert np.isnan(values).tolist() == [True, False, True, False]


def test_a_rule_of_a_model():
    encoder = {"hidden_size": 4, "num_attention_heads": 1}
    config = SiamUREConfig(encoder_config=encoder)
    assert RejectionRule.from_config(config) is None
    config.max_distances = [0.5, 0.25]
    assert RejectionRule.from_config(config) == RejectionRule([0.5, 0.25], 0.0)
    config.min_margin = 0.125
    assert RejectionRule.from_config(config) == RejectionRule([0.5, 0.25], 0.125)

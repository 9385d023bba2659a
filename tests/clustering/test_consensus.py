"""Clusters that neighbors agree on."""

import importlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import adjusted_rand_score

from modeling_siamure.clustering import assign, consensus, ward
from modeling_siamure.clustering.consensus import _train_head, semantic_clustering_gradient
from modeling_siamure.clustering.neighbors import mutual_neighbors, nearest_neighbors
from modeling_siamure.clustering.relevant_components import fit_relevant_components
from modeling_siamure.clustering.type_pairs import chance_corrected_agreement
from modeling_siamure.losses import semantic_clustering_loss
from tests.helpers.blobs import is_same_partition, make_blobs

LOGITS = st.floats(-8, 8, width=32)


def test_groups_are_found():
    rows, truth = make_blobs([60, 40, 30, 20], 0.15)
    clusters = consensus(rows, 4)
    assert is_same_partition(clusters.labels, truth) and sorted(clusters.sizes) == [20, 30, 40, 60]
    assert clusters.method == "consensus"
    assert (assign(rows, clusters.centroids) == clusters.labels).all()
    again = consensus(rows, 4)
    np.testing.assert_array_equal(again.centroids, clusters.centroids)


def test_a_head_makes_neighbors_agree():
    rows, truth = make_blobs([80, 60, 40, 20], 0.4)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    neighbors = mutual_neighbors(nearest_neighbors(rows, 20).numpy())
    start = ward(rows, 4, seed=0, num_micro_clusters=200).labels
    trained = _train_head(rows, neighbors, 4, seed=0)
    one_group = np.zeros(len(rows))
    agreement = chance_corrected_agreement(trained, neighbors, one_group)
    assert agreement > chance_corrected_agreement(start, neighbors, one_group)
    assert adjusted_rand_score(truth, trained) > adjusted_rand_score(truth, start)


@pytest.mark.parametrize(
    ("num_clusters", "expected"), [(2, np.array([0, 0, 0, 1])), (3, np.array([0, 0, 1, 2]))]
)
def test_votes_are_joined_as_by_hand(monkeypatch, num_clusters, expected):
    """Rows 0 and 1 never differ, row 2 differs from them in one of four votes, row 3 in all."""
    votes = [np.array([0, 0, 0, 1])] * 3 + [np.array([0, 0, 1, 1])]
    module = importlib.import_module("modeling_siamure.clustering.consensus")
    monkeypatch.setattr(
        module, "_train_head", lambda rows, neighbors, number, seed, by_kmeans: votes[seed]
    )
    rows = np.eye(4, dtype=np.float32)  # each is nearest to its own centroid, however they join
    clusters = consensus(rows, num_clusters, num_heads=4)
    assert is_same_partition(clusters.labels, expected)


def test_what_stays_alone_is_no_cluster(monkeypatch):
    """One row differs from all in all votes: two groups of ten are the two clusters, not it."""
    vote = np.repeat([0, 1, 2], [10, 10, 1])
    votes = [vote, vote, np.repeat([0, 2], [20, 1]), np.repeat([0, 2], [20, 1])]
    module = importlib.import_module("modeling_siamure.clustering.consensus")
    monkeypatch.setattr(
        module, "_train_head", lambda rows, neighbors, number, seed, by_kmeans: votes[seed]
    )
    rows = np.eye(3, dtype=np.float32)[vote]
    rows[-1] = [0.1, 0.9, 0.3]
    clusters = consensus(rows, 2, num_heads=4)
    assert is_same_partition(clusters.labels, np.repeat([0, 1], [10, 11]))


def test_relevant_components_part_what_noise_hides():
    """A direction in which even neighbors differ drowns the groups, until it is scaled down."""
    rows, truth = make_blobs([80, 60, 40], 0.2)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(180, 1)) * 4
    rows = np.concatenate([rows, noise], axis=1).astype(np.float32)
    plain = consensus(rows, 3).labels
    scaled = consensus(fit_relevant_components(rows, 8).apply(rows), 3).labels
    assert adjusted_rand_score(truth, scaled) > adjusted_rand_score(truth, plain)


def test_many_rows_are_sampled(tmp_path):
    rows, truth = make_blobs([120, 80, 60, 40], 0.15)
    np.save(tmp_path / "rows.npy", rows)
    clusters = consensus(np.load(tmp_path / "rows.npy", mmap_mode="r"), 4, sample_size=100)
    assert is_same_partition(clusters.labels, truth) and len(clusters.labels) == 300


def test_smallest_corpora():
    one = consensus(np.eye(3, dtype=np.float32), 1)
    assert one.sizes == [3] and one.method == "k-means"  # one cluster leaves nothing to vote on
    assert consensus(np.eye(2, dtype=np.float32), 2).sizes == [1, 1]
    assert sorted(consensus(np.eye(3, dtype=np.float32), 3).sizes) == [1, 1, 1]
    with pytest.raises(ValueError, match="2 rows can't form 3 clusters"):
        consensus(np.eye(2), 3)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("different", [1, 5, 40])
def test_equal_rows(different):
    rows = np.random.default_rng(0).standard_normal((different, 8)).astype(np.float32)
    rows = np.tile(rows, (300 // different, 1))
    clusters = consensus(rows, 6)
    assert len(clusters.labels) == len(rows)
    assert clusters.centroids.shape == (6, 8) and np.isfinite(clusters.centroids).all()
    assert all(len(set(clusters.labels[row::different])) == 1 for row in range(different))


def test_half_of_the_heads_see_principal_components(monkeypatch):
    module = importlib.import_module("modeling_siamure.clustering.consensus")
    rows, truth = make_blobs([60, 50, 40], 0.1)
    components = fit_relevant_components(rows, 3).apply(rows)
    views = []

    def train_head(rows, neighbors, num_clusters, seed, by_kmeans):
        views.append((rows.shape[1], by_kmeans))
        return _train_head(rows, neighbors, num_clusters, seed, by_kmeans)

    monkeypatch.setattr(module, "_train_head", train_head)
    options = {"relation_embeddings": rows, "num_heads": 4, "principal_components": 5}
    clusters = consensus(components, 3, **options)
    assert views == [(3, False), (5, False), (3, True), (5, True)] * 2
    assert is_same_partition(clusters.labels, truth)
    assert clusters.centroids.shape == (3, 3)  # of the components


@settings(deadline=None)
@given(
    arrays(
        np.float32, st.tuples(st.just(3), st.integers(1, 5), st.integers(1, 4)), elements=LOGITS
    ),
    st.sampled_from([0.0, 1.0, 2.5]),
)
def test_the_gradient_is_that_of_the_loss(logits, entropy_weight):
    variable = torch.tensor(logits, requires_grad=True)
    parts = semantic_clustering_loss(variable[:2], variable[2].unsqueeze(1), entropy_weight)
    sum(parts).backward()
    found = semantic_clustering_gradient(logits, entropy_weight)
    np.testing.assert_allclose(found, variable.grad.numpy(), atol=1e-5)

"""k-means, Ward's method, and the cluster head that starts from clusters."""

from itertools import combinations

import numpy as np
import pytest
import torch

from modeling_siamure.clustering import Clusters, assign, initialize_cluster_head, kmeans, ward
from modeling_siamure.clustering.partitions import (
    centroids_of,
    fill_empty_clusters,
    means_of,
    reduce_dimensions,
)


def test_a_cluster_that_is_nearest_to_no_row_is_filled():
    """The centroid at -1 is nobody's; the row farthest from its own becomes one."""
    angles = np.array([0.0, 0.1, 0.2, 1.0])
    rows = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centroids = np.array([[1.0, 0.1], [-1.0, 0.0]])
    filled = fill_empty_clusters(rows, Clusters(assign(rows, centroids), centroids, "Ward"))
    assert filled.labels.tolist() == [0, 0, 0, 1] and filled.method == "Ward"
    np.testing.assert_allclose(filled.centroids, [[1, 0.1], rows[3] / 2])
    assert fill_empty_clusters(rows, filled).centroids is filled.centroids


@pytest.fixture
def blobs():
    rng = np.random.default_rng(0)
    centers = np.eye(4)[:3]
    truth = np.repeat(np.arange(3), [30, 20, 10])
    lengths = rng.uniform(0.1, 10, size=(60, 1))  # directions count, lengths do not
    return lengths * (centers[truth] + 0.1 * rng.standard_normal((60, 4))), truth


def test_kmeans_finds_directions(blobs):
    rows, truth = blobs
    clusters = kmeans(rows, 3)
    assert len(set(zip(clusters.labels, truth, strict=True))) == 3
    assert sorted(clusters.sizes) == [10, 20, 30]
    assert (assign(rows, clusters.centroids) == clusters.labels).all()
    assert clusters.method == "k-means"
    again = kmeans(rows, 3)
    assert (again.labels == clusters.labels).all()


def test_many_rows_are_clustered_in_batches(blobs, tmp_path):
    rows, truth = blobs
    in_batches = {"full_rows": 59, "batch_size": 16}
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    clusters = kmeans(mapped, 3, **in_batches)
    assert len(set(zip(clusters.labels, truth, strict=True))) == 3
    np.testing.assert_array_equal(kmeans(mapped, 3, **in_batches).centroids, clusters.centroids)
    assert (assign(rows, clusters.centroids) == clusters.labels).all()
    assert clusters.method == "k-means"
    whole = kmeans(rows, 3).centroids
    distances = np.linalg.norm(clusters.centroids[:, None] - whole[None], axis=2)
    assert (distances.min(axis=1) < 0.05).all() and len(set(distances.argmin(axis=1))) == 3


def test_assign_is_the_nearest_centroid(blobs):
    rows, _ = blobs
    centroids = np.random.default_rng(1).standard_normal((5, 4))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    slow = [min(range(5), key=lambda c: np.linalg.norm(row - centroids[c])) for row in unit]
    assert assign(rows, centroids).tolist() == slow


def test_ward_merges_what_costs_least(blobs):
    """Ward's method written out: merge the two clusters whose union adds least to the variance."""
    rows, _ = blobs
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    members = [[row] for row in range(len(rows))]

    def squared_distances(rows):
        return ((unit[rows] - unit[rows].mean(axis=0)) ** 2).sum()

    def cost(pair):
        a, b = (members[i] for i in pair)
        return squared_distances(a + b) - squared_distances(a) - squared_distances(b)

    while len(members) > 5:
        a, b = min(combinations(range(len(members)), 2), key=cost)
        members[a] += members.pop(b)
    clusters = ward(rows, 5)
    assert clusters.method == "Ward"
    assert {frozenset(np.flatnonzero(clusters.labels == label)) for label in range(5)} == set(
        map(frozenset, members)
    )
    for label in range(5):
        np.testing.assert_allclose(
            clusters.centroids[label], unit[clusters.labels == label].mean(axis=0)
        )


def test_ward_of_many_rows_merges_micro_clusters(blobs):
    rows, truth = blobs
    clusters = ward(rows, 3, num_micro_clusters=20)
    assert len(set(zip(clusters.labels, truth, strict=True))) == 3
    assert (ward(rows, 3, num_micro_clusters=20).labels == clusters.labels).all()


@pytest.mark.parametrize("cluster", [kmeans, ward])
def test_too_few_rows(cluster):
    with pytest.raises(ValueError, match="2 rows can't form 3 clusters"):
        cluster(np.eye(2), 3)


def test_head_starts_from_the_clusters(blobs):
    rows, _ = blobs
    clusters = kmeans(rows, 3)
    head = torch.nn.Linear(4, 3)
    initialize_cluster_head(head, rows, clusters)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    probabilities = head(torch.from_numpy(unit).float()).softmax(-1).detach().numpy()
    assert (probabilities.argmax(1) == clusters.labels).all()
    scale = 2 * 3 / ((unit - unit.mean(0)) ** 2).sum(1).mean()
    distances = ((unit[:, None] - clusters.centroids[None]) ** 2).sum(-1)
    expected = np.exp(-scale / 2 * distances)
    np.testing.assert_allclose(probabilities, expected / expected.sum(1, keepdims=True), atol=1e-5)
    assert probabilities.max(1).mean() > 0.8


def test_components_against_the_singular_values_of_all_rows():
    rows = np.random.default_rng(0).normal(size=(50, 8))
    normalized = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    centered = normalized - normalized.mean(axis=0)
    expected = centered @ np.linalg.svd(centered, full_matrices=False)[2][:3].T
    reduced = reduce_dimensions(rows, 3, batch_size=7)
    assert reduced.dtype == np.float32
    np.testing.assert_allclose(np.abs(reduced), np.abs(expected), atol=1e-5)
    assert reduce_dimensions(rows[:5], 64).shape == (5, 5)  # no more than there are


def test_means_of_clusters_in_blocks():
    rows = np.random.default_rng(0).normal(size=(50, 8))
    labels = np.random.default_rng(1).integers(3, size=50)
    expected = centroids_of(rows / np.linalg.norm(rows, axis=1, keepdims=True), labels)
    np.testing.assert_allclose(means_of(rows, labels, 3, batch_size=7), expected, atol=1e-6)

"""`cluster_embeddings` is the function that it names, with what that takes."""

import numpy as np
import pytest

from modeling_siamure.clustering import cluster_embeddings, consensus, kmeans

ROWS = np.eye(4).repeat(15, axis=0) + np.random.default_rng(0).normal(0, 0.4, (60, 4))


@pytest.mark.parametrize("method", ["kmeans", "consensus"])
def test_the_method_decides(method):
    expected = {
        "kmeans": kmeans(ROWS, 4, seed=3, num_restarts=2),
        "consensus": consensus(ROWS, 4, seed=3),
    }
    clusters = cluster_embeddings(ROWS, 4, method, seed=3, kmeans_restarts=2)
    np.testing.assert_array_equal(clusters.centroids, expected[method].centroids)
    assert clusters.method == expected[method].method
    assert not np.array_equal(expected["kmeans"].centroids, expected["consensus"].centroids)


def test_types_and_context_reach_the_consensus():
    """Neighbors in noise of two type pairs do not agree, so clusters are parts of type pairs."""
    rows = np.random.default_rng(0).normal(size=(120, 16))
    pairs = np.tile(["PERSON ORG", "ORG CITY"], 60)
    clusters = cluster_embeddings(rows, 4, type_pairs=pairs, context_size=8)
    expected = consensus(rows, 4, type_pairs=pairs, context_size=8)
    np.testing.assert_array_equal(clusters.centroids, expected.centroids)
    assert clusters.method == "parts of type pairs"
    without_context = consensus(rows, 4, type_pairs=pairs)
    assert not np.array_equal(clusters.centroids, without_context.centroids)
    assert not np.array_equal(clusters.centroids, consensus(rows, 4).centroids)


def test_another_method():
    with pytest.raises(ValueError, match=r"'k-means'.*must be 'kmeans' or 'consensus'"):
        cluster_embeddings(ROWS, 4, method="k-means")

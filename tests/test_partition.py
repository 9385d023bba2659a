"""The partition that a recipe asks for is that of the function it names."""

import numpy as np
import pytest

from modeling_siamure import SiamURETrainingArguments
from modeling_siamure.clustering import kmeans
from modeling_siamure.clustering.consensus import consensus
from modeling_siamure.clustering import partition

ROWS = np.eye(4).repeat(15, axis=0) + np.random.default_rng(0).normal(0, 0.4, (60, 4))


@pytest.mark.parametrize("way", ["kmeans", "consensus"])
def test_a_recipe_decides(way, tmp_path):
    args = SiamURETrainingArguments(str(tmp_path), partition=way, seed=3, kmeans_restarts=2)
    expected = {"kmeans": kmeans(ROWS, 4, seed=3, num_restarts=2), "consensus": consensus(ROWS, 4, seed=3)}
    found = partition(ROWS, 4, args)
    np.testing.assert_array_equal(found.centroids, expected[way].centroids)
    assert not np.array_equal(*(clusters.centroids for clusters in expected.values()))


def test_types_and_context_reach_the_consensus(tmp_path):
    """Noise of two type pairs: neighbors do not agree on clusters, so these are parts of the type pairs."""
    rows = np.random.default_rng(0).normal(size=(120, 16))
    pairs = np.tile(["PERSON ORG", "ORG CITY"], 60)
    args = SiamURETrainingArguments(str(tmp_path), partition="consensus")
    found = partition(rows, 4, args, pairs, 8)
    np.testing.assert_array_equal(found.centroids, consensus(rows, 4, type_pairs=pairs, context_size=8).centroids)
    assert not np.array_equal(found.centroids, consensus(rows, 4, type_pairs=pairs).centroids)
    assert not np.array_equal(found.centroids, consensus(rows, 4).centroids)

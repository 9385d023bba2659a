"""Clusters that are parts of type pairs, and when they are."""

import numpy as np
import pytest
from sklearn.preprocessing import normalize

from modeling_siamure.clustering import consensus
from modeling_siamure.clustering.type_pairs import (
    MIN_AGREEMENT,
    _cut_diverse,
    chance_corrected_agreement,
    divide_type_pairs,
    neighbor_agreement_beyond_types,
)
from tests.helpers.blobs import is_same_partition, make_blobs


def test_agreement_by_hand():
    labels = np.array([0, 0, 0, 1])
    neighbors = np.array([[1], [2], [3], [0]])  # two of four share a cluster
    by_chance = (9 + 1) / 16
    agreement = chance_corrected_agreement(labels, neighbors, np.zeros(4))
    assert agreement == pytest.approx((2 / 4 - by_chance) / (1 - by_chance))
    by_chance = (2 * 1 + 2 * 1 / 2) / 4  # rows 0 and 1 alike, rows 2 and 3 unlike
    groups = np.array(["a", "a", "b", "b"])
    agreement = chance_corrected_agreement(labels, neighbors, groups)
    assert agreement == pytest.approx((2 / 4 - by_chance) / (1 - by_chance))
    assert chance_corrected_agreement(np.array([0, 0, 1, 1]), neighbors, groups) == 0


def test_agreement_beyond_types():
    rows, truth = make_blobs([60, 40, 30, 20], 0.15)
    types = np.random.default_rng(0).choice(["A A", "A B"], 150)  # say nothing
    assert neighbor_agreement_beyond_types(rows, 4, types) == pytest.approx(1)
    assert neighbor_agreement_beyond_types(rows, 4, np.array(list("abcd"))[truth]) == 0  # say all


@pytest.fixture
def typed_noise():
    """Embeddings that know the entity types and nothing else, and their type pairs."""
    types = np.array(["A A"] * 120 + ["A B"] * 50 + ["B A"] * 29 + ["B B"])
    rows = np.random.default_rng(0).standard_normal((200, 32)).astype(np.float32)
    rows[:, :4] += 8 * (types[:, None] == ["A A", "A B", "B A", "B B"])
    return rows, types


def test_clusters_are_parts_of_type_pairs_where_neighbors_do_not_agree(typed_noise, caplog):
    rows, types = typed_noise
    clusters = consensus(rows, 6, type_pairs=types)
    pairs_of_cluster = [set(types[clusters.labels == label]) for label in range(6)]
    assert all(len(pairs) == 1 for pairs in pairs_of_cluster)
    assert set().union(*pairs_of_cluster) == set(types)
    assert clusters.method == "parts of type pairs"
    (record,) = caplog.records
    agreement = neighbor_agreement_beyond_types(rows, 6, types)
    assert record.levelname == "WARNING" and agreement < MIN_AGREEMENT
    assert f"({agreement:.2f}; {MIN_AGREEMENT:.2f} is asked for)" in record.getMessage()
    assert "parts of type pairs instead of the consensus" in record.getMessage()


def test_type_pairs_can_be_turned_off(typed_noise, caplog):
    rows, types = typed_noise
    heads_alone = consensus(rows, 6)
    below_all = consensus(rows, 6, type_pairs=types, min_agreement=-np.inf)
    np.testing.assert_array_equal(below_all.centroids, heads_alone.centroids)
    assert heads_alone.method == below_all.method == "consensus" and not caplog.records


def test_the_rarest_type_pairs_share_a_cluster():
    rng = np.random.default_rng(0)
    # The last two hold 1 % of the rows.
    types = np.array(["A A"] * 120 + ["A B"] * 78 + ["B A", "B B"])
    rows = rng.standard_normal((200, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    truth = np.where(np.isin(types, ["B A", "B B"]), "rare", types)
    assert is_same_partition(divide_type_pairs(rows, types, 3), truth)
    truth = np.where(types == "A A", types, "others")  # two clusters have no room for more
    assert is_same_partition(divide_type_pairs(rows, types, 2), truth)


def test_the_type_pair_with_the_most_diverse_words_between_is_cut():
    rng = np.random.default_rng(0)
    types = np.repeat(["A A", "A B", "B A"], [100, 60, 40])
    # A B holds two relations, by the words between the mentions; mentions differ most in A A.
    words = np.repeat([0, 1, 2, 3], [100, 30, 30, 40])
    mentions = rng.standard_normal((200, 8))
    mentions[100:] = 0.1 * mentions[100:] + np.eye(8)[[0] * 60 + [1] * 40]
    context = np.eye(8)[words] + 0.05 * rng.standard_normal((200, 8))
    rows = normalize(np.hstack([normalize(mentions), context])).astype(np.float32)
    assert is_same_partition(divide_type_pairs(rows, types, 4, context_size=8), words)
    assert not is_same_partition(divide_type_pairs(rows, types, 4), words)
    assert is_same_partition(consensus(rows, 4, type_pairs=types, context_size=8).labels, words)


def test_groups_are_at_most_doubled_and_small_ones_stay_whole():
    rng = np.random.default_rng(0)
    context = normalize(rng.standard_normal((100, 8)))
    groups = np.repeat([0, 1], [95, 5])
    cut = _cut_diverse(context, groups, 9, seed=0)
    assert len(set(cut)) == 4 and len(set(cut[95:])) == 1 and not set(cut[:95]) & set(cut[95:])
    assert len(set(_cut_diverse(context, groups, 3, seed=0))) == 3
    assert (groups == np.repeat([0, 1], [95, 5])).all()
    np.testing.assert_array_equal(
        _cut_diverse(context, np.arange(100), 100, seed=0), np.arange(100)
    )


def test_fewer_clusters_than_frequent_type_pairs_are_no_parts_of_them():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((100, 8)).astype(np.float32)
    types = rng.choice(["A A", "A B", "B A"], 100)
    clusters = consensus(rows, 2, type_pairs=types)
    np.testing.assert_array_equal(clusters.centroids, consensus(rows, 2).centroids)
    assert clusters.method == "consensus"


def test_types_do_not_matter_where_neighbors_agree():
    rows, truth = make_blobs([60, 40, 30, 20], 0.15)
    types = np.random.default_rng(0).choice(["A A", "A B"], 150)
    clusters = consensus(rows, 4, type_pairs=types)
    np.testing.assert_array_equal(clusters.centroids, consensus(rows, 4).centroids)
    assert is_same_partition(clusters.labels, truth) and clusters.method == "consensus"

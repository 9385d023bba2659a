"""Clusters that neighbors agree on."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import normalize

from modeling_siamure import clustering, consensus
from modeling_siamure.clustering import assign
from modeling_siamure.clustering.consensus import agreement
from modeling_siamure.clustering.neighbors import mutual_neighbors, nearest_neighbors


def blobs(sizes, noise, seed=0, size=16):
    """Rows of unequal length around one axis a group, and the group of each."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    rows = np.eye(size)[truth] + noise * rng.standard_normal((len(truth), size))
    return (rows * rng.uniform(0.5, 5, size=(len(truth), 1))).astype(np.float32), truth


def same(labels, truth):
    return len(set(zip(labels.tolist(), truth.tolist(), strict=True))) == len(set(truth.tolist()))


def test_groups_are_found():
    rows, truth = blobs([60, 40, 30, 20], 0.15)
    found = consensus.consensus(rows, 4)
    assert same(found.labels, truth) and sorted(found.sizes) == [20, 30, 40, 60]
    assert (assign(rows, found.centroids) == found.labels).all()
    again = consensus.consensus(rows, 4)
    np.testing.assert_array_equal(again.centroids, found.centroids)


def test_a_head_makes_neighbors_agree():
    rows, truth = blobs([80, 60, 40, 20], 0.4)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    neighbors = mutual_neighbors(nearest_neighbors(rows, 20).numpy())
    start = clustering.ward(rows, 4, seed=0, num_leaves=200).labels
    trained = consensus._vote(rows, neighbors, 4, seed=0)
    one = np.zeros(len(rows))
    assert agreement(trained, neighbors, one) > agreement(start, neighbors, one)
    assert adjusted_rand_score(truth, trained) > adjusted_rand_score(truth, start)


def test_votes_are_joined_as_by_hand():
    # rows 0 and 1 never differ; row 2 differs from them in one of four votes, row 3 from all in three or four
    votes = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 1]])
    first, second, third, fourth = consensus._join(votes, 2)
    assert first == second == third != fourth
    first, second, third, fourth = consensus._join(votes, 3)
    assert first == second and len({first, third, fourth}) == 3


def test_agreement_by_hand():
    labels, neighbors = np.array([0, 0, 0, 1]), np.array([[1], [2], [3], [0]])  # two of four share a cluster
    by_chance = (9 + 1) / 16
    assert agreement(labels, neighbors, np.zeros(4)) == pytest.approx((2 / 4 - by_chance) / (1 - by_chance))
    by_chance = (2 * 1 + 2 * 1 / 2) / 4  # rows 0 and 1 alike, rows 2 and 3 unlike
    groups = np.array(["a", "a", "b", "b"])
    assert agreement(labels, neighbors, groups) == pytest.approx((2 / 4 - by_chance) / (1 - by_chance))
    assert agreement(np.array([0, 0, 1, 1]), neighbors, groups) == 0


def test_agreement_beyond_types():
    rows, truth = blobs([60, 40, 30, 20], 0.15)
    types = np.random.default_rng(0).choice(["A A", "A B"], 150)  # say nothing
    assert consensus.agreement_beyond_types(rows, 4, types) == pytest.approx(1)
    assert consensus.agreement_beyond_types(rows, 4, np.array(list("abcd"))[truth]) == 0  # say all


def test_clusters_are_parts_of_type_pairs_where_neighbors_do_not_agree():
    rng = np.random.default_rng(0)
    types = np.array(["A A"] * 120 + ["A B"] * 50 + ["B A"] * 29 + ["B B"])
    rows = rng.standard_normal((200, 32)).astype(np.float32)  # noise has no groups,
    rows[:, :4] += 8 * (types[:, None] == ["A A", "A B", "B A", "B B"])  # but h knows the types
    found = consensus.consensus(rows, 6, type_pairs=types)
    pairs_of_cluster = [set(types[found.labels == label]) for label in range(6)]
    assert all(len(pairs) == 1 for pairs in pairs_of_cluster) and set().union(*pairs_of_cluster) == set(types)


def test_the_rarest_type_pairs_share_a_cluster():
    rng = np.random.default_rng(0)
    types = np.array(["A A"] * 120 + ["A B"] * 78 + ["B A", "B B"])  # the last two hold 1 % of the rows
    rows = rng.standard_normal((200, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    truth = np.where(np.isin(types, ["B A", "B B"]), "rare", types)
    assert same(consensus.divide_type_pairs(rows, types, 3), truth)
    truth = np.where(types == "A A", types, "others")  # two clusters have no room for more
    assert same(consensus.divide_type_pairs(rows, types, 2), truth)


def test_the_type_pair_with_the_most_diverse_words_between_is_cut():
    rng = np.random.default_rng(0)
    types = np.repeat(["A A", "A B", "B A"], [100, 60, 40])
    words = np.repeat([0, 1, 2, 3], [100, 30, 30, 40])  # A B holds two relations, by the words between the mentions
    mentions = rng.standard_normal((200, 8))  # and mentions differ most in A A
    mentions[100:] = 0.1 * mentions[100:] + np.eye(8)[[0] * 60 + [1] * 40]
    rows = normalize(np.hstack([normalize(mentions), np.eye(8)[words] + 0.05 * rng.standard_normal((200, 8))]))
    rows = rows.astype(np.float32)
    assert same(consensus.divide_type_pairs(rows, types, 4, context_size=8), words)
    assert not same(consensus.divide_type_pairs(rows, types, 4), words)
    assert same(consensus.consensus(rows, 4, type_pairs=types, context_size=8).labels, words)


def test_groups_are_at_most_doubled_and_small_ones_stay_whole():
    rng = np.random.default_rng(0)
    context = normalize(rng.standard_normal((100, 8)))
    groups = np.repeat([0, 1], [95, 5])
    cut = consensus._cut_diverse(context, groups, 9, seed=0)
    assert len(set(cut)) == 4 and len(set(cut[95:])) == 1 and not set(cut[:95]) & set(cut[95:])
    assert len(set(consensus._cut_diverse(context, groups, 3, seed=0))) == 3
    assert (groups == np.repeat([0, 1], [95, 5])).all()
    np.testing.assert_array_equal(consensus._cut_diverse(context, np.arange(100), 100, seed=0), np.arange(100))


def test_fewer_clusters_than_frequent_type_pairs_are_no_parts_of_them():
    rng = np.random.default_rng(0)
    rows, types = rng.standard_normal((100, 8)).astype(np.float32), rng.choice(["A A", "A B", "B A"], 100)
    np.testing.assert_array_equal(
        consensus.consensus(rows, 2, type_pairs=types).centroids, consensus.consensus(rows, 2).centroids
    )


def test_types_do_not_matter_where_neighbors_agree():
    rows, truth = blobs([60, 40, 30, 20], 0.15)
    types = np.random.default_rng(0).choice(["A A", "A B"], 150)
    np.testing.assert_array_equal(
        consensus.consensus(rows, 4, type_pairs=types).centroids, consensus.consensus(rows, 4).centroids
    )
    assert same(consensus.consensus(rows, 4, type_pairs=types).labels, truth)


def test_many_rows_are_sampled(tmp_path, monkeypatch):
    rows, truth = blobs([120, 80, 60, 40], 0.15)
    monkeypatch.setattr(clustering, "SAMPLED_ROWS", 100)
    np.save(tmp_path / "rows.npy", rows)
    found = consensus.consensus(np.load(tmp_path / "rows.npy", mmap_mode="r"), 4)
    assert same(found.labels, truth) and len(found.labels) == 300


def test_smallest_corpora():
    assert consensus.consensus(np.eye(3, dtype=np.float32), 1).sizes == [3]
    assert consensus.consensus(np.eye(2, dtype=np.float32), 2).sizes == [1, 1]
    assert sorted(consensus.consensus(np.eye(3, dtype=np.float32), 3).sizes) == [1, 1, 1]
    with pytest.raises(ValueError, match="2 rows can't form 3 clusters"):
        consensus.consensus(np.eye(2), 3)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("different", [1, 5, 40])
def test_equal_rows(different):
    rows = np.random.default_rng(0).standard_normal((different, 8)).astype(np.float32)
    rows = np.tile(rows, (300 // different, 1))
    found = consensus.consensus(rows, 6)
    assert len(found.labels) == len(rows) and found.centroids.shape == (6, 8) and np.isfinite(found.centroids).all()
    assert all(len(set(found.labels[row::different])) == 1 for row in range(different))

"""The tree of clusters."""

import numpy as np
import pytest
from datasets import concatenate_datasets

from data_scripts import load_relation_dataset
from modeling_siamure import Recipe, RelationDiscovery
from modeling_siamure.clustering.hierarchy import cut_tree, relation_tree, siblings

RESIDENCE = ["city_of_residence", "state_of_residence", "country_of_residence"]


def test_distances_by_hand():
    """Ward joins 0 and 1 at their distance, then 10 at sqrt(2 * 2 * 1 / 3) times that from 0.5."""
    tree = relation_tree(np.array([[0.0], [10.0], [1.0]]))
    assert tree[0].tolist() == [0, 2, 1, 2]
    np.testing.assert_allclose(tree[1], [1, 3, 9.5 * np.sqrt(4 / 3), 3])


def test_words_between_decide_where_h_has_them():
    types, words = np.array([[0.0, 0], [0, 0], [9, 9]]), np.array([[0.0, 0], [5, 5], [1, 1]])
    centroids = np.concatenate([types, types, words], axis=1)
    assert relation_tree(centroids, context_size=2)[0, :2].tolist() == [0, 2]
    assert relation_tree(centroids)[0, :2].tolist() != [0, 2]


def test_cuts():
    tree = relation_tree(np.array([[0.0], [10.0], [1.0], [14.0]]))
    assert [cut_tree(tree, count).tolist() for count in (1, 2, 3, 4)] == [
        [0, 0, 0, 0],
        [0, 1, 0, 1],
        [0, 1, 0, 2],
        [0, 1, 2, 3],
    ]
    with pytest.raises(ValueError, match="4 clusters can't be cut into 5"):
        cut_tree(tree, 5)


def test_siblings():
    tree = relation_tree(np.array([[0.0], [10.0], [1.0], [14.0]]))
    assert (
        siblings(tree, [0, 2]) == [0, 2]
        and siblings(tree, [1, 2]) == [0, 1, 2, 3]
        and siblings(tree, [3]) == [3]
    )


def test_one_cluster_is_a_tree():
    tree = relation_tree(np.ones((1, 4)))
    assert tree.shape == (0, 4) and cut_tree(tree, 1).tolist() == [0] and siblings(tree, [0]) == [0]


def test_residence_in_a_city_a_state_and_a_country_are_siblings():
    """The paper's own example, on the embedded corpus before any training.

    The clusters are the gold relations. Whether a clustering finds these three at all is measured
    by a benchmark, with several seeds and numbers of clusters.
    """
    rows = load_relation_dataset("sample")["validation"]
    rows = concatenate_datasets(
        [load_relation_dataset("sample")["train"].select(range(0, 1263, 3)), rows]
    )
    recipe = Recipe.of(None)
    recipe.values["clustering_components"] = None  # of h itself
    discovery = RelationDiscovery(1, recipe=recipe).fit(rows)
    names, labels = np.unique(rows["relation"], return_inverse=True)
    h = discovery.embeddings_ / np.linalg.norm(discovery.embeddings_, axis=1, keepdims=True)
    centroids = np.stack([h[labels == label].mean(axis=0) for label in range(len(names))])
    places = [names.tolist().index(name) for name in RESIDENCE]
    assert siblings(
        relation_tree(centroids, discovery.model_.config.context_size), places
    ) == sorted(places)

"""From embeddings to named clusters: no model, no files."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from modeling_siamure.clustering import Clusters, kmeans
from modeling_siamure.clustering.assignment import UNASSIGNED
from modeling_siamure.discovery import DiscoveryResult, analyze
from tests.helpers.blobs import make_blobs
from tests.helpers.rows import make_rows

LEADS = "<e1:PERSON> Ada </e1:PERSON> leads <e2:FIRM> Acme </e2:FIRM>"
LEFT = "<e1:PERSON> Bo </e1:PERSON> left <e2:FIRM> Bolt </e2:FIRM>"
OWNS = "<e1:FIRM> Core </e1:FIRM> owns <e2:FIRM> Dyno </e2:FIRM>"


def texts_of(number: int) -> list[str]:
    return [row["text"] for row in make_rows(number)]


@pytest.mark.parametrize("method", ["kmeans", "consensus"])
def test_values_by_hand(method, tmp_path, monkeypatch):
    """Two rows lie along the first axis, four along the second; their lengths do not count.

    Of the larger cluster's two different sentences, each verb stands in one.
    """
    monkeypatch.chdir(tmp_path)
    lengths = np.array([[2.0], [1], [3], [1], [1], [0.5]])
    embeddings = lengths * np.eye(3)[[0, 1, 1, 0, 1, 1]]
    texts = [LEADS, LEFT, LEFT, LEADS, OWNS, LEFT]
    result = analyze(embeddings, texts, num_clusters=2, method=method)
    assert result.num_clusters.chosen == 2 and result.num_clusters.trials == []
    # The largest cluster comes first.
    assert result.clusters.labels.tolist() == [1, 0, 0, 1, 0, 0]
    assert result.clusters.sizes == [4, 2]
    assert result.clusters.method == {"kmeans": "k-means", "consensus": "consensus"}[method]
    np.testing.assert_allclose(result.clusters.centroids, np.eye(3)[[1, 0]], atol=1e-7)
    assert result.assignment.labels.tolist() == result.assignment.clusters.tolist()
    assert result.assignment.labels.tolist() == [1, 0, 0, 1, 0, 0]
    np.testing.assert_allclose(result.assignment.distances, 0, atol=1e-6)
    np.testing.assert_allclose(result.assignment.margins, 1, atol=1e-6)
    # All partitions of halves of the rows agree.
    np.testing.assert_allclose(result.assignment.scores, 1)
    # The middle of the gap above 0, of which the window of 0.01 is the end.
    np.testing.assert_allclose(result.rejection.max_distances, 0.005, atol=1e-6)
    assert [cluster.name for cluster in result.descriptions] == [
        "PERSON→FIRM · left, owns",
        "PERSON→FIRM · leads",
    ]
    assert [cluster.size for cluster in result.descriptions] == [4, 2]
    assert result.descriptions[0].type_pairs == {"PERSON→FIRM": 3, "FIRM→FIRM": 1}
    assert result.descriptions[0].examples == [LEFT, OWNS]
    np.testing.assert_allclose(result.tree, [[0, 1, np.sqrt(2), 2]], rtol=1e-6)
    assert list(tmp_path.iterdir()) == []


def test_parts_fit_together():
    embeddings, _ = make_blobs([60, 40, 30], 0.05)
    embeddings[0] = np.eye(16)[15]  # like nothing else
    result = analyze(embeddings, texts_of(130), num_clusters=3)
    labels = result.assignment.labels
    assert labels[0] == UNASSIGNED and result.assignment.clusters[0] >= 0
    np.testing.assert_array_equal(result.clusters.labels, result.assignment.clusters)
    sizes = np.bincount(labels[labels >= 0], minlength=3).tolist()
    assert [cluster.size for cluster in result.descriptions] == sizes
    assert sum(result.clusters.sizes) == 130
    rejected = result.rejection.apply(result.assignment)
    np.testing.assert_array_equal(rejected.labels, labels)
    assert result.tree.shape == (2, 4)


def test_a_result_is_frozen():
    result = analyze(np.eye(2), [LEADS, LEFT], num_clusters=1)
    assert isinstance(result, DiscoveryResult) and isinstance(result.clusters, Clusters)
    with pytest.raises(FrozenInstanceError):
        result.tree = None


def test_all_rows_are_kept_where_asked():
    embeddings, _ = make_blobs([60, 40, 30], 0.05)
    embeddings[0] = np.eye(16)[15]
    result = analyze(embeddings, texts_of(130), num_clusters=3, reject_outliers=False)
    assert result.rejection.max_distances is None and (result.assignment.labels >= 0).all()
    assert result.assignment.scores[0] < result.assignment.scores[1]  # the outlier
    np.testing.assert_array_equal(result.assignment.labels, result.assignment.clusters)


def test_the_number_of_clusters_is_estimated():
    embeddings, _ = make_blobs([30, 30, 30, 30], 0.02)
    result = analyze(embeddings, texts_of(120))
    assert result.num_clusters.chosen == 4 and result.num_clusters.candidates[0] == 4
    assert len(result.clusters.centroids) == len(result.descriptions) == 4


def test_what_is_asked_for_reaches_the_clustering():
    embeddings, _ = make_blobs([60, 40, 30], 0.4)
    texts = texts_of(130)
    result = analyze(embeddings, texts, num_clusters=3, method="kmeans", kmeans_restarts=1, seed=5)
    expected = kmeans(embeddings, 3, seed=5, num_restarts=1)
    order = np.argsort(-np.array(expected.sizes), kind="stable")
    np.testing.assert_array_equal(result.clusters.centroids, expected.centroids[order])


def test_type_pairs_take_over_and_say_so(caplog):
    """Neighbors in noise agree on nothing but the types, so these decide."""
    caplog.set_level("INFO", logger="modeling_siamure")
    embeddings = np.random.default_rng(0).normal(size=(120, 16))
    embeddings[:, :2] += 8 * np.tile(np.eye(2), (60, 1))
    pairs = np.tile(["PERSON FIRM", "FIRM FIRM"], 60)
    texts = [LEADS, OWNS] * 60
    result = analyze(embeddings, texts, pairs, num_clusters=4, context_size=8)
    assert result.clusters.method == "parts of type pairs"
    for label in range(4):
        assert len(set(pairs[result.clusters.labels == label])) == 1
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "parts of type pairs instead of the consensus" in warning.getMessage()
    assert "4 clusters were found by parts of type pairs" in caplog.text


@pytest.mark.parametrize("compared_rows", [10_000, 10])
def test_fewer_different_rows_than_clusters(compared_rows):
    embeddings = np.repeat(np.eye(2), 20, axis=0)
    with pytest.raises(ValueError, match="can't form 3 clusters"):
        analyze(embeddings, texts_of(40), num_clusters=3, compared_rows=compared_rows)

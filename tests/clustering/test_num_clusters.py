"""The number of clusters, where it is known."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from modeling_siamure.clustering.num_clusters import estimate_num_clusters


def blobs(centers: np.ndarray, rows_each: int, noise: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.repeat(centers, rows_each, axis=0) + rng.normal(
        0, noise, (rows_each * len(centers), centers.shape[1])
    )


@pytest.mark.parametrize("number", [3, 8, 20])
def test_separate_blobs_are_counted(number):
    """The numbers that are tried grow by a factor, so that one beside many may be chosen."""
    result = estimate_num_clusters(blobs(np.eye(number), 20, 0.05))
    assert abs(result.chosen - number) <= number // 8
    low, high = result.plateau
    assert low <= result.chosen <= high
    numbers = [trial.num_clusters for trial in result.trials]
    assert numbers == sorted(set(numbers))
    best = max(result.trials, key=lambda trial: trial.silhouette)
    assert result.candidates[0] == best.num_clusters and best.silhouette > 0.8


def test_the_evidence_is_the_silhouette_of_k_means():
    """A slow, obvious way: scikit-learn on the rows themselves, which have few dimensions."""
    rows = blobs(np.eye(4) - 1 / 4, 30, 0.1)
    result = estimate_num_clusters(rows)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    centered = units - units.mean(axis=0)
    centered /= np.linalg.norm(centered, axis=1, keepdims=True)
    labels = KMeans(4, n_init=10, random_state=0).fit_predict(centered)
    expected = silhouette_score(centered, labels, metric="cosine")
    (trial,) = [trial for trial in result.trials if trial.num_clusters == 4]
    assert trial.silhouette == pytest.approx(expected, abs=1e-4) and result.chosen == 4


@pytest.mark.parametrize("size", [4, 16, 200])
def test_rows_without_structure_are_one_cluster(size):
    result = estimate_num_clusters(np.random.default_rng(0).normal(size=(300, size)))
    assert result.chosen == 1 and result.reference > 0


@pytest.mark.parametrize(
    "rows", [np.ones((1, 4)), np.ones((500, 4)), np.eye(4)], ids=["one", "equal", "few"]
)
def test_too_few_different_rows_are_one_cluster(rows):
    result = estimate_num_clusters(rows)
    assert result.chosen == 1 and result.trials == [] and result.candidates == []


def test_coarse_groups_are_a_candidate_beside_fine_ones():
    """Three type pairs far apart, each of four relations."""
    far, near = np.eye(3, 12), np.eye(4, 12, 4)
    centers = np.concatenate([one + 0.8 * near for one in far])
    rows = blobs(centers, 15, 0.01)
    pairs = np.repeat(["PERSON ORG", "PERSON CITY", "ORG CITY"], 60)
    result = estimate_num_clusters(rows, pairs)
    assert 11 <= result.chosen <= 13 and result.chosen == estimate_num_clusters(rows).chosen
    coarse = next(trial for trial in result.trials if trial.num_clusters == 3)
    assert coarse.repeats_types == pytest.approx(1)


def test_a_seed_fixes_the_estimate():
    rows = blobs(np.eye(5), 30, 0.1)
    assert estimate_num_clusters(rows, seed=3) == estimate_num_clusters(rows, seed=3)

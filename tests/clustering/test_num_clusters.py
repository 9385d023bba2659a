"""The number of clusters, where it is known."""

import numpy as np
import pytest

from modeling_siamure.clustering.num_clusters import estimate_num_clusters


def blobs(centers: np.ndarray, rows_each: int, noise: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.repeat(centers, rows_each, axis=0) + rng.normal(
        0, noise, (rows_each * len(centers), centers.shape[1])
    )


def estimate(rows: np.ndarray, type_pairs: np.ndarray | None = None, seed: int = 0):
    """Estimate from fewer trials than by default."""
    return estimate_num_clusters(rows, type_pairs, seed, num_trials=8)


def test_separate_blobs_are_counted():
    """The numbers that are tried grow by a factor, so that one beside eight may be chosen."""
    result = estimate(blobs(np.eye(8), 20, 0.05))
    assert 7 <= result.chosen <= 9 and result.chosen in result.candidates
    assert [trial.num_clusters for trial in result.trials] == sorted(
        {trial.num_clusters for trial in result.trials}
    )
    (chosen,) = [trial for trial in result.trials if trial.num_clusters == result.chosen]
    assert chosen.excess >= 0.9 * max(trial.excess for trial in result.trials)
    assert chosen.stability > 0.9 and chosen.silhouette > 0.5


def test_rows_without_structure_are_one_cluster():
    rows = np.random.default_rng(0).normal(size=(200, 16))
    assert estimate(rows).chosen == 1


@pytest.mark.parametrize(
    "rows", [np.ones((1, 4)), np.ones((500, 4)), np.eye(4)], ids=["one", "equal", "few"]
)
def test_too_few_different_rows_are_one_cluster(rows):
    result = estimate(rows)
    assert result.chosen == 1 and result.trials == [] and result.candidates == []


def test_of_coarse_and_fine_groups_the_fine_ones_are_chosen():
    """Three type pairs far apart, each of four relations: the three are as stable."""
    far, near = np.eye(3, 12), np.eye(4, 12, 4)
    centers = np.concatenate([one + 0.8 * near for one in far])
    rows = blobs(centers, 15, 0.01)
    pairs = np.repeat(["PERSON ORG", "PERSON CITY", "ORG CITY"], 60)
    result = estimate(rows, pairs)
    assert result.chosen == estimate(rows).chosen > 6
    coarse = next(trial for trial in result.trials if trial.num_clusters == 3)
    assert coarse.repeats_types == pytest.approx(1) and coarse.stability == pytest.approx(1)


def test_a_seed_fixes_the_estimate():
    rows = blobs(np.eye(5), 30, 0.1)
    assert estimate(rows, seed=3) == estimate(rows, seed=3)

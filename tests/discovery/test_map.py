"""The map of the report."""

import numpy as np
import pytest

from modeling_siamure.discovery.report import map_2d


@pytest.mark.parametrize("num_landmarks", [3000, 40])
def test_neighbors_stay_neighbors(num_landmarks):
    noise = np.random.default_rng(0).normal(0, 0.02, (120, 10))
    places = map_2d(np.repeat(np.eye(3, 10), 40, axis=0) + noise, num_landmarks=num_landmarks)
    groups = places.reshape(3, 40, 2)
    centers = groups.mean(axis=1)
    radius = np.linalg.norm(groups - centers[:, None], axis=2).max()
    gaps = [np.linalg.norm(centers[i] - centers[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert radius < min(gaps) / 2 and np.abs(places).max() == 1


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6])
def test_few_rows(count):
    places = map_2d(np.random.default_rng(0).normal(size=(count, 8)))
    assert places.shape == (count, 2) and np.isfinite(places).all()


def test_equal_rows():
    assert np.isfinite(map_2d(np.ones((20, 8)))).all()

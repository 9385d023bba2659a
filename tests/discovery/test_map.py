"""The map."""

import numpy as np
import pytest

from modeling_siamure import projection
from modeling_siamure.discovery.report import project


@pytest.mark.parametrize("landmarks", [3000, 40])
def test_neighbors_stay_neighbors(landmarks, monkeypatch):
    monkeypatch.setattr(projection, "LANDMARKS", landmarks)
    rows = np.repeat(np.eye(3, 10), 40, axis=0) + np.random.default_rng(0).normal(0, 0.02, (120, 10))
    places = project(rows).reshape(3, 40, 2)
    centers = places.mean(axis=1)
    radius = max(np.linalg.norm(part - center, axis=1).max() for part, center in zip(places, centers, strict=True))
    gaps = [np.linalg.norm(centers[i] - centers[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert radius < min(gaps) / 2 and np.abs(places).max() == 1


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6])
def test_few_rows(count):
    places = project(np.random.default_rng(0).normal(size=(count, 8)))
    assert places.shape == (count, 2) and np.isfinite(places).all()


def test_equal_rows():
    assert np.isfinite(project(np.ones((20, 8)))).all()

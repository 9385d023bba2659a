"""Relevant components, against a slow and obvious way."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from modeling_siamure.clustering.relevant_components import fit_relevant_components


def scatter_of(rows: np.ndarray, num_neighbors: int) -> np.ndarray:
    """Return the scatter of rows around their mutual neighbors by cosine, pair by pair."""
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    similarity = units @ units.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = [set(np.argsort(-row, kind="stable")[:num_neighbors]) for row in similarity]
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for row, neighbors in enumerate(nearest):
        mutual = [other for other in np.argsort(-similarity[row]) if other in neighbors]
        mutual = [other for other in mutual if row in nearest[other]] or [row]
        for place in range(num_neighbors):
            offset = rows[row] - rows[mutual[place % len(mutual)]]
            total += np.outer(offset, offset)
    return total / (len(rows) * num_neighbors)


def test_neighbors_differ_alike_in_each_direction():
    rows = np.random.default_rng(0).normal(size=(60, 5)) * [5, 3, 1, 0.5, 0.2]
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    reduced = PCA(4).fit_transform(units)
    scatter = scatter_of(reduced, num_neighbors=6)
    shrunk = 0.9 * scatter + 0.1 * np.trace(scatter) / 4 * np.eye(4)
    found = fit_relevant_components(rows, num_components=4, num_neighbors=6)
    scaled = units @ found.weight.T + found.bias
    difference = reduced[3] - reduced[11]
    expected = difference @ np.linalg.inv(shrunk) @ difference  # the Mahalanobis distance
    assert ((scaled[3] - scaled[11]) ** 2).sum() == pytest.approx(expected, rel=1e-3)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    np.testing.assert_allclose(found.apply(rows), scaled / lengths, atol=1e-4)
    unshrunk = fit_relevant_components(rows, num_components=4, num_neighbors=6, shrinkage=0.0)
    mapping = np.linalg.lstsq(reduced, units @ unshrunk.weight.T + unshrunk.bias, rcond=None)[0]
    np.testing.assert_allclose(mapping.T @ scatter @ mapping, np.eye(4), atol=1e-2)


@pytest.mark.parametrize("rows", [np.ones((9, 4)), np.eye(2), np.ones((1, 3))])
def test_too_little_to_learn_from_is_only_reduced(rows):
    reduced = fit_relevant_components(rows.astype(np.float32), num_components=2).apply(rows)
    assert len(reduced) == len(rows) and np.isfinite(reduced).all()

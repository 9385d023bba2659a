"""Neighbor mining: against a search written out row by row."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeling_siamure import neighbors
from modeling_siamure.neighbors import keep_mutual, nearest_neighbors, neighbor_accuracy, neighbor_overlap


@pytest.mark.parametrize(("row_block", "column_block"), [(1024, 16384), (7, 5), (64, 30)])
def test_equals_the_slow_search(monkeypatch, row_block, column_block):
    monkeypatch.setattr(neighbors, "ROW_BLOCK", row_block)
    monkeypatch.setattr(neighbors, "COLUMN_BLOCK", column_block)
    rows = torch.randn(53, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    unit = (rows / rows.norm(dim=1, keepdim=True)).numpy()
    expected = [
        sorted((j for j in range(53) if j != i), key=lambda j: -float(unit[i] @ unit[j]))[:6] for i in range(53)
    ]
    assert nearest_neighbors(rows, 6).tolist() == expected


def test_a_row_is_excluded_by_index_and_its_duplicates_are_not():
    rows = torch.tensor([[1.0, 2.0]]).repeat(4, 1)
    found = nearest_neighbors(rows, 3)
    assert [sorted(row) for row in found.tolist()] == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]


def test_too_few_rows():
    with pytest.raises(ValueError, match="20 rows can't have 20 neighbors each"):
        nearest_neighbors(torch.randn(20, 4), 20)


@given(st.integers(2, 12).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(1, rows - 1), st.integers(0, 99))))
def test_mutual_neighbors_equal_the_slow_ones(case):
    rows, count, seed = case
    rng = np.random.default_rng(seed)
    found = np.array([rng.permutation([j for j in range(rows) if j != i])[:count] for i in range(rows)])
    for anchor, kept in enumerate(keep_mutual(found).tolist()):
        mutual = [j for j in found[anchor] if anchor in found[j]] or [anchor]
        assert kept == [mutual[place % len(mutual)] for place in range(count)]


def test_scores_by_hand():
    found = np.array([[1, 2], [0, 2], [0, 1]])
    assert neighbor_accuracy(found, np.array(["a", "a", "b"], dtype=object)) == pytest.approx(2 / 6)
    assert neighbor_overlap(found, np.array([[2, 1], [2, 0], [1, 2]])) == pytest.approx(5 / 6)

"""Neighbor mining: against a search written out row by row, ties and duplicates included."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modeling_siamure.clustering import neighbors
from modeling_siamure.clustering.neighbors import (
    mutual_neighbors,
    nearest_neighbors,
    neighbor_accuracy,
    neighbor_overlap,
    search_blocks,
)


def slow_search(unit: np.ndarray, num_neighbors: int) -> list[list[int]]:
    """By cosine, then by the lower index."""
    rows = range(len(unit))
    return [
        sorted((j for j in rows if j != i), key=lambda j: (-float(unit[i] @ unit[j]), j))[
            :num_neighbors
        ]
        for i in rows
    ]


@pytest.mark.parametrize(
    "sizes", [{}, {"block_size": 7, "cpu_tile": 5}, {"block_size": 24, "cpu_tile": 8}]
)
def test_equals_the_slow_search(sizes):
    rows = torch.randn(53, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    unit = (rows / rows.norm(dim=1, keepdim=True)).numpy()
    expected = slow_search(unit, 6)
    assert nearest_neighbors(rows, 6).tolist() == expected
    assert search_blocks(rows, 6, **sizes).indices.tolist() == expected


# The cosines of four signs are multiples of 1/2 without any rounding: ties and duplicates abound.
SIGNS = arrays(
    np.float32, st.tuples(st.integers(2, 24), st.just(4)), elements=st.sampled_from([-1.0, 1.0])
)


@given(rows=SIGNS, data=st.data())
@settings(max_examples=40, deadline=None)
def test_ties_go_to_the_lower_index_in_any_number_of_processes(rows, data):
    num_neighbors = data.draw(st.integers(1, len(rows) - 1))
    count = data.draw(st.integers(1, 4))
    expected = slow_search(rows / 2, num_neighbors)
    sizes = {"block_size": data.draw(st.integers(2, 12)), "cpu_tile": data.draw(st.integers(2, 12))}
    assert nearest_neighbors(rows, num_neighbors).tolist() == expected
    assert search_blocks(rows, num_neighbors, **sizes).indices.tolist() == expected
    shares = [search_blocks(rows, num_neighbors, index, count, **sizes) for index in range(count)]
    assert neighbors._merge((share.scores, share.indices) for share in shares).tolist() == expected


def test_a_row_is_excluded_by_index_and_its_duplicates_are_not():
    rows = torch.tensor([[1.0, 2.0]]).repeat(4, 1)
    assert nearest_neighbors(rows, 3).tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]


def test_faiss_finds_what_the_exact_search_does():
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.standard_normal((30, 16)), 20, axis=0) + 0.1 * rng.standard_normal(
        (600, 16)
    )
    rows[40] = rows[41] = rows[42]  # itself is excluded, its duplicates are not
    exact, approximate = (
        nearest_neighbors(rows, 12, search=search).numpy() for search in ("exact", "faiss")
    )
    assert approximate.dtype == np.int32
    assert not (approximate == np.arange(600)[:, None]).any()
    assert neighbor_overlap(approximate, exact) > 0.99
    # The cells of rows far from all others hold too few rows.
    rows[0] = -rows.mean(axis=0)
    assert (nearest_neighbors(rows, 500, search="faiss").numpy() >= 0).all()


def test_the_search_is_chosen_by_the_number_of_rows(caplog):
    rows = np.random.default_rng(0).standard_normal((60, 4))
    nearest_neighbors(rows, 2, search="auto")
    assert not caplog.messages
    nearest_neighbors(rows, 2, search="auto", exact_rows=59)
    expected = "by FAISS" if neighbors.is_faiss_available() else "pip install faiss-cpu"
    assert expected in caplog.text and "60 rows" in caplog.text


def test_too_few_rows():
    with pytest.raises(ValueError, match="20 rows can't have 20 neighbors each"):
        nearest_neighbors(torch.randn(20, 4), 20)


@given(
    st.integers(2, 12).flatmap(
        lambda rows: st.tuples(st.just(rows), st.integers(1, rows - 1), st.integers(0, 99))
    )
)
def test_mutual_neighbors_equal_the_slow_ones(case):
    rows, count, seed = case
    rng = np.random.default_rng(seed)
    nearest = np.array(
        [rng.permutation([j for j in range(rows) if j != i])[:count] for i in range(rows)]
    )
    for anchor, kept in enumerate(mutual_neighbors(nearest).tolist()):
        mutual = [j for j in nearest[anchor] if anchor in nearest[j]] or [anchor]
        assert kept == [mutual[place % len(mutual)] for place in range(count)]


def test_scores_by_hand():
    nearest = np.array([[1, 2], [0, 2], [0, 1]])
    assert neighbor_accuracy(nearest, np.array(["a", "a", "b"], dtype=object)) == pytest.approx(
        2 / 6
    )
    assert neighbor_overlap(nearest, np.array([[2, 1], [2, 0], [1, 2]])) == pytest.approx(5 / 6)

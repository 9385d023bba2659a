"""Embeddings whose groups are known."""

import numpy as np


def make_blobs(
    sizes: list[int], noise: float, seed: int = 0, size: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings of unequal length around one axis per group, and the group of each."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    embeddings = np.eye(size)[truth] + noise * rng.standard_normal((len(truth), size))
    embeddings *= rng.uniform(0.5, 5, size=(len(truth), 1))
    return embeddings.astype(np.float32), truth


def is_same_partition(labels: np.ndarray, truth: np.ndarray) -> bool:
    """Tell whether two partitions differ in nothing but the names of their groups."""
    pairs = set(zip(labels.tolist(), truth.tolist(), strict=True))
    return len(pairs) == len(set(truth.tolist())) == len(set(labels.tolist()))

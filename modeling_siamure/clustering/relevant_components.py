"""What sets rows apart more than it does neighbors: relevant component analysis."""

import numpy as np
from sklearn.covariance import ShrunkCovariance
from sklearn.preprocessing import normalize

from .neighbors import mutual_neighbors, search_blocks
from .partitions import reduce_dimensions, sample_rows


def relevant_components(
    embeddings: np.ndarray,
    num_components: int = 64,
    seed: int = 0,
    num_neighbors: int = 20,
    shrinkage: float = 0.1,
    sample_size: int = 4096,
) -> np.ndarray:
    """Reduce h to principal components and scale them by how much neighbors differ in them.

    Relevant component analysis (Bar-Hillel et al. 2005) divides by the scatter within pairs that
    are known to be alike, so that directions count the less, the more such pairs differ in them.
    Here they are mutual nearest neighbors, as the pairs that a cluster head learns from (Eq. 7),
    and nothing is known but h: a linear form of what training teaches the encoder.

    Args:
        embeddings: h, `(rows, size)`; its rows are L2-normalized first.
        num_components: Number of components; fewer where there are fewer rows or dimensions.
        seed: Fixes the samples.
        num_neighbors: K.
        shrinkage: Weight of a scatter that is the same in each direction.
        sample_size: Rows among which neighbors are found.

    Returns:
        `(rows, components)`, whose distances between mutual neighbors are about as large in each
        direction.

    >>> rows = np.random.default_rng(0).normal(size=(100, 8))
    >>> relevant_components(rows, num_components=3).shape
    (100, 3)
    """
    if len(embeddings) < 3:  # too few to tell directions apart
        return normalize(embeddings)
    reduced = reduce_dimensions(embeddings, num_components, seed)
    sample = reduced[sample_rows(len(reduced), seed, sample_size)]
    neighbors = search_blocks(sample, min(num_neighbors, len(sample) - 1)).indices.numpy()
    differences = sample[:, None] - sample[mutual_neighbors(neighbors)]
    differences = differences.reshape(-1, sample.shape[1])
    if not differences.any():  # all rows are equal
        return reduced
    scatter = ShrunkCovariance(shrinkage=shrinkage, assume_centered=True).fit(differences)
    return (reduced @ np.linalg.cholesky(scatter.get_precision())).astype(np.float32)

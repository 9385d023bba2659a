"""What sets rows apart more than it does neighbors: relevant component analysis."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.covariance import ShrunkCovariance
from sklearn.preprocessing import normalize

from ..modeling_siamure import SiamUREModel
from .neighbors import mutual_neighbors, search_blocks
from .partitions import fit_pca, sample_rows


@dataclass(frozen=True)
class LinearMap:
    """A linear map of L2-normalized h to what clusters are found in.

    Attributes:
        weight: `(components, size)`.
        bias: `(components,)`.
    """

    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def of_model(cls, model: SiamUREModel) -> "LinearMap | None":
        """Return the map that a model holds; `None` where its clusters lie in h itself."""
        weight, bias = model.cluster_map_weight, model.cluster_map_bias
        if weight is None or bias is None:
            return None
        return cls(weight.cpu().numpy(), bias.cpu().numpy())

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weight and bias as `SiamUREModel.set_clusters` takes them."""
        return torch.as_tensor(self.weight), torch.as_tensor(self.bias)

    def apply(self, embeddings: np.ndarray, batch_size: int = 16384) -> np.ndarray:
        """Return the components of h, L2-normalized: `(rows, components)`, float32.

        Args:
            embeddings: h, `(rows, size)`; may be a memory-mapped file.
            batch_size: Rows that are mapped at once.

        >>> LinearMap(np.array([[2.0, 0.0]]), np.zeros(1)).apply(np.eye(2))
        array([[1.],
               [0.]], dtype=float32)
        """
        batches = [
            normalize(normalize(embeddings[start : start + batch_size]) @ self.weight.T + self.bias)
            for start in range(0, len(embeddings), batch_size)
        ]
        return np.concatenate(batches).astype(np.float32)


def fit_relevant_components(
    embeddings: np.ndarray,
    num_components: int = 64,
    seed: int = 0,
    num_neighbors: int = 20,
    shrinkage: float = 0.1,
    sample_size: int = 4096,
) -> LinearMap:
    """Reduce h to principal components, and scale them by how much neighbors differ in them.

    Relevant component analysis (Bar-Hillel et al. 2005) divides by the scatter within pairs that
    are known to be alike, so that directions count the less, the more such pairs differ in them.
    Here they are mutual nearest neighbors, as the pairs that a cluster head learns from (Eq. 7),
    and nothing is known but h: a linear form of what training teaches the encoder.

    Args:
        embeddings: h, `(rows, size)`; its rows are L2-normalized first.
        num_components: Number of components; fewer where there are fewer rows or dimensions.
        seed: Fixes the sample.
        num_neighbors: K.
        shrinkage: Weight of a scatter that is the same in each direction.
        sample_size: Rows that are looked at.

    Returns:
        The map. Distances between mutual neighbors are about as large in each of its directions,
        before rows are L2-normalized.

    >>> rows = np.random.default_rng(0).normal(size=(100, 8))
    >>> fit_relevant_components(rows, num_components=3).apply(rows).shape
    (100, 3)
    """
    sample = normalize(embeddings[sample_rows(len(embeddings), seed, sample_size)])
    if len(sample) < 3:  # too few to tell directions apart
        size = sample.shape[1]
        return LinearMap(np.eye(size, dtype=np.float32), np.zeros(size, dtype=np.float32))
    sample = sample.astype(np.float64)
    pca = fit_pca(sample, num_components, seed)
    weight = pca.components_
    reduced = pca.transform(sample).astype(np.float32)
    neighbors = search_blocks(reduced, min(num_neighbors, len(sample) - 1)).indices.numpy()
    differences = reduced[:, None] - reduced[mutual_neighbors(neighbors)]
    differences = differences.reshape(-1, len(weight))
    if differences.any():  # otherwise all rows are equal
        scatter = ShrunkCovariance(shrinkage=shrinkage, assume_centered=True).fit(differences)
        weight = np.linalg.cholesky(scatter.get_precision()).T @ weight
    return LinearMap(weight.astype(np.float32), (-weight @ pca.mean_).astype(np.float32))

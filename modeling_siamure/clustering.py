"""k-means on relation embeddings (paper, 3.3), and partitions that a cluster head can start from."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import AgglomerativeClustering, KMeans, MiniBatchKMeans
from sklearn.preprocessing import normalize
from torch import nn

FULL_ROWS = 100_000  # k-means goes over more of them batch by batch
BATCH = 16384  # rows
PASSES = 3  # over all batches
SAMPLED_ROWS = 4096  # a tree over n rows takes n^2 / 2 distances
WARD_ROWS = 2048


@dataclass(frozen=True)
class Clusters:
    """A partition of embeddings: `labels` `(rows,)`, `centroids` `(clusters, size)` of the L2-normalized rows."""

    labels: np.ndarray
    centroids: np.ndarray

    @property
    def sizes(self) -> list[int]:
        return np.bincount(self.labels, minlength=len(self.centroids)).tolist()


def kmeans(embeddings: np.ndarray, num_clusters: int, seed: int = 0, num_restarts: int = 10) -> Clusters:
    """k-means on L2-normalized h: the best of several k-means++ starts.

    More than `FULL_ROWS` rows are clustered by mini-batch k-means from one start; it reads them batch by batch, so they
    may lie in a memory-mapped file that is larger than the memory.

    Args:
        embeddings: h, `(rows, size)`.
        num_clusters: C.
        seed: Fixes the starts.
        num_restarts: How many starts.

    Raises:
        ValueError: There are fewer rows than clusters.

    >>> kmeans(np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 3.0]]), num_clusters=2).sizes in ([1, 2], [2, 1])
    True
    """
    check_size(embeddings, num_clusters)
    if len(embeddings) > FULL_ROWS:
        centroids = _fit_batches(embeddings, num_clusters, seed)
        return Clusters(assign(embeddings, centroids), centroids)
    # normalize makes the copy that k-means may work in: one for millions of rows is enough.
    fitted = KMeans(num_clusters, n_init=num_restarts, random_state=seed, copy_x=False).fit(normalize(embeddings))
    return Clusters(fitted.labels_, fitted.cluster_centers_)


def _fit_batches(embeddings: np.ndarray, num_clusters: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    fitted = MiniBatchKMeans(num_clusters, random_state=seed)
    for _ in range(PASSES):
        order = rng.permutation(len(embeddings))
        for start in range(0, len(order), BATCH):
            fitted.partial_fit(normalize(embeddings[np.sort(order[start : start + BATCH])]))
    return fitted.cluster_centers_


def ward(embeddings: np.ndarray, num_clusters: int, seed: int = 0, num_leaves: int = WARD_ROWS) -> Clusters:
    """Ward's agglomerative clustering of L2-normalized h, which keeps groups whole that k-means cuts through.

    More than `num_leaves` rows are first grouped into so many small k-means clusters, whose centroids are then merged.
    Of more than `SAMPLED_ROWS` rows, so many are merged, and all are assigned to the centroids that come out.

    Args:
        embeddings: h, `(rows, size)`.
        num_clusters: C.
        seed: Fixes sample and small clusters.
        num_leaves: How many small clusters; the fewer there are, the more they depend on the seed.

    Raises:
        ValueError: There are fewer rows than clusters.

    >>> ward(np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 3.0]]), num_clusters=2).sizes in ([1, 2], [2, 1])
    True
    """
    check_size(embeddings, num_clusters)
    rows = normalize(embeddings[sample_rows(len(embeddings), seed)])
    leaves, leaf_of_row = rows, np.arange(len(rows))
    if len(rows) > num_leaves:
        fitted = KMeans(num_leaves, n_init=1, random_state=seed).fit(rows)
        used, leaf_of_used = np.unique(fitted.labels_, return_inverse=True)
        if len(used) >= num_clusters:  # else most rows are equal
            leaves, leaf_of_row = fitted.cluster_centers_[used], leaf_of_used
    labels = AgglomerativeClustering(num_clusters).fit_predict(leaves)[leaf_of_row]
    centroids = centroids_of(rows, labels)
    return Clusters(labels if len(rows) == len(embeddings) else assign(embeddings, centroids), centroids)


def sample_rows(num_rows: int, seed: int) -> np.ndarray:
    """Which `SAMPLED_ROWS` rows stand for a corpus, in their order; all where there are not more."""
    return np.sort(np.random.default_rng(seed).permutation(num_rows)[:SAMPLED_ROWS])


def centroids_of(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean of each cluster's rows: `(clusters, size)`."""
    return np.stack([rows[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def check_size(embeddings: np.ndarray, num_clusters: int):
    """Raises a `ValueError` where there are fewer rows than clusters."""
    if len(embeddings) < num_clusters:
        raise ValueError(f"{len(embeddings)} rows can't form {num_clusters} clusters; give more rows or fewer clusters")


def assign(embeddings: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The nearest centroid of each row's L2-normalized h: `(rows,)`.

    >>> assign(np.array([[5.0, 1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    array([1])
    """
    # |h - mu|^2 without |h|^2, which is the same for all clusters.
    half_norms = (centroids**2).sum(axis=1) / 2
    batches = (embeddings[start : start + BATCH] for start in range(0, len(embeddings), BATCH))
    return np.concatenate([(normalize(batch) @ centroids.T - half_norms).argmax(axis=1) for batch in batches])


@torch.no_grad()
def initialize_cluster_head(head: nn.Linear, embeddings: np.ndarray, clusters: Clusters):
    """Sets the cluster head so that it starts from a partition of h instead of from noise.

    Its softmax is then that of -s/2 |h - mu_c|^2 with s = 2 C / total variance of h, so that the confidence does not
    depend on the scale of h.

    Args:
        head: Linear layer from L2-normalized h to clusters; changed in place.
        embeddings: h, `(rows, size)`.
        clusters: Their partition.
    """
    centroids = torch.as_tensor(clusters.centroids, dtype=head.weight.dtype, device=head.weight.device)
    few = normalize(embeddings[sample_rows(len(embeddings), seed=0)])
    scale = 2 * len(centroids) / max(float(few.var(axis=0).sum()), 1e-6)  # 0 where all rows are one
    head.weight.copy_(scale * centroids)
    head.bias.copy_(-scale / 2 * centroids.square().sum(dim=1))

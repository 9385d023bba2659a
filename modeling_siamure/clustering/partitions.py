"""k-means on relation embeddings (paper, 3.3), and partitions that initialize a cluster head."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import AgglomerativeClustering, KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize
from torch import nn


@dataclass(frozen=True)
class Clusters:
    """A partition of embeddings.

    Attributes:
        labels: Cluster of each embedding, `(rows,)`.
        centroids: Means of the L2-normalized embeddings, `(clusters, size)`.
        method: What found them: `"k-means"`, `"Ward"`, `"consensus"` or `"parts of type pairs"`.
    """

    labels: np.ndarray
    centroids: np.ndarray
    method: str = ""

    @property
    def sizes(self) -> list[int]:
        """Number of embeddings in each cluster."""
        return np.bincount(self.labels, minlength=len(self.centroids)).tolist()


def kmeans(
    embeddings: np.ndarray,
    num_clusters: int,
    seed: int = 0,
    num_restarts: int = 10,
    full_rows: int = 100_000,
    batch_size: int = 16384,
    num_passes: int = 3,
) -> Clusters:
    """Cluster L2-normalized h by k-means: the best of several k-means++ starts.

    Larger sets are clustered by mini-batch k-means from one start; it reads them batch by batch, so
    they may lie in a memory-mapped file that is larger than the memory.

    Args:
        embeddings: h, `(rows, size)`.
        num_clusters: C.
        seed: Fixes the starts.
        num_restarts: Number of starts.
        full_rows: Largest set that is clustered as a whole.
        batch_size: Rows per batch of larger sets.
        num_passes: Passes over all batches of larger sets.

    Raises:
        ValueError: There are fewer rows than clusters.

    >>> embeddings = np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 3.0]])
    >>> sorted(kmeans(embeddings, num_clusters=2).sizes)
    [1, 2]
    """
    check_size(embeddings, num_clusters)
    if len(embeddings) <= full_rows:
        # normalize makes the copy that k-means may work in: one for millions of rows is enough.
        model = KMeans(num_clusters, n_init=num_restarts, random_state=seed, copy_x=False)
        model.fit(normalize(embeddings))
        return Clusters(model.labels_, model.cluster_centers_, "k-means")
    rng = np.random.default_rng(seed)
    model = MiniBatchKMeans(num_clusters, random_state=seed)
    for _ in range(num_passes):
        order = rng.permutation(len(embeddings))
        for start in range(0, len(order), batch_size):
            rows = np.sort(order[start : start + batch_size])
            model.partial_fit(normalize(embeddings[rows]))
    labels = assign(embeddings, model.cluster_centers_)
    return Clusters(labels, model.cluster_centers_, "k-means")


def ward(
    embeddings: np.ndarray,
    num_clusters: int,
    seed: int = 0,
    num_micro_clusters: int = 2048,
    sample_size: int = 4096,
) -> Clusters:
    """Cluster L2-normalized h by Ward's method, which keeps groups whole that k-means cuts through.

    Larger sets are first grouped into k-means micro-clusters, whose centroids are then merged. Of
    sets larger than the sample, a sample is merged and all are assigned to the centroids.

    Args:
        embeddings: h, `(rows, size)`.
        num_clusters: C.
        seed: Fixes sample and micro-clusters.
        num_micro_clusters: Number of micro-clusters; the fewer there are, the more they depend on
            the seed.
        sample_size: Rows in the sample.

    Raises:
        ValueError: There are fewer rows than clusters.

    >>> embeddings = np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 3.0]])
    >>> sorted(ward(embeddings, num_clusters=2).sizes)
    [1, 2]
    """
    check_size(embeddings, num_clusters)
    rows = normalize(embeddings[sample_rows(len(embeddings), seed, sample_size)])
    leaves = rows
    leaf_of_row = np.arange(len(rows))
    if len(rows) > num_micro_clusters:
        model = KMeans(num_micro_clusters, n_init=1, random_state=seed).fit(rows)
        used, leaf_of_used = np.unique(model.labels_, return_inverse=True)
        if len(used) >= num_clusters:  # otherwise most rows are equal
            leaves = model.cluster_centers_[used]
            leaf_of_row = leaf_of_used
    labels = AgglomerativeClustering(num_clusters).fit_predict(leaves)[leaf_of_row]
    centroids = centroids_of(rows, labels)
    if len(rows) < len(embeddings):
        labels = assign(embeddings, centroids)
    return Clusters(labels, centroids, "Ward")


def reduce_dimensions(
    embeddings: np.ndarray,
    num_components: int,
    seed: int = 0,
    sample_size: int = 10_000,
    batch_size: int = 16384,
) -> np.ndarray:
    """Reduce L2-normalized h to its largest principal components, `(rows, components)`.

    They are centered: their cosines are not those of h, but of what sets its rows apart.

    Args:
        embeddings: h, `(rows, size)`.
        num_components: Number of components; fewer where there are fewer rows or dimensions.
        seed: Fixes the sample that they are found in.
        sample_size: Rows in the sample.
        batch_size: Rows that are reduced at once.

    >>> reduce_dimensions(np.eye(3), num_components=2).shape
    (3, 2)
    """
    sample = normalize(embeddings[sample_rows(len(embeddings), seed, sample_size)])
    pca = fit_pca(sample, num_components, seed)
    reduced = [
        pca.transform(normalize(embeddings[start : start + batch_size]))
        for start in range(0, len(embeddings), batch_size)
    ]
    return np.concatenate(reduced).astype(np.float32)


def fit_pca(rows: np.ndarray, num_components: int, seed: int = 0) -> PCA:
    """Fit principal components; fewer where there are fewer rows or dimensions.

    Few of many are found by a randomized method (Halko et al. 2011), which takes a tenth of the
    time.

    Args:
        rows: `(rows, size)`.
        num_components: Their number.
        seed: Fixes the method's draws.
    """
    number = min(num_components, *rows.shape)
    is_few = 4 * number <= min(rows.shape)
    solver = "randomized" if is_few else "covariance_eigh"
    return PCA(number, svd_solver=solver, random_state=seed).fit(rows)


def means_of(
    embeddings: np.ndarray, labels: np.ndarray, num_clusters: int, batch_size: int = 16384
) -> np.ndarray:
    """Return the mean of each cluster's L2-normalized h: `(clusters, size)`.

    Args:
        embeddings: h, `(rows, size)`.
        labels: Their clusters, `(rows,)`.
        num_clusters: C.
        batch_size: Rows that are read at once.
    """
    sums = np.zeros((num_clusters, embeddings.shape[1]))
    for start in range(0, len(embeddings), batch_size):
        batch = slice(start, start + batch_size)
        np.add.at(sums, labels[batch], normalize(embeddings[batch]))
    counts = np.bincount(labels, minlength=num_clusters).clip(min=1)
    return (sums / counts[:, None]).astype(np.float32)


def fill_empty_clusters(
    embeddings: np.ndarray, clusters: Clusters, batch_size: int = 16384
) -> Clusters:
    """Give each cluster without embeddings the embedding farthest from its own centroid.

    A centroid may be the nearest one of no embedding, not even of those that it is the mean of.
    k-means fills such clusters in the same way.

    Args:
        embeddings: h, `(rows, size)`; at least as many different ones as clusters.
        clusters: Each embedding belongs to the nearest centroid.
        batch_size: Rows that are read at once.

    >>> rows = np.array([[1.0, 0.0], [1.0, 0.5], [0.0, 1.0]])
    >>> clusters = Clusters(np.zeros(3, int), np.array([[0.7, 0.4], [-1.0, 0.0]]))
    >>> fill_empty_clusters(rows, clusters).labels
    array([0, 0, 1])
    """
    labels = clusters.labels
    centroids = clusters.centroids
    for _ in centroids:  # a filled cluster may empty another one
        sizes = np.bincount(labels, minlength=len(centroids))
        if sizes.all():
            break
        distances = np.empty(len(labels))
        for start in range(0, len(labels), batch_size):
            batch = slice(start, start + batch_size)
            offsets = normalize(embeddings[batch]) - centroids[labels[batch]]
            distances[batch] = np.linalg.norm(offsets, axis=1)
        farthest = np.where(sizes[labels] > 1, distances, -1).argmax()
        centroids = centroids.copy()
        centroids[sizes.argmin()] = normalize(embeddings[farthest : farthest + 1])[0]
        labels = assign(embeddings, centroids)
    return Clusters(labels, centroids, clusters.method)


def count_micro_clusters(num_clusters: int) -> int:
    """Return the number of micro-clusters that initialize a cluster head: four per cluster or more.

    >>> count_micro_clusters(16), count_micro_clusters(87)
    (200, 348)
    """
    return max(200, 4 * num_clusters)


def sample_rows(num_rows: int, seed: int, size: int = 4096) -> np.ndarray:
    """Draw the rows that stand for a corpus, in their order; all where there are not more."""
    return np.sort(np.random.default_rng(seed).permutation(num_rows)[:size])


def centroids_of(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean of each cluster's rows: `(clusters, size)`."""
    return np.stack([rows[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def check_size(embeddings: np.ndarray, num_clusters: int) -> None:
    """Raise a `ValueError` where there are fewer rows than clusters."""
    if len(embeddings) < num_clusters:
        raise ValueError(
            f"{len(embeddings)} rows can't form {num_clusters} clusters; give more rows or fewer "
            "clusters"
        )


def assign(embeddings: np.ndarray, centroids: np.ndarray, batch_size: int = 16384) -> np.ndarray:
    """Assign each row's L2-normalized h to the nearest centroid: `(rows,)`.

    >>> assign(np.array([[5.0, 1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    array([1])
    """
    # |h - mu|^2 without |h|^2, which is the same for all clusters.
    half_norms = (centroids**2).sum(axis=1) / 2
    labels = []
    for start in range(0, len(embeddings), batch_size):
        batch = normalize(embeddings[start : start + batch_size])
        labels.append((batch @ centroids.T - half_norms).argmax(axis=1))
    return np.concatenate(labels)


@torch.no_grad()
def initialize_cluster_head(head: nn.Linear, embeddings: np.ndarray, clusters: Clusters) -> None:
    """Set the cluster head so that it starts from a partition of h instead of from noise.

    Its softmax is then that of -s/2 |h - mu_c|^2 with s = 2 C / total variance of h, so that the
    confidence does not depend on the scale of h.

    Args:
        head: Linear layer from L2-normalized h to clusters; changed in place.
        embeddings: h, `(rows, size)`.
        clusters: Their partition.
    """
    centroids = torch.as_tensor(
        clusters.centroids, dtype=head.weight.dtype, device=head.weight.device
    )
    sample = normalize(embeddings[sample_rows(len(embeddings), seed=0)])
    variance = float(sample.var(axis=0).sum())  # 0 where all rows are one
    scale = 2 * len(centroids) / max(variance, 1e-6)
    head.weight.copy_(scale * centroids)
    head.bias.copy_(-scale / 2 * centroids.square().sum(dim=1))

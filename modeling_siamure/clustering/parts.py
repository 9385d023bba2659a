"""Parts of clusters: a finer layer, for clusters that hold several relations."""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from .partitions import assign, means_of, sample_rows


def find_parts(
    embeddings: np.ndarray,
    labels: np.ndarray,
    num_clusters: int,
    seed: int = 0,
    max_parts: int = 5,
    min_size: int = 8,
    min_gain: float = 0.02,
    sample_size: int = 1000,
) -> np.ndarray:
    """Divide each cluster on its own, and return the part of each row, `(rows,)`.

    k-means divides the rows of a cluster into 2 to 5 parts. Of these numbers the one is taken whose
    silhouette (Rousseeuw 1987) is farthest above that of as many parts of structureless rows,
    normally distributed with the same variances. Within one pair of entity types, where these no
    longer drown it, the wording comes to light so: purchases and subsidiaries, rise and fall.

    Args:
        embeddings: The relevant components of h (see `fit_relevant_components`), `(rows, size)`.
        labels: The cluster of each row, `(rows,)`; a negative one is none.
        num_clusters: C.
        seed: Fixes draws and starts.
        max_parts: Largest number of parts of a cluster.
        min_size: Number of rows that each part has, within the sample.
        min_gain: How far the silhouette must be above that of structureless rows; otherwise the
            cluster is one part.
        sample_size: Rows of a cluster that are divided; others belong to the nearest part.

    Returns:
        The part of each row within its cluster, the largest part 0; 0 too where there is one.

    >>> rows = np.repeat(np.eye(4), [20, 10, 20, 10], axis=0)
    >>> rows += np.linspace(0, 0.1, 240).reshape(60, 4)
    >>> find_parts(rows, np.repeat([0, 1], 30), 2)[[0, 20, 30, 50]]
    array([0, 1, 0, 1])
    """
    parts = np.zeros(len(labels), dtype=int)
    for cluster in range(num_clusters):
        members = np.flatnonzero(labels == cluster)
        sample = embeddings[members[sample_rows(len(members), seed, sample_size)]]
        divided = _divide(sample, seed, max_parts, min_size, min_gain)
        if divided is None:
            continue
        centroids = means_of(sample, divided, divided.max() + 1)
        found = assign(embeddings[members], centroids)
        largest_first = np.argsort(-np.bincount(found, minlength=len(centroids)), kind="stable")
        parts[members] = np.argsort(largest_first)[found]
    return parts


def _divide(
    rows: np.ndarray, seed: int, max_parts: int, min_size: int, min_gain: float
) -> np.ndarray | None:
    """Return the best partition of L2-normalized rows; `None` where none is clear."""
    if len(rows) < 2 * min_size:
        return None
    noise = np.random.default_rng(seed).normal(0, rows.std(axis=0), rows.shape)
    num_different = len(np.unique(rows.round(6), axis=0))
    best, best_gain = None, min_gain
    for number in range(2, min(max_parts, len(rows) // min_size, num_different) + 1):
        model = KMeans(number, n_init=4, random_state=seed)
        labels = model.fit_predict(rows)
        if np.bincount(labels, minlength=number).min() < min_size:
            continue
        reference = float(silhouette_score(noise, model.fit_predict(noise)))
        gain = float(silhouette_score(rows, labels)) - reference
        if gain > best_gain:
            best, best_gain = labels, gain
    return best

"""Which cluster a row belongs to, how clearly, and which rows belong to none."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import confusion_matrix
from sklearn.preprocessing import normalize

from .clustering import assign, ward
from .consensus import start_leaves

BLOCK = 16384
UNASSIGNED, SKIPPED = -1, -2
RESAMPLED_ROWS = 5000
NUM_RESAMPLES = 8


@dataclass(frozen=True)
class Assignment:
    """Where each row belongs, `(rows,)` each.

    Attributes:
        clusters: The nearest centroid.
        scores: How clear the choice is: softmax of -s/2 |h - mu_c|^2 with s = 2 C / total variance of h, as in the
            pipeline.
        distances: |h - mu| to the nearest centroid, between 0 and 2.
        margins: 1 - distance to the nearest centroid / distance to the second: 0 half-way between the two, 1 on a
            centroid. 1 where there is one cluster.
    """

    clusters: np.ndarray
    scores: np.ndarray
    distances: np.ndarray
    margins: np.ndarray


def assign_rows(embeddings: np.ndarray, centroids: np.ndarray, sizes: list[int] | None = None) -> Assignment:
    """Assigns rows to their nearest centroids, block by block, so that h may be a memory-mapped file.

    Args:
        embeddings: h, `(rows, size)`.
        centroids: Of L2-normalized h, `(clusters, size)`.
        sizes: How many rows each centroid is the mean of, where these rows are others; counted by default.

    >>> found = assign_rows(np.array([[2.0, 0.0], [1.0, 1.0]]), np.eye(2), [1, 1])
    >>> found.clusters.tolist(), found.margins.round(3).tolist()
    ([0, 0], [1.0, 0.0])
    """
    if sizes is None:
        sizes = np.bincount(assign(embeddings, centroids), minlength=len(centroids))
    weights = np.asarray(sizes) / np.sum(sizes)
    variance = max(1 - np.square(weights @ centroids).sum(), 1e-12)  # rows have length 1
    parts = []
    for start in range(0, len(embeddings), BLOCK):
        rows = normalize(embeddings[start : start + BLOCK])
        squares = np.clip(1 - 2 * rows @ centroids.T + np.square(centroids).sum(axis=1), 0, None)
        nearest = np.partition(squares, min(1, len(centroids) - 1), axis=1)[:, :2] ** 0.5
        clusters = squares.argmin(axis=1)
        scores = softmax(-len(centroids) / variance * squares, axis=1).max(axis=1)
        margins = 1 - nearest[:, 0] / nearest[:, -1].clip(1e-12) if len(centroids) > 1 else np.ones(len(rows))
        parts.append((clusters, scores, nearest[:, 0], margins))
    return Assignment(*(np.concatenate(part) for part in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Rejection:
    """What a row must keep to belong to its nearest cluster.

    Attributes:
        max_distances: The largest distance to each centroid.
        min_margin: The smallest margin.
    """

    max_distances: list[float]
    min_margin: float

    def label(self, assignment: Assignment) -> np.ndarray:
        """The cluster of each row, or `UNASSIGNED` (-1) where it is far from its centroid or between two: `(rows,)`."""
        far = assignment.distances > np.asarray(self.max_distances)[assignment.clusters]
        return np.where(far | (assignment.margins < self.min_margin), UNASSIGNED, assignment.clusters)


def fit_rejection(embeddings: np.ndarray, assignment: Assignment, num_clusters: int, seed: int = 0) -> Rejection:
    """Chooses, without labels, which rows belong to no cluster.

    **Far**: farther from the centroid than the upper fence of its cluster's distances, which is the third quartile and
    1.5 times the distance between the quartiles (Tukey 1977). **Between two**: of so small a margin that clusters of
    resampled rows more often than not put such rows elsewhere. To that end, Ward's method on halves of a sample, as a
    head of the consensus starts, partitions all of it; its clusters are matched with those that were found, and how
    often they agree is fitted as a growing function of the margin. The threshold is where that function reaches one
    half.

    Args:
        embeddings: h, `(rows, size)`; 5,000 of the rows are drawn by seed.
        assignment: Of these rows to the clusters.
        num_clusters: C.
        seed: Fixes draws and starts.
    """
    fences = []
    for cluster in range(num_clusters):
        distances = assignment.distances[assignment.clusters == cluster]
        low, high = np.quantile(distances, (0.25, 0.75)) if len(distances) else (0, 0)
        fences.append(float(high + 1.5 * (high - low) + 1e-6))  # a row on its centroid stays, whatever the rounding
    if num_clusters == 1:
        return Rejection(fences, 0.0)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(embeddings))[:RESAMPLED_ROWS])
    rows, found = normalize(embeddings[drawn]), assignment.clusters[drawn]
    agreement = np.zeros(len(rows))
    for resample in range(NUM_RESAMPLES):
        half = np.random.default_rng([seed, resample]).permutation(len(rows))[: max(len(rows) // 2, num_clusters)]
        centroids = ward(rows[half], num_clusters, seed + resample, start_leaves(num_clusters)).centroids
        again = assign(rows, centroids)
        # The matching of clusters under which most rows agree.
        _, match = linear_sum_assignment(-confusion_matrix(again, found, labels=range(num_clusters)))
        agreement += match[again] == found
    margins = assignment.margins[drawn]
    fitted = IsotonicRegression().fit_transform(margins, agreement / NUM_RESAMPLES)
    return Rejection(fences, float(margins[fitted >= 0.5].min(initial=1.0)))

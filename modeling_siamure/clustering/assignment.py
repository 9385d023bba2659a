"""Which cluster a row belongs to, how clearly, and which rows belong to none."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import confusion_matrix
from sklearn.preprocessing import normalize

from ..configuration_siamure import UNASSIGNED, SiamUREConfig
from ..modeling_siamure import is_outlier, nearest_clusters
from .partitions import assign, count_micro_clusters, sample_rows, ward

SKIPPED = -2  # the label of a row whose mentions alone are too long


@dataclass(frozen=True)
class Assignment:
    """The clusters of some rows, `(rows,)` each.

    Attributes:
        labels: The cluster of each row; -1 where it belongs to none, -2 where it was skipped.
        clusters: The nearest centroid, also of rows that belong to none.
        scores: How clear the choice is, see `SiamUREModel.cluster_scores`.
        distances: |h - mu| to the nearest centroid, between 0 and 2.
        margins: 1 - distance to the nearest centroid / distance to the second: 0 half-way between
            the two, 1 on a centroid. 1 where there is one cluster.
    """

    labels: np.ndarray
    clusters: np.ndarray
    scores: np.ndarray
    distances: np.ndarray
    margins: np.ndarray

    def scatter(self, positions: np.ndarray, num_rows: int) -> "Assignment":
        """Return the assignment of all rows, of which these are some; the others were skipped.

        Args:
            positions: Where these rows stand among all, `(rows,)`.
            num_rows: Number of all rows.
        """

        def scattered(values: np.ndarray, filler: float) -> np.ndarray:
            result = np.full(num_rows, filler, dtype=values.dtype)
            result[positions] = values
            return result

        return Assignment(
            scattered(self.labels, SKIPPED),
            scattered(self.clusters, SKIPPED),
            scattered(self.scores, np.nan),
            scattered(self.distances, np.nan),
            scattered(self.margins, np.nan),
        )


@dataclass(frozen=True)
class RejectionRule:
    """What a row must keep to belong to its nearest cluster.

    Attributes:
        max_distances: The largest distance to each centroid.
        min_margin: The smallest margin.
    """

    max_distances: list[float]
    min_margin: float

    @classmethod
    def from_config(cls, config: SiamUREConfig) -> "RejectionRule | None":
        """Return the rule that a model holds; `None` if it holds none."""
        if config.max_distances is None:
            return None
        return cls(config.max_distances, config.min_margin or 0.0)

    def apply(self, assignment: Assignment) -> Assignment:
        """Return the assignment with -1 as label of rows far from their centroid or between two."""
        is_rejected = is_outlier(
            assignment.clusters,
            assignment.distances,
            assignment.margins,
            np.asarray(self.max_distances, dtype=np.float32),
            self.min_margin,
        )
        return replace(assignment, labels=np.where(is_rejected, UNASSIGNED, assignment.clusters))


def assign_rows(
    embeddings: np.ndarray,
    centroids: np.ndarray,
    sizes: list[int] | None = None,
    rule: RejectionRule | None = None,
    block_size: int = 16384,
) -> Assignment:
    """Assign rows to their nearest centroids, block by block: h may be a memory-mapped file.

    Args:
        embeddings: h, `(rows, size)`.
        centroids: Of L2-normalized h, `(clusters, size)`.
        sizes: Number of rows that each centroid is the mean of, where these are other rows; counted
            by default.
        rule: Says which rows belong to no cluster; by default all belong to one.
        block_size: Rows that are compared at once.

    >>> assignment = assign_rows(np.array([[2.0, 0.0], [1.0, 1.0]]), np.eye(2), [1, 1])
    >>> assignment.clusters.tolist(), assignment.margins.tolist()
    ([0, 0], [1.0, 0.0])
    """
    if sizes is None:
        sizes = np.bincount(assign(embeddings, centroids), minlength=len(centroids)).tolist()
    mu = torch.as_tensor(centroids, dtype=torch.float32)
    blocks = []
    for start in range(0, len(embeddings), block_size):
        rows = torch.as_tensor(embeddings[start : start + block_size], dtype=torch.float32)
        blocks.append(nearest_clusters(rows, mu, sizes))
    clusters = torch.cat([block.clusters for block in blocks]).numpy()
    assignment = Assignment(
        labels=clusters,
        clusters=clusters,
        scores=torch.cat([block.scores for block in blocks]).numpy(),
        distances=torch.cat([block.distances for block in blocks]).numpy(),
        margins=torch.cat([block.margins for block in blocks]).numpy(),
    )
    return rule.apply(assignment) if rule else assignment


def fit_rejection(
    embeddings: np.ndarray,
    assignment: Assignment,
    num_clusters: int,
    seed: int = 0,
    sample_size: int = 5000,
    num_resamples: int = 8,
) -> RejectionRule:
    """Choose, without labels, which rows belong to no cluster.

    **Far**: farther from the centroid than the upper fence of its cluster's distances, which is the
    third quartile and 1.5 times the distance between the quartiles (Tukey 1977). **Between two**:
    of so small a margin that clusters of resampled rows more often than not put such rows
    elsewhere. To that end, Ward's method on halves of a sample, as a head of the consensus starts,
    partitions all of it; its clusters are matched with those that were found, and how often they
    agree is fitted as a growing function of the margin. The threshold is where that function
    reaches one half.

    Args:
        embeddings: h, `(rows, size)`.
        assignment: Of these rows to the clusters.
        num_clusters: C.
        seed: Fixes draws and starts.
        sample_size: Rows that are drawn.
        num_resamples: Number of halves of the sample.
    """
    fences = []
    for cluster in range(num_clusters):
        distances = assignment.distances[assignment.clusters == cluster]
        low, high = np.quantile(distances, (0.25, 0.75)) if len(distances) else (0, 0)
        # A row on its centroid stays, whatever the rounding.
        fences.append(float(high + 1.5 * (high - low) + 1e-6))
    if num_clusters == 1:
        return RejectionRule(fences, 0.0)
    sample = sample_rows(len(embeddings), seed, sample_size)
    rows = normalize(embeddings[sample])
    clusters = assignment.clusters[sample]
    agreement = np.zeros(len(rows))
    for resample in range(num_resamples):
        order = np.random.default_rng([seed, resample]).permutation(len(rows))
        half = order[: max(len(rows) // 2, num_clusters)]
        micro_clusters = count_micro_clusters(num_clusters)
        resampled = ward(rows[half], num_clusters, seed + resample, micro_clusters)
        labels = assign(rows, resampled.centroids)
        # The matching of clusters under which most rows agree.
        counts = confusion_matrix(labels, clusters, labels=range(num_clusters))
        _, match = linear_sum_assignment(-counts)
        agreement += match[labels] == clusters
    margins = assignment.margins[sample]
    fitted = IsotonicRegression().fit_transform(margins, agreement / num_resamples)
    return RejectionRule(fences, float(margins[fitted >= 0.5].min(initial=1.0)))

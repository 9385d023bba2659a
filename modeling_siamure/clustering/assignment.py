"""Which cluster a row belongs to, how clearly, and which rows belong to none."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.cluster import AgglomerativeClustering
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import euclidean_distances
from sklearn.preprocessing import normalize

from ..configuration_siamure import UNASSIGNED, SiamUREConfig
from ..modeling_siamure import cluster_margins, find_parts, is_outlier, nearest_clusters
from .partitions import assign, count_micro_clusters, sample_rows, ward

SKIPPED = -2  # the label of a row whose mentions alone are too long
UNRELATED = -4  # the label of a row that was left out, because it seems to state no relation


def embedded_rows(labels: np.ndarray) -> np.ndarray:
    """Return where the rows stand that were neither skipped nor left out: they have an embedding.

    >>> embedded_rows(np.array([0, SKIPPED, UNRELATED, UNASSIGNED]))
    array([0, 3])
    """
    return np.flatnonzero(~np.isin(labels, (SKIPPED, UNRELATED)))


@dataclass(frozen=True)
class Assignment:
    """The clusters of some rows, `(rows,)` each.

    Attributes:
        labels: The cluster of each row; -1 where it belongs to none, -2 where it was skipped, -3
            where its cluster was rejected as no relation, -4 where it was left out because it seems
            to state none.
        clusters: The cluster of the nearest centroid, also of rows that belong to none.
        scores: How clear the choice is, see `SiamUREModel.cluster_scores`.
        distances: |h - mu| to the nearest centroid, between 0 and 2.
        margins: 1 - distance to the nearest centroid / distance to the nearest that is not of a
            sibling: 0 half-way between the two, 1 on a centroid. 1 where there is one cluster.
        centroids: The nearest centroid among those that were discovered, whatever was edited.
        is_reversed: Whether a person swapped head and tail; `None` stands for nowhere.
    """

    labels: np.ndarray
    clusters: np.ndarray
    scores: np.ndarray
    distances: np.ndarray
    margins: np.ndarray
    centroids: np.ndarray | None = None
    is_reversed: np.ndarray | None = None

    def scatter(
        self, positions: np.ndarray, num_rows: int, unrelated: np.ndarray | None = None
    ) -> "Assignment":
        """Return the assignment of all rows, of which these are some; the others were skipped.

        Args:
            positions: Where these rows stand among all, `(rows,)`.
            num_rows: Number of all rows.
            unrelated: Where those stand that were left out, because they state no relation.
        """
        labels = np.full(num_rows, SKIPPED)
        if unrelated is not None:
            labels[unrelated] = UNRELATED
        clusters = labels.copy()
        labels[positions] = self.labels
        clusters[positions] = self.clusters

        def scattered(values: Any, filler: float) -> Any:
            if values is None:
                return None
            result = np.full(num_rows, filler, dtype=values.dtype)
            result[positions] = values
            return result

        return Assignment(
            labels,
            clusters,
            scattered(self.scores, np.nan),
            scattered(self.distances, np.nan),
            scattered(self.margins, np.nan),
            scattered(self.centroids, SKIPPED),
            scattered(self.is_reversed, False),
        )


@dataclass(frozen=True)
class RejectionRule:
    """How clear a row's cluster is, and what a row must keep to belong to it.

    Attributes:
        max_distances: The largest distance to each centroid; `None` where all rows belong to their
            nearest cluster.
        min_margin: The smallest margin.
        groups: The group of each cluster; those of one group are siblings, which are no rivals in
            margins. `None` without siblings.
        score_curve: See `cluster_scores`.
        num_doubtful: Number of rows that are far or between two, where these were more than may
            stay unassigned; otherwise 0.
        parents, clusters, is_reversed: Of clusters that a person edited, see `SiamUREConfig`
            (`centroid_parents`, `centroid_clusters`, `reversed_centroids`).
    """

    max_distances: list[float] | None
    min_margin: float = 0.0
    groups: list[int] | None = None
    score_curve: list[float] | None = None
    num_doubtful: int = 0
    parents: list[int] | None = None
    clusters: list[int] | None = None
    is_reversed: list[bool] | None = None

    @classmethod
    def from_config(cls, config: SiamUREConfig) -> "RejectionRule":
        """Return the rule that a model holds."""
        return cls(
            config.max_distances,
            config.min_margin or 0.0,
            config.cluster_groups,
            config.score_curve,
            parents=config.centroid_parents,
            clusters=config.centroid_clusters,
            is_reversed=config.reversed_centroids,
        )

    def fields_of_model(self) -> dict[str, Any]:
        """Return the rule as `SiamUREModel.set_clusters` takes it."""
        fields = asdict(self)
        del fields["num_doubtful"]
        return fields

    def apply(self, assignment: Assignment) -> Assignment:
        """Return the assignment with -1 as label of rows far from their centroid or between two."""
        if self.max_distances is None:
            return replace(assignment, labels=assignment.clusters)
        is_rejected = is_outlier(
            assignment.clusters,
            assignment.distances,
            assignment.margins,
            np.asarray(self.max_distances, dtype=np.float32),
            self.min_margin,
        )
        return replace(assignment, labels=np.where(is_rejected, UNASSIGNED, assignment.clusters))

    def name_clusters(self, assignment: Assignment, parts: np.ndarray) -> Assignment:
        """Return an assignment to centroids as one to the clusters that a person made of them.

        Args:
            assignment: To the discovered centroids.
            parts: The part of its centroid that each row belongs to, `(rows,)`.
        """
        if self.clusters is None:
            return assignment
        clusters = np.asarray(self.clusters)[parts]
        labels = np.where(assignment.labels == UNASSIGNED, UNASSIGNED, clusters)
        swapped = np.asarray(self.is_reversed or [False] * len(self.clusters))
        return replace(assignment, labels=labels, clusters=clusters, is_reversed=swapped[parts])


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
        rule: Says how clear a choice is, and which rows belong to no cluster; by default all belong
            to one.
        block_size: Rows that are compared at once.

    >>> assignment = assign_rows(np.array([[2.0, 0.0], [1.0, 1.0]]), np.eye(2), [1, 1])
    >>> assignment.clusters.tolist(), assignment.margins.tolist()
    ([0, 0], [1.0, 0.0])
    """
    if sizes is None:
        sizes = np.bincount(assign(embeddings, centroids), minlength=len(centroids)).tolist()
    rule = rule or RejectionRule(None)
    mu = torch.as_tensor(centroids, dtype=torch.float32)
    count = len(mu) if rule.parents is None else rule.parents.count(-1)
    blocks = []
    parts = []
    for start in range(0, len(embeddings), block_size):
        rows = torch.tensor(np.asarray(embeddings[start : start + block_size]), dtype=torch.float32)
        block = nearest_clusters(rows, mu[:count], sizes[:count], rule.groups, rule.score_curve)
        blocks.append(block)
        parts.append(find_parts(rows, mu, block.clusters, rule.parents))
    nearest = torch.cat([block.clusters for block in blocks]).numpy()
    assignment = Assignment(
        labels=nearest,
        clusters=nearest,
        scores=torch.cat([block.scores for block in blocks]).numpy(),
        distances=torch.cat([block.distances for block in blocks]).numpy(),
        margins=torch.cat([block.margins for block in blocks]).numpy(),
        centroids=nearest,
        is_reversed=np.zeros(len(nearest), dtype=bool),
    )
    return rule.name_clusters(rule.apply(assignment), torch.cat(parts).numpy())


def fit_rejection(
    embeddings: np.ndarray,
    centroids: np.ndarray,
    max_unassigned: float = 0.1,
    seed: int = 0,
    sample_size: int = 5000,
    num_resamples: int = 8,
    num_steps: int = 100,
) -> RejectionRule:
    """Choose, without labels, how clear a cluster is, and which rows belong to none.

    **Scores** say how far partitions of resampled rows agree with the clusters. Ward's method on
    halves of a sample, as a head of the consensus starts, partitions all of it. A row agrees with a
    cluster as far as that and the row's part of the partition overlap: the rows in both, as a share
    of the part and of the cluster, averaged. The mean over the halves is fitted as a growing
    function of the margin: the score curve. Clusters whose rows share a part at least half as often
    as rows of one cluster do are **siblings**, between which the margin makes no difference.

    **Far** are rows beyond the upper fence of their cluster's distances, which is the third
    quartile and 1.5 times the distance between the quartiles (Tukey 1977), and beyond the third
    quartile of all distances. **Between two** are rows whose score is below one half.

    Rows that are equal count once. A cluster keeps half of its rows or more whatever their margins,
    and at most a share `max_unassigned` of all rows is rejected: the least clear.

    Args:
        embeddings: h, `(rows, size)`.
        centroids: Of L2-normalized h, `(clusters, size)`.
        max_unassigned: Largest share of the rows that may belong to no cluster; 0 for none.
        seed: Fixes draws and starts.
        sample_size: Rows that are drawn.
        num_resamples: Number of halves of the sample.
        num_steps: Number of steps of the score curve.
    """
    num_clusters = len(centroids)
    assignment = assign_rows(embeddings, centroids)
    # Copies of a row have its distance and margin, but for rounding.
    values = (assignment.clusters, assignment.distances, assignment.margins)
    keys = np.stack([value.round(4) for value in values], axis=1)
    different = np.sort(np.unique(keys, axis=0, return_index=True)[1])
    rule = RejectionRule(None)
    if num_clusters > 1 and len(different) > 1:
        drawn = different[sample_rows(len(different), seed, sample_size)]
        rows = normalize(embeddings[drawn])
        parts = _resampled_parts(rows, num_clusters, seed, num_resamples)
        agreement, groups = _agreement(parts, assignment.clusters[drawn], num_clusters)
        curve = _score_curve(rows, centroids, agreement, groups, num_steps)
        rule = RejectionRule(None, groups=groups, score_curve=curve)
        assignment = assign_rows(embeddings, centroids, rule=rule)
    fences, min_margin, num_doubtful = _thresholds(
        assignment, different, num_clusters, max_unassigned
    )
    return replace(
        rule, max_distances=fences.tolist(), min_margin=min_margin, num_doubtful=num_doubtful
    )


def _resampled_parts(
    rows: np.ndarray, num_parts: int, seed: int, num_resamples: int
) -> list[np.ndarray]:
    """Return partitions `(rows,)` of L2-normalized rows, each by Ward's method on half of them."""
    parts = []
    for resample in range(num_resamples):
        order = np.random.default_rng([seed, resample]).permutation(len(rows))
        half = order[: max(len(rows) // 2, num_parts)]
        number = min(num_parts, len(half))
        resampled = ward(rows[half], number, seed + resample, count_micro_clusters(number))
        parts.append(assign(rows, resampled.centroids))
    return parts


def _agreement(
    parts: list[np.ndarray], clusters: np.ndarray, num_clusters: int, min_similarity: float = 0.5
) -> tuple[np.ndarray, list[int] | None]:
    """Return how far partitions agree that a row is of a cluster, and which clusters are siblings.

    Args:
        parts: The partitions of the rows, `(rows,)` each.
        clusters: Cluster of each row, `(rows,)`.
        num_clusters: C.
        min_similarity: How often rows of siblings share a part, compared with rows of one cluster.

    Returns:
        The mean overlap of each row's part with each cluster, `(rows, clusters)`, and the group of
        each cluster; `None` where all would be of one group.
    """
    agreement = np.zeros((len(clusters), num_clusters))
    together = np.zeros((num_clusters, num_clusters))
    for labels in parts:
        counts = np.zeros((labels.max() + 1, num_clusters))
        np.add.at(counts, (labels, clusters), 1)
        sizes_of_parts = counts.sum(axis=1, keepdims=True).clip(min=1)
        sizes = counts.sum(axis=0).clip(min=1)
        agreement += ((counts / sizes_of_parts + counts / sizes) / 2)[labels]
        shares = counts / sizes
        together += shares.T @ shares
    within = np.sqrt(together.diagonal()).clip(min=1e-12)
    linkage = AgglomerativeClustering(
        None, metric="precomputed", linkage="average", distance_threshold=1 - min_similarity
    )
    groups = linkage.fit_predict(1 - together / np.outer(within, within)).tolist()
    return agreement / len(parts), groups if max(groups) else None


def _score_curve(
    rows: np.ndarray,
    centroids: np.ndarray,
    agreement: np.ndarray,
    groups: list[int] | None,
    num_steps: int,
) -> list[float]:
    """Fit agreement `(rows, clusters)` as a growing function of the margin, and return its values.

    Args:
        rows: L2-normalized h, `(rows, size)`.
        centroids: `(clusters, size)`.
        agreement, groups: Of `_agreement`.
        num_steps: Number of steps from a margin of -1 to one of 1.
    """
    distances = torch.as_tensor(euclidean_distances(rows, centroids))
    margins = cluster_margins(distances, groups)
    isotonic = IsotonicRegression(out_of_bounds="clip")
    isotonic.fit(margins.flatten().double().numpy(), agreement.flatten())
    return isotonic.predict(np.linspace(-1, 1, num_steps + 1)).round(4).tolist()


def _thresholds(
    assignment: Assignment, different: np.ndarray, num_clusters: int, max_unassigned: float
) -> tuple[np.ndarray, float, int]:
    """Return the largest distances `(clusters,)`, the smallest margin, and how many are doubtful.

    Args:
        assignment: Of all rows, with their scores.
        different: Positions of rows of which no two are equal.
        num_clusters: C.
        max_unassigned: Largest share of the rows that may belong to no cluster.
    """
    clusters, distances, margins = assignment.clusters, assignment.distances, assignment.margins
    members = [different[clusters[different] == cluster] for cluster in range(num_clusters)]
    members = [rows for rows in members if len(rows)]
    num_allowed = int(max_unassigned * len(clusters))

    fences = np.full(num_clusters, np.quantile(distances[different], 0.75))
    for rows in members:
        low, high = np.quantile(distances[rows], (0.25, 0.75))
        cluster = clusters[rows[0]]
        fences[cluster] = max(fences[cluster], high + 1.5 * (high - low))
    min_margin = margins[assignment.scores >= 0.5].min(initial=1.0)
    num_doubtful = int(((distances > fences[clusters]) | (margins < min_margin)).sum())

    fences += _limit(distances - fences[clusters], 0.0, num_allowed)
    for cluster in range(num_clusters):
        fences[cluster] = _middle_of_gap(distances[clusters == cluster], fences[cluster])
    is_near = distances <= fences[clusters]
    # At least half of each cluster is clear enough.
    min_margin = min(min_margin, *(np.median(margins[rows]) for rows in members))
    min_margin = -_limit(-margins[is_near], -min_margin, num_allowed - int((~is_near).sum()))
    min_margin = max(0.0, -_middle_of_gap(-margins, -min_margin))
    return fences, float(min_margin), num_doubtful if num_doubtful > num_allowed else 0


def _limit(values: np.ndarray, limit: float, num_allowed: int) -> float:
    """Return a limit that at most so many values exceed: the given one, or a larger one.

    >>> _limit(np.array([3.0, 1.0, 2.0]), 0.5, num_allowed=1)
    2.0
    """
    if (values > limit).sum() <= num_allowed:
        return limit
    return float(np.sort(values)[::-1][num_allowed])


def _middle_of_gap(values: np.ndarray, limit: float, window: float = 0.01) -> float:
    """Return a limit little above the given one, in the widest gap between values.

    Rounding, which differs between machines and between batches, then moves no value over it.

    >>> _middle_of_gap(np.array([0.3, 0.5, 0.502, 0.508]), 0.5)
    0.505
    """
    near = values[(values > limit) & (values < limit + window)]
    edges = np.sort([limit, *near, limit + window])
    widest = np.argmax(np.diff(edges))
    return float(edges[widest : widest + 2].mean())

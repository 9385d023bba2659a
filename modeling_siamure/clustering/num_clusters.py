"""How many clusters a corpus has, estimated without labels, and on what evidence."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import (
    adjusted_rand_score,
    completeness_score,
    pairwise_distances_argmin,
    silhouette_score,
)
from sklearn.preprocessing import normalize
from tqdm.auto import tqdm

from .partitions import centroids_of


@dataclass(frozen=True)
class NumClustersTrial:
    """The evidence for a number of clusters.

    Attributes:
        num_clusters: C.
        stability: Mean adjusted Rand index between the partitions that halves of the rows lead to.
        reference_stability: The same for structureless rows: normally distributed, with the same
            variances.
        silhouette: Mean silhouette of the rows.
        repeats_types: How far the entity types of a row decide on its cluster, 0 to 1
            (completeness).
        is_candidate: Whether the excess of stability over the reference has a local maximum here.
    """

    num_clusters: int
    stability: float
    reference_stability: float
    silhouette: float
    repeats_types: float = 0.0
    is_candidate: bool = False

    @property
    def excess(self) -> float:
        """Stability of the clusters beyond that of structureless rows."""
        return self.stability - self.reference_stability


@dataclass(frozen=True)
class NumClustersEstimate:
    """The chosen number of clusters, and all that were tried, by size."""

    chosen: int
    trials: list[NumClustersTrial]

    @property
    def candidates(self) -> list[int]:
        """The candidates, those with the largest excess first."""
        candidates = [trial for trial in self.trials if trial.is_candidate]
        candidates.sort(key=lambda trial: -trial.excess)
        return [trial.num_clusters for trial in candidates]


def estimate_num_clusters(
    embeddings: np.ndarray,
    type_pairs: np.ndarray | None = None,
    seed: int = 0,
    show_progress: bool = False,
    sample_size: int = 3000,
    num_components: int = 64,
    max_clusters: int = 160,
    num_trials: int = 24,
    rows_per_cluster: int = 10,
    clear_excess: float = 0.2,
    nearly_best: float = 0.9,
) -> NumClustersEstimate:
    """Estimate the number of clusters of h, without labels.

    For numbers C that grow by a constant factor, Ward's tree of half of a sample, cut into C,
    partitions all of the sample; the partitions agree the more, the more real the clusters are
    (stability, Lange et al. 2004). The tree joins small k-means clusters, as the start of the
    consensus does; one tree per half serves all numbers. Few clusters agree by themselves, so that
    of structureless rows with the same variances is subtracted, as the gap statistic does
    (Tibshirani et al. 2001). Local maxima of this excess are candidates. **The largest candidate
    with at least nine tenths of the best excess is chosen**: a corpus has coarse and fine groups
    that are equally real, and clusters that are too fine can be joined in the tree, while those
    that are too coarse can't be parted. Where no excess reaches 0.2, there is one cluster.
    Silhouette and entity types stand beside for the reader; they do not choose.

    Args:
        embeddings: h, `(rows, size)`.
        type_pairs: The entity types of each row's two mentions, as one value, `(rows,)`.
        seed: Fixes draws and starts.
        show_progress: Whether to show a progress bar.
        sample_size: Rows that are drawn.
        num_components: Largest principal components in which they are compared.
        max_clusters: Largest number that is tried.
        num_trials: How many numbers are tried.
        rows_per_cluster: Rows of the sample per cluster at least: of fewer, no stability can be
            told.
        clear_excess: Excess of stability below which rows fall into clusters no more than
            structureless ones would.
        nearly_best: Share of the best excess that a candidate must have.

    >>> noise = np.random.default_rng(0).normal(0, 0.02, (120, 4))
    >>> estimate_num_clusters(np.repeat(np.eye(4), 30, axis=0) + noise).chosen
    4
    """
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(len(embeddings))[:sample_size])
    rows = normalize(embeddings[drawn])
    # Too few different rows to tell.
    if len(np.unique(rows.round(6), axis=0)) < 2 * rows_per_cluster:
        return NumClustersEstimate(1, [])
    rows = PCA(min(num_components, *rows.shape), random_state=seed).fit_transform(rows)
    reference = rng.normal(0, rows.std(axis=0), rows.shape)
    largest = min(max_clusters, len(rows) // rows_per_cluster)
    numbers = sorted({round(number) for number in np.geomspace(2, largest, num_trials)})
    with tqdm(desc="Trying numbers of clusters", disable=not show_progress) as bar:
        stability = _stability(rows, numbers, seed, bar)
        by_chance = _stability(reference, numbers, seed, bar)
    trials = []
    for number, labels, agreement, chance_agreement in zip(
        numbers, _cut(rows, rows, numbers, seed), stability, by_chance, strict=True
    ):
        silhouette = float(silhouette_score(rows, labels)) if len(set(labels)) > 1 else 0.0
        types = 0.0 if type_pairs is None else float(completeness_score(type_pairs[drawn], labels))
        trials.append(NumClustersTrial(number, agreement, chance_agreement, silhouette, types))
    excess = [-np.inf, *(trial.excess for trial in trials), -np.inf]
    for i, trial in enumerate(trials):
        is_candidate = trial.excess > clear_excess and excess[i] < excess[i + 1] >= excess[i + 2]
        trials[i] = replace(trial, is_candidate=is_candidate)
    candidates = [trial for trial in trials if trial.is_candidate]
    least = nearly_best * max((trial.excess for trial in candidates), default=0)
    return NumClustersEstimate(
        max((trial.num_clusters for trial in candidates if trial.excess >= least), default=1),
        trials,
    )


def _stability(
    rows: np.ndarray, numbers: list[int], seed: int, bar: tqdm, num_resamples: int = 8
) -> list[float]:
    """Return how well partitions from halves of the rows agree, for each number of clusters."""
    bar.total = (bar.total or 0) + num_resamples
    partitions = []
    for resample in range(num_resamples):
        half = np.random.default_rng([seed, resample]).permutation(len(rows))[: len(rows) // 2]
        partitions.append(_cut(rows[half], rows, numbers, seed + resample))
        bar.update()
    pairs = [(one, other) for i, one in enumerate(partitions) for other in partitions[:i]]
    agreement = [
        [adjusted_rand_score(*cut) for cut in zip(one, other, strict=True)] for one, other in pairs
    ]
    return np.mean(agreement, axis=0).tolist()


def _cut(
    fitted: np.ndarray,
    rows: np.ndarray,
    numbers: list[int],
    seed: int,
    num_micro_clusters: int = 400,
) -> list[np.ndarray]:
    """Return the clusters of rows, for each number of them, by Ward's tree of other rows."""
    num_micro_clusters = min(num_micro_clusters, len(fitted) // 2)
    micro_clusters = KMeans(num_micro_clusters, n_init=1, random_state=seed).fit(fitted)
    tree = linkage(micro_clusters.cluster_centers_, "ward")
    partitions = []
    for number in numbers:
        labels = fcluster(tree, number, "maxclust")[micro_clusters.labels_]
        # Where rows are equal, micro-clusters may be empty.
        labels = np.unique(labels, return_inverse=True)[1]
        partitions.append(pairwise_distances_argmin(rows, centroids_of(fitted, labels)))
    return partitions

"""How many clusters a corpus has, estimated without labels, and on what evidence."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, completeness_score, pairwise_distances_argmin, silhouette_score
from sklearn.preprocessing import normalize
from tqdm.auto import tqdm

from .clustering import centroids_of

SAMPLED_ROWS = 3000
DIMENSIONS = 64
NUM_RESAMPLES = 8
NUM_LEAVES = 400  # small clusters that a tree joins
ROWS_PER_CLUSTER = 10  # in the sample: of fewer, no stability can be told
MAX_CLUSTERS = 160
NUM_TRIALS = 24
CLEAR_EXCESS = 0.2  # below it, rows fall into clusters no more than structureless ones would
NEARLY_BEST = 0.9


@dataclass(frozen=True)
class Trial:
    """What speaks for a number of clusters.

    Attributes:
        num_clusters: C.
        stability: Mean adjusted Rand index between the partitions that halves of the rows lead to.
        reference_stability: The same for structureless rows: normally distributed, with the same variances.
        silhouette: Mean silhouette of the rows.
        repeats_types: How far the entity types of a row decide on its cluster, 0 to 1 (completeness).
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
        """How much more stable the clusters are than those of structureless rows."""
        return self.stability - self.reference_stability


@dataclass(frozen=True)
class NumClusters:
    """The chosen number of clusters, and all that were tried, by size."""

    chosen: int
    trials: list[Trial]

    @property
    def candidates(self) -> list[int]:
        """The candidates, those with the largest excess first."""
        found = sorted((trial for trial in self.trials if trial.is_candidate), key=lambda trial: -trial.excess)
        return [trial.num_clusters for trial in found]


def estimate_num_clusters(
    embeddings: np.ndarray, type_pairs: np.ndarray | None = None, seed: int = 0, show_progress: bool = False
) -> NumClusters:
    """Estimates the number of clusters of h, without labels.

    For numbers C that grow by a constant factor, Ward's tree of half of a sample, cut into C, partitions all of the
    sample; the partitions agree the more, the more real the clusters are (stability, Lange et al. 2004). The tree joins
    small k-means clusters, as the start of the consensus does; one a half serves all numbers. Few clusters agree by
    themselves, so that of structureless rows with the same variances is subtracted, as the gap statistic does
    (Tibshirani et al. 2001). Local maxima of this excess are candidates. **The largest candidate with at least nine
    tenths of the best excess is chosen**: a corpus has coarse and fine groups that are equally real, and clusters that
    are too fine can be joined in the tree, while those that are too coarse can't be parted. Where no excess reaches
    0.2, there is one cluster. Silhouette and entity types stand beside for the reader; they do not choose.

    Args:
        embeddings: h, `(rows, size)`; 3,000 of the rows are drawn by seed, in their 64 largest principal components.
        type_pairs: The entity types of each row's two mentions, as one value, `(rows,)`.
        seed: Fixes draws and starts.
        show_progress: Whether to show a progress bar.

    >>> corners = np.repeat(np.eye(4), 30, axis=0) + np.random.default_rng(0).normal(0, 0.02, (120, 4))
    >>> estimate_num_clusters(corners).chosen
    4
    """
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(len(embeddings))[:SAMPLED_ROWS])
    rows = normalize(embeddings[drawn])
    if len(np.unique(rows.round(6), axis=0)) < 2 * ROWS_PER_CLUSTER:  # too few different rows to tell
        return NumClusters(1, [])
    rows = PCA(min(DIMENSIONS, *rows.shape), random_state=seed).fit_transform(rows)
    reference = rng.normal(0, rows.std(axis=0), rows.shape)
    largest = min(MAX_CLUSTERS, len(rows) // ROWS_PER_CLUSTER)
    numbers = sorted({round(number) for number in np.geomspace(2, largest, NUM_TRIALS)})
    with tqdm(total=2 * NUM_RESAMPLES, desc="Trying numbers of clusters", disable=not show_progress) as bar:
        stability, by_chance = (_stability(part, numbers, seed, bar) for part in (rows, reference))
    trials = []
    for number, labels, *agreement in zip(numbers, _cut(rows, rows, numbers, seed), stability, by_chance, strict=True):
        silhouette = float(silhouette_score(rows, labels)) if len(set(labels)) > 1 else 0.0
        types = 0.0 if type_pairs is None else float(completeness_score(type_pairs[drawn], labels))
        trials.append(Trial(number, *agreement, silhouette, types))
    excess = [-np.inf, *(trial.excess for trial in trials), -np.inf]
    for i, trial in enumerate(trials):
        is_candidate = trial.excess > CLEAR_EXCESS and excess[i] < excess[i + 1] >= excess[i + 2]
        trials[i] = replace(trial, is_candidate=is_candidate)
    candidates = [trial for trial in trials if trial.is_candidate]
    least = NEARLY_BEST * max((trial.excess for trial in candidates), default=0)
    return NumClusters(max((trial.num_clusters for trial in candidates if trial.excess >= least), default=1), trials)


def _stability(rows: np.ndarray, numbers: list[int], seed: int, bar: tqdm) -> list[float]:
    """How well the partitions that halves of the rows lead to agree, for each number of clusters."""
    partitions = []
    for resample in range(NUM_RESAMPLES):
        half = np.random.default_rng([seed, resample]).permutation(len(rows))[: len(rows) // 2]
        partitions.append(_cut(rows[half], rows, numbers, seed + resample))
        bar.update()
    pairs = [(one, other) for i, one in enumerate(partitions) for other in partitions[:i]]
    agreement = [[adjusted_rand_score(*cut) for cut in zip(one, other, strict=True)] for one, other in pairs]
    return np.mean(agreement, axis=0).tolist()


def _cut(fitted: np.ndarray, rows: np.ndarray, numbers: list[int], seed: int) -> list[np.ndarray]:
    """The clusters of rows, for each number of them, by Ward's tree of other rows."""
    small = KMeans(min(NUM_LEAVES, len(fitted) // 2), n_init=1, random_state=seed).fit(fitted)
    tree = linkage(small.cluster_centers_, "ward")
    partitions = []
    for number in numbers:
        labels = fcluster(tree, number, "maxclust")[small.labels_]
        labels = np.unique(labels, return_inverse=True)[1]  # where rows are equal, small clusters may be empty
        partitions.append(pairwise_distances_argmin(rows, centroids_of(fitted, labels)))
    return partitions

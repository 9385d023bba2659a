"""How many clusters a corpus has, estimated without labels, and on what evidence."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import completeness_score, silhouette_score
from sklearn.metrics.pairwise import cosine_distances
from sklearn.preprocessing import normalize
from tqdm.auto import tqdm

from .partitions import reduce_dimensions, sample_rows


@dataclass(frozen=True)
class NumClustersTrial:
    """The evidence for a number of clusters.

    Attributes:
        num_clusters: C.
        silhouette: Mean silhouette of the rows (Rousseeuw 1987), -1 to 1.
        repeats_types: How far the entity types of a row decide on its cluster, 0 to 1
            (completeness).
        is_candidate: Whether the silhouette has a local maximum here.
    """

    num_clusters: int
    silhouette: float
    repeats_types: float = 0.0
    is_candidate: bool = False


@dataclass(frozen=True)
class NumClustersEstimate:
    """The chosen number of clusters, and all that were tried, by size.

    Attributes:
        chosen: C.
        trials: The evidence.
        plateau: The least and the largest number that are nearly as good; C lies between them.
        reference: Mean silhouette of as many clusters of structureless rows.
    """

    chosen: int
    trials: list[NumClustersTrial]
    plateau: tuple[int, int] = (1, 1)
    reference: float = 0.0

    @property
    def candidates(self) -> list[int]:
        """The candidates, those with the largest silhouette first."""
        candidates = [trial for trial in self.trials if trial.is_candidate]
        candidates.sort(key=lambda trial: -trial.silhouette)
        return [trial.num_clusters for trial in candidates]


def estimate_num_clusters(
    embeddings: np.ndarray,
    type_pairs: np.ndarray | None = None,
    seed: int = 0,
    show_progress: bool = False,
    sample_size: int = 2000,
    num_components: int = 64,
    max_clusters: int = 100,
    num_trials: int = 30,
    rows_per_cluster: int = 10,
    nearly_best: float = 0.95,
    clear_silhouette: float = 0.05,
) -> NumClustersEstimate:
    """Estimate the number of clusters of h, without labels.

    For numbers C that grow by a constant factor, k-means partitions a sample of h in its largest
    principal components, and the mean silhouette by cosine tells how much nearer rows are to their
    own cluster than to the next (Rousseeuw 1987; PromptORE chooses by it too). Its maximum is flat,
    and where on the flat part it lies is a matter of the draw. So **the middle of the plateau is
    chosen**: of the numbers next to the best one whose silhouette is at least 95 % of the best, the
    geometric mean. Where the best silhouette is not above that of structureless rows, normally
    distributed with the same variances, there is one cluster. Entity types stand beside for the
    reader; they do not choose.

    Where a corpus has many rare relations, the plateau lies near the number of the frequent ones.

    Args:
        embeddings: h, `(rows, size)`.
        type_pairs: The entity types of each row's two mentions, as one value, `(rows,)`.
        seed: Fixes draws and starts.
        show_progress: Whether to show a progress bar.
        sample_size: Rows that are drawn.
        num_components: Largest principal components in which they are compared.
        max_clusters: Largest number that is tried.
        num_trials: How many numbers are tried.
        rows_per_cluster: Rows of the sample per cluster at least.
        nearly_best: Share of the best silhouette that the plateau has.
        clear_silhouette: How far the best silhouette must be above that of structureless rows.

    >>> noise = np.random.default_rng(0).normal(0, 0.02, (120, 4))
    >>> estimate_num_clusters(np.repeat(np.eye(4), 30, axis=0) + noise).chosen
    4
    """
    drawn = sample_rows(len(embeddings), seed, sample_size)
    sample = normalize(embeddings[drawn])
    # Too few different rows to tell.
    if len(np.unique(sample.round(6), axis=0)) < 2 * rows_per_cluster:
        return NumClustersEstimate(1, [])
    reduced = reduce_dimensions(sample, num_components)
    rows = normalize(reduced)
    distances = cosine_distances(rows)
    largest = min(max_clusters, len(rows) // rows_per_cluster)
    numbers = sorted({round(number) for number in np.geomspace(2, largest, num_trials)})
    trials = []
    for number in tqdm(numbers, desc="Trying numbers of clusters", disable=not show_progress):
        labels = KMeans(number, n_init=4, random_state=seed).fit_predict(rows)
        silhouette = float(silhouette_score(distances, labels, metric="precomputed"))
        types = 0.0 if type_pairs is None else float(completeness_score(type_pairs[drawn], labels))
        trials.append(NumClustersTrial(number, silhouette, types))
    silhouettes = [trial.silhouette for trial in trials]
    bounded = [-np.inf, *silhouettes, -np.inf]
    for i, trial in enumerate(trials):
        is_candidate = bounded[i] < bounded[i + 1] >= bounded[i + 2]
        trials[i] = replace(trial, is_candidate=is_candidate)
    best = int(np.argmax(silhouettes))
    noise = np.random.default_rng(seed).normal(0, reduced.std(axis=0), reduced.shape)
    labels = KMeans(numbers[best], n_init=4, random_state=seed).fit_predict(normalize(noise))
    reference = float(silhouette_score(normalize(noise), labels, metric="cosine"))
    if silhouettes[best] < reference + clear_silhouette:
        return NumClustersEstimate(1, trials, reference=reference)
    first = last = best
    while first > 0 and silhouettes[first - 1] >= nearly_best * silhouettes[best]:
        first -= 1
    while last + 1 < len(trials) and silhouettes[last + 1] >= nearly_best * silhouettes[best]:
        last += 1
    plateau = (numbers[first], numbers[last])
    chosen = round(float(np.exp(np.log(numbers[first : last + 1]).mean())))
    return NumClustersEstimate(chosen, trials, plateau, reference)

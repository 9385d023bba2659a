"""Clusters that are parts of type pairs, for corpora whose neighbors know little but the types."""

import numpy as np
from sklearn.cluster import AgglomerativeClustering
from sklearn.preprocessing import normalize

from .neighbors import mutual_neighbors, neighbor_accuracy, search_blocks
from .partitions import centroids_of, count_micro_clusters, sample_rows, ward

MIN_AGREEMENT = 0.75  # by the figures in docs/experiments.md


def neighbor_agreement_beyond_types(
    embeddings: np.ndarray,
    num_clusters: int,
    type_pairs: np.ndarray,
    seed: int = 0,
    num_neighbors: int = 20,
) -> float:
    """Measure how well mutual neighbors agree on clusters, beyond what entity types explain.

    The clusters are Ward's, of similar size. Where the agreement is below `MIN_AGREEMENT`, such
    clusters are not what neighbors share, and a head that makes neighbors agree on them learns
    little but the types. It looks at a sample of 4096 rows.

    Args:
        embeddings: h, `(rows, size)`.
        num_clusters: C.
        type_pairs: Head and tail type of each row, `(rows,)`.
        seed: Fixes the sample and the clusters.
        num_neighbors: K.

    Returns:
        `chance_corrected_agreement`: 1 always, 0 as often as two rows of the same type pair; below
        0 even less often.

    >>> rows = np.repeat(np.eye(2), 30, axis=0) + np.linspace(0, 0.1, 120).reshape(60, 2)
    >>> neighbor_agreement_beyond_types(rows, 2, type_pairs=np.repeat("PERSON CITY", 60))
    1.0
    """
    sample = sample_rows(len(embeddings), seed)
    rows = normalize(np.asarray(embeddings[sample], dtype=np.float32))
    neighbors = search_blocks(rows, min(num_neighbors, len(rows) - 1)).indices.numpy()
    clusters = ward(rows, num_clusters, seed, count_micro_clusters(num_clusters))
    return chance_corrected_agreement(
        clusters.labels, mutual_neighbors(neighbors), type_pairs[sample]
    )


def chance_corrected_agreement(
    labels: np.ndarray, neighbors: np.ndarray, groups: np.ndarray
) -> float:
    """Measure how often a row and its neighbors share a cluster, beyond rows of the same group.

    Args:
        labels: Cluster of each row, `(rows,)`.
        neighbors: N(x), `(rows, K)`.
        groups: What is known of a row besides, `(rows,)`.

    Returns:
        1 always, 0 as often as two rows of the same group do. 0 too where any two rows of the same
        group share a cluster: the clusters then say nothing new.

    >>> labels = np.array([0, 0, 1, 1])
    >>> chance_corrected_agreement(labels, np.array([[1], [0], [3], [2]]), groups=np.zeros(4))
    1.0
    """
    _, groups = np.unique(groups, return_inverse=True)
    counts = np.zeros((groups.max() + 1, labels.max() + 1))
    np.add.at(counts, (groups, labels), 1)
    by_chance = float((counts**2).sum(axis=1) @ (1 / counts.sum(axis=1)) / len(labels))
    if by_chance == 1:
        return 0.0
    return (neighbor_accuracy(neighbors, labels) - by_chance) / (1 - by_chance)


def count_frequent(type_pairs: np.ndarray, share: float = 0.95) -> int:
    """Count the type pairs, most frequent first, that hold a share of the rows together.

    Args:
        type_pairs: Head and tail type of each row, `(rows,)`.
        share: The share of the rows.

    >>> count_frequent(np.repeat(["PERSON CITY", "CITY PERSON", "CITY CITY"], [90, 6, 4]))
    2
    """
    counts = np.sort(np.unique(type_pairs, return_counts=True)[1])[::-1]
    return 1 + int(np.searchsorted(counts.cumsum(), share * len(type_pairs)))


def divide_type_pairs(
    rows: np.ndarray,
    type_pairs: np.ndarray,
    num_clusters: int,
    context_size: int = 0,
    seed: int = 0,
    rare_share: float = 0.01,
) -> np.ndarray:
    """Find clusters none of which has two frequent type pairs.

    Each type pair is a group, but for the rarest, which hold 1 % of the rows or do not fit: these
    share one. A group whose words between the mentions differ much holds several relations: the
    most diverse is cut in two by Ward's method on these words, again and again, until there are
    twice as many groups: further cuts would halve frequent relations. Clusters that are left over
    are found within the groups by average linkage, which cares little for size.

    Args:
        rows: L2-normalized h, `(rows, size)`.
        type_pairs: Head and tail type of each, `(rows,)`.
        num_clusters: C, at least 2.
        context_size: Number of h's last dimensions that hold the words between; where it is 0, no
            group is cut.
        seed: Fixes the cuts of groups of more than 2048 rows.
        rare_share: Share of the rows whose type pairs, the rarest, share a group.

    Returns:
        Their clusters, `(rows,)`.
    """
    pairs, counts = np.unique(type_pairs, return_counts=True)
    number = min(count_frequent(type_pairs, 1 - rare_share), num_clusters - 1)
    frequent = pairs[np.argsort(-counts, kind="stable")[:number]]
    is_frequent = np.isin(type_pairs, frequent)
    _, groups = np.unique(np.where(is_frequent, type_pairs, ""), return_inverse=True)
    if context_size:
        context = normalize(rows[:, -context_size:])
        groups = _cut_diverse(context, groups, num_clusters, seed)
    return _link_within(rows, groups, num_clusters)


def _cut_diverse(
    context: np.ndarray, groups: np.ndarray, num_clusters: int, seed: int
) -> np.ndarray:
    """Cut the groups `(rows,)` whose rows of `context` `(rows, size)`, L2-normalized, differ most.

    It ends when they are twice as many, or as many as clusters. None is cut that has less than half
    a cluster's share of the rows.
    """
    groups = groups.copy()
    smallest = max(2, len(groups) / (2 * num_clusters))
    for label in range(groups.max() + 1, min(num_clusters, 2 * (groups.max() + 1))):
        members = [np.flatnonzero(groups == group) for group in range(label)]
        large = [positions for positions in members if len(positions) >= smallest]
        if not large:
            break
        # The variance of a sample: without the correction a small group would seem less diverse.
        diversity = [context[positions].var(axis=0, ddof=1).sum() for positions in large]
        positions = large[int(np.argmax(diversity))]
        groups[positions[ward(context[positions], 2, seed).labels == 1]] = label
    return groups


def _link_within(rows: np.ndarray, groups: np.ndarray, num_clusters: int) -> np.ndarray:
    """Join micro-clusters of rows, each within one of the groups `(rows,)`, by average linkage."""
    micro_clusters = np.full(len(rows), -1)
    groups_so_far: list[int] = []
    for group in range(groups.max() + 1):
        members = np.flatnonzero(groups == group)
        number = min(len(members), max(1, round(4 * num_clusters * len(members) / len(rows))))
        labels = ward(rows[members], number).labels if number > 1 else 0
        micro_clusters[members] = len(groups_so_far) + labels
        groups_so_far += [group] * number
    centroids = centroids_of(rows, micro_clusters)
    group_of = np.array(groups_so_far)
    # Rows have length 1: the mean cosine between two clusters is the product of their centroids.
    distances = 1 - centroids @ centroids.T
    np.fill_diagonal(distances, 0)
    # No two rows are further from each other than 2: groups stay apart.
    distances[group_of[:, None] != group_of] += 2
    linkage = AgglomerativeClustering(num_clusters, metric="precomputed", linkage="average")
    return linkage.fit_predict(distances)[micro_clusters]

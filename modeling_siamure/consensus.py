"""Clusters that neighbors agree on: cluster heads on frozen h, each trained by Eq. 7, and what they have in common.

k-means cuts through groups of neighbors; a head that is trained to give neighbors the same cluster does not, but one
head is a matter of luck. Several of them start from different partitions and vote.
"""

import numpy as np
import torch
from sklearn.cluster import AgglomerativeClustering
from sklearn.preprocessing import normalize
from torch import nn
from tqdm.auto import tqdm

from .clustering import Clusters, assign, centroids_of, check_size, initialize_cluster_head, kmeans, sample_rows, ward
from .losses import semantic_clustering_loss
from .neighbors import keep_mutual, neighbor_accuracy, search_blocks

NUM_HEADS = 6
NUM_NEIGHBORS = 20
NUM_LEAVES = 200  # small clusters that a head's first partition is made of; at least four a cluster
BATCH = 256
STEPS = 240
LEARNING_RATE = 1e-3
DROPOUT = 0.1
ENTROPY_WEIGHT = 1.0
FREQUENT = 0.95  # type pairs that hold so large a share of the rows together are frequent
RARE = 0.01  # and those that hold so small a one are rare
MIN_AGREEMENT = 0.75  # by the figures in benchmarks/EXPERIMENTS.md


def consensus(
    embeddings: np.ndarray,
    num_clusters: int,
    seed: int = 0,
    type_pairs: np.ndarray | None = None,
    context_size: int = 0,
    show_progress: bool = False,
) -> Clusters:
    """Partitions h such that neighbors share a cluster.

    Cluster heads are trained on h as it is, each from a start of its own, so that a row and its mutual nearest
    neighbors agree and all clusters are used (Eq. 7). Average linkage on the share of heads that separate two rows
    joins them. Each row then belongs to the nearest centroid of what was found, so that rows to come are sorted alike.

    A corpus may have few relations that are frequent and many that are rare. Clusters of similar size then cut through
    the frequent ones, and neighbors agree on them hardly better than any two rows of the same types do. Where that is
    so, and each frequent type pair can have a cluster, the clusters are parts of type pairs (`divide_type_pairs`).

    All this looks at a sample of 4096 rows; the others are assigned.

    Args:
        embeddings: h, `(rows, size)`.
        num_clusters: C.
        seed: Fixes sample, starts and batches.
        type_pairs: Head and tail type of each row as one word, `(rows,)`; none where there are no types.
        context_size: How many of h's last dimensions hold the words between the mentions.
        show_progress: Whether to show a progress bar.

    Raises:
        ValueError: There are fewer rows than clusters.

    >>> rows = np.repeat([[1.0, 0.0], [0.0, 1.0]], 5, axis=0) + np.linspace(0, 0.1, 20).reshape(10, 2)
    >>> consensus(rows, num_clusters=2).sizes
    [5, 5]
    """
    check_size(embeddings, num_clusters)
    chosen = sample_rows(len(embeddings), seed)
    rows = normalize(np.asarray(embeddings[chosen], dtype=np.float32))
    if num_clusters == 1 or len(rows) < 3:
        return kmeans(embeddings, num_clusters, seed)
    neighbors = _mutual_neighbors(rows)
    pairs = None if type_pairs is None else type_pairs[chosen]
    have_room = pairs is not None and num_clusters >= count_frequent(pairs)
    if have_room and _agreement_on_ward(rows, neighbors, num_clusters, pairs, seed) < MIN_AGREEMENT:
        return complete(embeddings, rows, divide_type_pairs(rows, pairs, num_clusters, context_size, seed))
    votes = [
        _vote(rows, neighbors, num_clusters, NUM_HEADS * seed + head)
        for head in tqdm(range(NUM_HEADS), desc="Cluster heads", disable=not show_progress)
    ]
    return complete(embeddings, rows, _join(np.stack(votes, axis=1), num_clusters))


def _mutual_neighbors(rows: np.ndarray) -> np.ndarray:
    return keep_mutual(search_blocks(rows, min(NUM_NEIGHBORS, len(rows) - 1)).indices.numpy())


def agreement_beyond_types(embeddings: np.ndarray, num_clusters: int, type_pairs: np.ndarray, seed: int = 0) -> float:
    """How well mutual neighbors agree on clusters of similar size, beyond what their entity types explain.

    Where it is below `MIN_AGREEMENT`, such clusters are not what neighbors share, and a head that makes neighbors agree
    on them learns little but the types. It looks at a sample of 4096 rows.

    Args:
        embeddings: h, `(rows, size)`.
        num_clusters: C.
        type_pairs: Head and tail type of each row, `(rows,)`.
        seed: Fixes the sample and the clusters, Ward's.

    Returns:
        `agreement`: 1 always, 0 as often as two rows of the same type pair; below 0 even less often.

    >>> rows = np.repeat([[1.0, 0.0], [0.0, 1.0]], 30, axis=0) + np.linspace(0, 0.1, 120).reshape(60, 2)
    >>> agreement_beyond_types(rows, num_clusters=2, type_pairs=np.repeat("PERSON CITY", 60))
    1.0
    """
    chosen = sample_rows(len(embeddings), seed)
    rows = normalize(np.asarray(embeddings[chosen], dtype=np.float32))
    return _agreement_on_ward(rows, _mutual_neighbors(rows), num_clusters, type_pairs[chosen], seed)


def _agreement_on_ward(
    rows: np.ndarray, neighbors: np.ndarray, num_clusters: int, type_pairs: np.ndarray, seed: int
) -> float:
    return agreement(ward(rows, num_clusters, seed, start_leaves(num_clusters)).labels, neighbors, type_pairs)


def agreement(labels: np.ndarray, neighbors: np.ndarray, groups: np.ndarray) -> float:
    """How often a row and its neighbors share a cluster: 0 as often as two rows of the same group do, 1 always.

    Args:
        labels: Cluster of each row, `(rows,)`.
        neighbors: N(x), `(rows, K)`.
        groups: What is known of a row besides, `(rows,)`.

    Returns:
        0 too where any two rows of the same group share a cluster: the clusters then say nothing new.

    >>> agreement(np.array([0, 0, 1, 1]), np.array([[1], [0], [3], [2]]), groups=np.zeros(4))
    1.0
    """
    _, groups = np.unique(groups, return_inverse=True)
    counts = np.zeros((groups.max() + 1, labels.max() + 1))
    np.add.at(counts, (groups, labels), 1)
    by_chance = float((counts**2).sum(axis=1) @ (1 / counts.sum(axis=1)) / len(labels))
    return (neighbor_accuracy(neighbors, labels) - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0


def complete(embeddings: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> Clusters:
    """The clusters of all rows of h `(n, size)`, from those `(rows,)` of the sampled and L2-normalized ones.

    Each row belongs to the nearest of their centroids.
    """
    centroids = centroids_of(rows, labels)
    return Clusters(assign(embeddings, centroids), centroids)


def start_leaves(num_clusters: int) -> int:
    """Of how many small clusters the first partition of a head is made.

    >>> start_leaves(16), start_leaves(87)
    (200, 348)
    """
    return max(NUM_LEAVES, 4 * num_clusters)


def _vote(rows: np.ndarray, neighbors: np.ndarray, num_clusters: int, seed: int) -> np.ndarray:
    """The partition `(rows,)` of one head, after its training."""
    rng = np.random.default_rng(seed)
    head = nn.utils.skip_init(nn.Linear, rows.shape[1], num_clusters)
    initialize_cluster_head(head, rows, ward(rows, num_clusters, seed, start_leaves(num_clusters)))
    optimizer = torch.optim.Adam(head.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, STEPS)
    inputs, batch = torch.from_numpy(rows), min(BATCH, len(rows))
    for _ in range(STEPS):
        anchors = rng.choice(len(rows), batch, replace=False)
        drawn = neighbors[anchors, rng.integers(neighbors.shape[1], size=batch)]
        stacked = inputs[np.concatenate([anchors, anchors, drawn])]
        is_kept = torch.from_numpy(rng.random(stacked.shape, dtype=np.float32) >= DROPOUT)
        logits = head(stacked * is_kept / (1 - DROPOUT)).unflatten(0, (3, batch))
        loss = sum(semantic_clustering_loss(logits[:2], logits[2].unsqueeze(1), ENTROPY_WEIGHT))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return head(inputs).argmax(dim=-1).numpy()


def _join(votes: np.ndarray, num_clusters: int) -> np.ndarray:
    """Average linkage on the share of votes `(rows, heads)` in which two rows differ."""
    distances = np.zeros((len(votes), len(votes)), dtype=np.float32)
    for vote in votes.T:
        distances += vote[:, None] != vote
    return _average_linkage(distances, num_clusters)


def count_frequent(type_pairs: np.ndarray, share: float = FREQUENT) -> int:
    """How many type pairs it takes, the most frequent first, to hold such a share of the rows `(rows,)`.

    >>> count_frequent(np.repeat(["PERSON CITY", "CITY PERSON", "CITY CITY"], [90, 6, 4]))
    2
    """
    counts = np.sort(np.unique(type_pairs, return_counts=True)[1])[::-1]
    return 1 + int(np.searchsorted(counts.cumsum(), share * len(type_pairs)))


def divide_type_pairs(
    rows: np.ndarray, type_pairs: np.ndarray, num_clusters: int, context_size: int = 0, seed: int = 0
) -> np.ndarray:
    """Clusters none of which has two frequent type pairs.

    Each type pair is a group, but for the rarest, which hold 1 % of the rows or don't fit: these share one. A group
    whose words between the mentions differ much holds several relations: the most diverse is cut in two by Ward's
    method on these words, again and again, until there are twice as many groups: further cuts would halve frequent
    relations. Clusters that are left over are found within the groups by average linkage, which cares little for size.

    Args:
        rows: L2-normalized h, `(rows, size)`.
        type_pairs: Head and tail type of each, `(rows,)`.
        num_clusters: C, at least 2.
        context_size: How many of h's last dimensions hold the words between; 0 where none do: no group is then cut.
        seed: Fixes the cuts of groups of more than 2048 rows.

    Returns:
        Their clusters, `(rows,)`.
    """
    pairs, counts = np.unique(type_pairs, return_counts=True)
    number = min(count_frequent(type_pairs, 1 - RARE), num_clusters - 1)
    frequent = pairs[np.argsort(-counts, kind="stable")[:number]]
    _, groups = np.unique(np.where(np.isin(type_pairs, frequent), type_pairs, ""), return_inverse=True)
    if context_size:
        groups = _cut_diverse(normalize(rows[:, -context_size:]), groups, num_clusters, seed)
    return _link_within(rows, groups, num_clusters)


def _cut_diverse(context: np.ndarray, groups: np.ndarray, num_clusters: int, seed: int) -> np.ndarray:
    """Cuts groups `(rows,)` whose rows of `context` `(rows, size)`, L2-normalized, differ most, until they are twice
    as many, or as many as clusters; none that has less than half a cluster's share of the rows.
    """
    groups, smallest = groups.copy(), max(2, len(groups) / (2 * num_clusters))
    for label in range(groups.max() + 1, min(num_clusters, 2 * (groups.max() + 1))):
        members = [np.flatnonzero(groups == group) for group in range(label)]
        large = [its for its in members if len(its) >= smallest]
        if not large:
            break
        # Of so many rows, the variance of a sample: without the correction a small group would seem less diverse.
        most = max(large, key=lambda its: context[its].var(axis=0, ddof=1).sum())
        groups[most[ward(context[most], 2, seed).labels == 1]] = label
    return groups


def _link_within(rows: np.ndarray, groups: np.ndarray, num_clusters: int) -> np.ndarray:
    """Joins small clusters of L2-normalized rows, each within one of the groups `(rows,)`, by average linkage."""
    small, group_of = np.full(len(rows), -1), []
    for group in range(groups.max() + 1):
        members = np.flatnonzero(groups == group)
        number = min(len(members), max(1, round(4 * num_clusters * len(members) / len(rows))))
        small[members] = len(group_of) + (ward(rows[members], number).labels if number > 1 else 0)
        group_of += [group] * number
    centroids, group_of = centroids_of(rows, small), np.array(group_of)
    # Rows have length 1: the mean cosine between two clusters is the product of their centroids.
    distances = 1 - centroids @ centroids.T
    np.fill_diagonal(distances, 0)
    distances[group_of[:, None] != group_of] += 2  # no two rows are further from each other: groups stay apart
    return _average_linkage(distances, num_clusters)[small]


def _average_linkage(distances: np.ndarray, num_clusters: int) -> np.ndarray:
    linkage = AgglomerativeClustering(num_clusters, metric="precomputed", linkage="average")
    return linkage.fit_predict(distances)

"""Clusters that neighbors agree on: what cluster heads on frozen h (Eq. 7) have in common.

k-means cuts through groups of neighbors; a head that is trained to give neighbors the same cluster
does not, but one head is a matter of luck. Several of them start from different partitions and
vote.
"""

import logging

import numpy as np
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import pdist
from sklearn.preprocessing import normalize
from torch import nn
from tqdm.auto import tqdm

from ..utils.doubts import warn_of_doubt
from .neighbors import mutual_neighbors, search_blocks
from .partitions import (
    Clusters,
    assign,
    centroids_of,
    check_size,
    count_micro_clusters,
    initialize_cluster_head,
    kmeans,
    reduce_dimensions,
    sample_rows,
    ward,
)
from .type_pairs import MIN_AGREEMENT, chance_corrected_agreement, count_frequent, divide_type_pairs

logger = logging.getLogger(__name__)


def consensus(
    embeddings: np.ndarray,
    num_clusters: int,
    seed: int = 0,
    type_pairs: np.ndarray | None = None,
    context_size: int = 0,
    show_progress: bool = False,
    relation_embeddings: np.ndarray | None = None,
    num_heads: int = 6,
    principal_components: int = 128,
    num_neighbors: int = 20,
    sample_size: int = 4096,
    min_agreement: float = MIN_AGREEMENT,
) -> Clusters:
    """Cluster h such that neighbors share a cluster.

    Cluster heads are trained so that a row and its mutual nearest neighbors agree and all clusters
    are used (Eq. 7). Each has a start of its own by Ward's method, which keeps large groups whole.
    Where embeddings are relevant components of h, others see its plain principal components, and
    every other start is by k-means: heads that look and begin differently err differently. Average
    linkage on the share of heads that separate two rows joins them; what stays alone there is no
    cluster. Each row then belongs to the nearest centroid, so that rows to come are assigned alike.

    A corpus may have few relations that are frequent and many that are rare. Clusters of similar
    size then cut through the frequent ones, and neighbors agree on them hardly better than any two
    rows of the same types do. Where that is so, and each frequent type pair can have a cluster, the
    clusters are parts of type pairs (`divide_type_pairs`). A warning says so, and `method` of the
    result. Without `type_pairs` this never happens.

    All this looks at a sample; the other rows are assigned.

    Args:
        embeddings: h, or its relevant components, `(rows, size)`.
        num_clusters: C.
        seed: Fixes sample, starts and batches.
        type_pairs: Head and tail type of each row as one word, `(rows,)`; none where there are no
            types.
        context_size: Number of h's last dimensions that hold the words between the mentions.
        show_progress: Whether to show a progress bar.
        relation_embeddings: h, `(rows, relation_embedding_size)`, where `embeddings` are its
            relevant components. As many heads then see its principal components, and the rule of
            type pairs looks at h.
        num_heads: Number of cluster heads, of each of the two.
        principal_components: Number of principal components.
        num_neighbors: K.
        sample_size: Rows in the sample.
        min_agreement: Agreement of neighbors beyond types, below which type pairs decide.

    Raises:
        ValueError: There are fewer rows than clusters.

    >>> rows = np.repeat(np.eye(2), 5, axis=0) + np.linspace(0, 0.1, 20).reshape(10, 2)
    >>> clusters = consensus(rows, num_clusters=2)
    >>> clusters.sizes, clusters.method
    ([5, 5], 'consensus')
    """
    check_size(embeddings, num_clusters)
    sample = sample_rows(len(embeddings), seed, sample_size)
    rows = normalize(np.asarray(embeddings[sample], dtype=np.float32))
    if num_clusters == 1 or len(rows) < 3:
        return kmeans(embeddings, num_clusters, seed)
    h = rows
    views = [rows]
    if relation_embeddings is not None:
        h = normalize(np.asarray(relation_embeddings[sample], dtype=np.float32))
        views.append(normalize(reduce_dimensions(h, principal_components, seed)))
    method = "consensus"
    labels = None
    if type_pairs is not None and num_clusters >= count_frequent(type_pairs[sample]):
        pairs = type_pairs[sample]
        start = ward(h, num_clusters, seed, count_micro_clusters(num_clusters))
        neighbors = _find_neighbors(h, num_neighbors)
        agreement = chance_corrected_agreement(start.labels, neighbors, pairs)
        if agreement < min_agreement:
            warn_of_doubt(
                logger,
                "neighbors agree on clusters hardly better than entity types do (%.2f; %.2f is "
                "asked for): the clusters are parts of type pairs instead of the consensus of "
                "heads",
                agreement,
                min_agreement,
            )
            method = "parts of type pairs"
            labels = divide_type_pairs(h, pairs, num_clusters, context_size, seed)
    if labels is None:
        neighbors_of_views = [_find_neighbors(view, num_neighbors) for view in views]
        heads = tqdm(
            range(len(views) * num_heads),
            desc="Clustering: training the heads that vote",
            disable=not show_progress,
        )
        votes = [
            _train_head(
                views[head % len(views)],
                neighbors_of_views[head % len(views)],
                num_clusters,
                len(heads) * seed + head,
                by_kmeans=len(views) > 1 and head // len(views) % 2 == 1,
            )
            for head in heads
        ]
        labels = _merge_votes(np.stack(votes, axis=1), rows, num_clusters)
    centroids = centroids_of(rows, labels)
    return Clusters(assign(embeddings, centroids), centroids, method)


def _find_neighbors(rows: np.ndarray, num_neighbors: int) -> np.ndarray:
    neighbors = search_blocks(rows, min(num_neighbors, len(rows) - 1)).indices.numpy()
    return mutual_neighbors(neighbors)


def _train_head(
    rows: np.ndarray,
    neighbors: np.ndarray,
    num_clusters: int,
    seed: int,
    by_kmeans: bool = False,
    num_steps: int = 240,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    dropout: float = 0.1,
    entropy_weight: float = 1.0,
) -> np.ndarray:
    """Return the partition `(rows,)` of one head, after its training on L2-normalized rows."""
    rng = np.random.default_rng(seed)
    if by_kmeans:
        start = kmeans(rows, num_clusters, seed, num_restarts=1)
    else:
        start = ward(rows, num_clusters, seed, count_micro_clusters(num_clusters))
    head = nn.utils.skip_init(nn.Linear, rows.shape[1], num_clusters)
    initialize_cluster_head(head, rows, start)
    weight, bias = (parameter.numpy(force=True) for parameter in (head.weight, head.bias))
    batch = min(batch_size, len(rows))
    parameters = (weight, bias)
    moments = [(np.zeros_like(parameter), np.zeros_like(parameter)) for parameter in parameters]
    for step in range(num_steps):
        anchors = rng.choice(len(rows), batch, replace=False)
        drawn = neighbors[anchors, rng.integers(neighbors.shape[1], size=batch)]
        inputs = rows[np.concatenate([anchors, anchors, drawn])]
        inputs *= (rng.random(inputs.shape, dtype=np.float32) >= dropout) / np.float32(1 - dropout)
        logits = (inputs @ weight.T + bias).reshape(3, batch, num_clusters)
        gradient = semantic_clustering_gradient(logits, entropy_weight).reshape(-1, num_clusters)
        # Adam (Kingma and Ba 2015), with a rate that falls to 0.
        rate = learning_rate * (1 - step / num_steps)
        gradients = (gradient.T @ inputs, gradient.sum(axis=0))
        for parameter, slope, (mean, square) in zip(
            (weight, bias), gradients, moments, strict=True
        ):
            # Adam (Kingma and Ba 2015).
            mean += (1 - 0.9) * (slope - mean)
            square += (1 - 0.999) * (slope**2 - square)
            scale = np.sqrt(square / (1 - 0.999 ** (step + 1))) + 1e-8
            parameter -= rate / (1 - 0.9 ** (step + 1)) * mean / scale
    return (rows @ weight.T + bias).argmax(axis=1)


def semantic_clustering_gradient(logits: np.ndarray, entropy_weight: float = 1.0) -> np.ndarray:
    """Return the slope of Eq. 7 by the logits: that of `semantic_clustering_loss`.

    Worked out by hand it is five times as fast as by automatic differentiation, where a head is a
    single layer.

    Args:
        logits: Of two views of each anchor, and of a neighbor, `(3, anchors, clusters)`.
        entropy_weight: lambda.

    Returns:
        `(3, anchors, clusters)`.
    """
    probabilities = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    views, neighbor = probabilities[:2], probabilities[2]
    num_views = views.shape[0] * views.shape[1]
    agreement = (views * neighbor).sum(axis=-1, keepdims=True).clip(min=1e-30)
    log_mean = np.log(views.mean(axis=(0, 1)).clip(min=1e-30))
    slopes = np.empty_like(probabilities)
    slopes[:2] = (entropy_weight * (log_mean + 1) - neighbor / agreement) / num_views
    slopes[2] = -(views / agreement).sum(axis=0) / num_views
    slopes -= (slopes * probabilities).sum(axis=-1, keepdims=True)  # through the softmax
    return slopes * probabilities


def _merge_votes(
    votes: np.ndarray, rows: np.ndarray, num_clusters: int, min_share: float = 0.1
) -> np.ndarray:
    """Join rows by average linkage on the share of votes `(rows, heads)` in which they differ.

    The tree is cut where it first has C groups of a size: a tenth of what equal clusters have. The
    rows of other groups belong to the nearest centroid.
    """
    tree = linkage(pdist(votes, "hamming"), "average")
    smallest = max(2, min_share * len(votes) / num_clusters)
    most = min(2 * num_clusters + 50, len(votes))
    cuts = cut_tree(tree, range(num_clusters, most + 1)).T
    groups = next(
        (cut for cut in cuts if (np.bincount(cut) >= smallest).sum() >= num_clusters), cuts[0]
    )
    sizes = np.bincount(groups)
    largest_first = np.argsort(-sizes, kind="stable")[:num_clusters]
    is_kept = np.isin(groups, largest_first)
    labels = np.searchsorted(np.sort(largest_first), groups)
    centroids = centroids_of(rows[is_kept], labels[is_kept])
    return np.where(is_kept, labels, assign(rows, centroids))

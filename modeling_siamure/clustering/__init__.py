"""Clustering of relation embeddings: from h to named clusters."""

from typing import Literal

import numpy as np

from .consensus import consensus
from .partitions import (
    Clusters,
    assign,
    fill_empty_clusters,
    initialize_cluster_head,
    kmeans,
    means_of,
    ward,
)


def cluster_embeddings(
    embeddings: np.ndarray,
    num_clusters: int,
    method: Literal["kmeans", "consensus"] = "consensus",
    seed: int = 0,
    kmeans_restarts: int = 10,
    type_pairs: np.ndarray | None = None,
    context_size: int = 0,
    show_progress: bool = False,
    relation_embeddings: np.ndarray | None = None,
) -> Clusters:
    """Cluster h by k-means or by the consensus of cluster heads; no cluster is empty.

    Args:
        embeddings: h, or its relevant components, `(rows, size)`.
        num_clusters: C.
        method: `"kmeans"` (paper, 3.3) or `"consensus"`; `Clusters.method` says what was done.
        seed: Fixes all draws.
        kmeans_restarts: Starts of k-means.
        type_pairs: See `consensus`.
        context_size: See `consensus`.
        show_progress: Whether to show a progress bar.
        relation_embeddings: See `consensus`.

    Raises:
        ValueError: There are fewer rows than clusters, or the method is another.

    >>> rows = np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 3.0]])
    >>> cluster_embeddings(rows, 2, method="kmeans").method
    'k-means'
    """
    if method == "consensus":
        clusters = consensus(
            embeddings,
            num_clusters,
            seed,
            type_pairs,
            context_size,
            show_progress,
            relation_embeddings,
        )
    elif method == "kmeans":
        clusters = kmeans(embeddings, num_clusters, seed, kmeans_restarts)
    else:
        raise ValueError(f"clustering method {method!r}: it must be 'kmeans' or 'consensus'")
    return fill_empty_clusters(embeddings, clusters)


__all__ = [
    "Clusters",
    "assign",
    "cluster_embeddings",
    "consensus",
    "initialize_cluster_head",
    "kmeans",
    "means_of",
    "ward",
]

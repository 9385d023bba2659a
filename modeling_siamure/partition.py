"""The clusters of h that a recipe asks for."""

import numpy as np

from .clustering import Clusters, kmeans
from .consensus import consensus
from .training_args import SiamURETrainingArguments


def partition(
    embeddings: np.ndarray,
    num_clusters: int,
    args: SiamURETrainingArguments,
    type_pairs: np.ndarray | None = None,
    context_size: int = 0,
    show_progress: bool = False,
) -> Clusters:
    """Partitions h by k-means or by the consensus of cluster heads.

    Args:
        embeddings: h, `(rows, size)`.
        num_clusters: C.
        args: `partition` says how; `seed` and, for k-means, `kmeans_restarts` are taken too.
        type_pairs, context_size, show_progress: See `consensus`.

    Raises:
        ValueError: There are fewer rows than clusters.
    """
    if args.partition == "kmeans":
        return kmeans(embeddings, num_clusters, args.seed, args.kmeans_restarts)
    return consensus(embeddings, num_clusters, args.seed, type_pairs, context_size, show_progress)

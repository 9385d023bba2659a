"""Everything that is found in the embeddings of a corpus: no model, no files."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..clustering import Clusters, cluster_embeddings
from ..clustering.assignment import Assignment, RejectionRule, assign_rows, fit_rejection
from ..clustering.descriptions import ClusterDescription, describe_clusters
from ..clustering.hierarchy import relation_tree
from ..clustering.num_clusters import NumClustersEstimate, estimate_num_clusters
from ..clustering.parts import find_parts
from ..clustering.relevant_components import LinearMap, fit_relevant_components
from ..configuration_siamure import UNASSIGNED
from ..health import MULTILINGUAL_ENCODER

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DiscoveryResult:
    """The relations of a corpus.

    Attributes:
        num_clusters: C, and the evidence for it.
        clusters: Centroids and sizes, the largest cluster first, and the method that found them.
        assignment: Where each row belongs.
        rejection: How clear a row's cluster is, and which rows belong to none.
        descriptions: Name, words and examples of each cluster.
        tree: Ward's tree on the centroids, for `cut_tree`.
        embeddings: What the clusters were found in: h, or its relevant components, `(rows, size)`.
        cluster_map: The map from h to them; `None` where it is h itself.
    """

    num_clusters: NumClustersEstimate
    clusters: Clusters
    assignment: Assignment
    rejection: RejectionRule
    descriptions: list[ClusterDescription]
    tree: np.ndarray
    embeddings: np.ndarray
    cluster_map: LinearMap | None


def analyze(
    embeddings: np.ndarray,
    texts: Sequence[str],
    type_pairs: np.ndarray | None = None,
    num_clusters: int | Literal["auto"] = "auto",
    method: Literal["kmeans", "consensus"] = "consensus",
    kmeans_restarts: int = 10,
    context_size: int = 0,
    reject_outliers: bool = True,
    seed: int = 0,
    show_progress: bool = False,
    compared_rows: int = 10_000,
    num_components: int | None = None,
    divides_type_pairs: bool = True,
    max_unassigned: float = 0.1,
) -> DiscoveryResult:
    """Find and name the relations in the embeddings of a corpus.

    Args:
        embeddings: h, `(rows, size)`.
        texts: The marked sentences.
        type_pairs: Head and tail type of each row as one word, `(rows,)`; `None` without types.
        num_clusters: C, or `"auto"` for an estimate.
        method: See `cluster_embeddings`.
        kmeans_restarts: See `cluster_embeddings`.
        context_size: Number of h's last dimensions that hold the words between the mentions.
        reject_outliers: Whether rows far from every centroid, or between two, belong to none.
        seed: Fixes everything.
        show_progress: Whether to show progress bars.
        compared_rows: Rows among which as many different ones as clusters are looked for.
        num_components: Relevant components of h in which clusters are found (see
            `fit_relevant_components`); by default they are found in h itself.
        divides_type_pairs: Whether the consensus may answer with parts of type pairs; not where h
            holds the types already.
        max_unassigned: Largest share of the rows that may belong to no cluster.

    Raises:
        ValueError: There are fewer different rows than clusters.

    >>> texts = ["<e1> Ada </e1> leads <e2> Acme </e2>", "<e1> Bo </e1> left <e2> Bolt </e2>"]
    >>> result = analyze(np.repeat(np.eye(2), 5, axis=0), texts * 5, num_clusters=2)
    >>> result.clusters.sizes, result.clusters.method
    ([5, 5], 'consensus')
    """
    if num_clusters == "auto":
        estimate = estimate_num_clusters(embeddings, type_pairs, seed, show_progress)
    else:
        estimate = NumClustersEstimate(num_clusters, [])
    number = estimate.chosen
    num_different = len(np.unique(embeddings[:compared_rows], axis=0))
    if number > 1 and num_different < number:
        num_texts = len(set(texts[:compared_rows]))
        if num_texts >= number:
            raise ValueError(
                f"{num_different} different embeddings of {num_texts} different sentences can't "
                f"form {number} clusters: the encoder can't tell them apart; take one that knows "
                f"their language, such as {MULTILINGUAL_ENCODER}"
            )
        raise ValueError(
            f"{num_different} different rows can't form {number} clusters; ask for fewer, or give "
            "more rows"
        )
    cluster_map = relation_embeddings = None
    if num_components is not None:
        cluster_map = fit_relevant_components(embeddings, num_components, seed)
        relation_embeddings, embeddings = embeddings, cluster_map.apply(embeddings)
    clusters = cluster_embeddings(
        embeddings,
        number,
        method,
        seed,
        kmeans_restarts,
        type_pairs if divides_type_pairs else None,
        context_size,
        show_progress,
        relation_embeddings,
    )
    logger.info("%d clusters were found by %s", number, clusters.method)
    sizes = np.array(clusters.sizes)
    largest_first = np.argsort(-sizes, kind="stable")
    centroids = clusters.centroids[largest_first]
    rejection = fit_rejection(embeddings, centroids, max_unassigned, seed)
    if not reject_outliers:
        rejection = replace(rejection, max_distances=None, num_doubtful=0)
    assignment = assign_rows(embeddings, centroids, sizes[largest_first].tolist(), rejection)
    clusters = Clusters(assignment.clusters, centroids, clusters.method)
    if rejection.num_doubtful:
        logger.warning(
            "%d of %d rows are far from their cluster or between two; the %d least clear of them "
            "stay unassigned (max_unassigned=%s)",
            rejection.num_doubtful,
            len(embeddings),
            (assignment.labels == UNASSIGNED).sum(),
            max_unassigned,
        )
    assigned = Clusters(assignment.labels, centroids, clusters.method)
    # A finer layer, where the scale of directions counts, whatever clusters are found in.
    components = embeddings
    if cluster_map is None:
        components = fit_relevant_components(embeddings, seed=seed).apply(embeddings)
    parts = find_parts(components, assignment.labels, number, seed)
    descriptions = describe_clusters(texts, embeddings, assigned, assignment.margins, parts)
    tree = relation_tree(centroids, 0 if cluster_map else context_size)
    return DiscoveryResult(
        estimate, clusters, assignment, rejection, descriptions, tree, embeddings, cluster_map
    )

"""Names, phrases and examples of clusters, made of nothing but their own sentences."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, count

import numpy as np
from sklearn.preprocessing import normalize

from ..markers import MarkedSentence, read_markers
from .partitions import Clusters
from .phrases import distinctive_phrases


@dataclass(frozen=True)
class ClusterDescription:
    """What a reader is told of a cluster.

    Attributes:
        name: Its most frequent type pair and its first phrases.
        size: Its number of sentences.
        examples: Marked sentences that lie next to its centroid, the nearest first.
        borderline_examples: Marked sentences that could as well belong to another cluster, the
            least clear first.
        words: The phrases that set it apart, the most distinctive first; "← founded by" where they
            are typical of sentences whose tail comes first. See `distinctive_phrases`.
        type_pairs: Its pairs of entity types and how many sentences have them, the most frequent
            first.
        id: What edits call it: its number in the discovery as it was found.
        note: What a person noted.
    """

    name: str
    size: int
    examples: list[str]
    borderline_examples: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    type_pairs: dict[str, int] = field(default_factory=dict)
    id: str = ""
    note: str = ""


def describe_clusters(
    texts: Sequence[str],
    embeddings: np.ndarray,
    clusters: Clusters,
    margins: np.ndarray | None = None,
    num_examples: int = 3,
    num_phrases: int = 10,
    phrases_in_name: int = 2,
) -> list[ClusterDescription]:
    """Name the clusters of marked sentences and pick their most typical ones.

    A name is the most frequent type pair of a cluster and the phrases that set it apart from the
    others (see `distinctive_phrases`). Where a name is taken, more phrases are added, then a
    number.

    Args:
        texts: Marked sentences.
        embeddings: Their h, `(rows, size)`.
        clusters: Their partition; rows with a negative label belong to no cluster.
        margins: How much nearer each row is to its own centroid than to another, `(rows,)`; without
            them no sentence is called borderline.
        num_examples: Number of different sentences to show of each; fewer where there are no more.
        num_phrases: Number of phrases that are kept of each.
        phrases_in_name: Number of phrases in a name.

    Returns:
        One description per cluster, in the order of the centroids; all names differ.

    >>> leads = "<e1:PERSON> Ada Roe </e1:PERSON> leads the firm <e2:ORG> Acme </e2:ORG>"
    >>> left = "<e1:PERSON> Bo </e1:PERSON> left the firm <e2:ORG> Acme </e2:ORG>"
    >>> clusters = Clusters(np.array([0, 1]), np.eye(2))
    >>> [cluster.name for cluster in describe_clusters([leads, left], np.eye(2), clusters)]
    ['PERSON→ORG · leads the firm', 'PERSON→ORG · left the firm']
    """
    num_clusters = len(clusters.centroids)
    assigned = np.flatnonzero(clusters.labels >= 0)
    labels = clusters.labels[assigned]
    sentences = [read_markers(texts[int(row)]) for row in assigned]
    pairs = _type_pairs(sentences, labels, num_clusters)
    phrases = distinctive_phrases(sentences, labels, num_clusters, num_phrases)
    names = _names(phrases, pairs, phrases_in_name)
    descriptions = []
    for cluster, centroid in enumerate(clusters.centroids):
        rows = np.flatnonzero(clusters.labels == cluster)

        def first_of(order: np.ndarray, rows: np.ndarray = rows) -> list[str]:
            candidates = rows[order[: 10 * num_examples]]
            different = dict.fromkeys(texts[int(row)] for row in candidates)
            return list(different)[:num_examples]

        nearness = normalize(embeddings[rows]) @ centroid if len(rows) else np.empty(0)
        examples = first_of(np.argsort(-nearness, kind="stable"))
        borderline = []
        if margins is not None:
            borderline = first_of(np.argsort(margins[rows], kind="stable"))
        type_pairs = dict(sorted(pairs[cluster].items(), key=lambda pair: (-pair[1], pair[0])))
        descriptions.append(
            ClusterDescription(
                names[cluster],
                len(rows),
                examples,
                borderline,
                phrases[cluster],
                type_pairs,
                id=str(cluster),
            )
        )
    return descriptions


def _names(phrases: list[list[str]], pairs: list[Counter], phrases_in_name: int) -> list[str]:
    """Return a name for each cluster, all of them different."""
    names: list[str] = []
    for pair, cluster_phrases in zip(pairs, phrases, strict=True):
        # Of equally frequent pairs the first in the alphabet, whatever the order of the rows.
        types = min(pair, key=lambda name: (-pair[name], name), default="empty")
        options = [
            f"{types} · {', '.join(cluster_phrases[:number])}" if cluster_phrases else types
            for number in range(phrases_in_name, phrases_in_name + 4)
        ]
        numbered = (f"{options[0]} ({number})" for number in count(2))
        names.append(next(name for name in chain(options, numbered) if name not in names))
    return names


def _type_pairs(
    sentences: Iterable[MarkedSentence], labels: np.ndarray, num_clusters: int
) -> list[Counter]:
    """Return how often each pair of entity types occurs in each cluster."""
    pairs: list[Counter] = [Counter() for _ in range(num_clusters)]
    for sentence, label in zip(sentences, labels, strict=True):
        head_type = sentence.head_type or "entity"
        tail_type = sentence.tail_type or "entity"
        pairs[label][f"{head_type}→{tail_type}"] += 1
    return pairs

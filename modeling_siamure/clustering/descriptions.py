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
class ClusterPart:
    """What a reader is told of a part of a cluster (see `find_parts`).

    Attributes:
        size: Its number of sentences.
        words: The phrases that set it apart from the other parts, the most distinctive first.
        examples: Marked sentences that lie next to its mean, the nearest first.
    """

    size: int
    words: list[str]
    examples: list[str]


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
        is_type_pair: Whether it is a whole pair of entity types: nearly all of its sentences have
            one pair, and nearly all sentences of that pair are in it.
        parts: Its parts, the largest first; none where it can't be divided.
        id: What edits call it: its number in the discovery as it was found.
        note: What a person noted.
    """

    name: str
    size: int
    examples: list[str]
    borderline_examples: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    type_pairs: dict[str, int] = field(default_factory=dict)
    is_type_pair: bool = False
    parts: list[ClusterPart] = field(default_factory=list)
    id: str = ""
    note: str = ""


def describe_clusters(
    texts: Sequence[str],
    embeddings: np.ndarray,
    clusters: Clusters,
    margins: np.ndarray | None = None,
    parts: np.ndarray | None = None,
    num_examples: int = 3,
    num_phrases: int = 10,
    phrases_in_name: int = 2,
    type_pair_share: float = 0.95,
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
        parts: The part of each row within its cluster, `(rows,)`; without them clusters have none.
        num_examples: Number of different sentences to show of each; fewer where there are no more.
        num_phrases: Number of phrases that are kept of each.
        phrases_in_name: Number of phrases in a name.
        type_pair_share: Share of its sentences, and of those of a type pair, from which on a
            cluster is called a whole type pair.

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

    def first_texts(rows: np.ndarray, order: np.ndarray) -> list[str]:
        candidates = rows[order[: 10 * num_examples]]
        different = dict.fromkeys(texts[int(row)] for row in candidates)
        return list(different)[:num_examples]

    def nearest_texts(rows: np.ndarray, centroid: np.ndarray) -> list[str]:
        if not len(rows):
            return []
        return first_texts(rows, np.argsort(-normalize(embeddings[rows]) @ centroid, kind="stable"))

    def describe_parts(cluster: int) -> list[ClusterPart]:
        in_cluster = labels == cluster
        if parts is None or not parts[assigned[in_cluster]].any():
            return []
        members, numbers = assigned[in_cluster], parts[assigned[in_cluster]]
        read = [sentences[place] for place in np.flatnonzero(in_cluster)]
        count = numbers.max() + 1
        words = distinctive_phrases(read, numbers, count, num_phrases)
        rows_of_parts = [members[numbers == number] for number in range(count)]
        return [
            ClusterPart(
                len(rows),
                part_words,
                nearest_texts(rows, normalize(embeddings[rows]).mean(axis=0)),
            )
            for part_words, rows in zip(words, rows_of_parts, strict=True)
        ]

    totals = sum(pairs, Counter())
    for cluster, centroid in enumerate(clusters.centroids):
        rows = np.flatnonzero(clusters.labels == cluster)
        borderline = []
        if margins is not None:
            borderline = first_texts(rows, np.argsort(margins[rows], kind="stable"))
        type_pairs = dict(sorted(pairs[cluster].items(), key=lambda pair: (-pair[1], pair[0])))
        is_type_pair = len(totals) > 1 and any(
            size >= type_pair_share * max(len(rows), totals[pair])
            for pair, size in type_pairs.items()
        )
        descriptions.append(
            ClusterDescription(
                names[cluster],
                len(rows),
                nearest_texts(rows, centroid),
                borderline,
                phrases[cluster],
                type_pairs,
                is_type_pair,
                describe_parts(cluster),
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

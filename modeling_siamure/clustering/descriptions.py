"""Names, words and examples of clusters, made of nothing but their own sentences."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, takewhile
from operator import eq

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from ..markers import MarkedSentence, read_markers
from .partitions import Clusters

# Capitalized words are left out: next to the mentions they are mostly names of yet other entities.
WORD = r"(?<!\w)(?=[^A-Z])[^\W\d_]{2,}"


@dataclass(frozen=True)
class ClusterDescription:
    """What a reader is told of a cluster.

    Attributes:
        name: Its most frequent type pair and its first words.
        size: Its number of sentences.
        examples: Marked sentences that lie next to its centroid, the nearest first.
        borderline_examples: Marked sentences that could as well belong to another cluster, the
            least clear first.
        words: The words that set it apart, the most distinctive first.
        type_pairs: Its pairs of entity types and how many sentences have them, the most frequent
            first.
    """

    name: str
    size: int
    examples: list[str]
    borderline_examples: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    type_pairs: dict[str, int] = field(default_factory=dict)


def describe_clusters(
    texts: Sequence[str],
    embeddings: np.ndarray,
    clusters: Clusters,
    margins: np.ndarray | None = None,
    num_examples: int = 3,
    num_words: int = 10,
    words_in_name: int = 2,
    words_around: int = 3,
) -> list[ClusterDescription]:
    """Name the clusters of marked sentences and pick their most typical ones.

    A name is the most frequent type pair of a cluster and the words that set it apart from the
    others. A word counts once per sentence, where it occurs between the mentions or next to them. A
    cluster's words are those with the largest p log(p / q)^2, where p is the share of its sentences
    that have the word, q the share of all others', and p > q. The square is what keeps words down
    that are merely frequent (the, of), in any language. Of words that begin alike (crosses,
    crossing) the first represents all. Where a name is taken, more words are added, then a number.

    Args:
        texts: Marked sentences.
        embeddings: Their h, `(rows, size)`.
        clusters: Their partition; rows with a negative label belong to no cluster.
        margins: How much nearer each row is to its own centroid than to another, `(rows,)`; without
            them no sentence is called borderline.
        num_examples: Number of different sentences to show of each; fewer where there are no more.
        num_words: Number of words that are kept of each.
        words_in_name: Number of words in a name.
        words_around: Number of words before the first mention, and behind the second one, that
            count beside those between.

    Returns:
        One description per cluster, in the order of the centroids; all names differ.

    >>> leads = "<e1:PERSON> Ada Roe </e1:PERSON> leads the firm <e2:ORG> Acme </e2:ORG>"
    >>> left = "<e1:PERSON> Bo </e1:PERSON> left the firm <e2:ORG> Acme </e2:ORG>"
    >>> clusters = Clusters(np.array([0, 1]), np.eye(2))
    >>> [cluster.name for cluster in describe_clusters([leads, left], np.eye(2), clusters)]
    ['PERSON→ORG · leads, firm', 'PERSON→ORG · left, firm']
    """
    num_clusters = len(clusters.centroids)
    pairs, contexts = _pairs_and_contexts(texts, clusters.labels, num_clusters, words_around)
    labels = clusters.labels[clusters.labels >= 0]
    words = _distinctive_words(contexts, labels, num_clusters, num_words)
    names = _names(words, pairs, words_in_name)
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
                names[cluster], len(rows), examples, borderline, words[cluster], type_pairs
            )
        )
    return descriptions


def _names(words: list[list[str]], pairs: list[Counter], words_in_name: int) -> list[str]:
    """Return a name for each cluster, all of them different."""
    names: list[str] = []
    for pair, cluster_words in zip(pairs, words, strict=True):
        # Of equally frequent pairs the first in the alphabet, whatever the order of the rows.
        types = min(pair, key=lambda name: (-pair[name], name), default="empty")
        options = [
            f"{types} · {', '.join(cluster_words[:number])}" if cluster_words else types
            for number in range(words_in_name, words_in_name + 4)
        ]
        numbered = (f"{options[0]} ({number})" for number in count(2))
        names.append(next(name for name in chain(options, numbered) if name not in names))
    return names


def _pairs_and_contexts(
    texts: Iterable[str], labels: np.ndarray, num_clusters: int, words_around: int
) -> tuple[list[Counter], list[str]]:
    """Return each cluster's type pairs, and each assigned sentence's words around its mentions."""
    pairs: list[Counter] = [Counter() for _ in range(num_clusters)]
    contexts = []
    for text, label in zip(texts, labels, strict=True):
        if label >= 0:
            sentence = read_markers(text)
            head_type = sentence.head_type or "entity"
            tail_type = sentence.tail_type or "entity"
            pairs[label][f"{head_type}→{tail_type}"] += 1
            contexts.append(_context(sentence, words_around))
    return pairs, contexts


def _context(sentence: MarkedSentence, words_around: int) -> str:
    """Return the words between the mentions and next to them."""
    text = sentence.sentence
    (start, first_end), (second_start, second_end) = sorted([sentence.head, sentence.tail])
    before = text[:start].split()[-words_around:]
    after = text[max(first_end, second_end) :].split()[:words_around]
    return "\n".join([*before, text[first_end:second_start], *after])


def _distinctive_words(
    contexts: list[str], labels: np.ndarray, num_clusters: int, num_words: int
) -> list[list[str]]:
    """Return the words of each cluster, the most distinctive first; fewer where it has no more."""
    vectorizer = CountVectorizer(token_pattern=WORD, lowercase=False, binary=True)
    try:
        counts = vectorizer.fit_transform(contexts)
    except ValueError:  # scikit-learn's answer to texts without a word
        return [[] for _ in range(num_clusters)]
    vocabulary = vectorizer.get_feature_names_out()
    sizes = np.bincount(labels, minlength=num_clusters)
    in_all = np.asarray(counts.sum(axis=0)).ravel()
    distinctive = []
    for cluster, size in enumerate(sizes):
        in_cluster = np.asarray(counts[labels == cluster].sum(axis=0)).ravel()
        share = in_cluster / max(size, 1)
        # As if one more sentence had the word, and one more had it not.
        elsewhere = (in_all - in_cluster + 1) / (len(labels) - size + 2)
        weights = share * np.log(np.maximum(share / elsewhere, 1)) ** 2
        best = np.argsort(-weights, kind="stable")[: 5 * num_words]
        words: list[str] = []
        for word in vocabulary[best[weights[best] > 0]]:
            if not any(_share_stem(word, better) for better in words):
                words.append(str(word))
        distinctive.append(words[:num_words])
    return distinctive


def _share_stem(word: str, other: str) -> bool:
    """Tell whether two words are forms of one, as far as their beginnings tell.

    >>> _share_stem("crosses", "crossing"), _share_stem("born", "bore")
    (True, False)
    """
    shared = sum(takewhile(bool, map(eq, word, other)))
    shorter = min(len(word), len(other))
    return shared >= max(5, 0.6 * shorter) or (shared == shorter >= 4)

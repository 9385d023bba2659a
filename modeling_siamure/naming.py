"""Names for clusters, made of nothing but the clusters' own sentences."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, takewhile
from operator import eq

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from .clustering import Clusters
from .markers import MarkedSentence, read_markers

WORDS_AROUND = 3  # before the first mention, and after the second one
WORDS_IN_NAME = 2
NUM_WORDS = 10
# Capitalized words are left out: next to the mentions they are mostly names of yet other entities.
WORD = r"(?<!\w)(?=[^A-Z])[^\W\d_]{2,}"


@dataclass(frozen=True)
class DescribedCluster:
    """A cluster as a reader meets it.

    Attributes:
        name: Its most frequent type pair and its first words.
        size: Its number of sentences.
        examples: Marked sentences that lie next to its centroid, the nearest first.
        doubtful: Marked sentences that could as well belong to another cluster, the most doubtful first.
        words: The words that set it apart, the most distinctive first.
        type_pairs: Its pairs of entity types and how many sentences have them, the most frequent first.
    """

    name: str
    size: int
    examples: list[str]
    doubtful: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    type_pairs: dict[str, int] = field(default_factory=dict)


def describe_clusters(
    texts: Sequence[str],
    embeddings: np.ndarray,
    clusters: Clusters,
    margins: np.ndarray | None = None,
    num_examples: int = 3,
) -> list[DescribedCluster]:
    """Names the clusters of marked sentences and picks their most typical ones.

    Args:
        texts: Marked sentences.
        embeddings: Their h, `(rows, size)`.
        clusters: Their partition; rows with a negative label belong to no cluster.
        margins: How much nearer each row is to its own centroid than to another, `(rows,)`; without them no sentence is
            called doubtful.
        num_examples: How many different sentences to show of each; fewer where there are no more.

    Returns:
        One description a cluster, in the order of the centroids.
    """
    words, pairs = _words_and_pairs(texts, clusters.labels, len(clusters.centroids))
    names, described = _names(words, pairs), []
    for cluster, centroid in enumerate(clusters.centroids):
        rows = np.flatnonzero(clusters.labels == cluster)

        def first_of(order: np.ndarray, rows: np.ndarray = rows) -> list[str]:
            different = dict.fromkeys(texts[int(row)] for row in rows[order[: 10 * num_examples]])
            return list(different)[:num_examples]

        nearness = normalize(embeddings[rows]) @ centroid if len(rows) else np.empty(0)
        examples = first_of(np.argsort(-nearness, kind="stable"))
        doubtful = first_of(np.argsort(margins[rows], kind="stable")) if margins is not None else []
        type_pairs = dict(sorted(pairs[cluster].items(), key=lambda pair: (-pair[1], pair[0])))
        described.append(DescribedCluster(names[cluster], len(rows), examples, doubtful, words[cluster], type_pairs))
    return described


def name_clusters(texts: Iterable[str], labels: np.ndarray, num_clusters: int) -> list[str]:
    """Names each cluster by its most frequent type pair and the words that set it apart from the others.

    A word counts once a sentence, where it stands between the mentions or within three words of them. A cluster's
    words are those with the largest p log(p / q)^2, where p is the share of its sentences that have the word, q the
    share of all others', and p > q. The square is what keeps words down that are merely frequent (the, of), in any
    language. Of words that begin alike (crosses, crossing) the first stands for all. Where a name is taken, more words
    are added, then a number.

    Args:
        texts: Marked sentences.
        labels: Their clusters, `(rows,)`; negative where a sentence belongs to none.
        num_clusters: C.

    Returns:
        C different names.

    >>> leads = "<e1:PERSON> Ada Roe </e1:PERSON> leads the firm <e2:ORG> Acme </e2:ORG>"
    >>> left = "<e1:PERSON> Bo </e1:PERSON> left the firm <e2:ORG> Acme </e2:ORG>"
    >>> name_clusters([leads, left], np.array([0, 1]), num_clusters=2)
    ['PERSON→ORG · leads, firm', 'PERSON→ORG · left, firm']
    """
    return _names(*_words_and_pairs(texts, labels, num_clusters))


def _names(words: list[list[str]], pairs: list[Counter]) -> list[str]:
    names: list[str] = []
    for pair, own in zip(pairs, words, strict=True):
        # Of equally frequent pairs the first in the alphabet, whatever the order of the rows.
        types = min(pair, key=lambda name: (-pair[name], name), default="empty")
        options = [" · ".join([types, ", ".join(own[:n])] if own else [types]) for n in range(WORDS_IN_NAME, 6)]
        numbered = (f"{options[0]} ({number})" for number in count(2))
        names.append(next(name for name in chain(options, numbered) if name not in names))
    return names


def _words_and_pairs(
    texts: Iterable[str], labels: np.ndarray, num_clusters: int
) -> tuple[list[list[str]], list[Counter]]:
    """The most distinctive words and the type pairs of each cluster, from one pass over the sentences."""
    pairs: list[Counter] = [Counter() for _ in range(num_clusters)]
    contexts = []
    for text, label in zip(texts, labels, strict=True):
        if label >= 0:
            sentence = read_markers(text)
            pairs[label][f"{sentence.head_type or 'entity'}→{sentence.tail_type or 'entity'}"] += 1
            contexts.append(_context(sentence))
    return _distinctive_words(contexts, labels[labels >= 0], num_clusters), pairs


def _context(sentence: MarkedSentence) -> str:
    """The words between the mentions and next to them."""
    text = sentence.sentence
    (start, first_end), (second_start, second_end) = sorted([sentence.head, sentence.tail])
    before, after = text[:start].split()[-WORDS_AROUND:], text[max(first_end, second_end) :].split()[:WORDS_AROUND]
    return "\n".join([*before, text[first_end:second_start], *after])


def _distinctive_words(contexts: list[str], labels: np.ndarray, num_clusters: int) -> list[list[str]]:
    """Ten words a cluster, the most distinctive first; fewer where it has no more."""
    vectorizer = CountVectorizer(token_pattern=WORD, lowercase=False, binary=True)
    try:
        counts = vectorizer.fit_transform(contexts)
    except ValueError:  # scikit-learn's answer to texts without a word
        return [[] for _ in range(num_clusters)]
    vocabulary = vectorizer.get_feature_names_out()
    sizes = np.bincount(labels, minlength=num_clusters)
    of_all, distinctive = np.asarray(counts.sum(axis=0)).ravel(), []
    for cluster, size in enumerate(sizes):
        own = np.asarray(counts[labels == cluster].sum(axis=0)).ravel()
        share = own / max(size, 1)
        elsewhere = (of_all - own + 1) / (len(labels) - size + 2)  # as if one more sentence had the word, and one not
        weights = share * np.log(np.maximum(share / elsewhere, 1)) ** 2
        best = np.argsort(-weights, kind="stable")[: 5 * NUM_WORDS]
        words: list[str] = []
        for word in vocabulary[best[weights[best] > 0]]:
            if not any(_alike(word, better) for better in words):
                words.append(str(word))
        distinctive.append(words[:NUM_WORDS])
    return distinctive


def _alike(word: str, other: str) -> bool:
    """Whether two words are forms of one, as far as their beginnings tell.

    >>> _alike("crosses", "crossing"), _alike("film", "films"), _alike("born", "bore")
    (True, True, False)
    """
    shared = sum(takewhile(bool, map(eq, word, other)))
    shorter = min(len(word), len(other))
    return shared >= max(5, 0.6 * shorter) or (shared == shorter >= 4)

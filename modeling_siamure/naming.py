"""Names for clusters, made of nothing but the clusters' own sentences."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from .clustering import Clusters
from .markers import MarkedSentence, read_markers

WORDS_AROUND = 3  # before the first mention, and after the second one
WORDS_IN_NAME = 2
# Capitalized words are left out: next to the mentions they are mostly names of yet other entities.
WORD = r"(?<!\w)(?=[^A-Z])[^\W\d_]{2,}"


@dataclass(frozen=True)
class DescribedCluster:
    """A cluster as a reader meets it: name, number of sentences, and marked sentences that lie next to its centroid."""

    name: str
    size: int
    examples: list[str]


def describe_clusters(
    texts: Sequence[str], embeddings: np.ndarray, clusters: Clusters, num_examples: int = 3
) -> list[DescribedCluster]:
    """Names the clusters of marked sentences and picks their most typical ones.

    Args:
        texts: Marked sentences.
        embeddings: Their h, `(rows, size)`.
        clusters: Their partition.
        num_examples: How many different sentences to show of each; fewer where there are no more.

    Returns:
        One description a cluster, in the order of the centroids.
    """
    names = name_clusters(texts, clusters.labels, len(clusters.centroids))
    described = []
    for cluster, centroid in enumerate(clusters.centroids):
        rows = np.flatnonzero(clusters.labels == cluster)
        nearest = rows[np.argsort(-(normalize(embeddings[rows]) @ centroid), kind="stable")] if len(rows) else rows
        examples = list(dict.fromkeys(texts[row] for row in nearest))[:num_examples]
        described.append(DescribedCluster(names[cluster], len(rows), examples))
    return described


def name_clusters(texts: Sequence[str], labels: np.ndarray, num_clusters: int) -> list[str]:
    """Names each cluster by its most frequent type pair and the words that set it apart from the others.

    A word counts once a sentence, where it stands between the mentions or within three words of them. A cluster's
    words are those with the largest class-based TF-IDF: share of the word in the cluster times log(1 + A / f), with A
    the mean number of words a cluster and f the frequency of the word in all of them (Grootendorst 2022, BERTopic).
    Where a name is taken, more words are added, then a number.

    Args:
        texts: Marked sentences.
        labels: Their clusters, `(rows,)`.
        num_clusters: C.

    Returns:
        C different names.

    >>> leads = "<e1:PERSON> Ada Roe </e1:PERSON> leads the firm <e2:ORG> Acme </e2:ORG>"
    >>> left = "<e1:PERSON> Bo </e1:PERSON> left the firm <e2:ORG> Acme </e2:ORG>"
    >>> name_clusters([leads, left], np.array([0, 1]), num_clusters=2)
    ['PERSON→ORG · leads, firm', 'PERSON→ORG · left, firm']
    """
    sentences = [read_markers(text) for text in texts]
    words = _distinctive_words([_context(sentence) for sentence in sentences], labels, num_clusters)
    pairs: list[Counter] = [Counter() for _ in range(num_clusters)]
    for sentence, label in zip(sentences, labels, strict=True):
        pairs[label][f"{sentence.head_type or 'entity'}→{sentence.tail_type or 'entity'}"] += 1
    names: list[str] = []
    for pair, own in zip(pairs, words, strict=True):
        # Of equally frequent pairs the first in the alphabet, whatever the order of the rows.
        types = min(pair, key=lambda name: (-pair[name], name), default="empty")
        options = [" · ".join([types, ", ".join(own[:n])] if own else [types]) for n in range(WORDS_IN_NAME, 6)]
        numbered = (f"{options[0]} ({number})" for number in count(2))
        names.append(next(name for name in chain(options, numbered) if name not in names))
    return names


def _context(sentence: MarkedSentence) -> str:
    """The words between the mentions and next to them."""
    text = sentence.sentence
    (start, first_end), (second_start, second_end) = sorted([sentence.head, sentence.tail])
    before, after = text[:start].split()[-WORDS_AROUND:], text[max(first_end, second_end) :].split()[:WORDS_AROUND]
    return "\n".join([*before, text[first_end:second_start], *after])


def _distinctive_words(contexts: list[str], labels: np.ndarray, num_clusters: int) -> list[list[str]]:
    """Five words a cluster, the most distinctive first; fewer where it has no more."""
    vectorizer = CountVectorizer(token_pattern=WORD, lowercase=False, binary=True)
    try:
        counts = vectorizer.fit_transform(contexts)
    except ValueError:  # scikit-learn's answer to texts without a word
        return [[] for _ in range(num_clusters)]
    vocabulary = vectorizer.get_feature_names_out()
    by_cluster = np.stack([np.asarray(counts[labels == c].sum(axis=0)).ravel() for c in range(num_clusters)])
    mean_size, frequency = by_cluster.sum() / num_clusters, by_cluster.sum(axis=0)
    share = by_cluster / by_cluster.sum(axis=1, keepdims=True).clip(min=1)
    weights = share * np.log1p(mean_size / frequency)
    best = np.argsort(-weights, axis=1, kind="stable")[:, :5]
    return [[vocabulary[i] for i in row if weights[c, i] > 0] for c, row in enumerate(best)]

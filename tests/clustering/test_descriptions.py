"""Names and examples of clusters, against counts by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_siamure.clustering import Clusters
from modeling_siamure.clustering.descriptions import describe_clusters
from modeling_siamure.markers import insert_markers


def marked(sentence: str, head: str, tail: str, head_type="PERSON", tail_type="FIRM") -> str:
    spans = [(sentence.index(name), sentence.index(name) + len(name)) for name in (head, tail)]
    return insert_markers(sentence, *spans, head_type, tail_type)


def names_of(texts: list[str], labels: np.ndarray, num_clusters: int) -> list[str]:
    clusters = Clusters(labels, np.zeros((num_clusters, 1)))
    return [
        cluster.name for cluster in describe_clusters(texts, np.ones((len(texts), 1)), clusters)
    ]


def test_the_most_frequent_type_pair():
    texts = [
        marked("Ada led Acme", "Ada", "Acme", *types)
        for types in (("B", "A"), ("A", "B"), ("B", "A"), (None, "B"))
    ]
    assert names_of(texts, np.array([0, 0, 0, 1]), 2) == ["B→A · led", "entity→B · led"]
    assert names_of(texts[:2], np.array([0, 0]), 1) == ["A→B · led"]  # a draw


def test_taken_names_get_more_phrases_then_numbers():
    long, short = (
        marked("Ada won, sat, ran at Acme", "Ada", "Acme"),
        marked("Ada led Acme", "Ada", "Acme"),
    )
    names = names_of([long, long, short, short, short], np.array([0, 1, 2, 3, 4]), num_clusters=6)
    assert names[:2] == ["PERSON→FIRM · ran at, sat", "PERSON→FIRM · ran at, sat, won"]
    assert names[2:] == [
        "PERSON→FIRM · led",
        "PERSON→FIRM · led (2)",
        "PERSON→FIRM · led (3)",
        "empty",
    ]


def test_sentences_without_words():
    assert names_of([marked("Ada Acme", "Ada", "Acme")] * 2, np.array([0, 1]), 2) == [
        "PERSON→FIRM",
        "PERSON→FIRM (2)",
    ]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["led", "quit", "the", "von", "與"]), st.integers(0, 3)),
        min_size=1,
    ),
    st.randoms(),
)
def test_names_are_unique_and_do_not_depend_on_the_order_of_rows(rows, random):
    texts = [marked(f"Ada {word} it Acme", "Ada", "Acme") for word, _ in rows]
    labels = np.array([label for _, label in rows])
    names = names_of(texts, labels, num_clusters=4)
    assert len(set(names)) == 4
    order = random.sample(range(len(rows)), len(rows))
    assert names_of([texts[i] for i in order], labels[order], num_clusters=4) == names


def test_examples_are_the_nearest_different_sentences():
    texts = [
        marked(f"Ada {verb} Acme", "Ada", "Acme") for verb in ("led", "quit", "sued", "led", "left")
    ]
    angles = np.array([0.1, 0.3, 0.2, 0.05, 0.9])
    # Lengths do not count.
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.arange(1, 6)[:, None]
    clusters = Clusters(np.array([0, 0, 0, 0, 1]), np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]]))
    first, second, empty = describe_clusters(texts, embeddings, clusters)
    assert (first.size, second.size, empty.size) == (4, 1, 0)
    assert first.examples == [texts[0], texts[2], texts[1]]
    assert second.examples == [texts[4]] and empty.examples == []


def test_a_sentence_without_markers_is_refused():
    with pytest.raises(ValueError, match="head start"):
        names_of(["Ada led Acme"], np.array([0]), 1)

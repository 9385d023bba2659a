"""Names and examples of clusters, against counts by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_siamure.clustering import Clusters
from modeling_siamure.clustering.descriptions import _context, describe_clusters
from modeling_siamure.markers import insert_markers, read_markers


def marked(sentence: str, head: str, tail: str, head_type="PERSON", tail_type="FIRM") -> str:
    spans = [(sentence.index(name), sentence.index(name) + len(name)) for name in (head, tail)]
    return insert_markers(sentence, *spans, head_type, tail_type)


def names_of(texts: list[str], labels: np.ndarray, num_clusters: int) -> list[str]:
    clusters = Clusters(labels, np.zeros((num_clusters, 1)))
    return [
        cluster.name for cluster in describe_clusters(texts, np.ones((len(texts), 1)), clusters)
    ]


def test_weights_by_hand():
    """Shares of sentences, and of the others as if one more had the word and one more had it not.

    Cluster 0: *led* in 3 of 3, elsewhere (0 + 1) / (3 + 2): log(5)^2 = 2.59. *The* in 2 of 3,
    elsewhere 4 of 5. Cluster 1: *the* in 3 of 3, elsewhere 3 of 5: log(5/3)^2 = 0.26; *quit* and
    *sued* in 1 of 3, elsewhere 1 of 5, a third of 0.26 each, so that the alphabet decides.
    """
    texts = [
        marked("Ada led Acme", "Ada", "Acme"),
        marked("Bo led the Bolt", "Bo", "Bolt"),
        marked("Cy led the Core", "Cy", "Core"),
        marked("Ada sued the Acme", "Ada", "Acme"),
        marked("Bo quit the Bolt", "Bo", "Bolt"),
        marked("the Dyno Dee", "Dee", "Dyno"),
    ]
    names = names_of(texts, np.array([0, 0, 0, 1, 1, 1]), num_clusters=2)
    assert names == ["PERSON→FIRM · led", "PERSON→FIRM · the, quit"]


def test_words_between_the_mentions_and_three_around_them():
    text = marked(
        "far off she once saw Ada quit 3 firms at Acme, long before the very end", "Ada", "Acme"
    )
    assert (
        " ".join(_context(read_markers(text), 3).split())
        == "she once saw quit 3 firms at , long before"
    )
    overlapping = insert_markers("one two Ada of Acme led", (8, 19), (15, 19))
    assert _context(read_markers(overlapping), 3).split() == ["one", "two", "led"]


def test_the_most_frequent_type_pair():
    texts = [
        marked("Ada led Acme", "Ada", "Acme", *types)
        for types in (("B", "A"), ("A", "B"), ("B", "A"), (None, "B"))
    ]
    assert names_of(texts, np.array([0, 0, 0, 1]), 2) == ["B→A · led", "entity→B · led"]
    assert names_of(texts[:2], np.array([0, 0]), 1) == ["A→B · led"]  # a draw


def test_taken_names_get_more_words_then_numbers():
    long, short = (
        marked("Ada a1 very long way led Acme", "Ada", "Acme"),
        marked("Ada led Acme", "Ada", "Acme"),
    )
    names = names_of([long, long, short, short, short], np.array([0, 1, 2, 3, 4]), num_clusters=6)
    assert names[0] == "PERSON→FIRM · long, very" and names[1] == "PERSON→FIRM · long, very, way"
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

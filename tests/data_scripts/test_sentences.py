"""Sentences of a text: where they end, and that nothing is lost or cut."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_scripts.sentences import split_sentences

WRAPPED = (
    "The board of Petrel Foods said on Monday that Mara Lind had left Oslo for good, and Jon Asher"
)


@pytest.mark.parametrize(
    "sentences",
    [
        ["Mara left.", "Jon stayed!", "Did he?", "3 did."],
        [
            "Dr. Lind met J. Asher vs. Acme.",
            '"He left," she said.',
            "“Why?”",
            "No one knows…",
            "Éva does.",
        ],
        ["Petrel approx. 3.5 m. long was built.", "It sank."],
        ["她走了。", "他留下了！", "何曼说：“好。”", "完。"],
    ],
)
def test_sentences_by_hand(sentences):
    text = ("" if sentences[0].startswith("她") else " ").join(sentences)
    assert [text[start:end] for start, end in split_sentences(text)[0]] == sentences


def parts(text):
    return [text[start:end] for start, end in split_sentences(text)[0]]


def test_line_ends():
    assert parts("Petrel sold\r\n\r\nMara left\nto Oslo.\nnow Jon\nAsher") == [
        "Petrel sold", "Mara left\nto Oslo.", "now Jon", "Asher",
    ]  # fmt: skip
    # A wrapped line resumes with a capital letter; a headline does not.
    wrapped = "Petrel names a chief\n" + textwrap.fill(WRAPPED, 50)
    assert [part.split("\n") for part in parts(wrapped)] == [
        ["Petrel names a chief"],
        textwrap.wrap(WRAPPED, 50),
    ]


TEXTS = st.text(alphabet="aB. \n!\r。'", max_size=60)


@given(TEXTS, st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=5))
def test_nothing_is_lost_and_no_span_is_cut(text, places):
    spans = [(start, start + size) for start, size in places if start + size <= len(text)]
    sentences, _ = split_sentences(text, spans)
    inside = [False] * len(text)
    for start, end in sentences:
        assert text[start:end] == text[start:end].strip() != ""
        inside[start:end] = [True] * (end - start)
    assert all(kept or character.isspace() for kept, character in zip(inside, text, strict=True))
    for first, last in spans:
        stripped = [i for i in range(first, last) if not text[i].isspace()]
        homes = [
            k for k, (start, end) in enumerate(sentences) for i in stripped if start <= i < end
        ]
        assert len(set(homes)) <= 1


def test_crossed_ends_are_counted():
    text = "Yahoo! Inc. Mara left. Jon stayed."
    assert split_sentences(text, [(0, 10), (12, 26)]) == ([(0, 11), (12, 34)], 2)

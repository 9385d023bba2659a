"""Tokens, pronouns and sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_scripts.plain_text.entities import TOKEN, is_pronoun, split_sentences, trim
from modeling_siamure.markers import is_inside_word

UNITS = [*"aB1éß _-'.\n何曼ひกำ한", "e\u0301", "क\u0902", "क\u094d\u0930"]


@given(st.lists(st.sampled_from(UNITS)).map("".join))
def test_tokens_begin_where_no_word_continues(text):
    starts = {match.start() for match in TOKEN.finditer(text)}
    assert "".join(TOKEN.findall(text)) == text
    assert not any(is_inside_word(text, start) for start in starts)
    letters = [i for i in range(1, len(text)) if text[i - 1].isalnum() and text[i].isalnum()]
    assert all(i in starts or is_inside_word(text, i) for i in letters)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Ada's co-op.", ["Ada", "'", "s", " ", "co", "-", "op", "."]),
        ("李四 at ACME", ["李", "四", " ", "at", " ", "ACME"]),
        ("Zoe\u0308 1st", ["Zoe\u0308", " ", "1st"]),
        ("किताब", ["किताब"]),
        ("한나는", ["한", "나", "는"]),
    ],
)
def test_tokens(text, tokens):
    assert TOKEN.findall(text) == tokens


@pytest.mark.parametrize(("name", "expected"), [("I", True), ("He", True), ("it", True)])
def test_pronouns(name, expected):
    assert is_pronoun(name) is expected


@pytest.mark.parametrize("name", ["IT", "US", "WHO", "Herr", "Ada", "he said", ""])
def test_no_pronouns(name):
    assert not is_pronoun(name)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Ada met J. K. Bo at Acme Inc. in Lund. Bo left.", 2),
        ("  Ada left.  \n Bo stayed.\n", 2),
        ("Где Ада? Она ушла.", 2),
        ("राम घर गया। वह सोया।", 2),
        ("\n", 0),
        ("", 0),
    ],
)
def test_sentences_have_no_white_space_at_their_ends(text, sentences):
    spans = split_sentences(text)
    assert len(spans) == sentences
    parts = [text[start:end] for start, end in spans]
    assert parts == [part.strip() for part in parts] and all(parts)


@given(st.text(" \tab", max_size=8), st.integers(0, 8), st.integers(0, 8))
def test_trim_is_strip(text, start, end):
    start, end = sorted((min(start, len(text)), min(end, len(text))))
    first, last = trim(text, start, end)
    assert text[first:last] == text[start:end].strip() and start <= first <= last <= end

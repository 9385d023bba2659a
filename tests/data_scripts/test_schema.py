"""The schema's helpers against slow, obvious versions of themselves."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_scripts import DataError
from data_scripts.files import line_number, read_lines, split_ranges
from data_scripts.schema import Tokens, cuts_word, find_mentions

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "a b", "Zoë", "."]), min_size=1, max_size=8)


@given(WORDS, st.sampled_from(["a", "b", "a b", "Zoë"]), st.sampled_from(["a", "b", "b a", "."]))
def test_the_nearest_mentions_that_do_not_overlap(words, head, tail):
    sentence = " ".join(words)
    padded = f" {sentence} "

    def spans(name):
        starts = [start for start in range(len(sentence)) if padded.startswith(f" {name} ", start)]
        return [(start, start + len(name)) for start in starts]

    pairs = [
        (max(one[0], other[0]) - min(one[1], other[1]), min(one[0], other[0]), one, other)
        for one in spans(head)
        for other in spans(tail)
        if one[1] <= other[0] or other[1] <= one[0]
    ]
    if not pairs:
        with pytest.raises(DataError):
            find_mentions(sentence, head, tail, tokenized=True)
        return
    first, second, choice = find_mentions(sentence, head, tail, tokenized=True)
    assert (first[:2], second[:2]) == min(pairs)[2:]
    assert choice == (len(spans(head)) + len(spans(tail)) > 2)


def test_many_occurrences_take_less_than_quadratic_time():
    first, second, _ = find_mentions("a b " * 50_000, "a", "b")
    assert (first[:2], second[:2]) == ((0, 1), (2, 3))


@given(st.lists(st.text(st.sampled_from("ab é"), max_size=3), min_size=1, max_size=6), st.data())
def test_token_spans_mark_the_joined_tokens(words, data):
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    tokens = Tokens(words)
    marked = " ".join(words[start:end])
    if not marked.strip():
        with pytest.raises(DataError, match="marks only whitespace"):
            tokens.mention(start, end, None, "head")
        return
    mention = tokens.mention(start, end, None, "head")
    assert tokens.sentence[mention.start : mention.end] == marked
    assert len(tokens.sentence[: mention.start]) == sum(len(word) + 1 for word in words[:start])


@given(
    st.lists(st.text(st.sampled_from("ab\x85\u2028"), max_size=5)),
    st.booleans(),
    st.integers(1, 20),
)
def test_ranges_yield_each_line_once(tmp_path_factory, lines, ends, size):
    path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes("\n".join(lines).encode() + b"\n" * ends)
    whole = list(read_lines(path))
    assert [line.decode() for _, line in whole] == (
        lines if lines[-1:] != [""] or ends else lines[:-1]
    ) or not lines
    parts = [
        line for _, start, end in split_ranges(path, size) for line in read_lines(path, start, end)
    ]
    assert parts == whole
    assert [line_number(path, position) for position, _ in whole] == list(range(1, len(whole) + 1))


@pytest.mark.parametrize(
    ("sentence", "start", "end", "cuts"),
    [
        ("Mara Lind runs Petrel Foods.", 0, 9, False),
        ("Mara Lind runs Petrel Foods.", 0, 8, True),
        ("Mara Lind runs Petrel Foods.", 1, 10, True),
        ("Mara Lind runs Petrel Foods.", 15, 28, False),  # the full stop is no part of a word
        ("Lind &amp; Sons&#39; chief", 11, 15, False),
        ("Zoe\u0308 left", 0, 3, True),  # before a combining accent
        ("Zoe\u0308 left", 0, 4, False),
        ("मीरा ने नीलकंठ", 0, 4, False),
        ("मीरा ने नीलकंठ", 0, 3, True),  # before a vowel sign
        ("मीरा ने नीलकंठ", 2, 4, True),  # after one
        ("何曼写成青石巷", 0, 2, False),
        ("佐野健です", 0, 3, False),
        ("บริษัทฟ้าใสก่อตั้ง", 6, 11, False),
        ("บริษัทฟ้าใสก่อตั้ง", 6, 7, True),  # a tone mark stays with its consonant
        ("김하늘은 일한다", 0, 3, False),
        ("Acme은 크다", 0, 4, False),
        ("Petrel-Foods", 0, 6, False),
        ("a", 0, 1, False),
    ],
)
def test_a_span_that_cuts_a_word(sentence, start, end, cuts):
    assert cuts_word(sentence, start, end) == cuts


def test_an_error_can_be_pickled():
    error = DataError("head", "is empty", "name it", got="", file="a.json", row=3)
    assert (
        str(pickle.loads(pickle.dumps(error)))
        == str(error)
        == "a.json, row 3, field head: is empty (''); name it"
    )

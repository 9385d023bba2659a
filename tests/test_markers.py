"""Markers: against hand-written strings, and as properties over any two spans of any text."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertTokenizer

from modeling_siamure.markers import (
    MARKER,
    MarkedSentence,
    check_marked,
    encode_marked,
    extend_tokenizer,
    find_entity_types,
    initialize_marker_embeddings,
    insert_markers,
    known_entity_types,
    marker_roles,
    neutralize,
    read_markers,
)


@pytest.mark.parametrize(
    ("head", "tail", "expected"),
    [
        ((0, 3), (8, 12), "<e1> Ada </e1> met <e2> Bolt </e2>"),
        ((8, 12), (0, 3), "<e2> Ada </e2> met <e1> Bolt </e1>"),
        ((0, 12), (8, 12), "<e1> Ada met <e2> Bolt </e2> </e1>"),
        ((0, 3), (0, 12), "<e2> <e1> Ada </e1> met Bolt </e2>"),
        ((0, 7), (4, 12), "<e1> Ada <e2> met </e1> Bolt </e2>"),
        ((0, 3), (0, 3), "<e1> <e2> Ada </e2> </e1> met Bolt"),
    ],
    ids=["head first", "tail first", "nested", "nested in tail", "overlap", "same"],
)
def test_insert_markers(head, tail, expected):
    assert insert_markers("Ada met Bolt", head, tail) == expected


def test_touching_mentions_and_one_token_sentences():
    assert insert_markers("AdaBolt", (0, 3), (3, 7)) == "<e1> Ada </e1><e2> Bolt </e2>"
    assert insert_markers("Ada", (0, 3), (0, 3), "P") == "<e1:P> <e2> Ada </e2> </e1:P>"


@st.composite
def sentences_with_spans(draw):
    sentence = draw(
        st.text(st.characters(codec="utf-8"), min_size=1) | st.just("a <e1> b </e2:X> c <e1:> d")
    )
    spans = [
        (start, end)
        for start in range(len(sentence))
        for end in range(start + 1, len(sentence) + 1)
        if sentence[start:end].strip()
    ]
    if not spans:
        sentence, spans = "ab", [(0, 1), (1, 2), (0, 2)]
    types = st.none() | st.text("AB_<> x", min_size=1).filter(str.strip)
    return (
        sentence,
        draw(st.sampled_from(spans)),
        draw(st.sampled_from(spans)),
        draw(types),
        draw(types),
    )


@given(sentences_with_spans())
def test_reading_inverts_inserting(drawn):
    sentence, head, tail, head_type, tail_type = drawn
    text = insert_markers(sentence, head, tail, head_type, tail_type)
    read = read_markers(text)
    assert (read.sentence, read.head, read.tail) == (neutralize(sentence), head, tail)
    assert len(MARKER.findall(text)) == 4
    assert len(read.sentence) == len(sentence)
    for given_type, found in ((head_type, read.head_type), (tail_type, read.tail_type)):
        assert (given_type is None) == (found is None)


@pytest.mark.parametrize("span", [(2, 2), (-1, 2), (0, 99), (3, 1), (3, 4)])
def test_spans_outside_the_sentence_are_refused(span):
    with pytest.raises(ValueError, match=f"head span {span[0]}-{span[1]} does not hold a mention"):
        insert_markers("Ada Roe", span, (0, 3))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<e1> a </e1> b", "tail start, such as <e2>, is missing"),
        ("<e1> a </e1> <e1> b </e1> <e2> c </e2>", "head start stands twice"),
        ("</e1> a <e1> <e2> c </e2>", "out of order"),
        ("<e1></e1> <e2> c </e2>", "empty"),
    ],
)
def test_reading_refuses_broken_markers(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        read_markers(text)


def test_reading_strings_of_others():
    assert read_markers("<e1>Ada</e1> met<e2:FIRM>Bolt</e2:FIRM>.") == MarkedSentence(
        "Ada metBolt.", (0, 3), (7, 11), None, "FIRM"
    )


def test_entity_types_are_found_and_sorted():
    assert find_entity_types(["<e1:B> x </e1:B> <e2:A> y </e2:A>", "<e1> x </e1>"]) == ["A", "B"]


def test_vocabulary_is_one_block_that_can_grow(tokenizer, tmp_path):
    size = len(tokenizer)
    assert extend_tokenizer(tokenizer, ["PERSON", "FIRM"]) == (size, ["PERSON", "FIRM"])
    assert tokenizer.convert_ids_to_tokens(range(size, size + 6)) == [
        *("<e1>", "</e1>", "<e2>", "</e2>"),
        *("<e1:PERSON>", "</e1:PERSON>"),
    ]
    tokenizer.save_pretrained(tmp_path)
    again = type(tokenizer).from_pretrained(tmp_path)
    assert known_entity_types(again) == ["PERSON", "FIRM"]
    assert extend_tokenizer(again, ["FIRM", "DATE"]) == (size, ["PERSON", "FIRM", "DATE"])
    again.add_tokens(["zzz"])
    with pytest.raises(ValueError, match="other tokens behind its markers"):
        extend_tokenizer(again, ["CITY"])


def test_embeddings_start_from_the_words_of_the_type(tokenizer, encoder):
    extend_tokenizer(tokenizer, ["PERSON_FIRM"])
    embeddings = torch.nn.Embedding(len(tokenizer), 16)
    before = embeddings.weight.detach().clone()
    initialize_marker_embeddings(embeddings, tokenizer, [None, "PERSON_FIRM"])

    def mean(*words):
        return torch.stack([before[tokenizer.convert_tokens_to_ids(word)] for word in words]).mean(
            0
        )

    def of(text):
        return embeddings.weight[tokenizer.convert_tokens_to_ids(text)]

    torch.testing.assert_close(
        of("<e1:PERSON_FIRM>"), mean("person", "firm") + 0.1 * mean("head", "start")
    )
    torch.testing.assert_close(of("</e2>"), mean("tail", "entity") + 0.1 * mean("tail", "end"))
    markers = embeddings.weight[-8:]
    assert len(torch.unique(markers, dim=0)) == 8
    assert torch.equal(embeddings.weight[:-8], before[:-8])


def test_roles_by_hand():
    found = marker_roles(torch.tensor([[7, 10, 14, 13, 99]]), first_marker_id=10, num_markers=8)
    assert found.int().tolist() == [[[0, 1, 1, 0, 0], [0] * 5, [0] * 5, [0, 0, 0, 1, 0]]]
    with pytest.raises(ValueError, match="row 0 of the batch lacks the marker of the head end"):
        check_marked(found)


def words_of(tokenizer, ids):
    return " ".join(tokenizer.convert_ids_to_tokens(ids))


def test_window_by_hand(tokenizer):
    extend_tokenizer(tokenizer, [])
    text = "may may <e1> ada </e1> who who who who <e2> bolt </e2> in in in"
    windows = {
        17: "[CLS] may may <e1> ada </e1> who who who who <e2> bolt </e2> in in in [SEP]",
        16: "[CLS] may may <e1> ada </e1> who who who who <e2> bolt </e2> in in [SEP]",
        14: "[CLS] may <e1> ada </e1> who who who who <e2> bolt </e2> in [SEP]",
        12: "[CLS] <e1> ada </e1> who who who who <e2> bolt </e2> [SEP]",
        11: "[CLS] <e1> ada </e1> who who who <e2> bolt </e2> [SEP]",
        8: "[CLS] <e1> ada </e1> <e2> bolt </e2> [SEP]",
    }
    for max_length, expected in windows.items():
        encoded = encode_marked(tokenizer, [text], max_length)
        assert words_of(tokenizer, encoded.input_ids[0]) == expected
        assert encoded.num_truncated == (max_length < 17)
    with pytest.raises(ValueError, match="row 0: its two mentions alone exceed max_length=7"):
        encode_marked(tokenizer, [text], 7)
    skipped = encode_marked(
        tokenizer, [text, "<e1> ada </e1> <e2> bo </e2>"], 8, on_overflow="skip"
    )
    assert skipped.num_skipped == 0
    skipped = encode_marked(
        tokenizer, ["<e1> ada bo </e1> <e2> bolt </e2>", text], 8, on_overflow="skip"
    )
    assert (skipped.input_ids[0], skipped.num_skipped) == (None, 1)


@pytest.fixture(scope="module")
def counting_tokenizer():
    """Knows the words w0, w1, ... so that each token of a test sentence is another one."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(30)), "a"]
    tokenizer = BertTokenizer({word: i for i, word in enumerate(words)})
    extend_tokenizer(tokenizer, [])
    return tokenizer


spans_of_words = st.tuples(st.integers(0, 11), st.integers(0, 11)).map(
    lambda pair: (min(pair), max(pair))
)


@given(spans_of_words, spans_of_words, st.integers(4, 20))
def test_window_keeps_both_mentions(counting_tokenizer, head, tail, max_length):
    words = [f"w{i}" for i in range(12)]
    starts = [len(" ".join(words[:i])) + (i > 0) for i in range(13)]
    text = insert_markers(
        " ".join(words),
        *((starts[first], starts[last] + len(words[last])) for first, last in (head, tail)),
    )
    whole, ids = (
        encode_marked(counting_tokenizer, [text], length, on_overflow="skip").input_ids[0]
        for length in (99, max_length)
    )

    def mention(tokens, entity):
        first, last = (
            counting_tokenizer.convert_tokens_to_ids(text)
            for text in (f"<{entity}>", f"</{entity}>")
        )
        return tokens[tokens.index(first) : tokens.index(last) + 1]

    mentions = [mention(whole, "e1"), mention(whole, "e2")]
    if set(mentions[0]) & set(mentions[1]):  # overlapping mentions are kept in one piece
        places = [whole.index(token) for tokens in mentions for token in tokens]
        needed = max(places) - min(places) + 1
    else:
        needed = len(mentions[0]) + len(mentions[1])
    assert (ids is None) == (needed + 2 > max_length)
    if ids is not None:
        assert len(ids) == min(max_length, len(whole))
        assert [mention(ids, "e1"), mention(ids, "e2")] == mentions
        assert [token for token in whole if token in ids] == ids


def test_unknown_types_fall_back_and_are_counted(tokenizer):
    extend_tokenizer(tokenizer, ["PERSON"])
    encoded = encode_marked(tokenizer, ["<e1:DATE> may </e1:DATE> <e2:PERSON> bo </e2:PERSON>"] * 2)
    assert (
        words_of(tokenizer, encoded.input_ids[1])
        == "[CLS] <e1> may </e1> <e2:PERSON> bo </e2:PERSON> [SEP]"
    )
    assert encoded.unknown_types == {"DATE": 2}


def test_a_row_without_markers_is_named(tokenizer):
    extend_tokenizer(tokenizer, [])
    with pytest.raises(
        ValueError, match="row 1: the marker of the tail start is missing in '<e1> ada </e1> left'"
    ):
        encode_marked(tokenizer, ["<e1> ada </e1> <e2> bo </e2>", "<e1> ada </e1> left"])

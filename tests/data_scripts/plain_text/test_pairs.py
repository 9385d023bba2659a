"""Which entities of a sentence form a pair."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_scripts.plain_text.documents import Passage
from data_scripts.plain_text.entities import Annotation, Entity
from data_scripts.plain_text.pairs import (
    PairCounts,
    PairRules,
    pair_entities,
    parse_type_pairs,
)

TEXT = "Ada met Bo in Lund . Bo met BO . It rained on Cy ."
TYPES = {"Ada": "PER", "Bo": "PER", "BO": "PER", "Lund": "CITY", "Cy": "PER", "It": None}
SENTENCES = [(0, 20), (21, 32), (33, 50)]


def entities_of(text, names):
    found = []
    for name in dict.fromkeys(names):
        start = text.find(name)
        while start >= 0:
            found.append(Entity(start, start + len(name), TYPES[name], name == "It"))
            start = text.find(name, start + 1)
    return found


def pair(entities=None, sentences=None, start=0, text=TEXT, **rules):
    counts = PairCounts()
    if entities is None:
        entities = entities_of(text, TYPES)
    annotation = Annotation(sentences or SENTENCES, entities)
    passage = Passage("d.txt", start, text)
    rows = list(pair_entities(passage, annotation, PairRules(**rules), counts))
    assert counts.pairs == len(rows)
    return rows, dict(counts.dropped)


def names(rows):
    return [(row["head"], row["tail"]) for row in rows]


def test_the_first_order():
    rows, dropped = pair()
    assert names(rows) == [("Ada", "Bo"), ("Ada", "Lund"), ("Bo", "Lund")]
    assert dropped == {"of one name": 1, "with a pronoun": 1}


def test_both_orders():
    rows, dropped = pair(order="both")
    assert names(rows) == [
        ("Ada", "Bo"),
        ("Bo", "Ada"),
        ("Ada", "Lund"),
        ("Lund", "Ada"),
        ("Bo", "Lund"),
        ("Lund", "Bo"),
    ]
    assert dropped == {"of one name": 2, "with a pronoun": 2}
    swapped = rows[1]
    assert TEXT[swapped["head_start"] : swapped["head_end"]] == "Bo"
    assert (swapped["head_type"], swapped["tail_type"]) == ("PER", "PER")


def test_type_pairs_say_which_is_the_head():
    allowed = parse_type_pairs("CITY:PER")
    assert pair(type_pairs=allowed)[0] == []
    rows, dropped = pair(type_pairs=allowed, order="both")
    assert names(rows) == [("Lund", "Ada"), ("Lund", "Bo")]
    assert dropped == {"of one name": 2, "with a pronoun": 2, "of other types": 4}


@pytest.mark.parametrize(
    ("max_distance", "expected"),
    [
        (None, [("Ada", "Bo"), ("Ada", "Lund"), ("Bo", "Lund")]),
        (3, [("Ada", "Bo"), ("Ada", "Lund"), ("Bo", "Lund")]),  # "met", "Bo", "in" are between
        (2, [("Ada", "Bo"), ("Bo", "Lund")]),
        (1, [("Ada", "Bo"), ("Bo", "Lund")]),
        (0, []),
    ],
)
def test_the_distance_in_tokens(max_distance, expected):
    rows, dropped = pair(max_distance=max_distance)
    assert names(rows) == expected
    assert len(rows) + sum(dropped.values()) == 5  # 3 + 1 + 1 pairs share a sentence


def test_letters_are_tokens_where_no_spaces_are_written():
    text = "李四在上海見王五。"
    entities = [Entity(0, 2, "PER"), Entity(3, 5, "CITY"), Entity(6, 8, "PER")]
    rows, dropped = pair(entities, [(0, 9)], text=text, max_distance=1)
    assert names(rows) == [("李四", "上海"), ("上海", "王五")]
    assert dropped == {"more than 1 tokens apart": 1}


def test_mentions_that_overlap_or_cross_sentences_or_are_blank():
    entities = [
        Entity(0, 3, "PER"),
        Entity(0, 6, "X"),  # "Ada me"
        Entity(14, 23, "X"),  # "Lund . Bo"
        Entity(13, 19, "CITY"),  # " Lund ", whose ends don't count
        Entity(13, 14, "X"),  # " "
        Entity(46, 48, "PER"),
    ]
    rows, dropped = pair(entities)
    assert names(rows) == [("Ada", "Lund"), ("Ada me", "Lund")]
    assert dropped == {"that overlap": 1, "mentions that cross sentences": 1}


def test_one_mention_said_twice_counts_once():
    entities = [Entity(0, 3, "PER"), Entity(0, 3, "PER"), Entity(8, 10, "PER")]
    rows, dropped = pair(entities)
    assert names(rows) == [("Ada", "Bo")] and dropped == {}


def test_where_a_row_is_in_its_document():
    rows, _ = pair(start=100, sentences=[(0, 20), (20, 33), (33, 50)])
    assert rows[0] == {
        "id": "d.txt:100-103:108-110",
        "sentence": "Ada met Bo in Lund .",
        "head": "Ada",
        "head_type": "PER",
        "head_start": 0,
        "head_end": 3,
        "tail": "Bo",
        "tail_type": "PER",
        "tail_start": 8,
        "tail_end": 10,
        "document": "d.txt",
        "document_start": 100,
        "document_end": 120,
        "document_head_start": 100,
        "document_head_end": 103,
        "document_tail_start": 108,
        "document_tail_end": 110,
    }


def test_long_sentences_are_cut_behind_words():
    rows, _ = pair(sentences=[(0, 50)], max_sentence_length=12, max_distance=None)
    assert {row["sentence"] for row in rows} == {"Ada met Bo", "in Lund . Bo"}
    assert all(len(row["sentence"]) <= 12 for row in rows)


SPANS = st.tuples(st.integers(0, 49), st.integers(1, 6)).map(
    lambda span: Entity(span[0], min(span[0] + span[1], 50), "PER")
)


@given(st.lists(SPANS, max_size=8), st.sampled_from(["first", "both"]), st.integers(0, 9))
def test_every_pair_is_a_row_or_is_counted(entities, order, max_distance):
    rows, dropped = pair(entities, order=order, max_distance=max_distance)
    text = TEXT
    for row in rows:
        start = row["document_start"]
        for role in ("head", "tail"):
            first, last = row[f"document_{role}_start"], row[f"document_{role}_end"]
            assert text[first:last] == row[role] == row[role].strip()
            assert (first - start, last - start) == (row[f"{role}_start"], row[f"{role}_end"])
        assert row["document_head_end"] <= row["document_tail_start"] or (
            row["document_tail_end"] <= row["document_head_start"]
        )
    inside = {}
    crossing = 0
    spans = {(entity.start, entity.end) for entity in entities}
    stripped = {
        (end - len(text[start:end].lstrip()), start + len(text[start:end].rstrip()))
        for start, end in spans
        if text[start:end].strip()
    }
    for start, end in stripped:
        homes = [span for span in SENTENCES if span[0] <= start and end <= span[1]]
        crossing += not homes
        for home in homes:
            inside[home] = inside.get(home, 0) + 1
    num_orders = 2 if order == "both" else 1
    num_pairs = sum(count * (count - 1) // 2 for count in inside.values()) * num_orders
    assert dropped.pop("mentions that cross sentences", 0) == crossing
    assert len(rows) + sum(dropped.values()) == num_pairs


@pytest.mark.parametrize("words", ["PERSON", "A:B:C", ":ORG", "PERSON:", "A:B,", ""])
def test_what_is_no_type_pair(words):
    with pytest.raises(ValueError, match="write HEAD:TAIL,HEAD:TAIL"):
        parse_type_pairs(words)

"""Annotated documents: which pairs become rows, and what is said of doubtful annotations."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_scripts import DataError, load_user_file, relation_builder
from data_scripts.annotations import Document


def write(tmp_path, text, spans, relations=()):
    entities = [
        {"id": number, "start_offset": start, "end_offset": end, "label": kind}
        for number, (start, end, kind) in enumerate(spans)
    ]
    links = [{"from_id": head, "to_id": tail, "type": label} for head, tail, label in relations]
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": text, "entities": entities, "relations": links}))
    return path


def read(path, **options):
    builder = relation_builder("doccano", data_files={"train": str(path)}, **options)
    rows = builder.read()["train"]
    return rows, builder.tallies()["train"]


def test_overlapping_entities(tmp_path):
    spans = [(0, 13, "ORG"), (8, 13, "LOC"), (19, 23, "PER")]
    rows, tally = read(
        write(tmp_path, "Bank of Aland hired Lind.".replace("hired", "saw "), spans), pairs="all"
    )
    assert [(row["head_type"], row["tail_type"]) for row in rows] == [
        ("ORG", "PER"),
        ("LOC", "PER"),
    ]
    assert tally["dropped"] == {"two entities overlap": 1}
    # A label says that the pair is meant.
    rows, tally = read(write(tmp_path, "Bank of Aland", spans[:2], [(0, 1, "in")]))
    assert (rows["relation"], tally["notes"]) == (["in"], {"head and tail overlap": 1})


def test_annotations_across_sentences(tmp_path, caplog):
    text = "Yahoo! Inc. hired Mara Lind. Jon Asher left Acme."
    spans = [(0, 11, "ORG"), (18, 27, "PER"), (29, 38, "PER"), (44, 48, "ORG")]
    path = write(
        tmp_path, text, spans, [(0, 1, "hired"), (1, 3, "owns"), (2, 3, "left"), (2, 3, "quit")]
    )
    rows = load_user_file(path)
    assert rows["sentence"] == ["Yahoo! Inc. hired Mara Lind."] + ["Jon Asher left Acme."] * 2
    assert rows["relation"] == ["hired", "left", "quit"]
    assert (
        "left out: 1 x no sentence holds both entities; "
        "noted: 1 x an entity crosses the end of a sentence: read as one sentence"
    ) in caplog.text


def test_all_pairs_keep_the_labels_and_come_once(tmp_path):
    spans = [(14, 18, "ORG"), (0, 4, "PER"), (9, 12, "PER")]
    rows, _ = read(
        write(tmp_path, "Mara and Jon run Acme"[:18], spans, [(0, 1, "head of")]), pairs="all"
    )
    assert [(row["head_type"], row["head_start"], row["tail_start"], row["relation"]) for row in rows] == [
        ("ORG", 14, 0, "head of"),
        ("PER", 9, 14, None),
        ("PER", 0, 9, None),
    ]  # fmt: skip


def test_offsets_that_cut_words_are_doubted(tmp_path, caplog):
    text = "Mara Lind runs Petrel Foods."
    path = write(tmp_path, text, [(0, 8, "PER"), (15, 26, "ORG")], [(0, 1, "runs")])
    load_user_file(path)
    assert (
        "ends seem to be inclusive (true of 1 of them): read them with the option offsets=inclusive"
        in caplog.text
    )
    assert load_user_file(path, offsets="inclusive")["tail"] == ["Petrel Foods"]


def test_offsets_are_those_of_the_document(tmp_path, caplog):
    # The emoji stands in another sentence.
    text = "🙂 Good news. Mara Lind runs Petrel Foods."
    path = write(tmp_path, text, [(14, 23, "PER"), (29, 41, "ORG")], [(0, 1, "runs")])
    load_user_file(path)
    assert "offsets seem to count UTF-16 units" in caplog.text
    assert load_user_file(path, offsets="utf16")["head"] == ["Mara Lind"]


def test_documents_without_pairs(tmp_path):
    path = write(tmp_path, "Mara left. Jon stayed.", [(0, 4, "PER"), (11, 14, "PER")])
    with pytest.raises(
        DataError, match="no row is left; it holds 2 entities, no two of which share"
    ):
        load_user_file(path)


def test_white_space_at_the_ends_of_a_mention_is_cut_off():
    document = Document("d", "Mara  Lind left")
    document.add_entity("T1", 0, 5, "PER", "Mara")
    document.add_entity("T2", 0, 11, "PER", "Mara Lind ")
    assert [mention[:2] for mention in document.entities.values()] == [(0, 4), (0, 10)]


WORDS = st.lists(
    st.sampled_from(["Ada", "left", "Bo.", "Acme!\n", "of", "Éva", "何曼"]), min_size=1, max_size=12
)


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(WORDS, st.data())
def test_every_pair_is_returned_or_counted(tmp_path, words, data):
    text = " ".join(words)
    bounds = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
    spans = [
        (min(span), max(span), "X")
        for span in data.draw(st.lists(bounds, max_size=5))
        if text[min(span) : max(span)].strip()
    ]
    number = st.integers(0, max(len(spans) - 1, 0))
    drawn = data.draw(st.lists(st.tuples(number, number), max_size=4 if spans else 0))
    relations = {(head, tail, "r") for head, tail in drawn}
    path = write(tmp_path, text, spans, relations)
    builder = relation_builder("doccano", data_files={"train": str(path)})
    rows = [row for _, row in builder._generate_examples("train", [path])]
    dropped = builder.tally["dropped"]
    assert len(rows) + dropped.total() == len(relations)
    for row in rows:
        start = row["sentence_start"]
        assert text[start : start + len(row["sentence"])] == row["sentence"]
        head, tail = (
            tuple(row[f"{role}_{side}"] + start for side in ("start", "end"))
            for role in ("head", "tail")
        )
        assert text[slice(*head)] == row["head"] and text[slice(*tail)] == row["tail"]

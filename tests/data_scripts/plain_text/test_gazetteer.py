"""Entities by a list of names."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_scripts import DataError
from data_scripts.plain_text.gazetteer import Gazetteer

NAMES = {
    "Ada": "PERSON",
    "Ada Roe": "PERSON",
    "Ada Roe Prize": "PRIZE",
    "Acme": "ORG",
    "Yahoo!": "ORG",
    "AT&T": "ORG",
    "Ὀδυσσεύς": "PERSON",
    "李四": "PERSON",
    "上海": "CITY",
    "กรุงเทพ": "CITY",
    "한나": "PERSON",
}


def names_in(text, names=NAMES):
    return [text[entity.start : entity.end] for entity in Gazetteer(names).find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada Roe leads Acme.", ["Ada Roe", "Acme"]),
        ("the Ada Roe Prize", ["Ada Roe Prize"]),  # the longest
        ("Ada Roe Pri", ["Ada Roe"]),  # the longest that is whole
        ("Adamstown, Pacme, ADA, ada, AcmeCorp", []),  # whole words, the same letters
        ("Ada\n  Roe", ["Ada\n  Roe"]),
        ("AdaRoe", []),
        ("Ada, Roe", ["Ada"]),
        ("Acme's, Acme-based, (Acme)", ["Acme"] * 3),
        ("Yahoo! and AT&T's", ["Yahoo!", "AT&T"]),
        ("ὁ Ὀδυσσεύς ἦλθεν", ["Ὀδυσσεύς"]),
        ("李四在上海見王五。", ["李四", "上海"]),
        ("ไปกรุงเทพแล้ว", ["กรุงเทพ"]),
        ("한나는 갔다", ["한나"]),
        ("", []),
    ],
)
def test_the_longest_name_of_whole_words(text, expected):
    assert names_in(text) == expected


def test_accents_may_be_encoded_either_way():
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    for name in (composed, decomposed):
        for text in (composed, decomposed):
            assert names_in(f"{text} left", {name: "PERSON"}) == [text]


@given(
    st.lists(st.text("ab 何.", min_size=1, max_size=4), max_size=4), st.text("ab 何.", max_size=12)
)
def test_what_is_found_is_listed_and_does_not_overlap(names, text):
    entities = Gazetteer(dict.fromkeys(names, "T")).find(text)
    listed = {" ".join(name.split()) for name in names}
    assert all(" ".join(text[e.start : e.end].split()) in listed for e in entities)
    assert all(one.end <= other.start for one, other in itertools.pairwise(entities))


def test_each_annotation_is_of_its_text():
    found = Gazetteer(NAMES).annotate(["Ada", "none", "Acme left Ada"])
    assert [len(annotation.entities) for annotation in found] == [1, 0, 2]
    assert [entity.type for entity in found[2].entities] == ["ORG", "PERSON"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("n.tsv", "name\ttype\nAda Roe\tPERSON\nAcme\t\n"),
        ("n.csv", 'name,type\n"Ada Roe",PERSON\nAcme,\n'),
        ("n.jsonl", '{"name": "Ada Roe", "type": "PERSON"}\n{"name": "Acme"}\n'),
    ],
)
def test_files(file, content, tmp_path):
    (tmp_path / file).write_text(content)
    entities = Gazetteer.from_file(tmp_path / file).find("Ada Roe left Acme.")
    assert [(entity.start, entity.end, entity.type) for entity in entities] == [
        (0, 7, "PERSON"),
        (13, 17, None),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Ada\tPERSON\nBo\tPERSON\n", r"n.tsv, row 2, field name: is missing .*call the columns"),
        ("name\ttype\n", "n.tsv: holds no name"),
        ("name\ttype\n\tPERSON\n", "n.tsv, row 2, field name"),
        ("", "n.tsv: holds no name"),
    ],
)
def test_files_that_hold_no_names(content, said, tmp_path):
    (tmp_path / "n.tsv").write_text(content)
    with pytest.raises(DataError, match=said):
        Gazetteer.from_file(tmp_path / "n.tsv")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"n.tsv, the list of names, does not exist"):
        Gazetteer.from_file(tmp_path / "n.tsv")


def test_a_name_with_two_types_has_the_first(tmp_path, caplog):
    rows = [{"name": "Lund", "type": kind} for kind in ("CITY", "PERSON")]
    (tmp_path / "n.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    gazetteer = Gazetteer.from_file(tmp_path / "n.jsonl")
    assert gazetteer.find("Lund")[0].type == "CITY"
    assert "1 names of n.jsonl have several types, of which the first counts, e.g. 'Lund'" in (
        caplog.text
    )

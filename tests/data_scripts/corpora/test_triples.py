"""Triples: predicate and evidence in one sentence, names of columns, bad rows."""

import csv
import json

import numpy as np
import pytest

from data_scripts import DataError, load_user_file
from data_scripts.columns import is_triple
from modeling_siamure.clustering.descriptions import describe_clusters
from modeling_siamure.clustering.partitions import Clusters

TRIPLE = {
    "subject": "Mara Lind",
    "predicate": "WORKS_FOR",
    "object": "Petrel Foods",
    "evidence": "Since May, Lind works there.",
}


def load(tmp_path, *rows, **options):
    path = tmp_path / "triples.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_user_file(path, **options)


def test_rows_by_hand(tmp_path, caplog):
    without = {key: value for key, value in TRIPLE.items() if key != "evidence"}
    types = {"subject_type": "PER", "object_type": "ORG", "confidence": 0.5}
    rows = load(tmp_path, TRIPLE, without | {"predicate": "is  boss of"} | types)
    assert rows["text"] == [
        "<e1> Mara Lind </e1> works for <e2> Petrel Foods </e2>. Since May, Lind works there.",
        "<e1:PER> Mara Lind </e1:PER> is boss of <e2:ORG> Petrel Foods </e2:ORG>.",
    ]
    assert rows["predicate"] == ["WORKS_FOR", "is  boss of"]
    assert rows["evidence"] == [TRIPLE["evidence"], None]
    assert rows["confidence"] == [None, 0.5]
    assert rows["relation"] == [None, None]
    assert "triples.jsonl: read as triples: triples: 2; --format chooses another" in caplog.text


def test_names_of_clusters_come_from_predicates(tmp_path):
    evidence = "The board of {} met {} in May, as the press had said before."
    rows = [
        {"subject": head, "predicate": spelling, "object": tail, "evidence": evidence.format(tail, head)}
        for number, spelling in enumerate(["WORKS_FOR", "works for", "worksFor", "sued", "SUED", "sued"])
        for head, tail in [(f"Mara{number} Lind", "Petrel Foods"), ("Jon Asher", f"Calyx{number} Labs")]
    ]  # fmt: skip
    texts = load(tmp_path, *rows)["text"][:]
    labels = np.repeat([0, 1], 6)
    clusters = describe_clusters(texts, np.eye(2)[labels], Clusters(labels, np.eye(2)))
    assert [cluster.name for cluster in clusters] == [
        "entity→entity · works for",
        "entity→entity · sued",
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("head", "relation", "tail", "evidence"),
        ("head", "type", "tail", "evidence"),
        ("arg1", "rel", "arg2", "sentence"),
        ("subj", "pred", "obj", "text"),
        ("source", "relationship", "target", "quote"),
        ("s", "verb", "o", "context"),
    ],
)
def test_usual_names(tmp_path, names):
    (expected,) = load(tmp_path, TRIPLE)
    path = tmp_path / "triples.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, TRIPLE.values()])
    (row,) = load_user_file(path)
    for column in ("text", "predicate", "head", "tail", "relation"):
        assert row[column] == expected[column]


def test_names_that_are_given(tmp_path):
    row = {"a": "Mara Lind", "what": "worksFor", "b": "Petrel Foods", "why": TRIPLE["evidence"]}
    columns = {"head": "a", "predicate": "what", "tail": "b", "sentence": "why"}
    (read,) = load(tmp_path, row, columns=columns, format="triples")
    assert read["text"] == load(tmp_path, TRIPLE)["text"][0]
    with pytest.raises(ValueError, match="columns maps 'predicate', which is none of id, text"):
        load(tmp_path, row, columns=columns)


def test_a_relation_beside_a_predicate_is_gold(tmp_path):
    (row,) = load(tmp_path, TRIPLE | {"relation": "employer", "text": "A whole document."})
    assert (row["relation"], row["predicate"]) == ("employer", "WORKS_FOR")
    assert row["sentence"].endswith("Since May, Lind works there.")  # the evidence comes first


@pytest.mark.parametrize(
    "row",
    [
        {"sentence": "Ada runs Acme", "head": "Ada", "tail": "Acme", "relation": "runs"},
        {"text": "Ada runs Acme", "subject": "Ada", "object": "Acme", "label": "runs"},
        {"token": ["Ada", "left"], "h": {"pos": [0, 1]}, "t": {"pos": [1, 2]}, "relation": "left"},
        {"tokens": ["Ada"], "subj_start": 0, "obj_start": 0, "relation": "left"},
    ],
)
def test_a_pair_with_a_label_is_no_triple(row):
    assert not is_triple(row)


def test_evidence_of_several_sentences(tmp_path):
    (row,) = load(tmp_path, TRIPLE | {"evidence": ["She left.", "He stayed."]})
    assert row["sentence"] == "Mara Lind works for Petrel Foods. She left. He stayed."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"predicate": None}, "field predicate: is missing; "),
        ({"object": ""}, "field tail: is missing; "),
        ({"subject": " "}, "field head: is empty (' '); name it"),
        ({"predicate": "__"}, "field predicate: is empty ('__'); name it"),
        ({"subject": ["Ada"]}, "field head: is neither a string nor an entity (['Ada'])"),
        ({"evidence": 7}, "field sentence: is not a string (7)"),
    ],
)
def test_bad_rows(tmp_path, change, said):
    with pytest.raises(DataError) as caught:
        load(tmp_path, TRIPLE, TRIPLE | change, format="triples")
    assert "triples.jsonl, row 2" in str(caught.value) and said in str(caught.value)
    rows = load(tmp_path, TRIPLE, TRIPLE | change, format="triples", on_error="skip")
    assert rows["text"][1] is None and said in rows["problem"][1]

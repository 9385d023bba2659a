"""PURE: token indices that run through the document, ends inclusive; CrossRE's single sentences."""

import json

import pytest

from data_scripts import DataError, load_relation_dataset, relation_builder

from ..source_examples import pure_document

CROSSRE = {
    "doc_key": "x",
    "sentence": ["Ada", "Roe", "leads", "Acme", "."],
    "ner": [[0, 1, "person"], [3, 3, "organization"]],
    "relations": [[0, 1, 3, 3, "role", "", False, False]],
}


def load(tmp_path, *rows, **options):
    path = tmp_path / "dev.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_relation_dataset("pure", data_dir=str(tmp_path), **options)["validation"]


def test_rows_by_hand(tmp_path):
    rows = load(tmp_path, pure_document(), CROSSRE)
    assert rows["text"] == [
        "<e1:Method> Ridge regression </e1:Method> predicts <e2:Task> prices </e2:Task> .",
        "We test <e1:Generic> it </e1:Generic> on <e2:Dataset> FarmSet </e2:Dataset> .",
        "<e1:person> Ada Roe </e1:person> leads <e2:organization> Acme </e2:organization> .",
    ]
    assert rows["relation"] == ["USED-FOR", "EVALUATED-ON", "role"]
    assert len(set(rows["id"])) == 3


def test_all_pairs_of_entities(tmp_path):
    document = pure_document()
    document["ner"][0].append([2, 2, "Verb"])
    document["relations"][0] = [[3, 3, 0, 1, "USES"]]
    rows = load(tmp_path, document, pairs="all")
    # The labeled pair keeps its direction; the others come once, from left to right.
    assert list(zip(rows["head"], rows["tail"], rows["relation"], strict=True)) == [
        ("prices", "Ridge regression", "USES"),
        ("Ridge regression", "predicts", None),
        ("predicts", "prices", None),
        ("it", "FarmSet", "EVALUATED-ON"),
    ]
    del document["relations"]
    assert load(tmp_path, document, pairs="all")["relation"] == [None] * 4
    with pytest.raises(DataError, match=r"no row is left; .* pairs=all takes every pair"):
        load(tmp_path, document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["ner"].pop(), "field ner: is not a list per sentence"),
        (lambda d: d.pop("sentences"), "field sentences: is missing"),
        (lambda d: d["ner"][1].append([3, 3]), "field ner: has an entry without a type"),
        (lambda d: d["ner"][1].append([3]), "field ner: has an entry that does not begin with 2"),
        (lambda d: d["relations"][1].append([6, 6, 9]), "that does not begin with 4 token indices"),
        (lambda d: d["relations"][1].append([6, 6, 9, 9]), "has an entry without a label"),
        (
            lambda d: d["relations"][1].append([0, 1, 9, 9, "X"]),
            "field ner: has a mention outside its sentence ('0 to 1, of tokens 5 to 10')",
        ),
    ],
)
def test_bad_rows(tmp_path, change, said):
    broken = pure_document()
    change(broken)
    with pytest.raises(DataError) as caught:
        load(tmp_path, pure_document(), broken)
    assert "dev.jsonl, row 2" in str(caught.value) and said in str(caught.value)
    builder = relation_builder("pure", data_dir=str(tmp_path), on_error="skip")
    num_rows = len(builder.read()["validation"])
    # The other pairs of the document stay, unless it can't be read as a whole.
    assert num_rows in (2, 4)
    assert builder.tallies()["validation"]["skipped"].total() == 1

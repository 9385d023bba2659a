"""DocRED: pairs that share a sentence, several mentions, several labels, missing labels."""

import json

import pytest

from data_scripts import DataError, load_relation_dataset, relation_builder

from ..source_examples import docred_document


def load(tmp_path, *documents, **options):
    (tmp_path / "dev_revised.json").write_text(json.dumps(documents))
    return load_relation_dataset("docred", data_dir=str(tmp_path), **options)["validation"]


def test_rows_by_hand(tmp_path):
    rows = load(
        tmp_path, docred_document(), {"title": "No labels", "sents": [["x"]], "vertexSet": []}
    )
    assert rows["text"] == [
        # The first shared sentence, although the file names the mentions of the second one first.
        "<e1:PER> Mira Oz </e1:PER> was born in <e2:LOC> Lund </e2:LOC> .",
        "She runs <e1:ORG> Salt Works </e1:ORG> of Lund ; <e2:PER> Oz </e2:PER> sold Salt .",
        "She runs <e1:ORG> Salt Works </e1:ORG> of Lund ; <e2:PER> Oz </e2:PER> sold Salt .",
        # The first mention of entity 1 overlaps entity 4, the second does not.
        "She runs <e1:MISC> Salt </e1:MISC> Works of Lund ; Oz sold <e2:ORG> Salt </e2:ORG> .",
    ]
    assert rows["relation"] == ["P19", "P112", "P169", "P361"]
    assert len(set(rows["id"])) == 4


@pytest.mark.parametrize(
    ("labels", "relations", "dropped"),
    [
        ("all", ["P19", "P112", "P169", "P361"], {}),
        ("first", ["P19", "P112", "P361"], {"further label of a pair": 1}),
        ("single", ["P19", "P361"], {"pair with several labels": 1}),
    ],
)
def test_which_label_of_a_pair(tmp_path, labels, relations, dropped):
    assert load(tmp_path, docred_document(), labels=labels)["relation"] == relations
    builder = relation_builder("docred", data_dir=str(tmp_path), labels=labels)
    builder.read()
    assert builder.tallies()["validation"]["dropped"] == {
        "no sentence holds both entities": 2,
        **dropped,
    }


def test_two_files_for_one_split(tmp_path):
    (tmp_path / "dev.json").write_text("[]")
    with pytest.raises(DataError, match="several files could be the validation split"):
        load(tmp_path, docred_document())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda d: d["labels"][0].update(h=9),
            "field labels: names an entity that does not exist (9)",
        ),
        (lambda d: d["labels"][0].update(r=None), "field r: is missing"),
        (lambda d: d["labels"].append("P17"), "is not an object"),
        (
            lambda d: d["vertexSet"].__setitem__(0, []),
            "field vertexSet: has an entity without mentions",
        ),
        (
            lambda d: d["vertexSet"][0][1].update(pos=[0]),
            "field pos: is not [start, end] inside its sentence",
        ),
        (
            lambda d: d["vertexSet"][0][1].update(pos=[0, 8]),
            "field pos: is not [start, end] inside its sentence",
        ),
        (
            lambda d: d["vertexSet"][0][1].update(pos=[2, 0]),
            "field pos: is not [start, end] inside its sentence",
        ),
        (lambda d: d.update(sents=[]), "field sent_id: is not a sentence of the document"),
        (lambda d: d.update(sents=[None] * 3), "field sent_id: is not a sentence of the document"),
        (
            lambda d: d["sents"].__setitem__(0, [3] * 7),
            "field sents: holds something that is not a string",
        ),
    ],
)
def test_bad_documents(tmp_path, change, said):
    broken = docred_document()
    change(broken)
    with pytest.raises(DataError) as caught:
        load(tmp_path, docred_document(), broken)
    assert "dev_revised.json, row 2" in str(caught.value) and said in str(caught.value)
    assert len(load(tmp_path, docred_document(), broken, on_error="skip")) >= 4


def test_pairs_of_entities_without_labels(tmp_path):
    document = docred_document()
    labels = document.pop("labels")
    with pytest.raises(DataError, match=r"no row is left; .* pairs=all takes every pair"):
        load(tmp_path, document)
    rows = load(tmp_path, document, pairs="all")
    # Oz, Salt Works, Lund and Salt share sentences; Sweden stands alone.
    assert len(rows) == 6 and rows["relation"] == [None] * 6
    assert all(row["head_start"] <= row["tail_start"] for row in rows)
    document["labels"] = labels
    rows = load(tmp_path, document, pairs="all")
    relations = [relation for relation in rows["relation"] if relation]
    assert sorted(relations) == ["P112", "P169", "P19", "P361"] and len(rows) == 7

"""SpERT: exclusive ends, indices into entities, CoNLL04's joined file beside its halves."""

import json

import pytest

from data_scripts import DataError, load_relation_dataset, relation_builder

from ..source_examples import spert_sentence


def load(tmp_path, *rows, **options):
    for name in ("fire_dev.json", "fire_train_dev.json"):
        (tmp_path / name).write_text(json.dumps(rows))
    return load_relation_dataset("spert", data_dir=str(tmp_path), **options)


def test_rows_by_hand(tmp_path):
    dataset = load(
        tmp_path, spert_sentence(), {"tokens": ["No", "pair"], "entities": [], "relations": []}
    )
    assert list(dataset) == ["validation"]
    assert dataset["validation"]["text"] == [
        "<e1:Person> Oz </e1:Person> sold <e2:Company> Salt Works </e2:Company> in May",
        "<e1:Person> Oz </e1:Person> sold <e2:Company> Salt Works </e2:Company> in May",
        "Oz sold <e1:Company> Salt Works </e1:Company> in <e2:Date> May </e2:Date>",
    ]
    assert dataset["validation"]["relation"] == ["Sells", "Owned", "SoldIn"]
    assert load(tmp_path, spert_sentence(), labels="first")["validation"]["relation"] == [
        "Sells",
        "SoldIn",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda s: s["relations"][1].update(tail=-1),
            "field relations: names an entity that does not exist",
        ),
        (
            lambda s: s["entities"][2].update(end=7),
            "field entities: has offsets that are reversed or outside",
        ),
        (lambda s: s["entities"][2].update(type=["Date"]), "field type: is not a string"),
        (lambda s: s.update(relations={}), "field relations: is not a list"),
        (lambda s: s.pop("entities"), "field entities: is missing"),
        (lambda s: s.update(entities={}), "field entities: is not a list"),
    ],
)
def test_bad_rows(tmp_path, change, said):
    broken = spert_sentence()
    change(broken)
    with pytest.raises(DataError) as caught:
        load(tmp_path, spert_sentence(), broken)
    assert "fire_dev.json, row 2" in str(caught.value) and said in str(caught.value)


def test_pairs_of_entities_without_labels(tmp_path):
    sentence = spert_sentence()
    sentence["entities"].append({"type": "Buyer", "start": 0, "end": 1})
    rows = load(tmp_path, sentence, pairs="all")["validation"]
    pairs = list(zip(rows["head_type"], rows["tail_type"], rows["relation"], strict=True))
    # A pair with labels keeps them and its direction; two types of one place are no pair.
    assert pairs == [
        ("Person", "Company", "Sells"),
        ("Person", "Company", "Owned"),
        ("Company", "Date", "SoldIn"),
        ("Person", "Date", None),
        ("Buyer", "Company", None),
        ("Buyer", "Date", None),
    ]
    builder = relation_builder("spert", data_dir=str(tmp_path), pairs="all")
    builder.read()
    dropped = builder.tallies()["validation"]["dropped"]
    assert dropped == {"two entities in one place": 1}


@pytest.mark.parametrize("relations", [[], None])
def test_no_label_at_all(tmp_path, relations):
    sentence = spert_sentence() | {"relations": relations}
    with pytest.raises(DataError, match=r"no row is left; .* pairs=all takes every pair"):
        load(tmp_path, sentence)
    assert load(tmp_path, sentence, pairs="all")["validation"]["relation"] == [None] * 3


def test_a_bad_label_costs_no_other(tmp_path):
    sentence = spert_sentence()
    sentence["relations"].append({"type": "Sells", "head": 0})
    rows = load(tmp_path, sentence, on_error="skip")["validation"]
    assert rows["relation"] == ["Sells", "Owned", "SoldIn"]

"""SpERT: exclusive ends, indices into entities, CoNLL04's joined file beside its halves."""

import json

import pytest

from data_scripts import DataError, load_relation_dataset

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
        (lambda s: s.pop("relations"), "field relations: is missing"),
        (lambda s: s.update(entities={}), "field entities: is not a list"),
    ],
)
def test_bad_rows(tmp_path, change, said):
    broken = spert_sentence()
    change(broken)
    with pytest.raises(DataError) as caught:
        load(tmp_path, spert_sentence(), broken)
    assert "fire_dev.json, row 2" in str(caught.value) and said in str(caught.value)

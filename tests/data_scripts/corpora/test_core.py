"""CORE: inclusive ends and inverted rows."""

import json

import pytest

from data_scripts import DataError, load_relation_dataset

from ..source_examples import core_row


def test_rows_by_hand(tmp_path):
    (tmp_path / "train.json").write_text(json.dumps([core_row(0), core_row(1)]))
    straight, inverted = load_relation_dataset("core", data_dir=str(tmp_path))["train"]
    assert straight["text"] == "<e1> Salt Works </e1> bought <e2> Oz </e2>"
    assert inverted["text"] == "<e2> Salt Works </e2> bought <e1> Oz </e1>"
    assert (inverted["head"], inverted["tail"], inverted["relation"]) == (
        "Oz",
        "Salt Works",
        "acquired_by",
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"invert_relation": 2}, "field invert_relation: is neither 0 nor 1"),
        ({"invert_relation": True}, "field invert_relation: is not a whole number"),
        ({"e2_end": 4}, "field e2_start: has offsets that are reversed or outside"),
        ({"e1_start": -1}, "field e1_start: has offsets that are reversed or outside"),
    ],
)
def test_bad_rows(tmp_path, changes, said):
    (tmp_path / "test.json").write_text(json.dumps([core_row(0, **changes)]))
    with pytest.raises(DataError) as caught:
        load_relation_dataset("core", data_dir=str(tmp_path))
    assert said in str(caught.value)

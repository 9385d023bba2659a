"""What `fit` and `predict` can be given: datasets, DataFrames and lists of rows."""

import math

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict

from modeling_siamure import RelationDiscovery
from modeling_siamure.discovery.inputs import as_dataset
from tests.helpers.rows import make_rows

ROW = {
    "sentence": "Ada leads Acme.",
    "head_start": 0,
    "head_end": 3,
    "head_type": "PERSON",
    "tail_start": 10,
    "tail_end": 14,
    "tail_type": "FIRM",
}
TEXT = "<e1:PERSON> Ada </e1:PERSON> leads <e2:FIRM> Acme </e2:FIRM>."
READ = {"text": TEXT, "head_type": "PERSON", "tail_type": "FIRM", "relation": None}


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        TEXT,
        {"text": TEXT},
        {"text": TEXT, "head_type": None, "relation": ""},
        ROW | {"head": "Ada", "tail": "Acme", "more": [1]},
        ROW | {name: np.int64(ROW[name]) for name in ("head_start", "head_end")},
        ROW | {name: float(ROW[name]) for name in ("tail_start", "tail_end")},
        ROW | {"relation": math.nan, "text": pd.NA},
        {name: value for name, value in ROW.items() if name != "sentence"}
        | {"text": ROW["sentence"]},
    ],
    ids=str,
)
def test_a_row_in_each_form(row):
    assert as_dataset([row]).to_list() == [READ]


def test_types_and_labels_may_be_missing_or_numbers():
    untyped = ROW | {"head_type": math.nan, "tail_type": "", "relation": 7.0}
    (row,) = as_dataset(iter([untyped])).to_list()
    assert row == {
        "text": "<e1> Ada </e1> leads <e2> Acme </e2>.",
        "head_type": None,
        "tail_type": None,
        "relation": "7",
    }


def test_a_marked_text_counts_before_its_offsets():
    """Rows that were read with untyped markers stay untyped."""
    text = "<e1> Ada </e1> leads <e2> Acme </e2>."
    assert as_dataset([ROW | {"text": text}])["text"][0] == text


BAD = {
    "a name": (
        [ROW, ROW | {"head": "Ad"}],
        "row 2: field head: 'Ad' is not the text at its offsets",
    ),
    "no offset": ([ROW | {"tail_end": None}], "row 1: field tail_end: is missing"),
    "part": ([ROW | {"head_end": 2.5}], r"row 1: field head_end: is 2\.5; give the number"),
    "word": ([ROW | {"head_end": "3"}], "row 1: field head_end: is '3'"),
    "flag": ([ROW | {"head_start": False}], "row 1: field head_start: is False"),
    "infinite": ([ROW | {"head_end": math.inf}], "row 1: field head_end: is inf"),
    "outside": ([ROW | {"tail_end": 99}], "row 1: tail span 10-99 does not hold a mention"),
    "no sentence": ([ROW | {"sentence": None}], "row 1: field sentence: it must be text"),
    "a list as type": ([ROW | {"head_type": ["A"]}], r"row 1: field head_type: it is \['A'\]"),
    "no marker": (["Ada leads Acme."], "row 1: it has neither a marked text nor a sentence"),
    "one marker": (["<e1> Ada </e1> leads Acme."], "row 1: the marker of the tail start"),
    "names alone": (
        [{"sentence": "Ada leads Acme.", "head": "Ada", "tail": "Acme"}],
        "neither a marked text .* its columns are sentence, head, tail",
    ),
    "numbers": ([1], "row 1: it is a int; give a dictionary"),
    "a path": ("rows.jsonl", "the rows are a str; give a dataset, a DataFrame or a list"),
    "columns": ({"text": [TEXT]}, "the rows are a dict; give"),
    "nothing": (None, "the rows are a NoneType; give"),
    "splits": (
        DatasetDict({"train": Dataset.from_list([READ])}),
        "the rows are in splits: train; give one of them",
    ),
}


@pytest.mark.parametrize(("rows", "said"), BAD.values(), ids=BAD)
def test_a_mistake_is_one_line(rows, said):
    with pytest.raises(ValueError, match=said) as caught:
        as_dataset(rows)
    assert "\n" not in str(caught.value)


def test_no_rows(recipe):
    with pytest.raises(ValueError, match="no row is left to cluster"):
        RelationDiscovery(2, recipe=recipe).fit([])


def test_all_forms_give_the_same_clusters(recipe, rows):
    """A dataset, and the same rows as a list with offsets and as a DataFrame of marked texts."""
    listed = [{key: row[key] for key in row if key != "text"} for row in make_rows(60)]
    frame = pd.DataFrame({"text": rows["text"]})
    fitted = RelationDiscovery(4, recipe=recipe).fit(listed)
    expected = RelationDiscovery(4, recipe=recipe).fit(rows).labels_.tolist()
    assert fitted.labels_.tolist() == expected
    assert fitted.predict(frame).labels.tolist() == fitted.predict(rows).labels.tolist()

"""Rows that state no relation: left out before anything is embedded, and never lost."""

import csv
import logging

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from modeling_siamure import RelationDiscovery, insert_markers
from modeling_siamure.clustering.assignment import UNRELATED
from modeling_siamure.discovery.outputs import write_assignments, write_clusters, write_model
from modeling_siamure.discovery.report import _content, summarize
from modeling_siamure.discovery.unrelated import holds_all_pairs, leave_out_unrelated
from modeling_siamure.utils.doubts import record_doubts
from tests.helpers.rows import make_rows


def far_rows(count):
    """Rows whose mentions are far apart and late in the sentence."""
    for number in range(count):
        filler = "later in may " * (5 + number)
        sentence = f"{filler}ada {filler}acme"
        head = (len(filler), len(filler) + 3)
        tail = (len(sentence) - 4, len(sentence))
        text = insert_markers(sentence, head, tail, "PERSON", "FIRM")
        yield {"text": text, "head_type": "PERSON", "tail_type": "FIRM", "relation": None}


@pytest.fixture(scope="module")
def dataset():
    """60 rows, every third behind one that is far apart."""
    near = [{name: row[name] for name in next(far_rows(1))} for row in make_rows(60)]
    far = far_rows(20)
    rows = [
        row
        for place, row in enumerate(near)
        for row in ([next(far), row] if place % 3 == 0 else [row])
    ]
    return Dataset.from_list(rows)


@pytest.fixture(scope="module")
def fitted(recipe, dataset):
    return RelationDiscovery(3, recipe=recipe, min_precision=0.8).fit(dataset)


def test_what_is_left_out_keeps_its_place(fitted, dataset):
    (left_out,) = np.nonzero(fitted.labels_ == UNRELATED)
    assert len(left_out) and len(fitted.labels_) == len(dataset) == 80
    assert all(text.startswith("later") for text in dataset[left_out.tolist()]["text"])
    assert len(fitted.embeddings_) == 80 - len(left_out)
    assert np.isnan(fitted.assignment_.scores[left_out]).all()
    assert not np.isnan(fitted.assignment_.scores[fitted.labels_ != UNRELATED]).any()
    assert (fitted.assignment_.clusters[left_out] == UNRELATED).all()
    # The others are clustered as they would be alone.
    kept = np.flatnonzero(fitted.labels_ != UNRELATED)
    alone = RelationDiscovery(3, recipe=fitted.recipe).fit(dataset.select(kept))
    assert (alone.labels_ == fitted.labels_[kept]).all()


def test_it_is_said_and_written_everywhere(fitted, dataset, tmp_path):
    count = int((fitted.labels_ == UNRELATED).sum())
    (doubt,) = [line for line in fitted.doubts_ if "state no relation" in line]
    assert doubt.startswith(f"{count} of 80 rows") and "min_precision=0.8" in doubt
    assert f"{count} left out as unrelated" in summarize(fitted)
    write_assignments(tmp_path / "a.parquet", dataset, fitted.assignment_, fitted.clusters_, {})
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    left_out = [row for row in rows if row["cluster"] == UNRELATED]
    assert len(rows) == 80 and len(left_out) == count
    assert {(row["name"], row["score"], row["margin"]) for row in left_out} == {
        ("left out as unrelated", None, None)
    }
    write_clusters(tmp_path / "c.csv", fitted)
    with (tmp_path / "c.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert sum(int(line["size"]) for line in lines) == 80
    (line,) = [line for line in lines if line["cluster"] == "-4"]
    assert (line["name"], int(line["size"])) == ("left out as unrelated", count)
    write_model(fitted, tmp_path / "model", "mine", "rows.jsonl")
    assert f"{count} of 80 rows state no relation" in (tmp_path / "model/README.md").read_text()
    content = _content(fitted, dataset, {}, [])
    assert content["unrelated"] == count and len(content["points"]["x"]) == 80 - count
    assert content["left_out"][0].startswith("…")
    assert UNRELATED not in content["points"]["cluster"]


@pytest.mark.parametrize("value", [0.0, 1.5, -1.0, float("nan")])
def test_what_is_no_precision(value, recipe, dataset):
    said = "it must be above 0 and not above 1"
    with pytest.raises(ValueError, match=f"min_precision={value}: {said}"):
        RelationDiscovery(3, recipe=recipe, min_precision=value).fit(dataset)


def left_out(texts, min_precision, is_all_pairs):
    rows = Dataset.from_dict({"text": texts})
    positions = np.arange(100, 100 + len(texts))
    kept, places, unrelated = leave_out_unrelated(rows, positions, min_precision, is_all_pairs)
    assert sorted([*places, *unrelated]) == positions.tolist()
    assert kept["text"][:] == [texts[place - 100] for place in places]
    return len(unrelated)


def test_only_pairs_are_left_out_by_default(dataset, caplog):
    texts = dataset["text"][:] * 5
    assert left_out(texts, None, is_all_pairs=False) == 0
    assert left_out(texts, 1, is_all_pairs=True) == 0
    assert not caplog.records
    with caplog.at_level(logging.WARNING), record_doubts() as recorder:
        by_default = left_out(texts, None, is_all_pairs=True)
    assert len(recorder.lines) == 1
    recorder.refuse()  # a strict run accepts it
    assert 0 < by_default == left_out(texts, 0.9, is_all_pairs=True)
    assert f"{by_default} of 400 rows state no relation" in caplog.text


def test_a_date_in_front_is_a_head_where_there_is_one_order():
    dated = "<e1:DATE> 1990 </e1:DATE> : <e2:FIRM> acme </e2:FIRM> began"
    swapped = "<e2:DATE> 1990 </e2:DATE> : <e1:FIRM> acme </e1:FIRM> began"
    others = [row["text"] for row in far_rows(3)]
    assert left_out([dated, *others], 0.9, is_all_pairs=False) == 0
    assert left_out([dated, swapped, *others], 0.9, is_all_pairs=False) == 1


def test_no_row_left():
    swapped = [
        "<e1> 1990 </e1> and <e2> 1991 </e2>",
        "<e2> 1990 </e2> and <e1> 1991 </e1>",
    ]
    with pytest.raises(ValueError, match="none of the 2 rows seems to state a relation"):
        left_out(swapped, 0.9, is_all_pairs=False)


def test_pairs_are_known_by_their_columns():
    columns = ("text", "document", "document_head_start", "document_tail_start")
    assert holds_all_pairs(Dataset.from_dict({name: [] for name in columns}))
    assert not holds_all_pairs(Dataset.from_dict({name: [] for name in columns[:3]}))

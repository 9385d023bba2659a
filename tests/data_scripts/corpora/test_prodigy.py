"""Prodigy: relations by spans and by tokens, answers, spans alone."""

import json

import pytest

from data_scripts import DataError, load_user_file

from ..source_examples import NEWS_ALL_PAIRS, prodigy_task


def load(tmp_path, *lines, **options):
    path = tmp_path / "news.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return load_user_file(path, **options)


def test_rows_by_hand(tmp_path, caplog):
    rows = load(tmp_path, prodigy_task(), prodigy_task() | {"answer": "reject"})
    assert rows["text"] == [
        "<e1:PER> Mara Lind </e1:PER> founded <e2:ORG> Petrel Foods </e2:ORG> in Oslo.",
        "<e2:PER> Jon Asher </e2:PER> 🙂 joined <e1:ORG> Calyx Labs </e1:ORG>.",
    ]
    assert rows["relation"] == ["Founded", "Employer"]
    assert (
        "read as prodigy: documents: 1, entities: 5, pairs: 2; left out: 1 x task with the answer reject"
        in caplog.text
    )


def test_spans_alone(tmp_path):
    task = prodigy_task()
    del task["relations"]
    rows = load(tmp_path, task)
    assert list(zip(rows["head"], rows["tail"], strict=True)) == NEWS_ALL_PAIRS


def test_a_relation_of_tokens_that_are_no_span(tmp_path):
    task = prodigy_task() | {
        "spans": [],
        "relations": [{"head": 1, "child": 4, "label": "Founded"}],
    }
    (row,) = load(tmp_path, task)
    assert (row["head"], row["tail"], row["head_type"]) == ("Lind", "Foods", None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda task: task.update(text=3), "field text: is not a string"),
        (lambda task: task["spans"][0].update(end="x"), "field end: is not a whole number"),
        (lambda task: task["relations"][0].update(head=99), "names a token that does not exist"),
        (lambda task: task.pop("tokens"), "field tokens: is missing"),
        (lambda task: task["relations"].append("x"), "is not an object ('x')"),
    ],
)
def test_bad_lines(tmp_path, change, said):
    broken = prodigy_task()
    change(broken)
    with pytest.raises(DataError) as caught:
        load(tmp_path, prodigy_task(), broken)
    assert "news.jsonl, row 2" in str(caught.value) and said in str(caught.value)

"""User files: each form of a row, column mapping, further columns, each format, and errors."""

import csv
import json

import pyarrow
import pyarrow.parquet
import pytest

from data_scripts import DataError, load_relation_dataset, load_user_file

from ..source_examples import TABLE_CHARACTERS, TABLE_TOKENS


def write(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\r\n\n" for row in rows))
    elif path.suffix == ".json":
        path.write_text("\n " + json.dumps(rows, indent=1))
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0], delimiter="\t" if path.suffix == ".tsv" else ",")
            table.writeheader()
            table.writerows(rows)
    return path


def load(path, **options):
    return load_relation_dataset("table", data_files={"train": str(path)}, **options)["train"]


def load_rows(tmp_path, *rows, **options):
    return load(write(tmp_path / "rows.jsonl", rows), **options)


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_each_format_returns_the_same_rows(tmp_path, suffix):
    rows = [
        {
            **TABLE_CHARACTERS,
            "head_type": "PERSON",
            "tail_type": "ORG",
            "relation": "leads",
            "source": 'a, "b"\nc',
        },
        {
            **TABLE_CHARACTERS,
            "head_type": None,
            "tail_type": "ORG",
            "relation": None,
            "source": "é",
        },
    ]
    first, second = load(write(tmp_path / f"rows.{suffix}", rows))
    assert first == {
        "id": first["id"],
        "text": "<e1:PERSON> Ada Roe </e1:PERSON> leads <e2:ORG> Acme </e2:ORG>.",
        "sentence": "Ada Roe leads Acme.",
        "head": "Ada Roe",
        "head_type": "PERSON",
        "head_start": 0,
        "head_end": 7,
        "tail": "Acme",
        "tail_type": "ORG",
        "tail_start": 14,
        "tail_end": 18,
        "relation": "leads",
        "source": 'a, "b"\nc',
    }
    assert second["text"] == "<e1> Ada Roe </e1> leads <e2:ORG> Acme </e2:ORG>."
    assert second["relation"] is None and second["source"] == "é"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (TABLE_TOKENS, "<e1> Ada Roe </e1> leads <e2> Acme </e2>"),
        ({**TABLE_TOKENS, "head": "Ada Roe"}, "<e1> Ada Roe </e1> leads <e2> Acme </e2>"),
        (
            {"text": "<e2:ORG> Acme </e2:ORG> hired <e1> Ada </e1>"},
            "<e2:ORG> Acme </e2:ORG> hired <e1> Ada </e1>",
        ),
        ({"text": "<e2>Acme</e2> hired <e1>Ada</e1>"}, "<e2> Acme </e2> hired <e1> Ada </e1>"),
        (
            {"text": "Acme hired Ada", "head": "Ada", "tail": "Acme"},
            "<e2> Acme </e2> hired <e1> Ada </e1>",
        ),
        (
            {"tokens": ["Bo", "met", "Cy"], "head": "Bo", "tail": "Cy"},
            "<e1> Bo </e1> met <e2> Cy </e2>",
        ),
        # A complete row of the schema: the offsets decide.
        ({**TABLE_CHARACTERS, "text": "old"}, "<e1> Ada Roe </e1> leads <e2> Acme </e2>."),
        # Angle brackets in a sentence can't pass for markers.
        (
            {"sentence": "<e1> Bo met Cy", "head": "Bo", "tail": "Cy"},
            "‹e1› <e1> Bo </e1> met <e2> Cy </e2>",
        ),
    ],
)
def test_each_form_of_a_row(tmp_path, row, text):
    assert load_rows(tmp_path, row)["text"] == [text]


def test_columns_are_mapped_and_further_ones_carried_along(tmp_path):
    row = {
        "uid": 7,
        "body": "Acme hired Ada",
        "subj": "Ada",
        "obj": "Acme",
        "label": 3,
        "score": 1,
        "tags": ["a"],
    }
    columns = {"id": "uid", "sentence": "body", "head": "subj", "tail": "obj", "relation": "label"}
    (loaded, other) = load_rows(
        tmp_path, row, {**row, "score": 0.5, "tags": {"b": None}}, columns=columns
    )
    assert (loaded["id"], loaded["head"], loaded["tail"], loaded["relation"]) == (
        "7",
        "Ada",
        "Acme",
        "3",
    )
    assert (loaded["score"], other["score"]) == (1.0, 0.5)
    assert (loaded["tags"], other["tags"]) == (["a"], {"b": None})
    assert not {"uid", "body", "subj", "obj", "label"} & set(loaded)


def test_further_columns_may_differ_between_splits(tmp_path):
    files = {
        "train": str(write(tmp_path / "a.jsonl", [{**TABLE_CHARACTERS, "page": 4}])),
        "validation": str(write(tmp_path / "b.jsonl", [{**TABLE_CHARACTERS, "url": "x"}])),
    }
    dataset = load_relation_dataset("jsonlines", data_files=files)
    assert (dataset["train"][0]["page"], dataset["train"][0]["url"]) == (4, None)
    assert (dataset["validation"][0]["page"], dataset["validation"][0]["url"]) == (None, "x")


@pytest.mark.parametrize(
    ("sentence", "head", "tail", "spans"),
    [
        ("Ada met Bo and Ada left", "Ada", "Bo", (0, 3, 8, 10)),
        ("Ada rested ; Bo met Ada", "Ada", "Bo", (20, 23, 13, 15)),
        ("Roeburn knows Roe and Cy", "Roe", "Cy", (14, 17, 22, 24)),
        ("New York : York grew", "York", "New York", (11, 15, 0, 8)),
        ("Ada met Ada", "Ada", "Ada", (0, 3, 8, 11)),
    ],
)
def test_the_nearest_strings_that_do_not_overlap_are_taken(tmp_path, sentence, head, tail, spans):
    (row,) = load_rows(tmp_path, {"sentence": sentence, "head": head, "tail": tail})
    assert (row["head_start"], row["head_end"], row["tail_start"], row["tail_end"]) == spans


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**TABLE_CHARACTERS, "head": "Ada Ro"}, "field head: is not the text at its offsets"),
        (
            {**TABLE_CHARACTERS, "head_end": 0},
            "field head_start: has offsets that are reversed or outside the sentence",
        ),
        (
            {**TABLE_CHARACTERS, "tail_end": 99},
            "field tail_start: has offsets that are reversed or outside the sentence",
        ),
        ({**TABLE_CHARACTERS, "tail_start": "x"}, "field tail_start: is not a whole number"),
        ({**TABLE_CHARACTERS, "tail_start": True}, "field tail_start: is not a whole number"),
        ({**TABLE_CHARACTERS, "tail_start": None}, "field tail_start: is missing"),
        (
            {**TABLE_CHARACTERS, "sentence": "Ada Roe leads     ."},
            "has a mention that is empty or outside the sentence",
        ),
        ({**TABLE_CHARACTERS, "relation": ["leads"]}, "field relation: is not a string"),
        ({**TABLE_CHARACTERS, "sentence": 5}, "field sentence: is not a string"),
        ({**TABLE_CHARACTERS, "relation": "\ud800"}, "field relation: is not valid UTF-8"),
        (
            {**TABLE_TOKENS, "tail_end": 5},
            "field tail_start: has offsets that are reversed or outside the sentence",
        ),
        (
            {"text": "<e1> Bo </e1> met <e2> Cy"},
            "field text: does not hold each of the four markers once",
        ),
        (
            {"sentence": "Bo met Cy", "head": "Bo", "tail": "Di"},
            "field tail: does not occur in the sentence",
        ),
        (
            {"sentence": "Bo met Cy", "head": "Bo", "tail": "Bo"},
            "field tail: occurs nowhere apart from the head",
        ),
        ({"head": "Bo", "tail": "Cy"}, "field sentence: is missing or empty"),
        (["Bo"], "is not an object"),
    ],
)
def test_a_bad_row_is_refused_or_skipped(tmp_path, row, said, caplog):
    with pytest.raises(DataError) as caught:
        load_rows(tmp_path, TABLE_CHARACTERS, row)
    message = str(caught.value)
    # Empty lines separate the rows, so the second row is line 3.
    assert (
        message.startswith(f"{tmp_path / 'rows.jsonl'}, row 3")
        and said in message
        and "\n" not in message
    )
    assert len(load_rows(tmp_path, TABLE_CHARACTERS, row, on_error="skip")) == 1
    assert "bad rows skipped: 1 (1 x " in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"sentence": "Bo', "row 1: is not JSON"),
        ("a.jsonl", b'{"sentence": "\xff"}', "row 1: is not UTF-8"),
        ("a.json", b'[{"sentence": "Bo"', "is not JSON"),
        (
            "a.csv",
            b"sentence,head,tail\nBo met Cy,Bo\n",
            "row 2: has a different number of cells than the header",
        ),
        ("a.csv", b'sentence,head,tail\n"Bo met Cy,Bo,Cy\n', "row 2: is not CSV"),
        (
            "a.csv",
            b"sentence,head,tail\nB\xff met Cy,Cy,met\n",
            "row 2, field text: is not valid UTF-8",
        ),
        ("a.csv", b"sentence,head,head\n", "has two columns with one name"),
        ("a.parquet", b"PAR1", "is not Parquet"),
        ("a.jsonl", b"", "no row is left"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_row_is_kept_with_its_problem(tmp_path):
    rows = [
        {**TABLE_CHARACTERS, "id": "same", "page": 1, "problem": "of the file"},
        {"id": "\ud800", "sentence": "Bo met Cy", "head": "Bo", "tail": "Di", "page": "x\ud800"},
        ["Bo"],
        {**TABLE_CHARACTERS, "id": "same", "page": 2.5},
    ]
    path = write(tmp_path / "rows.jsonl", rows)
    loaded = load_user_file(path, on_error="skip")
    assert loaded.column_names[-2:] == ["page", "problem"]
    assert loaded["id"] == ["same", "?", "5", "same"]
    assert [text is None for text in loaded["text"]] == [False, True, True, False]
    assert loaded["page"] == [1, "x?", None, 2.5]
    first, second, third, fourth = loaded["problem"]
    assert first is None and fourth is None
    assert "row 3, field tail: does not occur in the sentence ('Di')" in second
    assert "row 5: is not an object" in third
    with pytest.raises(DataError, match="row 3, field tail"):
        load_user_file(path)


def test_a_kept_row_takes_its_text_from_the_mapped_column(tmp_path):
    marked = "<e1> Bo </e1> met <e2> Cy </e2>"
    row = {"sentence": "another one", "tokens": ["a"], "body": marked, "head": "Bo"}
    path = write(tmp_path / "rows.jsonl", [row])
    (loaded,) = load_user_file(path, columns={"text": "body"})
    assert (loaded["text"], loaded["id"]) == (marked, "1")
    assert (loaded["body"], loaded["tokens"]) == (marked, ["a"])
    path = write(tmp_path / "marked.jsonl", [{"sentence": marked}])
    (loaded,) = load_user_file(path, columns={"text": "sentence"})
    assert (loaded["text"], loaded["sentence"]) == (marked, "Bo met Cy")

"""Files: each line belongs to a row or to an error, and what is written is read back."""

import csv
import json

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_scripts import DataError
from data_scripts.files import read_json, read_rows

HEADER = ["sentence", "head", "tail"]


def good(number):
    return [f"Ada{number} Roe leads Acme{number} Ltd.", f"Ada{number} Roe", f"Acme{number} Ltd"]


def write_lines(path, rows, delimiter="\t"):
    path.write_text("".join(delimiter.join(cells) + "\n" for cells in [HEADER, *rows]))
    return path


def read(path, doubts=None):
    """Return the rows as lists, and the errors by their row."""
    rows, errors = {}, {}
    doubt = (lambda reason, example: doubts.append(example)) if doubts is not None else None
    for number, row in read_rows(path, doubt) if doubt else read_rows(path):
        if isinstance(row, DataError):
            errors[number] = str(row)
        else:
            rows[number] = list(row.values())
    return rows, errors


@pytest.mark.parametrize(
    "cell",
    [
        '"Acme Ltd said Ada Roe was out.',  # never closed
        '"Acme Ltd" hired Ada Roe.',
        'Ada Roe of "Acme Ltd" left.',
        '"Acme Ltd", said Ada Roe, "is closed.',
        '5" of snow, said Ada Roe of Acme Ltd.',
        '"He said \\"Ada Roe runs Acme Ltd\\".',
    ],
)
def test_quotes_mean_nothing_in_tsv(tmp_path, cell):
    rows = [good(number) for number in range(60)]
    rows[9] = [cell, "Ada Roe", "Acme Ltd"]
    read_back, errors = read(write_lines(tmp_path / "a.tsv", rows))
    assert not errors and list(read_back.values()) == rows


def test_a_cell_that_is_quoted_whole_is_unquoted_in_tsv(tmp_path):
    path = write_lines(tmp_path / "a.tsv", [['"No ""comment"", said Ada of Acme."', "Ada", "Acme"]])
    assert read(path) == ({2: ['No "comment", said Ada of Acme.', "Ada", "Acme"]}, {})


def test_two_stray_quotes_swallow_no_row_of_tsv(tmp_path):
    rows = [good(number) for number in range(8)]
    rows[2][0] = '"Ada2 Roe left Acme2 Ltd.'
    rows[5][0] = 'Ada5 Roe left "Acme5 Ltd"'
    read_back, errors = read(write_lines(tmp_path / "a.tsv", rows))
    assert not errors and list(read_back.values()) == rows


def test_a_stray_quote_costs_one_row_of_csv(tmp_path):
    rows = [good(number) for number in range(60)]
    rows[9] = ['"Acme Ltd said Ada Roe was out.', "Ada Roe", "Acme Ltd"]
    rows[30] = ['"Acme Ltd" hired Ada Roe.', "Ada Roe", "Acme Ltd"]
    read_back, errors = read(write_lines(tmp_path / "a.csv", rows, ","))
    assert list(errors) == [11, 32]
    assert "is not CSV: a cell in quotes is not closed" in errors[11]
    assert list(read_back.values()) == [row for row in rows if row not in (rows[9], rows[30])]


def test_a_quote_that_another_one_closes_is_doubted_in_csv(tmp_path):
    rows = [good(number) for number in range(8)]
    rows[2][0] = '"Ada2 Roe left.'
    rows[5][0] = 'Ada5 Roe left"'
    doubts = []
    read_back, errors = read(write_lines(tmp_path / "a.csv", rows, ","), doubts)
    # As CSV this is one cell that holds four lines.
    assert (len(read_back), errors, doubts) == (5, {}, ["row 4 of a.csv"])


def test_backslashes_before_quotes_are_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('sentence,head,tail\n"He said \\"Ada runs Acme\\".",Ada,Acme\nAda b,Ada,b\n')
    rows, errors = read(path)
    assert list(rows) == [3]
    assert "written with a backslash" in errors[2] and 'write "" for each' in errors[2]


def test_a_cell_may_be_of_any_length(tmp_path):
    sentence = "Ada Roe leads Acme, and\n" * 20_000  # 480,000 characters
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, [sentence, "Ada Roe", "Acme"], good(1)])
    rows, errors = read(tmp_path / "a.csv")
    assert not errors and list(rows.values()) == [[sentence, "Ada Roe", "Acme"], good(1)]


@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ";"), ("csv", "\t"), ("tsv", ",")])
def test_another_separator_than_the_suffix_says(tmp_path, suffix, delimiter):
    path = write_lines(tmp_path / f"a.{suffix}", [good(1)], delimiter)
    assert read(path) == ({2: good(1)}, {})


CELLS = st.text(st.sampled_from("ab ,;\"'\\\n\r何🙂\x85\u2028"), max_size=12)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=5),
    st.sampled_from(["csv", "tsv", "jsonl", "json", "parquet"]),
)
def test_what_is_written_is_read_back(tmp_path_factory, rows, suffix):
    path = tmp_path_factory.mktemp("rows") / f"rows.{suffix}"
    table = [dict(zip(HEADER, (cell or None for cell in row), strict=True)) for row in rows]
    if suffix == "parquet":
        schema = pyarrow.schema([(name, pyarrow.string()) for name in HEADER])
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table, schema), path)
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table))
    elif suffix == "json":
        path.write_text(json.dumps(table))
    else:
        with path.open("w", newline="") as file:
            delimiter = "\t" if suffix == "tsv" else ","
            csv.writer(file, delimiter=delimiter).writerows([HEADER, *rows])
    assert [row for _, row in read_rows(path)] == table


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from('a,"\n\t'), max_size=60), st.sampled_from(["csv", "tsv"]))
def test_each_line_belongs_to_one_row(tmp_path_factory, text, suffix):
    path = tmp_path_factory.mktemp("rows") / f"rows.{suffix}"
    delimiter = "\t" if suffix == "tsv" else ","
    path.write_text(f"x{delimiter}y\n{text}")
    rows = list(read_rows(path))
    lines = path.read_text().split("\n")
    ends = [*(number for number, _ in rows[1:]), len(lines) + 1]
    covered = set()
    for (number, row), end in zip(rows, ends, strict=False):
        if isinstance(row, dict):
            num_lines = 1 + sum((cell or "").count("\n") for cell in row.values())
            covered |= set(range(number, number + num_lines))
            assert number + num_lines <= end
        else:
            covered |= set(range(number, end))
    assert {number for number, line in enumerate(lines[1:], 2) if line} <= covered


@pytest.mark.parametrize(
    "content",
    [
        {"data": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]},
        {"schema": {"fields": []}, "data": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]},
        {"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}},
        {"0": {"a": 1, "b": "x"}, "1": {"a": 2, "b": "y"}},
        {"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2, "y"]]},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_one_object_that_holds_a_table(tmp_path, content, indent):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content, indent=indent))
    assert list(read_rows(path)) == [(1, {"a": 1, "b": "x"}), (2, {"a": 2, "b": "y"})]


def test_a_row_that_has_a_column_data_is_a_row(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"data": [1, 2], "x": {"0": 1}}\n')
    assert list(read_rows(path)) == [(1, {"data": [1, 2], "x": {"0": 1}})]


def test_json_lines_where_a_list_is_wanted(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    with pytest.raises(DataError, match="is JSON lines, not one JSON list"):
        read_json(path, list)


def test_a_name_that_occurs_twice_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1, "b": {"c": 1, "c": 2}}\n{"a": 1}\n')
    rows, errors = read(tmp_path / "a.jsonl")
    assert rows == {2: [1]} and "has a key twice in one object ('c')" in errors[1]
    table = pyarrow.table([[1], [2]], names=["head", "head"])
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="has two columns with one name"):
        read(tmp_path / "a.parquet")

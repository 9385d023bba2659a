"""`load_relation_dataset`: names, options, streaming, and a cache that follows the files."""

import json
import os
from importlib.resources import files

import datasets
import pytest

import data_scripts.builder
import data_scripts.loading
from data_scripts import FEATURES, DataError, load_relation_dataset, load_user_file

ROW = {
    "sentence": "Ada Roe leads Acme.",
    "head": "Ada Roe",
    "head_type": "PERSON",
    "tail": "Acme",
    "relation": "leads",
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "rows [1].jsonl"  # brackets, which the library alone would take for a pattern
    path.write_text(json.dumps(ROW) + "\n")
    return path


def load(path, **options):
    return load_relation_dataset("jsonlines", data_files={"train": str(path)}, **options)


def test_an_edited_file_is_read_again(path):
    assert load(path)["train"]["relation"] == ["leads"]
    stamp = path.stat()
    path.write_text(path.read_text().replace("leads", "heads"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert load(path)["train"]["relation"] == ["heads"]


def test_the_cache_follows_the_code_and_the_content(path, tmp_path, monkeypatch):
    folder = data_scripts.loading.relation_builder(
        "jsonlines", data_files={"train": str(path)}
    ).cache_dir
    twin = tmp_path / "elsewhere" / path.name
    twin.parent.mkdir()
    twin.write_text(path.read_text())
    assert (
        data_scripts.loading.relation_builder(
            "jsonlines", data_files={"train": str(twin)}
        ).cache_dir
        == folder
    )
    monkeypatch.setattr(data_scripts.builder, "code_digest", lambda: "edited")
    assert (
        data_scripts.loading.relation_builder(
            "jsonlines", data_files={"train": str(path)}
        ).cache_dir
        != folder
    )


def test_skipped_rows_are_reported_each_time(path, caplog):
    path.write_text(path.read_text() + "{}\n")
    for _ in range(2):  # the second time from the cache
        load(path, on_error="skip")
        assert "jsonlines" not in caplog.text
        assert (
            "table, train: bad rows skipped: 1 (1 x sentence: is missing or empty)" in caplog.text
        )
        caplog.clear()


def test_streaming_gives_the_same_rows(path, caplog):
    path.write_text(path.read_text() + "{}\n")
    stream = load(path, streaming=True, on_error="skip")
    assert isinstance(stream, datasets.IterableDatasetDict)
    assert list(stream["train"]) == list(load(path, on_error="skip")["train"])
    assert "bad rows skipped: 1" in caplog.text
    with pytest.raises(DataError, match="row 2, field sentence: is missing or empty"):
        list(load(path, streaming=True)["train"])


def test_untyped_markers_leave_the_type_columns(path):
    (row,) = load(path, markers="untyped")["train"]
    assert (row["text"], row["head_type"]) == (
        "<e1> Ada Roe </e1> leads <e2> Acme </e2>.",
        "PERSON",
    )


def test_the_embedded_corpus():
    sample = load_relation_dataset("sample")
    assert list(sample) == ["train", "validation"]
    assert sample["train"].features == FEATURES
    for split, rows in sample.items():
        source = [
            json.loads(line)
            for line in files("data_scripts.sample").joinpath(f"{split}.jsonl").open("rb")
        ]
        assert rows.remove_columns("text").to_list() == source


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"name": "tacrid"}, ValueError, "no corpus is called 'tacrid'; choose one of"),
        ({"name": "fewrel"}, ValueError, "pass data_dir"),
        ({"name": "fewrel", "data_dir": "/nowhere"}, NotADirectoryError, "is not a folder"),
        (
            {"name": "csv", "data_files": {"train": "/nowhere.csv"}},
            FileNotFoundError,
            "does not exist",
        ),
        (
            {"name": "fewrel", "marker": "typed"},
            ValueError,
            "fewrel has no option 'marker'; it takes labels, markers",
        ),
        (
            {"name": "fewrel", "markers": "bold"},
            ValueError,
            "markers is 'bold'; choose one of typed, untyped",
        ),
        (
            {"name": "nyt_fb", "bytes_per_shard": 0},
            ValueError,
            "bytes_per_shard is 0; give a whole",
        ),
        (
            {"name": "table", "keep_all_rows": "yes"},
            ValueError,
            "keep_all_rows is 'yes'; choose True or",
        ),
        (
            {"name": "table", "columns": {"subject": "s"}},
            ValueError,
            "columns maps 'subject', which is none of id",
        ),
    ],
)
def test_wrong_arguments_are_one_line(arguments, error, said):
    with pytest.raises(error) as caught:
        load_relation_dataset(**arguments)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_the_old_name_of_load_user_file_warns(path):
    with pytest.warns(FutureWarning, match="own_rows is now called load_user_file"):
        rows = data_scripts.loading.own_rows(path)
    assert rows.to_list() == load_user_file(path).to_list()


def test_a_user_file_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist, or is not a file"):
        load_user_file(tmp_path / "none.csv")


def test_messages_show_values_in_every_script(path):
    row = {"sentence": "Zoë führt Ακμή", "head": "阿达", "tail": "Ακμή"}
    path.write_text(json.dumps(row))
    with pytest.raises(DataError, match=r"does not occur in the sentence \('阿达'\)"):
        load(path)


def test_a_file_that_changes_while_it_is_read_leaves_nothing_behind(path):
    old = path.read_text()
    builder = data_scripts.loading.relation_builder("table", data_files={"train": str(path)})
    path.write_text(old.replace("leads", "heads"))
    with pytest.raises(DataError, match="changed while it was read; read it again"):
        builder.read()
    path.write_text(old)
    assert load(path)["train"]["relation"] == ["leads"]


def test_an_option_has_its_own_values(path):
    with pytest.raises(ValueError, match="offsets is 'utf8'; choose one of characters, inclusive"):
        load(path, offsets="utf8")
    with pytest.raises(ValueError, match="pairs is 'some'; choose one of labeled, all"):
        load_relation_dataset("spert", data_files={"train": str(path)}, pairs="some")

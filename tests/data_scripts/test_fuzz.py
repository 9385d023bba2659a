"""Whatever a file holds, a reader answers with right rows or with one line; never with anything else."""

import json

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_scripts import CORPORA, load_relation_dataset

from .test_core import row as core_row
from .test_docred import document
from .test_nyt_fb import LINES as NYT_LINES
from .test_opennre import TEXT, TOKENS
from .test_semeval2010 import BLOCKS
from .test_sentence_pairs import SENTENCES
from .test_spert import sentence
from .test_table import CHARACTERS
from .test_table import TOKENS as TOKEN_ROW
from .test_tacred import row as tacred_row

FEWREL = {"P1": [{"tokens": ["a", "b"], "h": ["a", "", [[0]]], "t": ["b", "", [[1]]]}]}

# Name: file, a good content, and how it is written.
GOOD = {
    "core": ("train.json", [core_row(0), core_row(1)], json.dumps),
    "docred": ("dev.json", [document()], json.dumps),
    "fewrel": (
        "val_wiki.json",
        {"P1": [{"tokens": ["a", "b"], "h": ["a", "", [[0]]], "t": ["b", "", [[1]]]}]},
        json.dumps,
    ),
    "spert": ("dev.json", [sentence()], json.dumps),
    "tacred": ("dev.json", [tacred_row("d1", "per:age")], json.dumps),
    "sentence_pairs": ("train_sentence.json", SENTENCES, json.dumps),
    "opennre": ("train.txt", [TOKENS, TEXT], lambda rows: "\n".join(map(json.dumps, rows))),
    "jsonlines": ("train.jsonl", [CHARACTERS, TOKEN_ROW], lambda rows: "\n".join(map(json.dumps, rows))),
    "csv": ("train.csv", ["sentence,head,tail,note", 'a b,a,b,"x, y"', "c d,d,c,"], "\n".join),
    "nyt_fb": ("nyt.tsv", NYT_LINES, "\n".join),
    "semeval2010": ("train.txt", BLOCKS.split("\r\n"), "\r\n".join),
}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from([10**30, -(2**63) - 1, 1.5, float("nan"), "\ud800", "\x00", "", " ", "a\nb\u2028", "x" * 200_000]),
    st.text(max_size=5),
    st.lists(st.integers(-2, 9), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def mutate(value, data):
    """Replaces, drops, doubles or reorders one thing somewhere inside."""
    if isinstance(value, dict | list) and value and data.draw(st.integers(0, 4)):
        key = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        action = data.draw(st.sampled_from(["inside", "inside", "inside", "drop", "double"]))
        changed = value.copy()
        if action == "inside":
            changed[key] = mutate(value[key], data)
        elif action == "drop":
            del changed[key]
        elif isinstance(value, list):
            changed.insert(0, value[key])
        return changed
    if isinstance(value, str) and data.draw(st.booleans()):
        cut = data.draw(st.integers(0, len(value)))
        return (
            value[cut:] + data.draw(st.sampled_from(["", "\t", '"', "<e1>", "</e2>", "\r", ",", "\x85"])) + value[:cut]
        )
    return data.draw(ODD)


def check(dataset):
    for rows in dataset.values():
        for row in rows:
            assert row["head"] == row["sentence"][row["head_start"] : row["head_end"]] != ""
            assert row["tail"] == row["sentence"][row["tail_start"] : row["tail_end"]] != ""
            assert row["text"].count("<e1") >= 1 and row["text"].count("</e2") >= 1
            assert row["relation"] is None or row["relation"].strip()


def read(name, folder, file, **options):
    if name in ("jsonlines", "csv"):
        return load_relation_dataset(name, data_files={"train": str(folder / file)}, **options)
    return load_relation_dataset(name, data_dir=str(folder), **options)


@pytest.mark.parametrize("name", GOOD)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_reader_gives_right_rows_or_one_line(name, tmp_path_factory, data):
    datasets.disable_progress_bars()
    file, content, write = GOOD[name]
    for _ in range(data.draw(st.integers(1, 3))):
        content = mutate(content, data)
    try:
        raw = write(content).encode("utf-8", "surrogatepass")
    except (TypeError, AttributeError, ValueError):
        raw = json.dumps(content).encode()
    damage = data.draw(st.sampled_from(["none", "none", "cut", "byte"]))
    if damage == "cut":
        raw = raw[: data.draw(st.integers(0, len(raw)))]
    elif damage == "byte" and raw:
        position = data.draw(st.integers(0, len(raw) - 1))
        raw = raw[:position] + bytes([data.draw(st.integers(0, 255))]) + raw[position + 1 :]
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / file).write_bytes(raw)
    for on_error in ("raise", "skip"):
        try:
            check(read(name, folder, file, on_error=on_error))
        except (ValueError, OSError) as error:
            assert "\n" not in str(error) and str(folder) in str(error)


def test_every_reader_is_fuzzed():
    embedded = CORPORA["sample"].builder  # takes no file
    assert {CORPORA[name].builder for name in GOOD} == {corpus.builder for corpus in CORPORA.values()} - {embedded}


@pytest.mark.parametrize("name", GOOD)
def test_the_good_content_is_good(name, tmp_path):
    file, content, write = GOOD[name]
    (tmp_path / file).write_text(write(content))
    assert sum(read(name, tmp_path, file).num_rows.values()) > 0

"""Whatever a file holds, a reader returns correct rows or raises an error of one line."""

import io
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.speed.reading import core_rows, docred_rows, fewrel_rows, spert_rows
from data_scripts import CORPORA, load_relation_dataset
from modeling_siamure.markers import neutralize, read_markers

from .source_examples import (
    BRAT_ENTITIES,
    BRAT_RELATIONS,
    CONLL,
    CONLLU_BRACKETS,
    MARKED_SENTENCES,
    NEWS,
    NYT_LINES,
    OPENNRE_TEXT,
    OPENNRE_TOKENS,
    SEMEVAL_BLOCKS,
    TABLE_CHARACTERS,
    TABLE_TOKENS,
    core_row,
    doccano_line,
    docred_document,
    labelstudio_task,
    prodigy_task,
    pure_document,
    spert_sentence,
    tacred_row,
)


def lines(rows: list) -> str:
    return "\n".join(map(json.dumps, rows))


def parquet(rows: list) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


class Case(NamedTuple):
    """A file with good content, how it is written, and slow code that reads it, if there is any."""

    corpus: str
    file: str
    content: Any
    write: Callable[[Any], str | bytes] = json.dumps
    companion: tuple[str, str] | None = None  # another file, which stays good
    options: tuple[str, ...] = ()  # options that take the folder
    slow: Callable | None = None
    pairs: str | None = None


FEWREL = {"P1": [{"tokens": ["a", "b"], "h": ["a", "", [[0]]], "t": ["b", "", [[1]]]}]}
TACRED = json.dumps([tacred_row("d1", "per:age"), tacred_row("d2", "no_relation")])
TRIPLE = {
    "subject": "Ada",
    "predicate": "works for",
    "object": "Acme",
    "evidence": "Ada has long worked for Acme.",
}
CASES = {
    "core": Case("core", "train.json", [core_row(0), core_row(1)], slow=core_rows),
    "docred": Case("docred", "dev.json", [docred_document()], slow=docred_rows),
    "fewrel": Case("fewrel", "val_wiki.json", FEWREL, slow=fewrel_rows),
    "spert": Case("spert", "dev.json", [spert_sentence()], slow=spert_rows),
    "tacred": Case("tacred", "dev.json", [tacred_row("d1", "per:age")]),
    "tacrev": Case(
        "tacred",
        "dev_patch.json",
        [{"id": "d1", "relation": "b"}],
        companion=("dev.json", TACRED),
        options=("tacrev",),
    ),
    "retacred": Case(
        "tacred",
        "dev_id2label.json",
        {"d1": "b"},
        companion=("dev.json", TACRED),
        options=("retacred",),
    ),
    "sentence_pairs": Case("sentence_pairs", "train_sentence.json", MARKED_SENTENCES),
    "label numbers": Case(
        "sentence_pairs",
        "train_label_id.json",
        [4, 0, 4],
        companion=("train_sentence.json", json.dumps(MARKED_SENTENCES)),
    ),
    "opennre": Case("opennre", "train.txt", [OPENNRE_TOKENS, OPENNRE_TEXT], lines),
    "pure": Case("pure", "train.jsonl", [pure_document(), pure_document()], lines),
    "json": Case("table", "train.json", [TABLE_CHARACTERS, TABLE_TOKENS]),
    "jsonlines": Case("table", "train.jsonl", [TABLE_CHARACTERS, TABLE_TOKENS], lines),
    "brat": Case(
        "brat",
        "a.ann",
        [*BRAT_ENTITIES.splitlines(), *BRAT_RELATIONS.splitlines()],
        "\n".join,
        companion=("a.txt", NEWS),
    ),
    "conll": Case("conll", "train.conll", CONLL.splitlines(), "\n".join, pairs="all"),
    "conllu": Case("conllu", "train.conllu", CONLLU_BRACKETS.splitlines(), "\n".join, pairs="all"),
    "doccano": Case("doccano", "train.jsonl", [doccano_line()], lines),
    "labelstudio": Case("labelstudio", "train.json", [labelstudio_task()]),
    "prodigy": Case("prodigy", "train.jsonl", [prodigy_task()], lines),
    "triples": Case("triples", "train.jsonl", [TRIPLE, TRIPLE], lines),
    "csv": Case(
        "table", "train.csv", ["sentence,head,tail,note", 'a b,a,b,"x, y"', "c d,d,c,"], "\n".join
    ),
    "parquet": Case(
        "table", "train.parquet", [{**TABLE_CHARACTERS, "note": "x"}, TABLE_CHARACTERS], parquet
    ),
    "nyt_fb": Case("nyt_fb", "nyt.tsv", NYT_LINES, "\n".join),
    "semeval2010": Case("semeval2010", "train.txt", SEMEVAL_BLOCKS.split("\r\n"), "\r\n".join),
}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from(
        [
            10**30,
            -(2**63) - 1,
            1.5,
            float("nan"),
            "\ud800",
            "\x00",
            "",
            " ",
            "a\nb\u2028",
            "x" * 200_000,
        ]
    ),
    st.text(max_size=5),
    st.lists(st.integers(-2, 9), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def mutate(value, data):
    """Replace, drop, double or exchange one value at any depth."""
    if isinstance(value, dict | list) and value and data.draw(st.integers(0, 4)):
        keys = st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value)))
        key = data.draw(keys)
        action = data.draw(
            st.sampled_from(["inside", "inside", "inside", "drop", "double", "exchange"])
        )
        changed = value.copy()
        if action == "inside":
            changed[key] = mutate(value[key], data)
        elif action == "drop":
            del changed[key]
        elif action == "exchange":
            other = data.draw(keys)
            changed[key], changed[other] = value[other], value[key]
        elif isinstance(value, list):
            changed.insert(0, value[key])
        return changed
    if isinstance(value, str) and data.draw(st.booleans()):
        cut = data.draw(st.integers(0, len(value)))
        return (
            value[cut:]
            + data.draw(st.sampled_from(["", "\t", '"', "<e1>", "</e2>", "\r", ",", "\x85"]))
            + value[:cut]
        )
    return data.draw(ODD)


def check(dataset):
    for rows in dataset.values():
        for row in rows:
            marked = read_markers(row["text"])
            assert marked.sentence == neutralize(row["sentence"])
            assert marked.head == (row["head_start"], row["head_end"])
            assert marked.tail == (row["tail_start"], row["tail_end"])
            assert row["head"] == row["sentence"][slice(*marked.head)]
            assert row["tail"] == row["sentence"][slice(*marked.tail)]
            assert (marked.head_type is None, marked.tail_type is None) == (
                not row["head_type"],
                not row["tail_type"],
            )
            assert row["relation"] != ""


def compare(dataset, source, slow):
    """Compare the rows with those that slow code reads from the source."""
    (rows,) = dataset.values()
    columns = ("sentence", "head", "head_type", "tail", "tail_type", "relation")
    rows_read = Counter(tuple(row[column] for column in columns) for row in rows)
    expected, _ = slow(source, rows_read)
    assert rows_read == Counter(
        {tuple(value or None for value in row): count for row, count in expected.items()}
    )


def read(case, folder, **options):
    options |= {option: str(folder) for option in case.options}
    if case.pairs:
        options["pairs"] = case.pairs
    return load_relation_dataset(case.corpus, data_dir=str(folder), **options)


@pytest.mark.parametrize("name", CASES)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_reader_returns_correct_rows_or_one_line(name, tmp_path_factory, data):
    datasets.disable_progress_bars()
    case = CASES[name]
    content = case.content
    for _ in range(data.draw(st.integers(1, 3))):
        content = mutate(content, data)
    try:
        raw = case.write(content)
        raw = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    except Exception:  # the format has no place for it
        raw = json.dumps(content).encode()
    damage = data.draw(st.sampled_from(["none", "none", "cut", "byte"]))
    if damage == "cut":
        raw = raw[: data.draw(st.integers(0, len(raw)))]
    elif damage == "byte" and raw:
        position = data.draw(st.integers(0, len(raw) - 1))
        raw = raw[:position] + bytes([data.draw(st.integers(0, 255))]) + raw[position + 1 :]
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / case.file).write_bytes(raw)
    if case.companion:
        (folder / case.companion[0]).write_text(case.companion[1])
    for on_error in ("raise", "skip"):
        try:
            dataset = read(case, folder, on_error=on_error)
        except (ValueError, OSError) as error:
            assert "\n" not in str(error) and str(folder) in str(error)
        else:
            check(dataset)
            if case.slow and on_error == "raise":
                compare(dataset, json.loads(raw), case.slow)


def test_every_reader_is_fuzzed():
    embedded = CORPORA["sample"].builder  # takes no file
    fuzzed = {CORPORA[case.corpus].builder for case in CASES.values()}
    assert fuzzed == {corpus.builder for corpus in CORPORA.values()} - {embedded}


@pytest.mark.parametrize("name", CASES)
def test_the_good_content_is_read(name, tmp_path):
    case = CASES[name]
    content = case.write(case.content)
    (tmp_path / case.file).write_bytes(content.encode() if isinstance(content, str) else content)
    if case.companion:
        (tmp_path / case.companion[0]).write_text(case.companion[1])
    dataset = read(case, tmp_path)
    assert sum(dataset.num_rows.values()) > 0
    if case.slow:
        compare(dataset, case.content, case.slow)

"""Damaged files: one line instead of a traceback, and every row is returned or counted."""

import io
import json
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from data_scripts import DataError, relation_builder

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


class File(NamedTuple):
    """A good file, and code that counts the rows of a damaged one: at least and at most."""

    corpus: str
    name: str
    content: str | bytes
    count: Callable[[bytes], tuple[int, int]]
    options: Mapping[str, str] = MappingProxyType({})
    text: str | None = None  # beside the file


def num_lines(raw):
    count = sum(bool(line.strip()) for line in raw.split(b"\n"))
    return count, count


def in_list(raw):
    count = len(json.loads(raw))
    return count, count


def in_table(raw):
    count = sum(bool(line) for line in raw.decode(errors="replace").splitlines()) - 1
    # Quotes may join lines to one row.
    return (0 if b'"' in raw else count), count


def in_parquet(raw):
    count = pyarrow.parquet.ParquetFile(io.BytesIO(raw)).metadata.num_rows
    return count, count


def in_relations(raw):
    count = sum(map(len, json.loads(raw).values()))
    return count, count


def labels_of(key, whole_file):
    """Count the labels of documents; one with any gives at least one row or count."""

    def count(raw):
        low = high = 0
        documents = json.loads(raw) if whole_file else filter(bytes.strip, raw.split(b"\n"))
        for document in documents:
            try:
                document = document if whole_file else json.loads(document)
                low += any(document[key])
            except (ValueError, TypeError, LookupError):
                low += not whole_file
            # Each part of it that can't be read is counted.
            high += len(json.dumps(document, default=str))
        return low, high

    return count


def blocks(raw):
    count = raw.count(b"<e1>")
    return 0, count + raw.count(b"\n")


def annotations(raw):
    """Count the pairs of documents: what is damaged may mark none, or each part an error."""
    return 0, len(raw)


def parquet(rows):
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


def lines(rows):
    return "\n".join(map(json.dumps, rows)) + "\n"


def table(delimiter):
    header = ["sentence", "head", "tail", "relation"]
    rows = [[f"Ada{n} Roe leads Acme{n}.", f"Ada{n} Roe", f"Acme{n}", "leads"] for n in range(6)]
    return "\n".join(delimiter.join(cells) for cells in [header, *rows]) + "\n"


FEWREL = {"P1": [{"tokens": ["a", "b"], "h": ["a", "", [[0]]], "t": ["b", "", [[1]]]}] * 3}
OWN_ROWS = [TABLE_CHARACTERS, {**TABLE_CHARACTERS, "relation": "leads", "page": 3}] * 2
FILES = {
    "brat": File("brat", "a.ann", BRAT_ENTITIES + BRAT_RELATIONS, annotations, text=NEWS),
    "conll": File("conll", "train.conll", CONLL, annotations, {"pairs": "all"}),
    "conllu": File("conllu", "train.conllu", CONLLU_BRACKETS, annotations, {"pairs": "all"}),
    "core": File("core", "train.json", json.dumps([core_row(0), core_row(1)]), in_list),
    "doccano": File(
        "doccano",
        "train.jsonl",
        lines([doccano_line()] * 2),
        labels_of("relations", whole_file=False),
    ),
    "docred": File(
        "docred",
        "dev.json",
        json.dumps([docred_document()] * 2),
        labels_of("labels", whole_file=True),
    ),
    "fewrel": File("fewrel", "val_wiki.json", json.dumps(FEWREL), in_relations),
    "fewrel, unlabeled": File("fewrel", "un.json", json.dumps(FEWREL["P1"]), in_list),
    "labelstudio": File(
        "labelstudio", "train.json", json.dumps([labelstudio_task()] * 2), annotations
    ),
    "nyt_fb": File("nyt_fb", "nyt.tsv", "\n".join(NYT_LINES), num_lines),
    "opennre": File("opennre", "train.txt", lines([OPENNRE_TOKENS, OPENNRE_TEXT]), num_lines),
    "prodigy": File(
        "prodigy",
        "train.jsonl",
        lines([prodigy_task()] * 2),
        labels_of("relations", whole_file=False),
    ),
    "pure": File(
        "pure",
        "train.jsonl",
        lines([pure_document()] * 2),
        labels_of("relations", whole_file=False),
    ),
    "semeval2010": File("semeval2010", "train.txt", SEMEVAL_BLOCKS, blocks),
    "sentence_pairs": File(
        "sentence_pairs", "train_sentence.json", json.dumps(MARKED_SENTENCES), in_list
    ),
    "spert": File(
        "spert",
        "dev.json",
        json.dumps([spert_sentence()] * 2),
        labels_of("relations", whole_file=True),
    ),
    "tacred": File("tacred", "dev.json", json.dumps([tacred_row("d1", "per:age")] * 2), in_list),
    "jsonl": File("table", "train.jsonl", lines(OWN_ROWS), num_lines),
    "json": File("table", "train.json", json.dumps([*OWN_ROWS, TABLE_TOKENS]), in_list),
    "csv": File("table", "train.csv", table(","), in_table),
    "tsv": File("table", "train.tsv", table("\t"), in_table),
    "parquet": File("table", "train.parquet", parquet(OWN_ROWS), in_parquet),
}
PIECES = [
    b'"', b"\t", b",", b"\n", b"\r\n", b";", b"{", b"}", b"[", b"]", b"NaN", b"null", b"1e999",
    b"-1", b"99", b"\x00", b"\xff", b"\\", b'\\"', b"\\ud800", b"<e1>", b"</e2>", b"\xef\xbb\xbf",
    b"x" * 200_000, "何".encode(), "🙂".encode(), b"true", b" ",
]  # fmt: skip


def mutate(raw: bytes, random: random.Random) -> bytes:
    """Damage a file as editors, transfers and other programs do."""
    for _ in range(random.randint(1, 3)):
        start, end = sorted(random.randint(0, len(raw)) for _ in range(2))
        action = random.choice(["insert", "insert", "insert", "byte", "cut", "drop", "lines"])
        if action == "insert":
            raw = raw[:start] + random.choice(PIECES) + raw[start:]
        elif action == "byte" and raw:
            raw = raw[:start] + bytes([random.randrange(256)]) + raw[start + 1 :]
        elif action == "cut":
            raw = raw[:end]
        elif action == "drop":
            raw = raw[:start] + raw[min(end, start + 20) :]
        else:
            all_lines = raw.split(b"\n")
            one, other = (random.randrange(len(all_lines)) for _ in range(2))
            all_lines[one] = random.choice([all_lines[other], b"", all_lines[one] * 2])
            raw = b"\n".join(all_lines)
    return raw


def check_mutations(name, folder, seeds):
    datasets.disable_progress_bars()
    file = FILES[name]
    raw = file.content if isinstance(file.content, bytes) else file.content.encode()
    for seed in seeds:
        path = folder / str(seed) / file.name
        path.parent.mkdir()
        if file.text is not None:
            path.with_suffix(".txt").write_text(file.text)
        path.write_bytes(mutate(raw, random.Random(f"{name} {seed}")))
        for on_error in ("raise", "skip"):
            files = {"train": str(path)}
            builder = relation_builder(file.corpus, None, files, on_error=on_error, **file.options)
            try:
                dataset = builder.read()
            except DataError as error:
                assert "\n" not in str(error) and str(path) in str(error)
                continue
            tally = builder.tallies()["train"]
            counted = tally["skipped"].total() + tally["dropped"].total()
            counted -= tally["dropped"]["further label of a pair"]  # of a row that is kept
            low, high = file.count(path.read_bytes())
            assert low <= len(dataset["train"]) + counted <= high, (seed, on_error)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_loses_nothing(name, tmp_path):
    check_mutations(name, tmp_path, range(6))


@pytest.mark.extended
@pytest.mark.parametrize("name", FILES)
def test_many_damaged_files_lose_nothing(name, tmp_path):
    check_mutations(name, tmp_path, range(6, 320))

"""What a file is read as: each format is recognized, a table stays a table, folders of one kind."""

import json

import pyarrow
import pyarrow.parquet
import pytest

from data_scripts import DataError, load_user_file
from data_scripts.formats import list_files, recognize, recognize_file

from .source_examples import (
    BRAT_ENTITIES,
    CONLL,
    CONLLU,
    CONLLU_BRACKETS,
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


def lines(*rows):
    return "\n".join(map(json.dumps, rows))


FEWREL = {"P1": [{"tokens": ["a", "b"], "h": ["a", "", [[0]]], "t": ["b", "", [[1]]]}]}
RECOGNIZED = {
    "brat": ("a.ann", BRAT_ENTITIES),
    "conll": ("train.txt", CONLL),
    "conll, tsv": ("train.tsv", "Mara\tB-PER\nleads\tO\n\nJon\tB-PER\n"),
    "conllu": ("a.conllu", CONLLU),
    "conllu, brackets": ("a.txt", CONLLU_BRACKETS.replace("\n", "\r\n")),
    "core": ("train.json", json.dumps([core_row(0)])),
    "doccano": ("all.jsonl", lines({"text": "No one.", "label": []}, doccano_line())),
    "docred": ("dev.json", json.dumps([docred_document()], indent=1)),
    "fewrel": ("val_wiki.json", json.dumps(FEWREL)),
    "labelstudio": ("export.json", json.dumps([labelstudio_task()])),
    "prodigy": ("news.jsonl", "\ufeff" + lines(prodigy_task())),
    "pure": ("dev.json", lines(pure_document(), pure_document())),
    "semeval2010": ("TRAIN_FILE.TXT", SEMEVAL_BLOCKS),
    "spert": ("dev.json", json.dumps([spert_sentence()])),
}
MARKED = {"text": "<e1> Ada </e1> left <e2> Bo </e2>", "label": []}
TABLES = {
    "characters": ("a.jsonl", lines(TABLE_CHARACTERS)),
    "tokens": ("a.json", json.dumps([TABLE_TOKENS])),
    "tacred": ("a.json", json.dumps([tacred_row("1", "per:age")])),
    "opennre": ("a.txt", lines(OPENNRE_TOKENS, OPENNRE_TEXT)),
    "fewrel, unlabeled": ("a.json", json.dumps(FEWREL["P1"])),
    "labels": ("a.jsonl", lines(MARKED, MARKED | {"label": ["a", "b"]})),
    "csv": ("a.csv", "sentence,head,tail\nAda left Bo,Ada,Bo\n"),
    "tsv": ("a.tsv", "sentence\thead\ttail\nAda left Bo\tAda\tBo\n"),
    "nyt_fb": ("a.tsv", "\n".join(NYT_LINES)),
    "plain text": ("a.txt", NEWS),
    "empty": ("a.jsonl", ""),
    "damaged": ("a.json", '[{"text": "Ada", "label": [['),
    "not UTF-8": ("a.txt", b"Ada \xff left"),
    "nested": ("a.json", "[" * 100_000),
}


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    return path


@pytest.mark.parametrize("name", RECOGNIZED)
def test_what_is_recognized(name, tmp_path):
    assert recognize_file(write(tmp_path, *RECOGNIZED[name])) == name.partition(",")[0]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_stays_a_table(name, tmp_path):
    assert recognize_file(write(tmp_path, *TABLES[name])) == "table"


def test_parquet_is_recognized_by_its_columns(tmp_path):
    for row, name in ((TABLE_CHARACTERS, "table"), (doccano_line(), "doccano")):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "a.parquet")
        assert recognize_file(tmp_path / "a.parquet") == name


def test_a_folder_of_one_format(tmp_path):
    for name in ("b.conllu", "a/a.conllu"):
        (tmp_path / "a").mkdir(exist_ok=True)
        write(tmp_path, name, CONLLU)
    for name in ("README.md", ".hidden", "LICENSE"):
        write(tmp_path, name, "no corpus")
    assert list_files(tmp_path) == [tmp_path / "a" / "a.conllu", tmp_path / "b.conllu"]
    pytest.importorskip("conllu")
    assert load_user_file(tmp_path)["tail"] == ["della"] * 2


def test_folders_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="holds no file of a corpus; correct the path"):
        list_files(tmp_path)
    write(tmp_path, "a.conll", CONLL)
    write(tmp_path, "b.jsonl", lines(doccano_line()))
    with pytest.raises(
        DataError, match=r"holds files of several kinds \('a.conll, b.jsonl'\); give"
    ):
        list_files(tmp_path)
    (tmp_path / "a.conll").unlink()
    other = write(tmp_path, "c.jsonl", lines(prodigy_task()))
    with pytest.raises(DataError, match=r"c\.jsonl: is read as prodigy, and b\.jsonl as doccano"):
        recognize(list_files(tmp_path))
    other.write_text(lines(TABLE_CHARACTERS))
    (tmp_path / "b.jsonl").write_text(lines(TABLE_CHARACTERS))
    with pytest.raises(DataError, match="is a folder, but no format is recognized that comes in"):
        load_user_file(tmp_path)
    with pytest.raises(FileNotFoundError, match="none does not exist, or is not a file; correct"):
        list_files(tmp_path / "none")


def test_the_format_is_chosen(tmp_path, caplog):
    path = write(tmp_path, "rows.json", json.dumps([spert_sentence()]))
    labeled = load_user_file(path)
    assert "rows.json: read as spert: pairs: 3; --format chooses another" in caplog.text
    caplog.clear()
    assert load_user_file(path, format="spert").to_list() == labeled.to_list()
    assert caplog.messages == ["rows.json: read as spert: pairs: 3"]
    assert len(load_user_file(path, pairs="all")) == 4
    with pytest.raises(ValueError, match="no corpus is called 'spurt'; choose one of sample, brat"):
        load_user_file(path, format="spurt")
    with pytest.raises(ValueError, match="spert has no option 'offsets'; it takes"):
        load_user_file(path, offsets="bytes")
    with pytest.raises(ValueError, match="spert has no option 'columns'; it takes"):
        load_user_file(path, format="spert", columns={"sentence": "body"})


def test_labels_where_there_are_any(tmp_path, caplog):
    sentence = spert_sentence()
    path = write(tmp_path, "rows.json", json.dumps([sentence | {"relations": []}]))
    assert load_user_file(path)["relation"] == [None] * 3
    assert "pairs: 3; all pairs of entities that share a sentence; --format" in caplog.text
    with pytest.raises(
        DataError, match="no row is left; where no pair is labeled, pairs=all takes"
    ):
        load_user_file(path, pairs="labeled")

"""Pairs of documents in a file: resumed, by several processes, whole or not there."""

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import deque

import pytest

from data_scripts import load_user_file
from data_scripts.plain_text import PairOptions, PairRules, write_pairs
from data_scripts.plain_text.documents import ReadingOptions, Source, read_passages
from data_scripts.plain_text.writing import PairFinder
from tests.helpers.commands import REPOSITORY

NAMES = "name\ttype\nAda Roe\tPERSON\nBo\tPERSON\nAcme\tORG\nLund\tCITY\n"
PARAGRAPH = "Ada Roe leads Acme in Lund. Bo left Lund, where Bo met Ada Roe.\n\n"


@pytest.fixture
def options(tmp_path):
    (tmp_path / "names.tsv").write_text(NAMES)
    return PairOptions(f"list:{tmp_path / 'names.tsv'}")


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.txt").write_text(PARAGRAPH * (number + 1))
    return folder


def test_rows_are_read_back_and_found_again(options, texts, tmp_path):
    counts = write_pairs([texts], tmp_path / "pairs.jsonl", options)
    # Per paragraph 3 pairs of the first sentence, and of the second all but Bo and Bo.
    assert (counts.entities, counts.pairs, counts.dropped) == (15 * 7, 15 * 8, {"of one name": 15})
    rows = load_user_file(tmp_path / "pairs.jsonl").to_list()
    assert len(rows) == counts.pairs and len({row["id"] for row in rows}) == counts.pairs
    for row in rows:
        text = (texts / row["document"]).read_text()
        assert text[row["document_start"] : row["document_end"]] == row["sentence"]
        for role in ("head", "tail"):
            span = row[f"document_{role}_start"], row[f"document_{role}_end"]
            assert text[slice(*span)] == row[role]
    assert rows[0]["text"].startswith("<e1:PERSON> Ada Roe </e1:PERSON> leads <e2:ORG> Acme ")


def test_all_kinds_of_inputs_together(options, texts, tmp_path):
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin

    (tmp_path / "t.csv").write_text('text\n"Bo left Acme."\n')
    DocBin(docs=[spacy.blank("en")("Bo left Lund.")]).to_disk(tmp_path / "d.spacy")
    inputs = [texts, tmp_path / "t.csv", tmp_path / "d.spacy"]
    write_pairs(inputs, tmp_path / "pairs.jsonl", options)
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").open(encoding="utf-8")]
    assert [row["sentence"] for row in rows[-2:]] == ["Bo left Acme.", "Bo left Lund."]
    assert [row["document"] for row in rows[-2:]] == ["t.csv:2", "d.spacy:1"]


def test_a_docbin_with_entities_needs_no_model(tmp_path):
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin, Span

    doc = spacy.blank("en")("Bo left Acme. Lund is far.")
    doc.ents = [Span(doc, 0, 1, "PERSON"), Span(doc, 2, 3, "ORG"), Span(doc, 4, 5, "CITY")]
    DocBin(docs=[doc]).to_disk(tmp_path / "d.spacy")
    write_pairs([tmp_path / "d.spacy"], tmp_path / "pairs.jsonl", PairOptions())
    (row,) = load_user_file(tmp_path / "pairs.jsonl").to_list()
    assert row["text"] == "<e1:PERSON> Bo </e1:PERSON> left <e2:ORG> Acme </e2:ORG>."
    (tmp_path / "a.txt").write_text("Bo left Acme.")
    with pytest.raises(ValueError, match=r"a.txt says nothing of its entities; say by --ner"):
        write_pairs([tmp_path / "a.txt"], tmp_path / "none.jsonl", PairOptions())


def test_types_that_count(options, texts, tmp_path):
    chosen = PairOptions(options.ner, types=("CITY", "ORG"))
    counts = write_pairs([texts], tmp_path / "pairs.jsonl", chosen)
    rows = load_user_file(tmp_path / "pairs.jsonl").to_list()
    assert counts.pairs == 15 and {row["head"] for row in rows} == {"Acme"}


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("num_done", [1, 4, 7])
def test_a_run_that_was_killed_resumes(num_done, options, texts, tmp_path, monkeypatch):
    """The same rows as of a run that was not, and nothing is done twice."""
    write_pairs([texts], tmp_path / "whole.jsonl", options)
    done = []
    find = PairFinder.__call__

    def find_some(finder, passages):
        if len(done) == num_done:
            raise KilledError
        done.append(len(passages))
        return find(finder, passages)

    output = tmp_path / "pairs.jsonl"
    again = {"chunk_size": 2, "seconds_between_saves": 0}
    with monkeypatch.context() as patch:
        patch.setattr(PairFinder, "__call__", find_some)
        with pytest.raises(KilledError):
            write_pairs([texts], output, options, **again)
    assert not output.exists() and sum(done) == 2 * num_done
    with (tmp_path / "pairs.jsonl.partial").open("ab") as file:
        file.write(b'{"a row that was cut')  # what a killed run has written since its last save
    passages = []

    def find_counted(finder, chunk):
        passages.extend(chunk)
        return find(finder, chunk)

    monkeypatch.setattr(PairFinder, "__call__", find_counted)
    counts = write_pairs([texts], output, options, **again)
    assert len(passages) == 15 - 2 * num_done
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert counts.pairs == 15 * 8 and counts.dropped == {"of one name": 15}
    assert not (tmp_path / "pairs.jsonl.partial").exists()


def test_several_processes_leave_the_same_rows(texts, options, tmp_path):
    for number in (1, 2):
        output = tmp_path / f"{number}.jsonl"
        write_pairs([texts], output, options, num_processes=number, chunk_size=2)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


@pytest.mark.extended
def test_several_processes_that_were_killed_resume(texts, options, tmp_path):
    (texts / "long.txt").write_text(PARAGRAPH * 4000)
    write_pairs([texts], tmp_path / "one.jsonl", options)
    code = f"""
from data_scripts.plain_text import *
if __name__ == "__main__":
    options = PairOptions({options.ner!r})
    output = {str(tmp_path / "two.jsonl")!r}
    write_pairs([{str(texts)!r}], output, options, num_processes=2, seconds_between_saves=0)
"""
    (tmp_path / "run.py").write_text(code)
    command = [sys.executable, str(tmp_path / "run.py")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(command, env=environment)
    partial = tmp_path / "two.jsonl.partial"
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size > 100_000):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "two.jsonl").exists()
    subprocess.run(command, env=environment, check=True)
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()


def test_what_is_finished_is_not_done_again(options, texts, tmp_path, monkeypatch):
    output = tmp_path / "pairs.jsonl"
    counts = write_pairs([texts], output, options)
    monkeypatch.setattr(PairFinder, "__call__", None)
    assert write_pairs([texts], output, options) == counts
    other = PairOptions(options.ner, rules=PairRules("both", 5))
    said = "another run: max_distance was 30 and is 5, order was first and is both; give another"
    with pytest.raises(FileExistsError, match=said):
        write_pairs([texts], output, other)
    (texts / "0.txt").write_text("Bo")
    with pytest.raises(FileExistsError, match="another run: inputs has changed"):
        write_pairs([texts], output, options)
    (tmp_path / "pairs.jsonl.run.json").unlink()
    with pytest.raises(FileExistsError, match=r"is there already, and it has no pairs.jsonl.run"):
        write_pairs([texts], output, options)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Nobody is here.", "the 1 documents hold no pair: 0 pairs of 0 mentions"),
        ("Bo met Bo.", "hold no pair: 0 pairs of 2 mentions; left out: 1 of one name"),
        ("", "there is no text in .*a.txt or the other inputs"),
        (" \n\n ", "there is no text"),
        (b"Bo met Zo\xeb.", "a.txt: is not UTF-8"),
    ],
)
def test_nothing_is_left_where_there_is_nothing_to_find(content, said, options, tmp_path):
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "a.txt").write_bytes(content)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=said):
        write_pairs([tmp_path / "a.txt"], tmp_path / "pairs.jsonl", options)
    assert sorted(tmp_path.iterdir()) == before


def test_doubts_are_said_in_one_line_each(options, texts, tmp_path, caplog):
    (texts / "empty.txt").write_text("\n")
    (texts / "utf8.txt").write_text("Zoë", encoding="utf-8")
    (texts / "notes.md").write_text("Bo")
    latin = PairOptions(options.ner, encoding="latin-1")
    write_pairs([texts], tmp_path / "pairs.jsonl", latin)
    assert "1 of 7 documents are empty, e.g. empty.txt" in caplog.text
    assert "1 of 7 files look like UTF-8, and are read as latin-1, e.g." in caplog.text
    assert "1 files that are no .txt were left out" in caplog.text


def test_a_document_of_many_megabytes_takes_little_memory(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("Nobody leads it and so on. " * 80_000 + "Bo left Acme.")  # 2 MB on one line
    tracemalloc.start()
    (last,) = deque(read_passages(Source(path, path.name), ReadingOptions()), maxlen=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert last.start + len(last.text) == 80_000 * 27 + 13
    assert last.text.endswith("Bo left Acme.") and peak < 500_000

"""`siamure discover` on plain text."""

import functools
import json

import pyarrow.parquet as pq
import pytest

from modeling_siamure.cli import main
from tests.helpers.commands import assert_fails, run
from tests.helpers.rows import FIRMS, PEOPLE, make_rows, write_rows


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A folder of documents, each of several sentences; and a list of names."""
    folder = tmp_path_factory.mktemp("texts")
    for number in range(6):
        sentences = [row["sentence"] for row in make_rows(20, seed=number)]
        (folder / f"{number}.txt").write_text(".\n\n".join(sentences))
    names = [f"{name},PERSON" for name in PEOPLE] + [f"{name},FIRM" for name in FIRMS]
    (folder.parent / "names.csv").write_text("\n".join(["name,type", *names]))
    return folder


@pytest.fixture(scope="module")
def words(texts, recipe):
    names = texts.parent / "names.csv"
    return (texts, "--ner", f"list:{names}", "--recipe", recipe, "--no_progress", "--no_report")


def test_plain_text_to_relations(words, texts, tmp_path, capsys):
    output = tmp_path / "out"
    command = ("discover", *words, "--output_dir", output, "--num_clusters", 3)
    run(main, *command)
    printed = capsys.readouterr().out
    assert printed.startswith("120 pairs of 240 mentions\n")
    names = {path.name for path in output.iterdir()}
    assert names == {"assignments.parquet", "clusters.csv", "discovery", "model", "pairs.jsonl"}
    pairs = [json.loads(line) for line in (output / "pairs.jsonl").open(encoding="utf-8")]
    rows = pq.read_table(output / "assignments.parquet").to_pylist()
    assert [row["id"] for row in rows] == [pair["id"] for pair in pairs] and len(rows) == 120
    for row in rows:
        text = (texts / row["document"]).read_text()
        assert text[row["document_start"] : row["document_end"]] == row["sentence"]
    # Again, nothing is done; with other options it is refused by their names.
    run(main, *command, "--num_processes", 2)
    assert capsys.readouterr().out == f"{output} holds the result of this command\n"
    fails = functools.partial(assert_fails, capsys, main, *command)
    fails("--order", "both", said="of another run: order was first and is both; give another")
    fails("--min_precision", 1, said="of another run: min_precision was None and is 1.0")


def test_pairs_in_a_file_give_the_same(words, texts, recipe, tmp_path):
    options = ("--recipe", recipe, "--no_progress", "--no_report", "--num_clusters", 3)
    run(main, "pairs", *words[:3], "--output", tmp_path / "pairs.jsonl")
    run(main, "discover", tmp_path / "pairs.jsonl", *options, "--output_dir", tmp_path / "two")
    run(main, "discover", *words, "--num_clusters", 3, "--output_dir", tmp_path / "one")
    for name in ("cluster", "name"):
        one, two = (
            pq.read_table(tmp_path / folder / "assignments.parquet").column(name).to_pylist()
            for folder in ("one", "two")
        )
        assert one == two
    assert (tmp_path / "pairs.jsonl").read_bytes() == (tmp_path / "one/pairs.jsonl").read_bytes()


def test_a_run_that_failed_behind_the_pairs_resumes(words, tmp_path, capsys, monkeypatch):
    output = tmp_path / "out"
    command = ("discover", *words, "--output_dir", output)
    said = "121 clusters"
    assert_fails(capsys, main, *command, "--num_clusters", 121, said=said)
    (kept,) = (output / "_unfinished").glob("pairs-*.jsonl")
    monkeypatch.setattr("data_scripts.plain_text.writing.PairFinder.__call__", None)
    run(main, *command, "--num_clusters", 3)
    assert capsys.readouterr().out.startswith("120 pairs") and not kept.exists()


def test_mistakes(words, texts, recipe, tmp_path, capsys):
    rows = write_rows(tmp_path / "rows.jsonl", make_rows(60))
    out = ("--output_dir", tmp_path / "out", "--recipe", recipe, "--no_report")
    fails = functools.partial(assert_fails, capsys, main, "discover")
    fails(texts, *out, said="says nothing of its entities; say by --ner what finds them")
    fails(rows, "--order", "both", *out, said="--order is for plain text; give --ner, or leave")
    fails(rows, rows, *out, said="several files are read as plain text only; give --ner")
    fails(
        rows, *words[1:3], *out, said="rows.jsonl, row 1, field text: is missing; name the column"
    )
    fails(tmp_path / "none.txt", *words[1:3], *out, said="none.txt does not exist")
    fails(*words[:3], *out, "--offsets", "utf16", said="--offsets is for rows, not for plain text")
    fails(*words[:3], *out, "--min_precision", 0, said="min_precision=0.0: it must be above 0")
    assert not (tmp_path / "out").exists()

"""`siamure pairs` as a person runs it."""

import functools
import json

import pytest

from modeling_siamure.cli import main
from tests.helpers.commands import assert_fails, run


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("Ada Roe leads Acme. Bo left\nLund. Acme is in Lund.\n")
    return path


@pytest.fixture
def names(tmp_path):
    rows = ["name,type", "Ada Roe,PERSON", "Bo,PERSON", "Acme,ORG", "Lund,CITY"]
    (tmp_path / "names.csv").write_text("\n".join(rows))
    return f"list:{tmp_path / 'names.csv'}"


def test_a_run_and_the_same_again(text, names, tmp_path, capsys):
    output = tmp_path / "out" / "pairs.jsonl"
    words = ("pairs", text, "--ner", names, "--output", output)
    run(main, *words)
    assert capsys.readouterr().out == f"{output}: 3 pairs of 6 mentions\n"
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["sentence"] for row in rows] == [
        "Ada Roe leads Acme.",
        "Bo left Lund.",
        "Acme is in Lund.",
    ]
    before = output.stat().st_mtime_ns
    run(main, *words, "--num_processes", 3)
    said = f"{output} is there already, and holds the result of this command\n{output}: 3 pairs"
    assert capsys.readouterr().out.startswith(said) and output.stat().st_mtime_ns == before
    said = "of another run: max_distance was 30 and is 0; give another --output, or remove it"
    assert_fails(capsys, main, *words, "--max_distance", 0, said=said)
    assert sorted(path.name for path in output.parent.iterdir()) == [
        "pairs.jsonl",
        "pairs.jsonl.run.json",
    ]


def test_what_is_left_out_is_counted(text, names, tmp_path, capsys):
    output = tmp_path / "pairs.jsonl"
    options = ("--order", "both", "--type_pairs", "CITY:ORG", "--max_distance", 2)
    run(main, "pairs", text, "--ner", names, "--output", output, *options)
    said = "1 pairs of 6 mentions; left out: 5 of other types"
    assert said in capsys.readouterr().out
    (row,) = map(json.loads, output.read_text().splitlines())
    assert (row["head"], row["tail"]) == ("Lund", "Acme")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ner", "bert"], "--ner bert: give spacy:NAME, gliner:NAME, hf:NAME or list:FILE"),
        (["--ner", "list:"], "--ner list:: give spacy:NAME"),
        (["--ner", "list:none.csv"], "none.csv, the list of names, does not exist"),
        (["--ner", "hf:none/such"], "none/such is not a folder, and not on the hub"),
        (["--ner", "gliner:any/model"], "looks for the types that --types names"),
        ([], "notes.txt says nothing of its entities; say by --ner what finds them"),
    ],
)
def test_models_that_are_none(words, said, text, tmp_path, capsys):
    output = tmp_path / "out" / "pairs.jsonl"
    assert_fails(capsys, main, "pairs", text, *words, "--output", output, said=said)
    assert not output.parent.exists()


def test_other_mistakes(text, names, tmp_path, capsys):
    output = tmp_path / "out" / "pairs.jsonl"
    fails = functools.partial(assert_fails, capsys, main, "pairs")
    options = ("--ner", names, "--output", output)
    fails(tmp_path / "none.txt", *options, said="none.txt does not exist; correct the path")
    fails(text, *options, "--max_distance", -1, said="--max_distance -1: give a whole number of 0")
    fails(text, *options, "--num_processes", 0, said="--num_processes 0: give a whole number of 1")
    fails(text, *options, "--type_pairs", "A", said="--type_pairs 'A': write HEAD:TAIL,HEAD:TAIL")
    fails(text, *options, "--order", "last", said="invalid choice: 'last'")
    fails(text, *options, "--encoding", "klingon", said="--encoding klingon: no encoding of text")
    fails(text, *options[:2], "--output", "pairs.csv", said="the rows are JSON lines; give a name")
    (tmp_path / "latin.txt").write_bytes(b"Zo\xeb left Lund.")
    fails(text, tmp_path / "latin.txt", *options, said="latin.txt: is not UTF-8")
    assert not output.parent.exists()

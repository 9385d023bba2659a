"""The example, run as a reader runs it, with a blank pipeline and an entity ruler."""

import subprocess
import sys
from pathlib import Path

import pytest

from data_scripts import load_relation_dataset

spacy = pytest.importorskip("spacy")
EXAMPLE = Path(__file__).parents[2] / "examples" / "plain_text.py"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    names = {"PERSON": ["Mira Oz", "Bo"], "ORG": ["Salt Works"], "GPE": ["Lund"]}
    for label, patterns in names.items():
        ruler.add_patterns([{"label": label, "pattern": pattern} for pattern in patterns])
    folder = tmp_path_factory.mktemp("pipeline")
    nlp.to_disk(folder)
    return folder


def run(*arguments):
    command = [sys.executable, EXAMPLE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_pairs_are_read_by_the_reader_of_json_lines(pipeline, tmp_path):
    (tmp_path / "notes.txt").write_text(
        "It rained. Mira Oz runs Salt Works in Lund.\n\nBo left. Café Bo hired Mira Oz!\n",
        encoding="utf-8",
    )
    done = run(tmp_path / "notes.txt", tmp_path / "pairs.jsonl", "--model", pipeline)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "pairs.jsonl"
    assert done.stdout == f"{path}: 4 pairs from 2 paragraphs\n"
    rows = load_relation_dataset("jsonlines", data_files={"train": str(path)})["train"]
    assert rows["text"] == [
        "<e1:PERSON> Mira Oz </e1:PERSON> runs <e2:ORG> Salt Works </e2:ORG> in Lund.",
        "<e1:PERSON> Mira Oz </e1:PERSON> runs Salt Works in <e2:GPE> Lund </e2:GPE>.",
        "Mira Oz runs <e1:ORG> Salt Works </e1:ORG> in <e2:GPE> Lund </e2:GPE>.",
        "Café <e1:PERSON> Bo </e1:PERSON> hired <e2:PERSON> Mira Oz </e2:PERSON>!",
    ]


def test_a_missing_pipeline_or_folder_is_one_line(pipeline, tmp_path):
    (tmp_path / "notes.txt").write_text("Bo left.")
    for model, output in (
        (tmp_path / "none", tmp_path / "pairs.jsonl"),
        (pipeline, tmp_path / "none" / "pairs.jsonl"),
    ):
        done = run(tmp_path / "notes.txt", output, "--model", model)
        assert done.returncode == 2 and "none" in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]

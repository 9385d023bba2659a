"""`siamure edit` as a person runs it, and discoveries that are taken up again."""

import csv
import functools
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from transformers import pipeline

from modeling_siamure import RelationDiscovery
from modeling_siamure.cli import main
from modeling_siamure.utils.files import UNFINISHED
from tests.helpers.commands import assert_fails, run
from tests.helpers.rows import make_rows, write_rows

EDITS = """\
# Two of them are one.
- merge: [1, 3]
- rename: {cluster: 1, name: founded}
- split: {cluster: 0, into: 2}
- reject: [2]
"""


@pytest.fixture(scope="module")
def discovered(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("edited")
    rows = [row | {"cluster": f"mine {number}"} for number, row in enumerate(make_rows(60))]
    file = write_rows(folder / "mine.jsonl", rows)
    options = ("--recipe", recipe, "--num_clusters", 4, "--no_progress")
    run(main, "discover", file, "--output_dir", folder / "out", *options)
    return folder / "out"


@pytest.fixture
def output(discovered, tmp_path):
    """A discovery that may be changed."""
    return shutil.copytree(discovered, tmp_path / "out")


@pytest.fixture
def edits(tmp_path):
    path = tmp_path / "edits.yaml"
    path.write_text(EDITS)
    return path


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def table(folder):
    return pq.read_table(folder / "assignments.parquet").to_pylist()


def clusters(folder):
    with (folder / "clusters.csv").open(newline="", encoding="utf-8") as file:
        return {row["cluster_id"] or row["name"]: row for row in csv.DictReader(file)}


def test_edits_reach_every_file(output, edits, capsys):
    before = table(output)
    found = contents(output / "discovery")
    run(main, "edit", output, edits)
    rows = table(output)
    lines = clusters(output)
    assert set(lines) - {"unassigned"} == {"1", "0.1", "0.2", "no relation"}
    assert lines["1"]["name"] == "founded"
    for row, earlier in zip(rows, before, strict=True):
        assert row["source_cluster"] == earlier["source_cluster"]
        assert row["id"] == earlier["id"]
        expected = {"1": ["1"], "3": ["1"], "0": ["0.1", "0.2"], "2": [None], None: ["1", None]}
        assert row["cluster_id"] in expected[earlier["cluster_id"]]
        if earlier["cluster_id"] == "2":
            assert (row["cluster"], row["name"]) == (-3, "no relation")
    sizes = {name: int(line["size"]) for name, line in lines.items()}
    assert sum(sizes.values()) == 60
    assert sizes["1"] == sum(row["name"] == "founded" for row in rows)
    page = (output / "report.html").read_text()
    assert '"name": "founded"' in page
    assert (output / "edits.yaml").read_text() == EDITS  # with its comments
    assert contents(output / "discovery") == found
    assert not (output / UNFINISHED).exists()
    shown = capsys.readouterr().out
    assert "founded" in shown and "no relation" in shown
    ask = pipeline("relation-discovery", model=str(output / "model"))
    answers = ask([row["text"] for row in rows])
    assert [answer["label"] for answer in answers] == [row["name"] for row in rows]
    assert [answer["cluster"] for answer in answers] == [row["cluster"] for row in rows]


def test_the_same_edits_have_the_same_result(output, edits, tmp_path):
    run(main, "edit", output, edits)
    first = contents(output)
    run(main, "edit", output, edits)
    assert contents(output) == first
    other = tmp_path / "undone.yaml"
    other.write_text("")
    run(main, "edit", output, other)
    run(main, "edit", output, edits)
    second = contents(output)
    second.pop("edits.previous.yaml")
    assert second == first


def test_no_edits_lead_back(discovered, output, edits, tmp_path, capsys):
    run(main, "edit", output, edits)
    capsys.readouterr()
    (tmp_path / "none.yaml").write_text("# none\n")
    run(main, "edit", output, tmp_path / "none.yaml")
    shown = capsys.readouterr().out
    assert "Earlier edits" in shown and "merge: ['1', '3']" in shown
    undone = contents(output)
    assert undone.pop("edits.previous.yaml") == EDITS.encode()
    assert undone.pop("edits.yaml") == b"# none\n"
    assert undone == contents(discovered)


def test_an_edited_copy(output, edits, tmp_path):
    before = contents(output)
    run(main, "edit", output, edits, "--output_dir", tmp_path / "copy")
    assert contents(output) == before
    assert clusters(tmp_path / "copy")["1"]["name"] == "founded"
    run(main, "edit", tmp_path / "copy", edits)  # it can be edited too
    run(main, "edit", output, edits)
    for name in ("assignments.parquet", "clusters.csv", "report.html", "model/model.safetensors"):
        assert (tmp_path / "copy" / name).read_bytes() == (output / name).read_bytes(), name


def test_an_edited_model_assigns_alike(output, edits, tmp_path):
    run(main, "edit", output, edits)
    rows = write_rows(tmp_path / "mine.jsonl", make_rows(60))
    options = ("--model", output, "--output", tmp_path / "again.parquet", "--no_progress")
    run(main, "assign", rows, *options)
    again = pq.read_table(tmp_path / "again.parquet").to_pylist()
    for name in ("cluster", "cluster_id", "name", "reversed"):
        assert [row[name] for row in again] == [row[name] for row in table(output)]


def test_a_discovery_is_taken_up_again(output, edits, tmp_path):
    run(main, "edit", output, edits)
    discovery = RelationDiscovery.load(output)
    assert isinstance(discovery.embeddings_, np.memmap)
    assert [row["cluster"] for row in table(output)] == discovery.labels_.tolist()
    assert discovery.dataset_["cluster"][1] == "mine 1"
    assert [cluster.name for cluster in discovery.clusters_].count("founded") == 1
    assert discovery.num_clusters_.chosen == 4 and len(discovery.edits_) == 4
    discovery.set_names({"0.1": "left"}).save(tmp_path / "saved")
    assert clusters(tmp_path / "saved")["0.1"]["name"] == "left"
    again = RelationDiscovery.load(tmp_path / "saved")
    assert again.labels_.tolist() == discovery.labels_.tolist()
    assert again.edits_ == discovery.edits_
    assert (again.predict(discovery.dataset_).labels == discovery.labels_).all()
    with pytest.raises(FileExistsError, match="holds something already"):
        discovery.save(tmp_path / "saved")


def test_mistakes(output, edits, recipe, tmp_path, capsys):
    before = contents(output)
    fails = functools.partial(assert_fails, capsys, main)
    fails("edit", tmp_path / "none", edits, said="does not exist; give the folder")
    fails("edit", output, tmp_path / "none.yaml", said="does not exist; give a file of edits")
    fails("edit", output / "model", edits, said="holds no discovery that can be edited")
    bad = tmp_path / "bad.yaml"
    for text, said in {
        "- merge: [1, 3]\n- rename: {cluster: 3, name: x}": "edit 2 (rename 3): cluster 3 was merg",
        "- reject: [9]": "there is no cluster 9",
        "- split: {cluster: 0, into: 100}": "too few for 100 parts",
        "- merge: [2, 2]": "merged with itself",
        "- split: {cluster: 0, by: author}": "there is no column 'author'",
    }.items():
        bad.write_text(text)
        fails("edit", output, bad, said=said)
        fails("edit", output, bad, "--output_dir", tmp_path / "copy", said=said)
    assert contents(output) == before
    assert not (tmp_path / "copy").exists()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("dear to somebody")
    fails("edit", output, edits, "--output_dir", tmp_path / "taken", said="holds something already")
    assert contents(output) == before


@pytest.mark.parametrize("name", ["found.json", "embeddings.npy", "found.safetensors"])
def test_damage(output, edits, capsys, name):
    path = output / "discovery" / name
    path.write_bytes(path.read_bytes()[:-40])
    before = contents(output)
    assert_fails(capsys, main, "edit", output, edits, said="is damaged")
    assert contents(output) == before


def test_in_a_process_of_its_own(output, edits):
    command = [sys.executable, "-m", "modeling_siamure.cli", "edit", str(output), str(edits)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "founded" in done.stdout and "Loading" not in done.stderr

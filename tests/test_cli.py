"""`siamure discover` and `siamure assign` as a person runs them."""

import csv
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from transformers import AutoModel

from modeling_siamure.cli import main

from .conftest import make_rows
from .test_discovery import recipe  # noqa: F401
from .test_train import write_rows

REPOSITORY = Path(__file__).parents[1]


def run(*arguments) -> None:
    main([str(argument) for argument in arguments])


def discover(file, output, recipe, *more) -> None:  # noqa: F811
    run("discover", file, "--output_dir", output, "--recipe", recipe, "--no_progress", *more)


@pytest.fixture(scope="module")
def rows_file(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("rows") / "mine.jsonl", make_rows(60))


@pytest.fixture(scope="module")
def output(recipe, rows_file, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("runs") / "out"
    discover(rows_file, folder, recipe, "--num_clusters", 4)
    return folder


def table(path):
    return pq.read_table(path).to_pylist()


def test_what_a_run_leaves(output, rows_file):
    assert {path.name for path in output.iterdir()} == {"assignments.parquet", "clusters.csv", "report.html", "model"}
    source = [json.loads(line) for line in rows_file.read_text().splitlines()]
    rows = table(output / "assignments.parquet")
    assert [row["id"] for row in rows] == [row["id"] for row in source]
    for row, own in zip(rows, source, strict=True):
        assert own.items() <= row.items()
        assert -1 <= row["cluster"] < 4 and 0 < row["score"] <= 1 and 0 <= row["margin"] <= 1
    with (output / "clusters.csv").open(newline="") as file:
        clusters = list(csv.DictReader(file))
    assert sum(int(cluster["size"]) for cluster in clusters) == 60
    assert sum(float(cluster["share"]) for cluster in clusters) == pytest.approx(1)
    names = {int(cluster["cluster"]): cluster["name"] for cluster in clusters}
    assert all(names[row["cluster"]] == row["name"] for row in rows)
    texts = {row["text"]: row["cluster"] for row in rows}
    assert all(texts[cluster["central_1"]] == int(cluster["cluster"]) for cluster in clusters[:4])
    model = AutoModel.from_pretrained(output / "model")
    assert model.config.num_labels == 4 and sum(model.config.cluster_sizes) == 60
    card = (output / "model" / "README.md").read_text()
    assert card.startswith("---\n") and "60 sentences to cluster" in card and "none on these data" in card


def test_assign_gives_the_same_clusters(output, rows_file, tmp_path, capsys):
    run("assign", rows_file, "--model", output / "model", "--output", tmp_path / "again.parquet", "--no_progress")
    again, first = table(tmp_path / "again.parquet"), table(output / "assignments.parquet")
    assert [row["cluster"] for row in again] == [row["cluster"] for row in first]
    assert "60 sentences" in capsys.readouterr().out
    fails(
        capsys,
        "is there already",
        "assign",
        rows_file,
        "--model",
        output / "model",
        "--output",
        tmp_path / "again.parquet",
    )


def fails(capsys, message, *arguments):
    """Exits with status 2 and one line."""
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("siamure: ")]
    assert stopped.value.code == 2 and len(error) == 1 and message in error[0], error


GOOD = {key: value for key, value in make_rows(1)[0].items() if key != "text"}
BAD = {
    "missing column": ([{key: value for key, value in GOOD.items() if key != "tail_end"}], "row 1, field tail_end"),
    "swapped columns": ([GOOD | {"head_start": GOOD["head_end"], "head_end": 0}], "row 1, field head_start"),
    "head is no offset": ([GOOD | {"head": "acme"}], "row 1, field head"),
    "sentence is a name": ([GOOD | {"sentence": "ada"}], "row 1, field head"),
    "empty file": ([], "no row is left"),
}


@pytest.mark.parametrize(("rows", "message"), BAD.values(), ids=BAD)
def test_rows_that_cannot_be_read(rows, message, recipe, tmp_path, capsys):  # noqa: F811
    path = tmp_path / "bad.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    fails(capsys, message, "discover", path, "--output_dir", tmp_path / "out", "--recipe", recipe, "--no_progress")
    assert not (tmp_path / "out").exists()


def test_other_mistakes(recipe, rows_file, encoder, tmp_path, capsys):  # noqa: F811
    start = ("discover", rows_file, "--output_dir", tmp_path / "out", "--no_progress")
    fails(capsys, "does not exist", "discover", tmp_path / "none.csv", "--output_dir", tmp_path / "out")
    fails(capsys, "--num_clusters 0", *start, "--num_clusters", 0)
    fails(capsys, "--num_clusters some", *start, "--num_clusters", "some")
    fails(capsys, "different rows can't form 61 clusters", *start, "--recipe", recipe, "--num_clusters", 61)
    fails(capsys, "holds no siamure model", *start, "--model", encoder)
    fails(capsys, "has no '='", *start, "--columns", "sentence")
    fails(capsys, "can't be read as a recipe", *start, "--recipe", tmp_path / "none.yaml")
    fails(capsys, "is missing", *start, "--recipe", recipe, "--text_column", "body")
    fails(capsys, "none", "assign", rows_file, "--model", tmp_path / "none")
    fails(capsys, "not allowed with", *start, "--train", "--model", encoder)


def test_an_output_folder_in_use(recipe, rows_file, tmp_path, capsys):  # noqa: F811
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("dear to somebody")
    fails(capsys, "holds something already", "discover", rows_file, "--output_dir", tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    lock = tmp_path / "busy" / "_unfinished" / "lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fails(capsys, "is in use by another run", "discover", rows_file, "--output_dir", tmp_path / "busy")


def test_no_row_is_lost(recipe, tmp_path):  # noqa: F811
    """Bad rows, rows that are too long, doubled ids, columns of our names, 10,000 words, and many scripts."""
    long_name = " ".join(["ada"] * 200)
    words = "ada " + "in " * 10_000 + "left acme"
    scripts = [
        "Ада ушла из Акме",
        "阿达 离开 阿克梅",
        "एडा ने एक्मे छोड़ा",
        "عادة غادرت أكمي",
        "Άντα άφησε Άκμε",
        "<script>alert(1)</script> & co",
    ]
    rows = [GOOD | {"id": "same", "name": f"row {number}", "cluster": 9} for number in range(20)]
    rows += [
        {"id": "none"},
        GOOD | {"head_end": 1000},
        {"sentence": f"{long_name} left acme", "head": long_name, "tail": "acme"},
    ]
    rows += [{"sentence": words, "head": "ada", "tail": "acme"}]
    rows += [{"sentence": text, "head": text.split()[0], "tail": text.split()[-1], "score": "x"} for text in scripts]
    path = tmp_path / "mixed.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    discover(path, tmp_path / "out", recipe, "--on_error", "skip")
    found = table(tmp_path / "out" / "assignments.parquet")
    assert len(found) == len(rows)
    assert [row["name"] for row in found[20:23]] == ["skipped"] * 3
    assert [row["cluster"] for row in found[20:23]] == [-2] * 3 and found[20]["score"] is None
    assert "field sentence" in found[20]["problem"] and "row 22" in found[21]["problem"]
    assert found[21]["problem"] and found[22]["problem"] is None  # readable, but too long for the model
    assert all(row["cluster"] >= -1 for row in found[:20] + found[23:])
    assert found[3]["source_name"] == "row 3" and found[3]["source_cluster"] == 9 and found[3]["id"] == "same"
    assert found[-1]["source_score"] == "x" and found[23]["sentence"] == words


@pytest.mark.parametrize("kind", ["one row", "equal rows", "one entity type"])
def test_little_to_find(kind, recipe, tmp_path):  # noqa: F811
    rows = {
        "one row": make_rows(1),
        "equal rows": make_rows(1) * 30,
        "one entity type": [row | {"head_type": "THING", "tail_type": "THING"} for row in make_rows(40)],
    }[kind]
    discover(write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "out", recipe)
    found = table(tmp_path / "out" / "assignments.parquet")
    assert len(found) == len(rows)
    if kind != "one entity type":
        assert {row["cluster"] for row in found} == {0}


def test_other_names_of_columns(recipe, tmp_path):  # noqa: F811
    path = tmp_path / "mine.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(
            file, ["body", "sentence", "h0", *[key for key in GOOD if key.startswith("tail")], "head_end"]
        )
        writer.writeheader()
        for row in make_rows(20):
            own = {key: row[key] for key in writer.fieldnames if key in row} | {"body": row["sentence"]}
            writer.writerow(own | {"h0": row["head_start"], "sentence": "something else"})
    discover(path, tmp_path / "out", recipe, "--text-column", "body", "--columns", "head_start=h0", "--no_report")
    found = table(tmp_path / "out" / "assignments.parquet")
    assert [row["sentence"] for row in found] == [row["sentence"] for row in make_rows(20)]
    assert found[0]["body"] == found[0]["sentence"] and found[0]["h0"] == "0"
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_model_of_other_entity_types(output, tmp_path, caplog):
    rows = [row | {"head_type": "CHEMICAL", "tail_type": "GENE"} for row in make_rows(30)]
    path = write_rows(tmp_path / "genes.jsonl", rows)
    run(
        "discover",
        path,
        "--output_dir",
        tmp_path / "out",
        "--model",
        output / "model",
        "--num_clusters",
        2,
        "--no_progress",
    )
    assert "60 mentions have an entity type that the tokenizer does not know" in caplog.text
    assert len(table(tmp_path / "out" / "assignments.parquet")) == 30
    assert "CHEMICAL→GENE" in (tmp_path / "out" / "clusters.csv").read_text()


def test_an_interrupted_run_goes_on(recipe, rows_file, output, tmp_path, monkeypatch, capsys):  # noqa: F811
    from modeling_siamure import report

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(report, "build_report", interrupted)
        with pytest.raises(SystemExit) as stopped:
            discover(rows_file, tmp_path / "out", recipe, "--num_clusters", 4)
    assert stopped.value.code == 130 and "the same command goes on" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_unfinished"]
    discover(rows_file, tmp_path / "out", recipe, "--num_clusters", 4)
    assert not (tmp_path / "out" / "_unfinished").exists()
    assert table(tmp_path / "out" / "assignments.parquet") == table(output / "assignments.parquet")


@pytest.mark.extended
def test_several_processes(recipe, rows_file, output, tmp_path):  # noqa: F811
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command = [
        "-m",
        "modeling_siamure.cli",
        "discover",
        rows_file,
        "--output_dir",
        tmp_path / "out",
        "--recipe",
        recipe,
    ]
    done = subprocess.run(
        [*launch, *map(str, command), "--num_clusters", "4"],
        cwd=REPOSITORY,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "60 sentences in 4 clusters" in done.stdout
    one, two = (table(folder / "assignments.parquet") for folder in (output, tmp_path / "out"))
    assert [row["cluster"] for row in one] == [row["cluster"] for row in two]

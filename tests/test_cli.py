"""`siamure discover` and `siamure assign` as a person runs them."""

import csv
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from transformers import AutoModel

from modeling_siamure import RelationDiscovery, clustering
from modeling_siamure.cli import main
from modeling_siamure.discovery import saved
from tests.helpers.commands import assert_fails, run
from tests.helpers.rows import make_rows, write_rows

REPOSITORY = Path(__file__).parents[1]


def discover(file, output, recipe, *more) -> None:
    options = ("--output_dir", output, "--recipe", recipe, "--no_progress", *more)
    run(main, "discover", file, *options)


@pytest.fixture(scope="module")
def rows_file(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("rows") / "mine.jsonl", make_rows(60))


@pytest.fixture(scope="module")
def output(recipe, rows_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "out"
    discover(rows_file, folder, recipe, "--num_clusters", 4)
    return folder


def table(path):
    return pq.read_table(path).to_pylist()


def test_what_a_run_leaves(output, rows_file):
    names = {path.name for path in output.iterdir()}
    assert names == {"assignments.parquet", "clusters.csv", "report.html", "model", "discovery"}
    source = [json.loads(line) for line in rows_file.read_text().splitlines()]
    rows = table(output / "assignments.parquet")
    assert [row["id"] for row in rows] == [row["id"] for row in source]
    for row, source_row in zip(rows, source, strict=True):
        assert source_row.items() <= row.items()
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
    assert card.startswith("---\n")
    assert "60 sentences to cluster" in card and "none on these data" in card


def test_assign_gives_the_same_clusters(output, rows_file, tmp_path, capsys):
    options = ("--model", output / "model", "--output", tmp_path / "again.parquet")
    run(main, "assign", rows_file, *options, "--no_progress")
    again = table(tmp_path / "again.parquet")
    first = table(output / "assignments.parquet")
    for name in ("cluster", "name", "score", "margin"):
        assert [row[name] for row in again] == pytest.approx([row[name] for row in first], abs=1e-4)
    assert "60 sentences" in capsys.readouterr().out
    # The same command has nothing left to do; another one is refused.
    before = (tmp_path / "again.parquet").stat().st_mtime_ns
    run(main, "assign", rows_file, *options)
    assert "holds the result of this command" in capsys.readouterr().out
    assert (tmp_path / "again.parquet").stat().st_mtime_ns == before
    said = "is there already, of another run: on_error was raise and is skip; give another --output"
    assert_fails(capsys, main, "assign", rows_file, *options, "--on_error", "skip", said=said)
    other = write_rows(tmp_path / "other.jsonl", make_rows(20))
    assert_fails(capsys, main, "assign", other, *options, said="of another run: file has changed")
    (tmp_path / "again.parquet").write_text("theirs")
    assert_fails(capsys, main, "assign", rows_file, *options, said="is there already; give")


GOOD = {key: value for key, value in make_rows(1)[0].items() if key != "text"}
BAD = {
    "missing column": (
        [{key: value for key, value in GOOD.items() if key not in ("tail", "tail_end")}],
        "row 1, field tail_end",
    ),
    "swapped columns": (
        [GOOD | {"head_start": GOOD["head_end"], "head_end": 0}],
        "row 1, field head_start",
    ),
    "head is no offset": ([GOOD | {"head": "acme"}], "row 1, field head"),
    "sentence is a name": ([GOOD | {"sentence": "ada"}], "row 1, field head"),
    "empty file": ([], "no row is left"),
}


@pytest.mark.parametrize(("rows", "message"), BAD.values(), ids=BAD)
def test_rows_that_cannot_be_read(rows, message, recipe, tmp_path, capsys):
    path = tmp_path / "bad.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("--output_dir", tmp_path / "out", "--recipe", recipe, "--no_progress")
    assert_fails(capsys, main, "discover", path, *options, said=message)
    assert not (tmp_path / "out").exists()


def test_other_mistakes(recipe, rows_file, encoder, tmp_path, capsys):
    out = ("--output_dir", tmp_path / "out")
    start = ("discover", rows_file, *out, "--no_progress")
    fails = functools.partial(assert_fails, capsys, main)
    fails("discover", tmp_path / "none.csv", *out, said="does not exist")
    fails(*start, "--num_clusters", 0, said="--num_clusters 0")
    fails(*start, "--num_clusters", "some", said="--num_clusters some")
    too_many = ("--recipe", recipe, "--num_clusters", 61)
    fails(*start, *too_many, said="different rows can't form 61 clusters")
    fails(*start, "--model", encoder, said="holds no siamure model")
    fails(*start, "--columns", "sentence", said="--columns takes NAME=VALUE, not 'sentence'")
    fails(*start, "--recipe", tmp_path / "none.yaml", said="can't be read as a recipe")
    fails(*start, "--recipe", recipe, "--text_column", "body", said="is missing")
    fails("assign", rows_file, "--model", tmp_path / "none", said="none")
    fails(*start, "--train", "--model", encoder, said="not allowed with")
    # The run for 61 clusters has embedded the rows, and the next one resumes from there.
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_unfinished"]


def test_an_output_folder_that_holds_something(rows_file, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("dear to somebody")
    command = ("discover", rows_file, "--output_dir", tmp_path)
    assert_fails(capsys, main, *command, said="holds something already")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_finished_discovery_and_the_same_command(output, recipe, rows_file, tmp_path, capsys):
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    discover(rows_file, output, recipe, "--num_clusters", 4)
    assert capsys.readouterr().out == f"{output} holds the result of this command\n"
    moved = rows_file.rename(tmp_path / "moved.jsonl")  # what is told is the content
    discover(moved, output, recipe, "--num_clusters", 4)
    moved.rename(rows_file)
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before
    command = ("discover", rows_file, "--output_dir", output, "--recipe", recipe)
    said = "of another run: num_clusters was 4 and is 5; give another --output_dir"
    assert_fails(capsys, main, *command, "--num_clusters", 5, said=said)
    other = write_rows(tmp_path / "other.jsonl", make_rows(60, seed=1))
    command = ("discover", other, "--output_dir", output, "--recipe", recipe)
    said = "of another run: file has changed, seed was 0 and is 1"
    assert_fails(capsys, main, *command, "--num_clusters", 4, "--seed", 1, said=said)
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before


def test_files_have_the_permissions_of_the_umask(output):
    """Others can read the weights too, which safetensors hides from them."""
    modes = {path.stat().st_mode & 0o777 for path in output.rglob("*") if path.is_file()}
    assert modes == {output.stat().st_mode & 0o666}


def test_an_output_folder_in_use(rows_file, tmp_path, capsys):
    lock = tmp_path / "_unfinished" / "lock"
    lock.parent.mkdir()
    command = ("discover", rows_file, "--output_dir", tmp_path)
    with FileLock(lock):
        assert_fails(capsys, main, *command, said="is in use by another run")
    assert lock.parent.exists()


def test_two_runs_into_one_folder(recipe, rows_file, tmp_path, monkeypatch, capsys):
    """The second one ends with one line, and the first one is not disturbed."""
    output = tmp_path / "out"
    fit = RelationDiscovery.fit
    lines = []

    def fit_beside_another_run(self, dataset):
        command = ("discover", rows_file, "--output_dir", output, "--recipe", recipe)
        lines.append(assert_fails(capsys, main, *command, said="is in use by another run"))
        return fit(self, dataset)

    monkeypatch.setattr(RelationDiscovery, "fit", fit_beside_another_run)
    discover(rows_file, output, recipe, "--num_clusters", 4, "--no_report")
    assert len(lines) == 1 and str(output) in lines[0]
    names = {path.name for path in output.iterdir()}
    assert names == {"assignments.parquet", "clusters.csv", "model", "discovery"}


def test_an_output_folder_that_is_read_only(recipe, rows_file, output, read_only_folder, capsys):
    path = read_only_folder / "out"
    command = ("discover", rows_file, "--output_dir", path, "--recipe", recipe)
    assert_fails(capsys, main, *command, said=str(path))
    command = ("assign", rows_file, "--model", output / "model", "--output", f"{path}.parquet")
    assert_fails(capsys, main, *command, "--no_progress", said=str(path))
    assert not path.exists()


def test_two_assignments_into_one_file(output, rows_file, tmp_path, monkeypatch, capsys):
    options = ("--model", output / "model", "--output", tmp_path / "a.parquet", "--no_progress")
    predict = RelationDiscovery.predict

    def predict_beside_another_run(self, dataset):
        said = f"{tmp_path / 'a.parquet'} is being written by another run"
        assert_fails(capsys, main, "assign", rows_file, *options, said=said)
        return predict(self, dataset)

    monkeypatch.setattr(RelationDiscovery, "predict", predict_beside_another_run)
    run(main, "assign", rows_file, *options)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize("types_decide", [True, False])
def test_what_found_the_clusters_is_said_everywhere(
    recipe, rows_file, tmp_path, monkeypatch, capsys, caplog, types_decide
):
    """In the log, on the terminal, in the report and on the card of the model."""
    min_agreement = 2 if types_decide else -2
    consensus = functools.partial(clustering.consensus, min_agreement=min_agreement)
    monkeypatch.setattr(clustering, "consensus", consensus)
    discover(rows_file, tmp_path / "out", recipe, "--num_clusters", 4)
    method = "parts of type pairs" if types_decide else "consensus"
    sentence = f"Clusters found by {method}."
    assert sentence in capsys.readouterr().out
    assert sentence in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    card = (tmp_path / "out" / "model" / "README.md").read_text(encoding="utf-8")
    assert f"| clusters found by | {method} |" in card
    warned = "the clusters are parts of type pairs instead of the consensus" in caplog.text
    assert warned == types_decide


def test_no_row_is_lost(recipe, tmp_path):
    """Bad rows, long ones, doubled ids, columns of our names, 10,000 words, and many scripts."""
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
    ours = {"id": "same", "cluster": 9, "source_name": "theirs"}
    rows = [GOOD | ours | {"name": f"row {number}"} for number in range(20)]
    rows += [
        {"id": "none"},
        GOOD | {"head_end": 1000},
        {"sentence": f"{long_name} left acme", "head": long_name, "tail": "acme"},
    ]
    rows += [{"sentence": words, "head": "ada", "tail": "acme"}]
    rows += [
        {"sentence": text, "head": text.split()[0], "tail": text.split()[-1], "score": "x"}
        for text in scripts
    ]
    path = tmp_path / "mixed.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    discover(path, tmp_path / "out", recipe, "--on_error", "skip")
    written = table(tmp_path / "out" / "assignments.parquet")
    assert len(written) == len(rows)
    assert [row["name"] for row in written[20:23]] == ["skipped"] * 3
    assert [row["cluster"] for row in written[20:23]] == [-2] * 3
    assert written[20]["score"] is None
    assert "field sentence" in written[20]["problem"] and "row 22" in written[21]["problem"]
    assert written[22]["problem"] is None  # readable, but too long for the model
    assert all(row["cluster"] >= -1 for row in written[:20] + written[23:])
    assert written[3]["source_source_name"] == "row 3" and written[3]["source_name"] == "theirs"
    assert written[3]["source_cluster"] == 9 and written[3]["id"] == "same"
    assert written[-1]["source_score"] == "x" and written[23]["sentence"] == words


@pytest.mark.parametrize("kind", ["one row", "equal rows", "one entity type"])
def test_little_to_find(kind, recipe, tmp_path):
    rows = {
        "one row": make_rows(1),
        "equal rows": make_rows(1) * 30,
        "one entity type": [
            row | {"head_type": "THING", "tail_type": "THING"} for row in make_rows(40)
        ],
    }[kind]
    discover(write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "out", recipe)
    written = table(tmp_path / "out" / "assignments.parquet")
    assert len(written) == len(rows)
    if kind != "one entity type":
        assert {row["cluster"] for row in written} == {0}


def test_other_names_of_columns(recipe, tmp_path):
    path = tmp_path / "mine.csv"
    tail_columns = [key for key in GOOD if key.startswith("tail")]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["body", "sentence", "h0", *tail_columns, "head_end"])
        writer.writeheader()
        for row in make_rows(20):
            renamed = {"body": row["sentence"], "h0": row["head_start"]}
            named = {key: row[key] for key in writer.fieldnames if key in row}
            writer.writerow(named | renamed | {"sentence": "something else"})
    columns = ("--text-column", "body", "--columns", "head_start=h0")
    discover(path, tmp_path / "out", recipe, *columns, "--no_report")
    written = table(tmp_path / "out" / "assignments.parquet")
    assert [row["sentence"] for row in written] == [row["sentence"] for row in make_rows(20)]
    assert written[0]["body"] == written[0]["sentence"] and written[0]["h0"] == "0"
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_model_of_other_entity_types(output, tmp_path, caplog):
    rows = [row | {"head_type": "CHEMICAL", "tail_type": "GENE"} for row in make_rows(30)]
    path = write_rows(tmp_path / "genes.jsonl", rows)
    options = ("--model", output / "model", "--num_clusters", 2, "--no_progress")
    run(main, "discover", path, "--output_dir", tmp_path / "out", *options)
    assert "60 mentions have an entity type that the tokenizer does not know" in caplog.text
    assert len(table(tmp_path / "out" / "assignments.parquet")) == 30
    assert "CHEMICAL→GENE" in (tmp_path / "out" / "clusters.csv").read_text()


def test_an_interrupted_run_is_resumed(recipe, rows_file, output, tmp_path, monkeypatch, capsys):
    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(saved, "build_report", interrupted)
        with pytest.raises(SystemExit) as stopped:
            discover(rows_file, tmp_path / "out", recipe, "--num_clusters", 4)
    assert stopped.value.code == 130 and "the same command resumes" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_unfinished"]
    discover(rows_file, tmp_path / "out", recipe, "--num_clusters", 4)
    assert not (tmp_path / "out" / "_unfinished").exists()
    assert table(tmp_path / "out" / "assignments.parquet") == table(output / "assignments.parquet")


@pytest.mark.extended
def test_several_processes(recipe, rows_file, output, tmp_path):
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command = ["-m", "modeling_siamure.cli", "discover", rows_file, "--recipe", recipe]
    command += ["--output_dir", tmp_path / "out", "--num_clusters", 4]
    settings = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [sys.executable, *launch, *map(str, command)],
        cwd=REPOSITORY,
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "60 sentences in 4 clusters" in done.stdout
    one, two = (table(folder / "assignments.parquet") for folder in (output, tmp_path / "out"))
    assert [row["cluster"] for row in one] == [row["cluster"] for row in two]


def write_brat(folder, rows):
    folder.mkdir()
    for number, row in enumerate(rows):
        entities = [
            f"T{place}\t{row[f'{role}_type']} {row[f'{role}_start']} {row[f'{role}_end']}"
            for place, role in enumerate(("head", "tail"), 1)
        ]
        (folder / f"{number:02d}.ann").write_text("\n".join(entities))
        (folder / f"{number:02d}.txt").write_text(row["sentence"])
    return folder


def test_annotated_text_is_recognized(rows_file, output, recipe, tmp_path, capsys, caplog):
    rows = [json.loads(line) for line in rows_file.read_text().splitlines()]
    folder = write_brat(tmp_path / "news", rows)
    discover(folder, tmp_path / "out", recipe, "--num_clusters", 4, "--no_report")
    told = "news: read as brat: documents: 60, entities: 120, pairs: 60; all pairs of entities"
    assert told in caplog.text
    written = table(tmp_path / "out" / "assignments.parquet")
    assert [row["document"] for row in written] == [f"{number:02d}" for number in range(60)]
    # The same sentences as rows of a table have the same clusters.
    other = {row["text"]: row["cluster"] for row in table(output / "assignments.parquet")}
    assert {row["text"]: row["cluster"] for row in written} == other

    entities = [
        {"type": row[f"{role}_type"], "start": start, "end": start + 1}
        for row in rows
        for role, start in (("head", 0), ("tail", 2))
    ]
    sentences = [
        {"tokens": row["sentence"].split(), "entities": entities[2 * number : 2 * number + 2]}
        for number, row in enumerate(rows)
    ]
    path = tmp_path / "spert.json"
    path.write_text(json.dumps(sentences))
    options = ("--model", output / "model", "--output", tmp_path / "spert.parquet")
    run(main, "assign", path, *options, "--no_progress", "--reader_options", "pairs=all")
    assert len(table(tmp_path / "spert.parquet")) == 60
    options = ("--model", output / "model", "--output", tmp_path / "as_table.parquet")
    said = "it looks like spert: read it with --format spert"
    assert_fails(capsys, main, "assign", path, *options, "--format", "table", said=said)
    said = "--reader_options takes NAME=VALUE, not 'pairs'"
    assert_fails(capsys, main, "assign", path, *options, "--reader_options", "pairs", said=said)

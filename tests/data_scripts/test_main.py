"""`python -m data_scripts`: counts by hand, Parquet for plain `load_dataset`, one-line errors."""

import hashlib
import json
import subprocess
import sys

import datasets
import pytest

from data_scripts.__main__ import main
from modeling_siamure.utils.files import lock_file

ROWS = [
    {
        "sentence": "Oz runs Salt",
        "head": "Oz",
        "tail": "Salt",
        "head_type": "PER",
        "relation": "a|b",
        "tags": ["x"],
    },
    {
        "sentence": "Oz left Salt",
        "head": "Oz",
        "tail": "Salt",
        "head_type": "PER",
        "relation": "$leaves",
    },
    {"sentence": "Bo left Salt", "head": "Bo", "tail": "Salt", "relation": "$leaves"},
    {"sentence": "Bo saw Salt and Salt", "head": "Bo", "tail": "Salt"},
    {"sentence": "Bo left", "head": "Bo", "tail": "Salt"},
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS))
    return path


def test_describe_counts(path, capsys):
    main(["describe", "jsonlines", "--data_files", f"train={path}", "--on_error", "skip"])
    text = capsys.readouterr().out
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    note = "an entity occurs more than once in the sentence: nearest pair taken"
    for line in (
        "4 pairs of entities in their sentences, 2 relations, 1 rows without a label",
        f"$leaves {'#' * 40} 2",
        f"a|b     {'#' * 20} 1",
        "| relation | train |",
        "| &#36;leaves | 2 |",
        "| a&#124;b | 1 |",
        "| (unlabeled) | 1 |",
        "| **all** | 4 |",
        "| (none) – (none) | 2 |",
        "| PER – (none) | 2 |",
        "| train | bad row, skipped | tail: does not occur in the sentence | 1 |",
        f"| train | kept | {note} | 1 |",
        f"| rows.jsonl | {path.stat().st_size} | `{sha}` |",
    ):
        assert line in text.splitlines() or line in text.split(". `text`")[0]


def prepare_and_push(path, target, environment):
    files = [f"{split}={path}" for split in ("train", "test")]
    options = [
        "--data_files",
        *files,
        "--on_error",
        "skip",
        "--output_dir",
        target,
        "--push_to_hub",
        "oz/salt",
    ]
    command = [sys.executable, "-m", "data_scripts", "prepare", "table", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_plain_load_dataset_reads_what_was_prepared_and_pushed(path, tmp_path, loopback_hub):
    pytest.importorskip("matplotlib")
    target, environment = tmp_path / "out", loopback_hub.environment(tmp_path / "home")
    done = prepare_and_push(path, target, environment)
    assert (done.returncode, done.stdout) == (0, f"{target}: train 4, test 4\n"), done.stderr
    assert "table, train: bad rows skipped: 1" in done.stderr
    dataset = datasets.load_dataset(str(target))
    assert dataset.num_rows == {"train": 4, "test": 4}
    assert dataset["train"][0]["text"] == "<e1:PER> Oz </e1:PER> runs <e2> Salt </e2>"
    assert dataset["train"][0]["tags"] == ["x"]
    assert (target / "relations.png").read_bytes().startswith(b"\x89PNG")
    assert "![Rows per relation](relations.png)" in (target / "README.md").read_text()
    assert not (tmp_path / "out.incomplete").exists()

    pushed = loopback_hub.files("dataset", "oz/salt")
    assert loopback_hub.repos["datasets", "oz/salt"].private
    for name in ("README.md", "relations.png", "data/train.parquet", "data/test.parquet"):
        assert pushed[name] == (target / name).read_bytes()
    code = "import datasets; print(*datasets.load_dataset('oz/salt', split='test')['relation'])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert loaded.stdout == "a|b $leaves $leaves None\n", loaded.stderr


@pytest.mark.parametrize("mishap", ["no permission", "a connection that breaks"])
def test_a_failed_push_is_one_line(path, tmp_path, loopback_hub, mishap):
    environment = loopback_hub.environment(tmp_path / "home")
    if mishap == "no permission":
        environment["HF_TOKEN"] = "hf_wrong"
    else:
        loopback_hub.cut = "/commit/"
    done = prepare_and_push(path, tmp_path / "out", environment)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    said = f"error: the data is in {tmp_path / 'out'}, but oz/salt was not published: "
    assert done.stderr.splitlines()[-1].startswith(said)
    assert datasets.load_dataset(str(tmp_path / "out")).num_rows == {"train": 4, "test": 4}


def test_a_failure_leaves_no_partial_folder(path, tmp_path, monkeypatch):
    def full_disk(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr("data_scripts.__main__.write_picture", full_disk)
    arguments = ["prepare", "table", "--data_files", f"train={path}", "--on_error", "skip"]
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--output_dir", str(tmp_path / "out")])
    assert caught.value.code == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.jsonl"]


def test_the_same_command_again_and_another_one(path, tmp_path, capsys):
    arguments = ["prepare", "table", "--data_files", f"train={path}", "--on_error", "skip"]
    arguments += ["--output_dir", str(tmp_path / "out")]
    main(arguments)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*")}
    main(arguments)
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: train 4\n" * 2
    for changed in ([*arguments, "--markers", "untyped"], arguments):
        with pytest.raises(SystemExit) as caught:
            main(changed)
        assert caught.value.code == 2 and "exists already" in capsys.readouterr().err
        path.write_text(path.read_text().replace("Oz runs Salt", "Oz owns Salt"))
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*")} == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "rows.jsonl"]


def test_two_runs_into_one_folder(path, tmp_path, capsys):
    arguments = ["prepare", "table", "--data_files", f"train={path}", "--on_error", "skip"]
    with lock_file(tmp_path / "out", "--output_dir"), pytest.raises(SystemExit) as caught:
        main([*arguments, "--output_dir", str(tmp_path / "out")])
    assert caught.value.code == 2
    assert "is being written by another run; wait for it" in capsys.readouterr().err


def test_without_a_command_the_corpora_are_listed(capsys):
    main([])
    out = capsys.readouterr().out
    assert "tacred " in out and "table, jsonlines, json, csv, parquet" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["describe", "tacrid"], "no corpus is called 'tacrid'"),
        (["describe", "fewrel", "--data_dir", "/nowhere"], "/nowhere is not a folder"),
        (
            ["describe", "fewrel", "--data_dir", ".", "--tacrev", "x"],
            "fewrel has no option 'tacrev'",
        ),
        (
            ["describe", "csv", "--data_files", "rows.csv"],
            "--data_files takes NAME=VALUE, not 'rows.csv'",
        ),
        (
            ["describe", "table", "--data_files", "train=PATH"],
            "row 5, field tail: does not occur in the sentence",
        ),
        (["prepare", "table", "--output_dir", "FOLDER"], "exists already"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(path, arguments, said, capfd):
    values = [
        value.replace("PATH", str(path)).replace("FOLDER", str(path.parent)) for value in arguments
    ]
    with pytest.raises(SystemExit) as caught:
        main(values)
    assert caught.value.code == 2
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ") and said in last


def test_columns_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "user.csv"
    path.write_text("body,a,b\nOz runs Salt,Oz,Salt\n")
    columns = ["--columns", "sentence=body", "head=a", "tail=b"]
    main(["describe", "csv", "--data_files", f"train={path}", *columns])
    assert "1 pairs of entities" in capsys.readouterr().out

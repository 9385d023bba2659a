"""`train.py` as a person runs it: one command from rows to a saved model, and one line for each
mistake."""

import json
import os
import resource
import subprocess
import sys

import pytest
import torch
from transformers import AutoTokenizer

import train as command
from data_scripts import load_relation_dataset
from data_scripts.loading import load_train_and_validation
from modeling_siamure import SiamUREModel, SiamURETrainer, SiamURETrainingArguments
from modeling_siamure.recipe import DataArguments, parse_arguments
from modeling_siamure.utils.files import lock_folder
from tests.data_scripts.source_examples import tacred_row
from tests.helpers.commands import REPOSITORY, fails
from tests.helpers.models import make_trainer
from tests.helpers.rows import make_rows, write_rows


def train(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "train.py", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def recipe(encoder, tmp_path_factory):
    """A recipe that trains in seconds, both phases included."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(
        f"model_name_or_path: {encoder}\npooling: mention_context\npooling_layer: 2\nnum_clusters: 3\n"
        "learning_rate: 1.0e-3\nper_device_train_batch_size: 16\nwarmup_epochs: 1\nnum_train_epochs: 2\n"
        'num_neighbors: 5\nkmeans_restarts: 2\nsave_strategy: "no"\nbf16: false\nuse_cpu: true\n'
    )
    return path


@pytest.fixture(scope="module")
def train_file(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("rows") / "train.jsonl", make_rows(60))


@pytest.fixture(scope="module")
def trained(recipe, train_file, tmp_path_factory):
    """The output folder of one run, and what it printed."""
    output = tmp_path_factory.mktemp("runs") / "tiny-model"
    validation = write_rows(train_file.with_name("validation.jsonl"), make_rows(30, seed=1))
    rows = (
        "--train_file",
        train_file,
        "--validation_file",
        validation,
        "--reader_options",
        "on_error=skip",
    )
    done = train(recipe, *rows, "--output_dir", output)
    assert done.returncode == 0, done.stderr
    return output, done.stdout


def test_one_command_leaves_a_model_and_its_scores(trained):
    output, printed = trained
    names = {path.name for path in output.iterdir()}
    assert {
        "model.safetensors",
        "config.json",
        "tokenizer.json",
        "README.md",
        "all_results.json",
    } <= names
    assert ".partial" not in names
    results = json.loads((output / "all_results.json").read_text())
    for prefix in ("eval_", "eval_head_", "untrained_", "type_pair_"):
        assert {prefix + key for key in ("b3_f1", "v_measure_f1", "ari")} <= results.keys()
    for key in ("b3_f1", "v_measure_f1", "ari"):
        assert f"{100 * results['eval_' + key]:.1f}" in printed
    assert "| one cluster per type pair (1) |" in printed
    assert results["type_pair_b3_recall"] == 1
    config = json.loads((output / "config.json").read_text())
    assert sum(config["cluster_sizes"]) == 60 and config["entity_types"] == ["FIRM", "PERSON"]
    card = (output / "README.md").read_text()
    assert "train.jsonl (on_error=skip), 60 sentences" in card
    assert (
        card.startswith("---\n")
        and "{{" not in card
        and f"{100 * results['eval_b3_f1']:.1f}" in card
    )


def test_a_fresh_process_gives_the_vector_that_the_trainer_saw(
    trained, recipe, train_file, tmp_path
):
    output, _ = trained
    text = make_rows(1)[0]["text"]
    code = (
        "import sys, json, modeling_siamure\n"
        "from transformers import AutoModel, AutoTokenizer\n"
        "model, tokenizer = (auto.from_pretrained(sys.argv[1]) for auto in (AutoModel, AutoTokenizer))\n"
        "print(json.dumps(model(**tokenizer(sys.argv[2], return_tensors='pt')).relation_embedding[0].tolist()))\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, output, text],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    tokenizer = AutoTokenizer.from_pretrained(output)
    args = SiamURETrainingArguments(
        str(tmp_path), bf16=False, use_cpu=True, disable_tqdm=True, num_neighbors=5
    )
    trainer = SiamURETrainer(
        SiamUREModel.from_pretrained(output),
        args,
        train_dataset=load_relation_dataset("table", data_files={"train": str(train_file)})[
            "train"
        ],
        processing_class=tokenizer,
    )
    seen = torch.from_numpy(trainer.embed(trainer.train_dataset).relation[0])
    torch.testing.assert_close(
        torch.tensor(json.loads(printed.splitlines()[-1])), seen, atol=1e-5, rtol=1e-5
    )


def test_unlabeled_rows_train_the_same_model(trained, recipe, train_file, tmp_path):
    output, _ = trained
    rows = [
        {key: value for key, value in row.items() if key != "relation"} for row in make_rows(60)
    ]
    unlabeled = write_rows(tmp_path / "unlabeled.jsonl", rows)
    done = train(recipe, "--train_file", unlabeled, "--output_dir", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "no gold relations" in done.stdout
    files = [folder / "model.safetensors" for folder in (output, tmp_path / "out")]
    assert files[0].read_bytes() == files[1].read_bytes()


def load_train_rows(arguments):
    """The training rows that a command line names."""
    _, data_args, args = parse_arguments(arguments, on_error=command.fail)
    source = {key: value for key, value in vars(data_args).items() if key != "metric"}
    assert isinstance(data_args, DataArguments)
    return load_train_and_validation(**source, seed=args.seed)[0]


def test_reader_options_on_the_line_and_in_a_recipe(recipe, tmp_path):
    renamed = tmp_path / "renamed.yaml"
    renamed.write_text(
        recipe.read_text() + "reader_options: {columns: {sentence: body, head: a, tail: b}}\n"
    )
    (tmp_path / "rows.csv").write_text("body,a,b\nBo left Acme,Bo,Acme\n")
    arguments = [
        str(renamed),
        "--output_dir",
        str(tmp_path / "out"),
        "--train_file",
        str(tmp_path / "rows.csv"),
    ]
    train_rows = load_train_rows(arguments)
    assert train_rows["text"] == ["<e1> Bo </e1> left <e2> Acme </e2>"]

    (tmp_path / "train.json").write_text(
        json.dumps([tacred_row("t1", "no_relation"), tacred_row("t2", "per:age")])
    )
    (tmp_path / "patch").mkdir()
    (tmp_path / "patch" / "train_id2label.json").write_text(
        json.dumps({"t1": "no_relation", "t2": "per:title"})
    )
    options = ["markers=untyped", "no_relation=keep", f"retacred={tmp_path / 'patch'}"]
    arguments = [str(recipe), "--output_dir", str(tmp_path / "out"), "--dataset_name", "tacred"]
    arguments += ["--data_dir", str(tmp_path), "--reader_options", *options]
    train_rows = load_train_rows(arguments)
    assert train_rows["relation"] == ["no_relation", "per:title"]
    assert train_rows["text"][0].startswith("<e2> Mira Oz </e2> now heads <e1> Salt Works </e1>")


def broken(path, change, line=3):
    rows = make_rows(30)
    write_rows(path, rows)
    lines = path.read_text().splitlines()
    lines[line] = change(json.loads(lines[line]))
    path.write_text("\n".join(lines) + "\n")
    return path


MISTAKES = {
    "not JSON": (lambda row: json.dumps(row)[:-5], ["row 4", "not JSON"]),
    "span outside": (lambda row: json.dumps({**row, "tail_end": 999}), ["row 4", "tail"]),
    "empty sentence": (lambda row: json.dumps({**row, "sentence": ""}), ["row 4", "sentence"]),
    "no tail": (
        lambda row: json.dumps(
            {key: value for key, value in row.items() if not key.startswith("tail")}
        ),
        ["4", "tail"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_bad_row_is_named(mistake, recipe, tmp_path):
    change, words = MISTAKES[mistake]
    path = broken(tmp_path / "rows.jsonl", change)
    done = train(recipe, "--train_file", path, "--output_dir", tmp_path / "out")
    fails(done, "rows.jsonl", *words)
    assert not (tmp_path / "out").exists()


def test_mistakes_on_the_line(recipe, train_file, trained, tmp_path, capsys):
    def fails_here(arguments, *words):
        with pytest.raises(SystemExit) as stop:
            command.main([*map(str, arguments)])
        fails(
            subprocess.CompletedProcess(arguments, stop.value.code, stderr=capsys.readouterr().err),
            *words,
        )

    rows, out = ("--train_file", train_file), ("--output_dir", tmp_path / "out")
    fails_here(
        [recipe, "--train_file", tmp_path / "none.jsonl", *out], "none.jsonl", "does not exist"
    )
    fails_here([recipe, *rows, "--output_dir", trained[0]], "already holds a model", trained[0])
    fails_here([recipe, *out], "give either --dataset_name or --train_file")
    fails_here(
        [recipe, "--dataset_name", "sample", "--validation_file", train_file, *out], "give either"
    )
    for option, said in {
        "label=first": "table has no option 'label'; it takes columns, keep_all_rows, labels, markers",
        "streaming=true": "table has no option 'streaming'",
        "labels": "--reader_options takes NAME=VALUE, not 'labels'",
        "markers=bold": "markers is 'bold'; choose one of typed, untyped",
        "columns=body": "columns is 'body'",
        "columns.subject=a": "columns maps 'subject', which is none of",
    }.items():
        fails_here([recipe, *rows, *out, "--reader_options", option], said)
    fails_here([tmp_path / "none.yaml", *out], "none.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("learning_rat: 1.0e-5\n")
    fails_here([bad, *out], "bad.yaml", "learning_rat")
    fails_here([recipe, "--learning_rat", 1, *out], "learning_rat")
    fails_here([recipe, *rows, *out, "--num_clusters", 61], "61 clusters")
    fails_here([recipe, *rows, *out, "--num_neighbors", 60], "60 neighbors")
    fails_here([recipe, *rows, *out, "--pooling", "most"], "pooling")
    fails_here([recipe, *rows, *out, "--model_name_or_path", tmp_path / "nowhere"], "nowhere")
    assert not (tmp_path / "out").exists()


def test_no_room_for_the_model_is_one_line(encoder, rows, recipe, tmp_path, capsys, monkeypatch):
    def build_trainer(*arguments):
        return make_trainer(encoder, rows, tmp_path / "out")

    monkeypatch.setattr(command, "build_trainer", build_trainer)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Bytes per file; the weights are larger.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(SystemExit) as stop:
            command.main([str(recipe), "--train_file", "x", "--output_dir", str(tmp_path / "out")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert stop.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith(f"train.py: {tmp_path / 'out'} has no room for the model (")
    assert not (tmp_path / "out").exists()


def test_the_same_command_again_and_another_one(trained, recipe, train_file, capsys):
    output, _ = trained
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    validation = train_file.with_name("validation.jsonl")
    words = [recipe, "--train_file", train_file, "--validation_file", validation]
    words = [*map(str, words), "--reader_options", "on_error=skip", "--output_dir", str(output)]
    command.main(words)
    line = f"{output} holds the model of this command: it is not trained again\n"
    assert capsys.readouterr().out == line
    with pytest.raises(SystemExit) as stop:
        command.main([*words, "--seed", "7", "--learning_rate", "0.5"])
    assert stop.value.code == 2
    said = "of another run: learning_rate was 0.001 and is 0.5"
    error = capsys.readouterr().err
    assert said in error and "seed was 42 and is 7; give another --output_dir" in error
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before


def test_two_runs_into_one_folder(recipe, train_file, tmp_path, capsys):
    output = tmp_path / "out"
    with lock_folder(output), pytest.raises(SystemExit) as stop:
        command.main([str(recipe), "--train_file", str(train_file), "--output_dir", str(output)])
    assert stop.value.code == 2
    assert f"train.py: {output} is in use by another run" in capsys.readouterr().err


def test_an_interrupted_run_resumes(recipe, train_file, trained, tmp_path):
    """Killed after its first checkpoint, resumed: the same weights as the run that was left
    alone."""
    output = tmp_path / "out"
    stop_after = (
        "import runpy, sys\n"
        "from modeling_siamure.training.checkpointing import ResumableTrainerMixin\n"
        "save = ResumableTrainerMixin._save_checkpoint\n"
        "ResumableTrainerMixin._save_checkpoint = lambda self, *args: (save(self, *args), sys.exit(9))\n"
        "sys.argv = ['train.py', *sys.argv[1:]]\n"
        "runpy.run_path('train.py', run_name='__main__')\n"
    )
    arguments = [
        recipe,
        "--train_file",
        train_file,
        "--output_dir",
        output,
        "--save_strategy",
        "steps",
        "--save_steps",
        6,
    ]
    command = [sys.executable, "-c", stop_after, *map(str, arguments)]
    stopped = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True
    )
    assert stopped.returncode == 9, stopped.stderr
    fails(train(*arguments), "unfinished run", "--resume_from_checkpoint true")
    done = train(*arguments, "--resume_from_checkpoint", "true")
    assert done.returncode == 0, done.stderr
    whole = trained[0] / "model.safetensors"
    assert (output / "model.safetensors").read_bytes() == whole.read_bytes()

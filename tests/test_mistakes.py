"""What a person gets wrong on a command line: one line that says what to do, and exit status 2."""

import ast
import csv
import functools
import re

import datasets
import pyarrow.parquet as pq
import pytest
import transformers
import yaml
from markdown_it import MarkdownIt

import train
from modeling_siamure import RelationDiscovery, cli
from modeling_siamure.recipe import DEFAULT_METRIC, ModelArguments, Recipe, load_metric
from tests.helpers.commands import REPOSITORY, assert_fails, run
from tests.helpers.rows import make_rows, write_rows


@pytest.fixture(scope="module")
def rows_file(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("rows") / "mine.jsonl", make_rows(60))


def changed(recipe, path, **values):
    with open(recipe, encoding="utf-8") as file:
        content = yaml.safe_load(file)
    path.write_text(yaml.safe_dump(content | values), encoding="utf-8")
    return path


def test_a_command_without_a_word(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([])
    printed = capsys.readouterr()
    assert stopped.value.code == 2 and printed.out == ""
    assert printed.err.startswith("usage: siamure") and "discover" in printed.err
    said = "give a recipe and rows: train.py recipes/default.yaml --train_file FILE"
    assert_fails(capsys, train.main, said=said, program="train.py")


@pytest.mark.parametrize("name", ["notes.txt", "notes", "notes.md"])
def test_plain_text_as_input(name, recipe, tmp_path, capsys):
    path = tmp_path / name
    path.write_text("Ada met Bo.\nBo left.\n")
    out = ("--output_dir", tmp_path / "out")
    said = f"{name}: is neither JSON nor, by its name, CSV, TSV or Parquet; give rows"
    options = (*out, "--recipe", recipe, "--no_report")
    is_text = name == "notes.txt"
    asked = f"{name} says nothing of its entities; say by --ner what finds them"
    assert_fails(capsys, cli.main, "discover", path, *options, said=asked if is_text else said)
    assert_fails(
        capsys, train.main, recipe, "--train_file", path, *out, said=said, program="train.py"
    )
    assert not (tmp_path / "out").exists()


def test_a_name_without_a_suffix_may_hold_json(tmp_path):
    from data_scripts.loading import load_user_file

    path = write_rows(tmp_path / "rows.data", make_rows(2))
    assert len(load_user_file(path)) == 2


@pytest.mark.parametrize("model", ["none", "none/such", "./none", "a/b/c", "none.yaml"])
def test_a_model_that_is_not_there(model, recipe, rows_file, tmp_path, capsys):
    said = f"siamure: {model} is not a folder, and not on the hub or in its cache; correct the name"
    out = ("--output_dir", tmp_path / "out")
    line = assert_fails(capsys, cli.main, "assign", rows_file, "--model", model, said=said[9:])
    assert line.startswith(said)
    assert_fails(capsys, cli.main, "discover", rows_file, "--model", model, *out, said=said[9:])
    options = ("--train_file", rows_file, *out, "--num_clusters", 3, "--model_name_or_path", model)
    assert_fails(capsys, train.main, recipe, *options, said=said[9:], program="train.py")
    assert not (tmp_path / "out").exists()


VALUES = {
    "num_clusters": (0, "num_clusters=0: it must be 1 or more"),
    "per_device_train_batch_size": (0, "per_device_train_batch_size=0: it must be 1 or more"),
    "max_length": (
        600,
        "max_length=600: .* has positions for 512 tokens; give a max_length of 512",
    ),
    "pooling_layer": (9, "pooling_layer=9 is not one of the encoder's layers 1 to 3"),
    "seed": (2**32, "seed=4294967296: it must be between 0 and 4294967295"),
    "model_name_or_path": ("pip:os/x", "package os is not installed"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_in_a_recipe_and_on_a_line(name, recipe, rows_file, tmp_path, capsys):
    value, said = VALUES[name]
    path = changed(recipe, tmp_path / "recipe.yaml", **{name: value})
    out = ("--output_dir", tmp_path / "out")
    lines = [
        assert_fails(capsys, main, *command, said="", program=program)
        for main, command, program in (
            (cli.main, ("discover", rows_file, "--recipe", path, *out, "--no_report"), "siamure"),
            (train.main, (path, "--train_file", rows_file, *out), "train.py"),
            (
                train.main,
                (recipe, "--train_file", rows_file, *out, "--num_clusters", 3, f"--{name}", value),
                "train.py",
            ),
        )
    ]
    for line in lines:
        assert re.search(said, line), line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", ["-1", "4294967296", "1" + "0" * 400])
def test_a_seed_out_of_range(seed, recipe, rows_file, tmp_path, capsys):
    options = ("--output_dir", tmp_path / "out", "--recipe", recipe, "--no_report")
    said = "it must be between 0 and 4294967295"
    assert_fails(capsys, cli.main, "discover", rows_file, *options, "--seed", seed, said=said)


def test_a_deep_recipe(tmp_path, recipe, rows_file, capsys):
    path = tmp_path / "deep.yaml"
    path.write_text("a: " + "[" * 3000 + "]" * 3000)
    out = ("--output_dir", tmp_path / "out", "--no_report")
    said = f"{path} can't be read as a recipe: it is nested too deeply"
    assert_fails(capsys, cli.main, "discover", rows_file, "--recipe", path, *out, said=said)


def test_faiss_is_missed_before_anything_is_embedded(recipe, rows, tmp_path, monkeypatch):
    monkeypatch.setattr("modeling_siamure.clustering.neighbors.is_faiss_available", lambda: False)
    path = changed(recipe, tmp_path / "recipe.yaml", neighbor_search="faiss")
    discovery = RelationDiscovery(finetune=True, recipe=str(path), work_dir=str(tmp_path / "work"))
    with pytest.raises(ImportError, match="pip install faiss-cpu"):
        discovery.fit(rows)
    assert not (tmp_path / "work").exists()


# --------------------------------------------------------------------------------------------------
# Code from elsewhere


@pytest.fixture
def foreign_metric(tmp_path):
    """A metric that leaves a trace where it runs."""
    folder = tmp_path / "metric"
    folder.mkdir()
    trace = tmp_path / "ran"
    (folder / "metric.py").write_text(f"open({str(trace)!r}, 'w').close()\nraise OSError('ran')\n")
    return folder, trace


def test_a_metric_of_a_recipe_is_asked_for(foreign_metric, recipe, rows_file, tmp_path, capsys):
    folder, trace = foreign_metric
    path = changed(recipe, tmp_path / "recipe.yaml", metric=str(folder))
    options = ("--train_file", rows_file, "--output_dir", tmp_path / "out", "--num_clusters", 3)
    said = "runs code that is not of this package; read it, then allow it by --trust_remote_code"
    fails = functools.partial(assert_fails, capsys)
    fails(train.main, path, *options, said=said, program="train.py")
    out = ("--output_dir", tmp_path / "out", "--metric", folder)
    fails(cli.main, "discover", rows_file, *out, said=said)
    assert not trace.exists()
    fails(train.main, path, *options, "--trust_remote_code", "true", said="ran", program="train.py")
    assert trace.exists()
    trace.unlink()
    fails(cli.main, "discover", rows_file, *out, "--trust_remote_code", said="ran")
    assert trace.exists() and not (tmp_path / "out").exists()


def test_a_recipe_can_not_trust_itself(foreign_metric, recipe, rows_file, tmp_path, capsys):
    folder, trace = foreign_metric
    trusting = {"metric": str(folder), "trust_remote_code": True}
    path = changed(recipe, tmp_path / "recipe.yaml", **trusting)
    options = ("--train_file", rows_file, "--output_dir", tmp_path / "out", "--num_clusters", 3)
    said = f"{path}: trust_remote_code is for you to give, on the command line"
    assert_fails(capsys, train.main, path, *options, said=said, program="train.py")
    assert not trace.exists()


def test_the_metric_of_this_package_is_trusted_wherever_it_lies():
    assert load_metric(str(DEFAULT_METRIC)).name == "b_cubed"
    assert load_metric(str(REPOSITORY / "metrics" / "b_cubed")).name == "b_cubed"
    assert ModelArguments("x").trust_remote_code is False
    with pytest.raises(ValueError, match="take it out of the recipe"):
        Recipe({"trust_remote_code": False})


# --------------------------------------------------------------------------------------------------
# What is passed on


EVIL_TYPES = {
    "head_type": "=cmd|'/C_calc'!A0",
    "tail_type": '!");__import__("pathlib").Path("PWNED").touch();("',
}


@pytest.fixture(scope="module")
def evil_output(recipe, tmp_path_factory):
    """A discovery of rows whose types are code, formulas and Markdown; one of them can't be read."""
    folder = tmp_path_factory.mktemp("private")
    rows = [row | EVIL_TYPES for row in make_rows(40)]
    kinds = ["<img src=x onerror=alert(1)>", "!`![i](https://evil.example/p.png)`", "@SUM(A1)"]
    rows += [
        row | {"head_type": kind, "tail_type": kind} for kind in kinds for row in make_rows(20)
    ]
    rows += [{"sentence": "no mention"}]
    path = write_rows(folder / "mine.jsonl", rows)
    options = ("--recipe", recipe, "--on_error", "skip", "--num_clusters", 4, "--no_progress")
    run(cli.main, "discover", path, "--output_dir", folder / "out", *options)
    return folder, folder / "out"


def test_the_card_runs_nothing_but_what_it_shows(evil_output):
    card = (evil_output[1] / "model" / "README.md").read_text(encoding="utf-8")
    code = re.findall(r"^```python\n(.*?)^```$", card, re.DOTALL | re.MULTILINE)
    assert len(code) == 2
    for block in code:
        calls = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
        named = {ast.unparse(call.func) for call in calls}
        assert named <= {"pipeline", "ask", "model", "tokenizer"} | {
            f"{name}.from_pretrained" for name in ("AutoModel", "AutoTokenizer")
        }


def test_the_card_shows_names_as_text(evil_output):
    card = (evil_output[1] / "model" / "README.md").read_text(encoding="utf-8")
    body = card.partition("\n---\n")[2]
    page = MarkdownIt("commonmark").enable("table").parse(body)
    tokens = [child for token in page for child in [token, *(token.children or ())]]
    assert not [token for token in tokens if token.type in ("image", "html_block")]
    tags = {token.content for token in tokens if token.type == "html_inline"}
    assert tags <= {"<b>", "</b>", "<i>", "</i>", "<br>"}
    links = {token.attrs["href"] for token in tokens if token.type == "link_open"}
    assert not [link for link in links if "evil" in link]


def test_no_cell_of_the_table_is_a_formula(evil_output):
    with (evil_output[1] / "clusters.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.DictReader(file) for cell in row.values()]
    assert any(cell.startswith("'=cmd") for cell in cells)
    assert [
        cell for cell in cells if cell[:1] in tuple("=+-@\t\r") and cell not in ("-1", "-2")
    ] == []


def test_the_folders_of_this_machine_are_not_passed_on(evil_output, encoder):
    folder, output = evil_output
    for path in output.rglob("*"):
        if path.is_file() and path.suffix != ".safetensors":
            content = path.read_bytes()
            assert str(folder).encode() not in content, path
            assert encoder.encode() not in content, path
    problem = pq.read_table(output / "assignments.parquet")["problem"].to_pylist()[-1]
    assert problem.startswith("mine.jsonl, row 101, field ")


def test_no_bars_where_none_are_wanted(recipe, rows_file, tmp_path, capsys):
    """Neither ours nor those of the libraries, on a command line and in Python."""
    options = ("--recipe", recipe, "--num_clusters", 3, "--no_report", "--no_progress")
    run(cli.main, "discover", rows_file, "--output_dir", tmp_path / "out", *options)
    model = tmp_path / "out" / "model"
    run(
        cli.main, "assign", rows_file, "--model", model, "--output", tmp_path / "a", "--no_progress"
    )
    assert "%|" not in capsys.readouterr().err


def test_no_bars_in_python(recipe, tmp_path, capsys):
    datasets.enable_progress_bars()
    transformers.utils.logging.enable_progress_bar()
    # Rows of this test alone, which no cache holds.
    rows = [row | {"sentence": f"{row['sentence']} {tmp_path}"} for row in make_rows(40)]
    listed = [{key: row[key] for key in row if key != "text"} for row in rows]
    discovery = RelationDiscovery(3, recipe=recipe).fit(listed)
    discovery.save_pretrained(tmp_path)
    RelationDiscovery.from_pretrained(str(tmp_path)).predict(listed)
    assert "%|" not in capsys.readouterr().err
    assert not datasets.are_progress_bars_disabled()
    assert transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()

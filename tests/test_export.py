"""Exported models against the model itself, on batches of other shapes than the one they were exported with."""

import warnings

import pytest
import torch
from transformers import AutoTokenizer

from modeling_siamure import SiamUREModel
from modeling_siamure.export import export_onnx, export_program

from .helpers.models import TEXTS


def batches(tokenizer):
    """One row, all rows, and rows much longer than any text."""
    yield tokenizer(TEXTS[:1], return_tensors="pt")
    yield tokenizer(TEXTS, padding=True, return_tensors="pt")
    yield tokenizer(TEXTS[1:4], padding="max_length", max_length=90, return_tensors="pt")


@pytest.mark.parametrize("pooling", ["marker", "mention", "marker_context", "mention_context"])
def test_program(encoder, pooling):
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = SiamUREModel.from_encoder(
        encoder, tokenizer, ["PERSON", "FIRM"], pooling=pooling
    ).train()
    program = export_program(model).module()
    assert model.training
    model.eval()
    for batch in batches(tokenizer):
        found = program(batch["input_ids"], batch["attention_mask"])
        torch.testing.assert_close(found, model(**batch).relation_embedding, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["marker_context"])
def test_onnx(encoder, pooling, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = SiamUREModel.from_encoder(
        encoder, tokenizer, ["PERSON", "FIRM"], pooling=pooling
    ).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        export_onnx(model, tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [(item.name, len(item.shape)) for item in session.get_inputs()] == [
        ("input_ids", 2),
        ("attention_mask", 2),
    ]
    for batch in batches(tokenizer):
        (found,) = session.run(
            None, {name: batch[name].numpy() for name in ("input_ids", "attention_mask")}
        )
        torch.testing.assert_close(
            torch.from_numpy(found), model(**batch).relation_embedding, atol=1e-4, rtol=0
        )

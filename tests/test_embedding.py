"""Embedding: the order of the rows, one line against a dataset, and work that is resumed."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from modeling_siamure.data_collator import tokenize_dataset
from modeling_siamure.embedding import EmbeddingCache, embed, embed_dataset
from tests.helpers.models import TEXTS


def test_a_dataset_is_embedded_as_one_row_at_a_time(model, tokenizer, rows):
    model.train()
    dataset = tokenize_dataset(rows, tokenizer)
    found = embed_dataset(model, tokenizer, dataset, Accelerator(cpu=True), batch_size=7)
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


def test_embedding_in_a_folder_resumes_where_it_was_cut_short(model, tokenizer, rows, tmp_path):
    dataset = tokenize_dataset(rows, tokenizer)
    accelerator = Accelerator(cpu=True)
    expected = embed_dataset(model, tokenizer, dataset, accelerator, batch_size=7)
    seen = []

    def count(module, arguments, inputs):
        seen.append(len(inputs["input_ids"]))
        if len(seen) == 5:
            raise CutShort

    hook = model.register_forward_pre_hook(count, with_kwargs=True)

    def run():
        return embed_dataset(
            model,
            tokenizer,
            dataset,
            accelerator,
            batch_size=7,
            folder=tmp_path / "h",
            seconds_between_records=0,
        )

    with pytest.raises(CutShort):
        run()
    found = run()
    # 60 rows: four batches, the one that was cut short, and on from there.
    assert seen == [7] * 5 + [7] * 4 + [4]
    for name in ("relation", "projection", "cluster_probabilities"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert (
        np.fromfile(tmp_path / "h" / "relation.f32", np.float32) == expected.relation.ravel()
    ).all()
    assert (run().relation == expected.relation).all() and len(seen) == 11  # the last batch only
    hook.remove()
    with torch.no_grad():
        model.encoder.embeddings.word_embeddings.weight[0] += 1
    with pytest.raises(
        ValueError, match="holds embeddings of other rows or another model; give another folder"
    ):
        run()


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "removed": lambda path: path.unlink(),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-400]),
    "empty": lambda path: path.write_bytes(b""),
    "a bit": flip,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}


@pytest.mark.parametrize("name", ["relation.f32", "progress.json"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_embeddings_are_made_again(model, tokenizer, rows, tmp_path, caplog, damage, name):
    dataset = tokenize_dataset(rows, tokenizer)

    def run():
        accelerator = Accelerator(cpu=True)
        return embed_dataset(
            model,
            tokenizer,
            dataset,
            accelerator,
            batch_size=7,
            folder=tmp_path,
            relation_only=True,
        )

    expected = np.array(run().relation)
    DAMAGE[damage](tmp_path / name)
    np.testing.assert_array_equal(run().relation, expected)
    is_missing = (name, damage) == ("progress.json", "removed")
    assert (f"{tmp_path} is not resumed from, but embedded again: " in caplog.text) != is_missing
    caplog.clear()
    np.testing.assert_array_equal(run().relation, expected)
    assert not caplog.text


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_one_line_embeds_as_a_dataset_does(model, tokenizer, rows, batch_size):
    model.train()
    found = embed(model, tokenizer, rows["text"], batch_size=batch_size)
    assert model.training and found.dtype == np.float32 and found.shape == (60, 96)
    dataset = tokenize_dataset(rows, tokenizer)
    expected = embed_dataset(model, tokenizer, dataset, Accelerator(cpu=True), relation_only=True)
    np.testing.assert_allclose(found, expected.relation, atol=1e-5)


def test_one_line_keeps_mentions_and_names_mistakes(model, tokenizer):
    model.eval()
    found = embed(model, tokenizer, TEXTS)
    with torch.no_grad():
        for row, text in enumerate(TEXTS):
            expected = model(**tokenizer(text, return_tensors="pt")).relation_embedding[0]
            np.testing.assert_allclose(found[row], expected, atol=1e-5)
    assert not model.training and embed(model, tokenizer, []).shape == (0, 96)
    tokenizer.model_max_length = 20
    long = "who " * 600 + TEXTS[0] + " in" * 600
    cut = "who " * 4 + TEXTS[0] + " in" * 2
    np.testing.assert_array_equal(embed(model, tokenizer, [long]), embed(model, tokenizer, [cut]))
    with pytest.raises(ValueError, match="row 1: the marker of the tail end is missing"):
        embed(model, tokenizer, [TEXTS[0], "<e1> ada </e1> left <e2> acme"])
    tokenizer.model_max_length = 8
    with pytest.raises(ValueError, match="row 0: its two mentions alone exceed max_length=8"):
        embed(model, tokenizer, TEXTS[:1])


def test_cache_records_at_times_and_at_the_end(tmp_path):
    accelerator = Accelerator(cpu=True)

    def make(fingerprint="a", seconds=1000.0):
        return EmbeddingCache(tmp_path / "new" / "h", fingerprint, [], accelerator, seconds)

    cache = make()
    cache.record(3, [], is_last=False)
    assert make().num_done == 0  # it is too soon
    cache.record(4, [], is_last=True)
    assert make().num_done == 4
    make(seconds=0).record(5, [], is_last=False)
    assert make().num_done == 5
    with pytest.raises(ValueError, match="holds embeddings of other rows or another model"):
        make(fingerprint="b")

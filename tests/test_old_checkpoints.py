"""A checkpoint that version 0.1 saved loads in each way, and gives the values that it gave then."""

import json

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import AutoModel, AutoTokenizer, pipeline

from modeling_siamure import RelationDiscovery, SiamUREModel, embed

from .helpers.commands import REPOSITORY

CHECKPOINT = REPOSITORY / "tests" / "fixtures" / "checkpoint_0_1"


@pytest.fixture(scope="module")
def expected() -> dict[str, list]:
    return json.loads((CHECKPOINT / "expected.json").read_text())


def test_by_the_auto_classes(expected):
    model = AutoModel.from_pretrained(CHECKPOINT)
    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    assert type(model) is SiamUREModel
    with torch.no_grad():
        batch = tokenizer(expected["text"], padding=True, return_tensors="pt")
        found = model(**batch).relation_embedding
    wanted = torch.tensor(expected["relation_embedding"])
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    assert model.assign_clusters(found).tolist() == expected["labels"]
    scores = model.cluster_scores(found).amax(dim=-1)
    assert scores.tolist() == pytest.approx(expected["scores"], abs=1e-4)
    np.testing.assert_allclose(embed(model, tokenizer, expected["text"]), wanted, atol=1e-5)


def test_by_the_pipeline(expected):
    ask = pipeline("relation-discovery", model=str(CHECKPOINT), device="cpu")
    answers = ask(expected["text"], return_embedding=True)
    assert [answer["cluster"] for answer in answers] == expected["labels"]
    names = json.loads((CHECKPOINT / "config.json").read_text())["id2label"]
    assert [answer["label"] for answer in answers] == [
        names[str(label)] for label in expected["labels"]
    ]
    assert [answer["score"] for answer in answers] == pytest.approx(expected["scores"], abs=1e-4)
    found = [answer["embedding"] for answer in answers]
    np.testing.assert_allclose(found, expected["relation_embedding"], atol=1e-5)


def test_by_the_estimator(expected):
    discovery = RelationDiscovery.from_pretrained(str(CHECKPOINT))
    assignment = discovery.predict(Dataset.from_dict({"text": expected["text"]}))
    assert assignment.labels.tolist() == expected["labels"]
    assert assignment.clusters.tolist() == expected["clusters"]
    assert assignment.scores.tolist() == pytest.approx(expected["scores"], abs=1e-4)


def test_saved_again_it_is_the_same(expected, tmp_path):
    model = AutoModel.from_pretrained(CHECKPOINT)
    model.save_pretrained(tmp_path)
    before = json.loads((CHECKPOINT / "config.json").read_text())
    after = json.loads((tmp_path / "config.json").read_text())
    for name in ("transformers_version", "use_cache"):  # what transformers adds is its own
        before.pop(name)
    assert {key: after[key] for key in before} == before
    again = AutoModel.from_pretrained(tmp_path).state_dict()
    for name, weight in model.state_dict().items():
        assert torch.equal(again[name], weight)

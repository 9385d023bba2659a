"""The pipeline: its answers against the clustering module, its inputs in all their forms."""

import logging

import numpy as np
import pytest
import torch
from transformers import pipeline
from transformers.pipelines.pt_utils import KeyDataset

from modeling_siamure import RelationDiscoveryPipeline
from modeling_siamure.clustering import assign, initialize_cluster_head, kmeans
from modeling_siamure.clustering.assignment import RejectionRule, assign_rows

from .helpers.models import SPANS, TEXT, make_model
from .helpers.rows import make_rows


@pytest.fixture(scope="module")
def rows():
    return make_rows(40)


@pytest.fixture(scope="module")
def ask(encoder, rows):
    """A pipeline whose clusters are those of the rows."""
    model, tokenizer = make_model(encoder)
    batch = tokenizer([row["text"] for row in rows], padding=True, return_tensors="pt")
    with torch.no_grad():
        embeddings = model(**batch).relation_embedding.numpy()
    clusters = kmeans(embeddings, 3)
    names = list(model.config.id2label.values())
    model.set_clusters(clusters.centroids, clusters.sizes, names)
    ask = pipeline("relation-discovery", model=model, tokenizer=tokenizer, device="cpu")
    assert isinstance(ask, RelationDiscoveryPipeline)
    ask.rows = embeddings
    ask.clusters = clusters
    return ask


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_clusters_are_those_of_the_training(ask, rows, batch_size):
    answers = ask([row["text"] for row in rows], batch_size=batch_size)
    found = np.array([answer["cluster"] for answer in answers])
    np.testing.assert_array_equal(found, ask.clusters.labels)
    np.testing.assert_array_equal(found, assign(ask.rows, ask.clusters.centroids))
    assert all(
        answer["label"] == ask.model.config.id2label[answer["cluster"]] for answer in answers
    )


def test_scores_are_those_of_a_cluster_head_that_starts_from_the_clusters(ask, rows):
    head = torch.nn.Linear(96, 3)
    initialize_cluster_head(head, ask.rows, ask.clusters)
    normalized = torch.nn.functional.normalize(torch.from_numpy(ask.rows), dim=-1)
    expected = head(normalized).softmax(dim=-1).tolist()
    for row, wanted in zip(rows, expected, strict=True):
        answers = ask(row["text"], top_k=None)
        assert {answer["cluster"]: answer["score"] for answer in answers} == pytest.approx(
            dict(enumerate(wanted)), abs=1e-4
        )
        assert sum(answer["score"] for answer in answers) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "thresholds",
    [{"max_distances": [0.0, 2.0, 2.0]}, {"max_distances": [2.0] * 3, "min_margin": 1.1}],
)
def test_sentences_beyond_the_thresholds_are_unassigned(ask, rows, thresholds):
    """As `RejectionRule` leaves them, whatever a batch holds; `top_k` ranks the clusters all the same."""
    sizes = ask.clusters.sizes
    rule = RejectionRule(thresholds["max_distances"], thresholds.get("min_margin", 0.0))
    expected = assign_rows(ask.rows, ask.clusters.centroids, sizes, rule)
    is_outside = expected.labels == -1
    assert is_outside.any() and (is_outside.all() == ("min_margin" in thresholds))
    texts = [row["text"] for row in rows]
    names = list(ask.model.config.id2label.values())
    plain = ask(texts, batch_size=7)
    ask.model.set_clusters(ask.clusters.centroids, sizes, names, **thresholds)
    try:
        answers = ask(texts, batch_size=7)
        ranked = ask(texts, batch_size=7, top_k=2)
    finally:
        ask.model.set_clusters(ask.clusters.centroids, sizes, names)
    assert [answer["cluster"] for answer in answers] == expected.labels.tolist()
    for answer, before, best, outside in zip(answers, plain, ranked, is_outside, strict=True):
        wanted = before | {"label": "unassigned", "cluster": -1} if outside else before
        assert answer == wanted  # the score is that of the nearest cluster
        assert best[0] == before and len(best) == 2


def test_the_best_come_first(ask):
    every = ask(TEXT, top_k=None)
    two = ask(TEXT, top_k=2)
    one = ask(TEXT)
    assert len(every) == 3 and two == every[:2] and one == every[0]
    assert ask(TEXT, top_k=99) == every and ask([TEXT], top_k=1) == [every[:1]]
    assert every[0]["score"] >= every[1]["score"] >= every[2]["score"]
    assert one.keys() == {"label", "score", "cluster"}


def test_a_collapsed_training_set_still_gives_scores(encoder):
    """All its rows were one, so the centroids are, and their mean may round to more than length 1."""
    model, tokenizer = make_model(encoder)
    model.cluster_centroids.fill_(96**-0.5 * (1 + 1e-6))
    answers = RelationDiscoveryPipeline(model=model, tokenizer=tokenizer)(TEXT, top_k=None)
    assert [answer["score"] for answer in answers] == pytest.approx([1 / 3] * 3)


def test_embedding(ask):
    with torch.no_grad():
        expected = ask.model(**ask.tokenizer(TEXT, return_tensors="pt")).relation_embedding[0]
    torch.testing.assert_close(
        torch.tensor(ask(TEXT, return_embedding=True)["embedding"]), expected
    )


def test_spans_are_as_good_as_markers(ask):
    assert ask(SPANS) == ask(TEXT)
    untyped = {
        **SPANS,
        "head": {"start": 0, "end": 6},
        "tail": {"start": 22, "end": 26, "type": None},
    }
    assert ask(untyped) == ask("<e1> ada bo </e1> who later left <e2> acme </e2> in may")


def test_markers_in_the_raw_text_move_nothing(ask):
    text = SPANS["text"] + " <e1> cy </e1>"
    assert ask({**SPANS, "text": text})["cluster"] in range(3)
    with pytest.raises(ValueError, match="stands twice"):
        ask(TEXT + " <e1> cy </e1>")


def test_lists_generators_and_datasets(ask, rows):
    from datasets import Dataset

    texts = [row["text"] for row in rows[:9]]
    expected = ask(texts)
    dataset = Dataset.from_list(rows[:9])
    for found in (
        ask(tuple(texts)),
        ask(text for text in texts),
        ask(dataset, batch_size=4),
        ask(dataset.to_iterable_dataset(), batch_size=2),
        ask(KeyDataset(dataset, "text"), batch_size=4),
        ask(rows[:9]),
    ):
        found = list(found)
        assert [answer["cluster"] for answer in found] == [answer["cluster"] for answer in expected]
        assert [answer["score"] for answer in found] == pytest.approx(
            [answer["score"] for answer in expected], abs=1e-5
        )
    assert ask([]) == [] and list(ask(iter([]))) == []


def test_generators_are_asked_as_they_go(ask):
    def endless():
        while True:
            yield TEXT

    assert next(iter(ask(endless())))["cluster"] == ask(TEXT)["cluster"]


def test_long_sentences_keep_their_mentions(ask):
    long = "who " * 600 + TEXT + " in" * 600
    assert ask(long)["cluster"] in range(3)
    assert ask(long, max_length=20) == ask("who " * 4 + TEXT + " in" * 2, max_length=20)


def test_unknown_types_are_untyped_and_told_once(ask, caplog):
    text = "<e1:GOD> ada </e1:GOD> left <e2:FIRM> acme </e2:FIRM>"
    library = logging.getLogger("transformers")
    library.addHandler(caplog.handler)
    try:
        logging.getLogger("modeling_siamure.pipeline").addHandler(caplog.handler)
        answers = ask([text, text])
    finally:
        logging.getLogger("modeling_siamure.pipeline").removeHandler(caplog.handler)
        library.removeHandler(caplog.handler)
    assert answers[0] == ask("<e1> ada </e1> left <e2:FIRM> acme </e2:FIRM>")
    assert (
        len({record.getMessage() for record in caplog.records if "GOD" in record.getMessage()}) == 1
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("ada left acme", "marker of the head start"),
        ("<e1> ada </e1> left <e2> acme", "marker of the tail end"),
        ("", "marker of the head start"),
        ({"text": "ada left acme"}, "neither a marked sentence nor a dictionary"),
        ({**SPANS, "tail": None}, "neither a marked sentence nor a dictionary"),
        ({**SPANS, "tail": {"start": 22}}, "'end'"),
        ({**SPANS, "tail": {"start": 22, "end": 99}}, "tail span 22-99"),
        (
            {**SPANS, "tail": {"start": "22", "end": 26}},
            "neither a marked sentence nor a dictionary",
        ),
        ({**SPANS, "text": None}, "neither a marked sentence nor a dictionary"),
        (7, "neither a marked sentence nor a dictionary"),
    ],
)
def test_a_bad_row_is_named(ask, row, message):
    with pytest.raises(ValueError, match=message):
        ask([row])


def test_bad_options(ask, encoder):
    with pytest.raises(
        TypeError, match="takes no 'topk'; it takes max_length, top_k, return_embedding"
    ):
        ask(TEXT, topk=1)
    with pytest.raises(ValueError, match="top_k=0: it must be 1 or more"):
        ask(TEXT, top_k=0)
    model, tokenizer = make_model(encoder)
    model.config.cluster_sizes = None
    with pytest.raises(ValueError, match="holds no clusters"):
        pipeline("relation-discovery", model=model, tokenizer=tokenizer)

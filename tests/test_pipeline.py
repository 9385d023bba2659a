"""The pipeline: its answers against the clustering module, its inputs in all their forms."""

import json
import logging

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, pipeline
from transformers.pipelines.pt_utils import KeyDataset

from data_scripts import load_user_file
from modeling_siamure import RelationDiscoveryPipeline
from modeling_siamure.clustering import assign, initialize_cluster_head, kmeans
from modeling_siamure.clustering.assignment import RejectionRule, assign_rows
from tests.helpers.models import SPANS, TEXT, make_model
from tests.helpers.rows import make_rows


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
    """As `RejectionRule` leaves them, whatever a batch holds; `top_k` ranks the clusters all the
    same."""
    sizes = ask.clusters.sizes
    rule = RejectionRule(**thresholds)
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
        assert ask(texts, batch_size=7, reject_outliers=False) == plain
    finally:
        ask.model.set_clusters(ask.clusters.centroids, sizes, names)
    assert [answer["cluster"] for answer in answers] == expected.labels.tolist()
    for answer, before, best, outside in zip(answers, plain, ranked, is_outside, strict=True):
        nearest = {"nearest_label": before["label"], "nearest_cluster": before["cluster"]}
        wanted = before | {"label": "unassigned", "cluster": -1} | nearest if outside else before
        assert answer == wanted  # the score is that of the nearest cluster
        assert len(best) == 2 and best[0] == before | ({"unassigned": True} if outside else {})


def test_the_best_come_first(ask):
    every = ask(TEXT, top_k=None)
    two = ask(TEXT, top_k=2)
    one = ask(TEXT)
    assert len(every) == 3 and two == every[:2] and one == every[0]
    assert ask(TEXT, top_k=99) == every and ask([TEXT], top_k=1) == [every[:1]]
    assert every[0]["score"] >= every[1]["score"] >= every[2]["score"]
    assert one.keys() == {"label", "score", "cluster"}


def test_a_collapsed_training_set_still_gives_scores(encoder):
    """All its rows were one, so the centroids are, and their mean may round to more than length
    1."""
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


FLAT = {
    "sentence": SPANS["text"],
    "head_start": 0,
    "head_end": 6,
    "head_type": "PERSON",
    "tail_start": 22,
    "tail_end": 26,
    "tail_type": "FIRM",
}


def mention(start, end, **more) -> dict:
    return {"start": start, "end": end, **more}


@pytest.mark.parametrize(
    "row",
    [
        FLAT,
        FLAT | {"relation": float("nan"), "id": 7, "my column": None},
        FLAT | {"head_start": 0.0, "tail_end": "26"},
        FLAT | {"head_end": np.int64(6), "tail_start": torch.tensor(22)},
        FLAT | {"head_type": np.str_("PERSON")},
        {"text": TEXT},
        {"text": TEXT, "head": "ada bo", "head_start": 0, "head_end": 6},
        {
            "text": SPANS["text"],
            "head": "ada bo",
            "tail": "acme",
            "head_type": "PERSON",
            "tail_type": "FIRM",
        },
        {
            "tokens": SPANS["text"].split(),
            "head_start": 0,
            "head_end": 2,
            "head_type": "PERSON",
            "tail_start": 5,
            "tail_end": 6,
            "tail_type": "FIRM",
        },
        SPANS | {"head": mention(0, 6, label="PERSON"), "tail": mention(22, 26, label="FIRM")},
        SPANS
        | {
            "head": mention(0, 6, entity_group="PERSON", score=np.float32(0.9), word="ada bo"),
            "tail": mention(22, 26, entity_group="FIRM"),
        },
    ],
    ids=str,
)
def test_rows_as_assign_reads_them(ask, row):
    assert ask(row) == ask([row])[0] == ask(TEXT)


@pytest.mark.parametrize("nothing", ["", None, float("nan"), np.float64("nan")])
def test_an_empty_type_is_none(ask, nothing):
    untyped = ask("<e1> ada bo </e1> who later left <e2:FIRM> acme </e2:FIRM> in may")
    assert ask(SPANS | {"head": mention(0, 6, type=nothing)}) == untyped
    assert ask(FLAT | {"head_type": nothing}) == untyped


def test_the_pipeline_reads_what_assign_reads(ask, tmp_path):
    rows = [FLAT | {"id": "1"}, {"text": TEXT, "id": "2"}, FLAT | {"id": "3", "tail_type": ""}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [ask(text) for text in load_user_file(path)["text"]] == ask(rows)


BAD = [
    ("ada left acme", "marker of the head start"),
    ("<e1> ada </e1> left <e2> acme", "marker of the tail end"),
    ("", "marker of the head start"),
    ("<e1> ada </e1> left <e2> \ud83d </e2>", "surrogates not allowed"),
    ({"text": "ada left acme"}, "field head: is missing"),
    ({**SPANS, "tail": None}, "field tail"),
    ({**SPANS, "tail": {"start": 22}}, "field tail_end: is missing"),
    ({**SPANS, "tail": {"start": 22, "end": 99}}, "outside the sentence"),
    ({**SPANS, "tail": {"start": "two", "end": 26}}, "field tail_start: is not a whole number"),
    ({**SPANS, "text": None}, "field sentence: is missing or empty"),
    ({**SPANS, "head": {"start": 0, "end": 6, "type": ["PERSON"]}}, "head_type: is not a string"),
    (FLAT | {"head": "ada"}, "is not the text at its offsets"),
    ({}, "field sentence: is missing or empty"),
    (7, "neither a marked sentence nor a dictionary"),
    (None, "neither a marked sentence nor a dictionary"),
    (f"<e1> {'ada ' * 600}</e1> left <e2> acme </e2>", "its two mentions alone exceed 512 tokens"),
]


@pytest.mark.parametrize(("row", "message"), BAD, ids=[message for _, message in BAD])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_bad_row_is_named(ask, row, message, batch_size):
    with pytest.raises(ValueError, match=message) as caught:
        ask([TEXT, TEXT, TEXT, row, TEXT], batch_size=batch_size)
    assert str(caught.value).startswith("row 3: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_bad_rows_are_skipped_where_asked(ask, batch_size):
    good = ask(TEXT)
    rows = [TEXT, *(row for row, _ in BAD), SPANS]
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("modeling_siamure.pipeline")
    logger.addHandler(handler)
    try:
        answers = ask(rows, on_error="skip", batch_size=batch_size)
        assert list(ask(iter(rows), on_error="skip", batch_size=batch_size)) == answers
        assert ask("", on_error="skip") is None
    finally:
        logger.removeHandler(handler)
    assert answers[1:-1] == [None] * len(BAD)
    for answer in (answers[0], answers[-1]):
        assert answer["cluster"] == good["cluster"]
        assert answer["score"] == pytest.approx(good["score"], abs=1e-5)
    first = (
        f"{len(BAD)} of {len(rows)} rows can't be read, and are answered by None, such as: row 1"
    )
    assert messages[0].startswith(first) and len(messages) == 3


def test_bad_options(ask, encoder):
    with pytest.raises(
        TypeError, match="takes no 'topk'; it takes max_length, on_error, reject_outliers, top_k"
    ):
        ask(TEXT, topk=1)
    for value in (0, -1, 1.0, "3", True):
        for name in ("top_k", "max_length"):
            with pytest.raises(ValueError, match=f"{name}={value!r}: it must be 1 or more"):
                ask(TEXT, **{name: value})
    for name in ("return_embedding", "reject_outliers"):
        with pytest.raises(ValueError, match=f"{name}=1: it must be True or False"):
            ask(TEXT, **{name: 1})
    with pytest.raises(ValueError, match="on_error='drop': it must be 'raise' or 'skip'"):
        ask(TEXT, on_error="drop")
    with pytest.raises(ValueError, match="7 is neither a marked sentence"):
        ask(7)
    model, tokenizer = make_model(encoder)
    model.config.cluster_sizes = None
    plain = AutoTokenizer.from_pretrained(encoder)
    with pytest.raises(ValueError, match="the tokenizer does not have the markers of the model"):
        pipeline("relation-discovery", model=ask.model, tokenizer=plain)
    with pytest.raises(ValueError, match="holds no clusters"):
        pipeline("relation-discovery", model=model, tokenizer=tokenizer)

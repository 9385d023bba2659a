"""From rows to named clusters, in Python."""

import functools
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from sklearn.base import clone
from transformers import AutoModel, AutoTokenizer, Trainer, pipeline

from modeling_siamure import (
    Recipe,
    RelationDiscovery,
    SiamUREModel,
    SiamURETrainer,
    clustering,
    insert_markers,
)
from modeling_siamure.clustering.assignment import Assignment
from modeling_siamure.discovery import estimator
from modeling_siamure.discovery.report import summarize
from modeling_siamure.recipe import DEFAULT_RECIPE
from tests.helpers.models import make_model
from tests.helpers.rows import make_rows


def test_what_is_found(fitted, rows):
    assert fitted.labels_.shape == (60,) and set(fitted.labels_.tolist()) <= {-1, 0, 1, 2, 3}
    sizes = np.bincount(fitted.labels_[fitted.labels_ >= 0]).tolist()
    assert [cluster.size for cluster in fitted.clusters_] == sizes
    assert sum(fitted.model_.config.cluster_sizes) == 60
    for number, cluster in enumerate(fitted.clusters_):
        members = {rows["text"][int(row)] for row in np.flatnonzero(fitted.labels_ == number)}
        assert set(cluster.examples) | set(cluster.borderline_examples) <= members
        assert cluster.type_pairs == {"PERSON→FIRM": cluster.size}
        assert fitted.model_.config.id2label[number] == cluster.name
    assert fitted.tree_.shape == (3, 4)
    first = fitted.clusters_[0]
    margins = dict(zip(rows["text"], fitted.assignment_.margins, strict=True))
    assert margins[first.borderline_examples[0]] <= margins[first.examples[0]]


def test_predict_assigns_the_same_rows_alike(fitted, rows):
    labels = fitted.labels_
    assignment = fitted.predict(rows)
    assert isinstance(assignment, Assignment)
    assert assignment.labels.tolist() == labels.tolist()
    assert fitted.predict(rows.select([5, 3])).labels.tolist() == labels[[5, 3]].tolist()


def test_predict_changes_nothing(fitted, rows):
    attributes = dict(vars(fitted))
    assignment = fitted.assignment_
    arrays = {
        "labels": fitted.labels_.copy(),
        "scores": assignment.scores.copy(),
        "margins": assignment.margins.copy(),
        "embeddings": np.array(fitted.embeddings_),
    }
    config = fitted.model_.config.to_dict()
    weights = {name: tensor.clone() for name, tensor in fitted.model_.state_dict().items()}
    fitted.predict(rows.select([7, 1, 4]))
    assert vars(fitted).keys() == attributes.keys()
    assert all(value is attributes[name] for name, value in vars(fitted).items())
    np.testing.assert_array_equal(fitted.labels_, arrays["labels"])
    np.testing.assert_array_equal(assignment.scores, arrays["scores"])
    np.testing.assert_array_equal(assignment.margins, arrays["margins"])
    np.testing.assert_array_equal(fitted.embeddings_, arrays["embeddings"])
    assert fitted.model_.config.to_dict() == config
    for name, tensor in fitted.model_.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_an_untrained_fit_reads_the_recipe_once_and_builds_no_trainer(recipe, rows, monkeypatch):
    read = []
    read_recipe = Recipe.from_yaml.__func__

    def counted(cls, path=DEFAULT_RECIPE):
        read.append(path)
        return read_recipe(cls, path)

    def refused(self, *args, **options):
        raise AssertionError("a Trainer was built")

    monkeypatch.setattr(Recipe, "from_yaml", classmethod(counted))
    monkeypatch.setattr(SiamURETrainer, "__init__", refused)
    monkeypatch.setattr(Trainer, "__init__", refused)
    discovery = RelationDiscovery(4, recipe=recipe).fit(rows)
    assert read == [recipe] and len(discovery.clusters_) == 4
    RelationDiscovery(4, recipe=Recipe.of(recipe)).fit(rows)  # read once more, by this line
    assert read == [recipe] * 2


def test_saved_and_loaded(fitted, rows, recipe, tmp_path):
    fitted.save_pretrained(tmp_path / "model")
    loaded = RelationDiscovery.from_pretrained(str(tmp_path / "model"), recipe=recipe)
    margins = loaded.predict(rows).margins
    loaded.model_.config.min_margin = float(np.median(margins))  # so that half stay unassigned
    assignment = loaded.predict(rows)
    loaded.save_pretrained(tmp_path / "model")
    again = RelationDiscovery.from_pretrained(str(tmp_path / "model"), recipe=recipe).predict(rows)
    assert again.labels.tolist() == assignment.labels.tolist()
    np.testing.assert_allclose(again.scores, assignment.scores, atol=1e-5)
    model = AutoModel.from_pretrained(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    ask = pipeline("relation-discovery", model=model, tokenizer=tokenizer, device="cpu")
    answers = ask(list(rows["text"]))
    for answer, label, score in zip(answers, assignment.labels, assignment.scores, strict=True):
        assert answer["cluster"] == label
        assert (answer["label"] == "unassigned") == (label == -1)
        assert answer["score"] == pytest.approx(score, abs=1e-4)
    assert -1 in assignment.labels  # so that the pipeline has left some unassigned too
    rejected = int(np.flatnonzero(assignment.labels == -1)[0])
    answer = ask(rows["text"][rejected])
    assert answer["nearest_cluster"] == assignment.clusters[rejected]
    ranked = ask(rows["text"][rejected], top_k=2)
    assert ranked[0]["cluster"] == assignment.clusters[rejected] and ranked[1]["unassigned"]
    kept = RelationDiscovery.from_pretrained(
        str(tmp_path / "model"), recipe=recipe, reject_outliers=False
    )
    assert kept.predict(rows).labels.tolist() == assignment.clusters.tolist()


def test_a_loaded_discovery_knows_its_clusters(fitted, tmp_path):
    fitted.save_pretrained(tmp_path / "out" / "model")
    for folder in (tmp_path / "out" / "model", tmp_path / "out"):
        loaded = RelationDiscovery.from_pretrained(str(folder))
        assert loaded.clusters_ == fitted.clusters_
        np.testing.assert_allclose(loaded.tree_, fitted.tree_, rtol=1e-5)
    # The names are those of the configuration, which may have been edited; without the file there
    # are no examples.
    config = json.loads((tmp_path / "out" / "model" / "config.json").read_text())
    config["id2label"]["0"] = "renamed"
    (tmp_path / "out" / "model" / "config.json").write_text(json.dumps(config))
    loaded = RelationDiscovery.from_pretrained(str(tmp_path / "out"))
    assert loaded.clusters_ == [replace(fitted.clusters_[0], name="renamed"), *fitted.clusters_[1:]]
    file = tmp_path / "out" / "model" / "clusters.json"
    for content, message in (
        ("[", "does not describe clusters"),
        ('[{"title": "a"}]', "does not describe clusters"),
        ("[]", "describes 0 clusters, the model has 4"),
    ):
        file.write_text(content)
        with pytest.raises(ValueError, match=message):
            RelationDiscovery.from_pretrained(str(tmp_path / "out"))
    file.unlink()
    bare = RelationDiscovery.from_pretrained(str(tmp_path / "out")).clusters_
    assert [cluster.name for cluster in bare] == ["renamed", *list(config["id2label"].values())[1:]]
    assert [cluster.size for cluster in bare] == config["cluster_sizes"]


def test_a_model_without_thresholds_says_so(encoder, rows, tmp_path, caplog):
    model, tokenizer = make_model(encoder)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert (RelationDiscovery.from_pretrained(str(tmp_path)).predict(rows).labels >= 0).all()
    assert "this model holds no thresholds, so no row is left unassigned" in caplog.text


def test_scikit_learn_manner(recipe):
    made = RelationDiscovery(5, recipe=recipe, seed=3)
    assert made.get_params()["num_clusters"] == 5 and clone(made).seed == 3
    assert made.set_params(finetune=True).finetune


def test_gold_has_no_part(recipe, rows, fitted):
    again = RelationDiscovery(4, recipe=recipe).fit(rows.remove_columns("relation"))
    assert again.labels_.tolist() == RelationDiscovery(4, recipe=recipe).fit(rows).labels_.tolist()
    np.testing.assert_array_equal(again.model_.cluster_centroids, fitted.model_.cluster_centroids)


def test_training(recipe, rows, tmp_path, caplog):
    trained = RelationDiscovery(3, finetune=True, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert "checkpoint" not in caplog.text  # there was nothing to resume
    untrained = RelationDiscovery(3, recipe=recipe).fit(rows)
    assert not np.allclose(trained.embeddings_, untrained.embeddings_)
    assert "trained on these" in summarize(trained)
    assert "without training" in summarize(untrained)
    # The finished training is taken up, not repeated.
    (folder,) = [path for path in tmp_path.glob("trained-*") if not path.suffix]
    before = folder.stat().st_mtime_ns
    again = RelationDiscovery(3, finetune=True, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert folder.stat().st_mtime_ns == before
    np.testing.assert_array_equal(again.embeddings_, trained.embeddings_)
    # Unless it is damaged.
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-9] + bytes(9))
    RelationDiscovery(3, finetune=True, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert "trained again: model.safetensors is damaged" in caplog.text
    assert weights.read_bytes() == content


def test_assigning_leaves_no_file_even_while_it_runs(fitted, rows, tmp_path, monkeypatch):
    """So that a process that is killed leaves none either."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen = []
    hook = fitted.model_.register_forward_pre_hook(lambda *_: seen.append([*tmp_path.iterdir()]))
    fitted.predict(rows)
    hook.remove()
    assert seen == [[]] * 4


def test_a_training_that_is_stopped_is_resumed(recipe, rows, tmp_path, monkeypatch, capsys):
    steps = []
    compute_loss = SiamURETrainer.compute_loss

    def stopped(self, *args, **options):
        steps.append(self.state.global_step)
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return compute_loss(self, *args, **options)

    monkeypatch.setattr(SiamURETrainer, "compute_loss", stopped)
    with pytest.raises(SystemExit) as stop:
        RelationDiscovery(3, finetune=True, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert stop.value.code == 130 and "the same command resumes" in capsys.readouterr().err
    trained = RelationDiscovery(3, finetune=True, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert steps == [0, 1, 2, 3] and len(trained.labels_) == 60


def test_one_work_folder_serves_two_recipes(recipe, rows, tmp_path):
    """The same encoder, pooled otherwise: its embeddings are others."""
    text = Path(recipe).read_text(encoding="utf-8").replace("pooling: auto", "pooling: mention")
    (tmp_path / "other.yaml").write_text(text, encoding="utf-8")
    sizes = [
        RelationDiscovery(4, recipe=path, work_dir=str(tmp_path / "work"))
        .fit(rows)
        .embeddings_.shape[1]
        for path in (recipe, str(tmp_path / "other.yaml"))
    ]
    assert sizes == [96, 64]


def test_an_interrupted_run_is_resumed(recipe, rows, fitted, tmp_path, monkeypatch):
    batches = []
    forward = SiamUREModel.forward

    def counted(self, input_ids, **inputs):
        batches.append(len(input_ids))
        return forward(self, input_ids, **inputs)

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(SiamUREModel, "forward", counted)
    with monkeypatch.context() as patch:
        patch.setattr(estimator, "analyze", interrupted)
        with pytest.raises(KeyboardInterrupt):
            RelationDiscovery(4, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert batches == [16, 16, 16, 12]
    resumed = RelationDiscovery(4, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert batches[4:] == [12]  # the last batch says how wide h is
    np.testing.assert_allclose(resumed.embeddings_, fitted.embeddings_, atol=1e-5)
    # Other rows start anew.
    other = RelationDiscovery(2, recipe=recipe, work_dir=str(tmp_path)).fit(rows.select(range(20)))
    assert batches[5:] == [16, 4] and len(other.labels_) == 20


def test_rows_that_cannot_be_used_are_skipped(recipe, rows):
    head = " ".join(["ada"] * 300)
    tail_span = (len(head) + 6, len(head) + 10)
    long = insert_markers(f"{head} left acme", (0, len(head)), tail_span, "PERSON", "FIRM")
    texts = [*rows["text"][:20], None, long]
    discovery = RelationDiscovery(2, recipe=recipe).fit(Dataset.from_dict({"text": texts}))
    assert discovery.labels_[20:].tolist() == [-2, -2] and (discovery.labels_[:20] > -2).all()
    assert np.isnan(discovery.assignment_.scores[20:]).all() and len(discovery.embeddings_) == 20


@pytest.fixture
def smaller_sizes(monkeypatch):
    """Let 60 rows be more than k-means takes at once, and than a consensus looks at."""
    monkeypatch.setattr(clustering, "kmeans", functools.partial(clustering.kmeans, full_rows=30))
    consensus = functools.partial(clustering.consensus, sample_size=30)
    monkeypatch.setattr(clustering, "consensus", consensus)


@pytest.mark.usefixtures("smaller_sizes")
@pytest.mark.parametrize("method", ["kmeans", "consensus"])
def test_large_sets(recipe, rows, tmp_path, method):
    path = tmp_path / "recipe.yaml"
    path.write_text(Path(recipe).read_text().replace("consensus", method))
    discovery = RelationDiscovery(3, recipe=str(path)).fit(rows)
    assert sum(discovery.model_.config.cluster_sizes) == 60 and (discovery.labels_ > -2).all()
    expected = {"k-means"} if method == "kmeans" else {"consensus", "parts of type pairs"}
    assert discovery.clustering_method_ in expected


@pytest.mark.parametrize("min_agreement", [-np.inf, np.inf])
def test_what_found_the_clusters_is_said(recipe, rows, monkeypatch, caplog, min_agreement):
    consensus = functools.partial(clustering.consensus, min_agreement=min_agreement)
    monkeypatch.setattr(clustering, "consensus", consensus)
    discovery = RelationDiscovery(4, recipe=recipe).fit(rows)
    types_decide = min_agreement == np.inf
    method = "parts of type pairs" if types_decide else "consensus"
    assert discovery.clustering_method_ == method
    assert f"Clusters found by {method}." in summarize(discovery)
    assert ("so the types decided" in summarize(discovery)) == types_decide
    assert ("parts of type pairs instead of the consensus" in caplog.text) == types_decide


def test_one_row_and_equal_rows_are_one_cluster(recipe):
    row = make_rows(1)
    assert len(RelationDiscovery(recipe=recipe).fit(Dataset.from_list(row)).clusters_) == 1
    (cluster,) = RelationDiscovery(recipe=recipe).fit(Dataset.from_list(30 * row)).clusters_
    assert cluster.size == 30 and cluster.examples == [row[0]["text"]]


def test_keep_all(recipe, rows):
    discovery = RelationDiscovery(4, recipe=recipe, reject_outliers=False).fit(rows)
    assert (discovery.labels_ >= 0).all() and discovery.model_.config.max_distances is None
    assert (discovery.predict(rows).labels >= 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_clusters": 0}, "num_clusters=0: it must be 1 or more"),
        ({"num_clusters": "many"}, "num_clusters='many'"),
        ({"num_clusters": 61}, "different rows can't form 61 clusters"),
        ({"model_name_or_path": "x", "finetune": True}, "exclude each other"),
        ({"max_unassigned": 10.0}, "max_unassigned=10.0: it must be between 0 and 1"),
    ],
)
def test_mistakes(recipe, rows, options, message):
    with pytest.raises(ValueError, match=message):
        RelationDiscovery(**{"recipe": recipe, **options}).fit(rows)


def test_rows_without_text_column(recipe, rows):
    with pytest.raises(ValueError, match="no column 'text'"):
        RelationDiscovery(2, recipe=recipe).fit(rows.remove_columns("text"))


def test_an_encoder_is_no_siamure_model(encoder):
    with pytest.raises(ValueError, match="holds no siamure model"):
        RelationDiscovery.from_pretrained(encoder)


def test_a_model_without_clusters(model, tokenizer, tmp_path):
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="holds no clusters"):
        RelationDiscovery.from_pretrained(str(tmp_path))


def test_old_arguments_still_work(recipe, rows):
    with pytest.warns(FutureWarning, match="'reject' is now called 'reject_outliers'"):
        discovery = RelationDiscovery(4, recipe=recipe, reject=False)
    assert discovery.reject_outliers is False
    with pytest.warns(FutureWarning, match="'train' is now called 'finetune'"):
        assert RelationDiscovery(train=True).finetune is True
    with pytest.warns(FutureWarning, match="'model' is now called 'model_name_or_path'"):
        assert RelationDiscovery(model="mine").model_name_or_path == "mine"
    with pytest.raises(TypeError, match="give finetune alone"):
        RelationDiscovery(train=True, finetune=True)
    assert (discovery.fit(rows).labels_ >= 0).all()

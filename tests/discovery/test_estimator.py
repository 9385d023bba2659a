"""From rows to named clusters, in Python."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from sklearn.base import clone
from transformers import AutoModel, AutoTokenizer, pipeline

from modeling_siamure import RelationDiscovery, SiamUREModel, clustering, discovery
from modeling_siamure.markers import insert_markers

from .conftest import make_rows


@pytest.fixture(scope="module")
def recipe(encoder, tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(
        f"model_name_or_path: {encoder}\npooling: auto\npooling_layer: 2\nlearning_rate: 1.0e-3\nuse_cpu: true\n"
        'bf16: false\nnum_train_epochs: 1\nwarmup_epochs: 0\nnum_neighbors: 5\nsave_strategy: "no"\n'
        "partition: consensus\n"
        "per_device_train_batch_size: 16\nper_device_eval_batch_size: 16\n"
    )
    return str(path)


@pytest.fixture(scope="module")
def found(recipe, rows):
    return RelationDiscovery(4, recipe=recipe).fit(rows)


def test_what_is_found(found, rows):
    assert found.labels_.shape == (60,) and set(found.labels_.tolist()) <= {-1, 0, 1, 2, 3}
    assert [cluster.size for cluster in found.clusters_] == np.bincount(found.labels_[found.labels_ >= 0]).tolist()
    assert sum(found.model_.config.cluster_sizes) == 60
    for number, cluster in enumerate(found.clusters_):
        own = {rows["text"][int(row)] for row in np.flatnonzero(found.labels_ == number)}
        assert set(cluster.examples) | set(cluster.doubtful) <= own
        assert cluster.type_pairs == {"PERSON→FIRM": cluster.size}
        assert found.model_.config.id2label[number] == cluster.name
    assert found.tree_.shape == (3, 4)
    first = found.clusters_[0]
    margins = dict(zip(rows["text"], found.assignment_.margins, strict=True))
    assert margins[first.doubtful[0]] <= margins[first.examples[0]]


def test_predict_assigns_the_same_rows_alike_and_changes_nothing(found, rows):
    labels, scores = found.labels_.copy(), found.assignment_.scores.copy()
    assert found.predict(rows).labels.tolist() == labels.tolist()
    assert found.predict(rows.select([5, 3])).labels.tolist() == labels[[5, 3]].tolist()
    np.testing.assert_array_equal(found.labels_, labels)
    np.testing.assert_array_equal(found.assignment_.scores, scores)


def test_saved_and_loaded(found, rows, recipe, tmp_path):
    assignment = found.predict(rows)
    found.save_pretrained(tmp_path / "model")
    loaded = RelationDiscovery.from_pretrained(str(tmp_path / "model"), recipe=recipe)
    again = loaded.predict(rows)
    assert again.labels.tolist() == assignment.labels.tolist()
    np.testing.assert_allclose(again.scores, assignment.scores, atol=1e-5)
    model = AutoModel.from_pretrained(tmp_path / "model")
    ask = pipeline(
        "relation-discovery", model=model, tokenizer=AutoTokenizer.from_pretrained(tmp_path / "model"), device="cpu"
    )
    for answer, label, score in zip(ask(list(rows["text"])), assignment.labels, assignment.scores, strict=True):
        assert answer["cluster"] == label
        assert (answer["label"] == "unassigned") == (label == -1)
        assert answer["score"] == pytest.approx(score, abs=1e-4)
    assert -1 in assignment.labels  # so that the pipeline has left some unassigned too
    rejected = rows["text"][int(np.flatnonzero(assignment.labels == -1)[0])]
    assert [answer["cluster"] for answer in ask(rejected, top_k=2)][0] >= 0  # a ranking of the clusters


def test_scikit_learn_manner(recipe):
    made = RelationDiscovery(5, recipe=recipe, seed=3)
    assert made.get_params()["num_clusters"] == 5 and clone(made).seed == 3
    assert made.set_params(train=True).train


def test_gold_has_no_part(recipe, rows, found):
    again = RelationDiscovery(4, recipe=recipe).fit(rows.remove_columns("relation"))
    assert again.labels_.tolist() == RelationDiscovery(4, recipe=recipe).fit(rows).labels_.tolist()
    np.testing.assert_array_equal(again.model_.cluster_centroids, found.model_.cluster_centroids)


def test_training(recipe, rows, tmp_path):
    trained = RelationDiscovery(3, train=True, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    untrained = RelationDiscovery(3, recipe=recipe).fit(rows)
    assert not np.allclose(trained.embeddings_, untrained.embeddings_)
    assert "trained on these" in trained.how_embedded and "without training" in untrained.how_embedded
    # The finished training is taken up, not repeated.
    (folder,) = [path for path in tmp_path.glob("trained-*") if not path.suffix]
    before = folder.stat().st_mtime_ns
    again = RelationDiscovery(3, train=True, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert folder.stat().st_mtime_ns == before
    np.testing.assert_array_equal(again.embeddings_, trained.embeddings_)


def test_a_training_that_is_stopped_goes_on(recipe, rows, tmp_path, monkeypatch, capsys):
    steps, compute_loss = [], discovery.DiscoveryTrainer.compute_loss

    def stopped(self, *args, **options):
        steps.append(self.state.global_step)
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return compute_loss(self, *args, **options)

    monkeypatch.setattr(discovery.DiscoveryTrainer, "compute_loss", stopped)
    with pytest.raises(SystemExit) as stop:
        RelationDiscovery(3, train=True, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert stop.value.code == 130 and "the same command goes on" in capsys.readouterr().err
    trained = RelationDiscovery(3, train=True, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert steps == [0, 1, 2, 3] and len(trained.labels_) == 60


def test_an_interrupted_run_goes_on(recipe, rows, found, tmp_path, monkeypatch):
    batches, forward = [], SiamUREModel.forward

    def counted(self, input_ids, **inputs):
        batches.append(len(input_ids))
        return forward(self, input_ids, **inputs)

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(SiamUREModel, "forward", counted)
    with monkeypatch.context() as patch:
        patch.setattr(discovery, "partition", interrupted)
        with pytest.raises(KeyboardInterrupt):
            RelationDiscovery(4, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert batches == [16, 16, 16, 12]
    resumed = RelationDiscovery(4, recipe=recipe, work_dir=str(tmp_path)).fit(rows)
    assert batches[4:] == [12]  # the last batch says how wide h is
    np.testing.assert_allclose(resumed.embeddings_, found.embeddings_, atol=1e-5)
    # Other rows start anew.
    other = RelationDiscovery(2, recipe=recipe, work_dir=str(tmp_path)).fit(rows.select(range(20)))
    assert batches[5:] == [16, 4] and len(other.labels_) == 20


def test_rows_that_cannot_be_used_are_skipped(recipe, rows):
    head = " ".join(["ada"] * 300)
    long = insert_markers(f"{head} left acme", (0, len(head)), (len(head) + 6, len(head) + 10), "PERSON", "FIRM")
    texts = [*rows["text"][:20], None, long]
    found = RelationDiscovery(2, recipe=recipe).fit(Dataset.from_dict({"text": texts}))
    assert found.labels_[20:].tolist() == [-2, -2] and (found.labels_[:20] > -2).all()
    assert np.isnan(found.assignment_.scores[20:]).all() and len(found.embeddings_) == 20


@pytest.mark.parametrize("partition", ["kmeans", "consensus"])
def test_large_sets(recipe, rows, monkeypatch, tmp_path, partition):
    """More rows than k-means takes at once, or than stand for all in a consensus."""
    monkeypatch.setattr(clustering, "FULL_ROWS", 30)
    monkeypatch.setattr(clustering, "SAMPLED_ROWS", 30)
    text = Path(recipe).read_text().replace("consensus", partition)
    (tmp_path / "recipe.yaml").write_text(text)
    found = RelationDiscovery(3, recipe=str(tmp_path / "recipe.yaml")).fit(rows)
    assert sum(found.model_.config.cluster_sizes) == 60 and (found.labels_ > -2).all()


def test_one_row_and_equal_rows_are_one_cluster(recipe):
    row = make_rows(1)
    assert len(RelationDiscovery(recipe=recipe).fit(Dataset.from_list(row)).clusters_) == 1
    (cluster,) = RelationDiscovery(recipe=recipe).fit(Dataset.from_list(30 * row)).clusters_
    assert cluster.size == 30 and cluster.examples == [row[0]["text"]]


def test_keep_all(recipe, rows):
    found = RelationDiscovery(4, recipe=recipe, reject=False).fit(rows)
    assert (found.labels_ >= 0).all() and found.model_.config.max_distances is None
    assert (found.predict(rows).labels >= 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_clusters": 0}, "num_clusters=0: it must be 1 or more"),
        ({"num_clusters": "many"}, "num_clusters='many'"),
        ({"num_clusters": 61}, "different rows can't form 61 clusters"),
        ({"model": "x", "train": True}, "exclude each other"),
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

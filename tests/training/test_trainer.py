"""The two phases: what they train, what they leave alone, and that labels change nothing."""

import logging
from functools import partial

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from modeling_siamure import SiamUREModel
from modeling_siamure.clustering import assign, ward
from modeling_siamure.clustering.consensus import consensus
from modeling_siamure.clustering.neighbors import mutual_neighbors
from modeling_siamure.data_collator import type_pairs
from modeling_siamure.losses import neighbor_cosine_loss, semantic_clustering_loss, siamese_loss
from tests.helpers.models import changed, make_trainer, unchanged, weights


@pytest.fixture(scope="module")
def runs(encoder, rows, tmp_path_factory):
    """Weights before and after a run, and the trainer, by the options of the run."""

    def run(**options):
        trainer = make_trainer(encoder, rows, tmp_path_factory.mktemp("run"), **options)
        before = weights(trainer)
        trainer.train()
        return before, weights(trainer), trainer

    return run


def test_siamese_phase_trains_encoder_and_mlps_only(runs):
    before, after, trainer = runs(num_train_epochs=1)
    assert changed(before, after) == {"encoder", "projector", "predictor", "cluster_centroids"}
    assert all(not name.startswith(("projector", "predictor")) for name in unchanged(before, after))
    assert trainer.neighbors is None


def test_joint_phase_trains_every_parameter(runs):
    before, after, trainer = runs(warmup_epochs=0, num_train_epochs=1)
    names = {
        name for name, parameter in trainer.model.named_parameters() if parameter.requires_grad
    }
    assert unchanged(before, after) & names == set()
    assert trainer.neighbors.shape == (60, 5)


def test_ablations_leave_their_part_alone(runs):
    before, after, _ = runs(use_mlps=False)
    assert changed(before, after) == {"encoder", "cluster_head", "cluster_centroids"}
    before, after, trainer = runs(clustering_loss="none")
    assert "cluster_head" not in changed(before, after) and trainer.neighbors is None
    before, after, trainer = runs(clustering_loss="neighbor_cosine")
    assert "cluster_head" not in changed(before, after) and trainer.neighbors is not None
    assert any("loss_neighbor_cosine" in logs for logs in trainer.state.log_history)


def test_the_encoder_ends_between_its_start_and_what_was_trained(runs):
    before, trained, _ = runs()
    _, mixed, trainer = runs(pretrained_weight_share=0.25)
    moved = set()
    for name, weight in mixed.items():
        if name.startswith("encoder.") and weight.is_floating_point():
            torch.testing.assert_close(weight, 0.75 * trained[name] + 0.25 * before[name])
            moved |= {name} - unchanged(before, trained)
        elif name != "cluster_centroids":
            assert torch.equal(weight, trained[name])
    assert moved
    h = trainer.embed(trainer.train_dataset, relation_only=True).relation
    # The clusters are those of the encoder that is left.
    nearest = assign(h, mixed["cluster_centroids"].numpy())
    assert np.bincount(nearest, minlength=3).tolist() == trainer.model.config.cluster_sizes


def test_the_encoder_is_restored_where_neighbors_teach_little_but_types(
    encoder, rows, tmp_path, caplog
):
    def swap(row, number):
        is_swapped = number % 2 == 1
        text = row["text"].translate(str.maketrans("12", "21")) if is_swapped else row["text"]
        types = {"head_type": row["tail_type"], "tail_type": row["head_type"]} if is_swapped else {}
        return {"text": text, **types}

    options = {"pretrained_weight_share": 0.25, "warmup_epochs": 0, "save_strategy": "epoch"}
    rows = rows.map(swap, with_indices=True)

    def make(name, min_agreement):
        trainer = make_trainer(encoder, rows, tmp_path / name, **options)
        check = partial(trainer._check_neighbor_quality, min_agreement=min_agreement)
        trainer._check_neighbor_quality = check
        return trainer

    trainer = make("restored", min_agreement=2.0)  # 1 is the most that there can be
    before = weights(trainer)
    trainer.train()
    # The cluster head is of the clusters that are stored; all else is as it was.
    assert changed(before, weights(trainer)) == {"cluster_head", "cluster_centroids"}
    assert trainer.state.global_step == 1 and trainer.untrained_because in caplog.text
    assert "not trained, because neighbors agree" in trainer.doubts[-1]
    assert "pretrained_weight_share=0 trains it all the same" in trainer.doubts[-1]
    trainer.create_model_card(results={})
    card = (tmp_path / "restored" / "README.md").read_text()
    assert f"Not trained, because {trainer.untrained_because}:" in card
    assert "| training | none on these data |" in card
    (agreement,) = [
        logs[name]
        for logs in trainer.state.log_history
        for name in logs
        if name.endswith("beyond_types")
    ]
    resumed = make("resumed", min_agreement=agreement - 0.01)
    resumed.train(resume_from_checkpoint=str(tmp_path / "restored" / "checkpoint-1"))
    # The decision travels with the checkpoint.
    assert not changed(weights(trainer), weights(resumed))
    assert resumed.untrained_because == trainer.untrained_because
    caplog.clear()
    kept = make("kept", min_agreement=agreement - 0.01)
    kept.train()
    assert "encoder" in changed(before, weights(kept)) and "not trained" not in caplog.text
    assert kept.untrained_because is None


def test_two_runs_are_one(runs):
    first, second = runs(), runs()
    assert not changed(first[1], second[1])
    histories = [
        [
            {key: value for key, value in logs.items() if not key.startswith("train_")}
            for logs in run[2].state.log_history
        ]
        for run in (first, second)
    ]
    assert histories[0] == histories[1]


def test_labels_change_nothing(encoder, rows, tmp_path):
    results = []
    for name, dataset in (
        ("with", rows),
        ("without", rows.remove_columns("relation")),
        ("lost", lose_labels(rows)),
    ):
        trainer = make_trainer(encoder, dataset, tmp_path / name, compute_metrics=share_of_first)
        trainer.train()
        results.append((weights(trainer), trainer.evaluate(), trainer.score_type_pairs()))
    (with_labels, scores, floor), (without, no_scores, no_floor), (lost, *_) = results
    assert not changed(with_labels, without) and not changed(with_labels, lost)
    assert {"eval_first", "eval_head_first"} == set(scores) - set(no_scores)
    assert floor == {"type_pair_first": 1.0} and no_floor == {}


def lose_labels(rows):
    return rows.map(
        lambda _, index: {"relation": None if index % 2 else "founded"}, with_indices=True
    )


def share_of_first(prediction):
    assert len(prediction.predictions) == len(prediction.label_ids)
    assert None not in list(prediction.label_ids)
    return {
        "first": float(np.mean(np.asarray(prediction.predictions) == prediction.predictions[0]))
    }


def test_losses_are_those_of_the_equations(encoder, rows, tmp_path):
    """One joint step without dropout, against the equations applied to rows that went through one
    by one."""
    trainer = make_trainer(
        encoder,
        rows,
        tmp_path,
        dropout=0.0,
        warmup_epochs=0,
        neighbors_per_anchor=2,
        clustering_weight=0.7,
        entropy_weight=1.5,
    )
    trainer._on_epoch_begin(0)
    trainer.model.train()
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.batch_sampler.set_epoch(0)
    anchors = next(iter(trainer.batch_sampler))
    drawn = trainer.anchors.drawn[anchors]
    found = trainer.compute_loss(trainer.model, batch)

    def forward(row):
        return trainer.model(torch.tensor([trainer.train_dataset[int(row)]["input_ids"]]))

    own = [forward(row) for row in anchors]
    projection, prediction, logits = (
        torch.cat([output[key] for output in own])
        for key in ("projection", "prediction", "cluster_logits")
    )
    around = torch.stack(
        [torch.cat([forward(row).cluster_logits for row in rows]) for rows in drawn]
    )
    consistency, entropy = semantic_clustering_loss(
        torch.stack([logits] * 2), around, entropy_weight=1.5
    )
    expected = siamese_loss(torch.stack([prediction] * 2), torch.stack([projection] * 2))
    torch.testing.assert_close(
        found, expected + 0.7 * (consistency + entropy), atol=1e-5, rtol=1e-5
    )

    trainer.args.neighbor_reduction = "sum"  # K = 5 times the mean
    found = trainer.compute_loss(trainer.model, batch)
    torch.testing.assert_close(
        found, expected + 0.7 * (5 * consistency + entropy), atol=1e-4, rtol=1e-5
    )

    trainer.args.clustering_loss = "neighbor_cosine"
    found = trainer.compute_loss(trainer.model, batch)
    h = torch.cat([output.relation_embedding for output in own])
    h_around = torch.stack(
        [torch.cat([forward(row).relation_embedding for row in rows]) for rows in drawn]
    )
    cosine = neighbor_cosine_loss(torch.stack([h] * 2), h_around)
    torch.testing.assert_close(found, expected + 0.7 * cosine, atol=1e-5, rtol=1e-5)


def test_phases_and_refresh(runs):
    _, _, trainer = runs(num_train_epochs=4, neighbor_refresh_epochs=2)
    logs = trainer.state.log_history
    siamese_only = [
        entry["epoch"]
        for entry in logs
        if "loss_siamese" in entry and "loss_consistency" not in entry
    ]
    assert max(siamese_only) == 1
    assert [entry["epoch"] for entry in logs if "neighbor_accuracy" in entry] == [1, 3]
    assert [entry["epoch"] for entry in logs if "neighbor_overlap" in entry] == [3]
    health = [entry for entry in logs if "h_spread" in entry]
    assert [entry["epoch"] for entry in health] == [1, 2, 3, 4]
    assert "used_clusters" not in health[0] and "used_clusters" in health[1]


@pytest.mark.parametrize("start", ["ward", "clustering"])
def test_head_starts_from_a_clustering(encoder, rows, tmp_path, start):
    trainer = make_trainer(encoder, rows, tmp_path, warmup_epochs=0, cluster_head_init=start)
    trainer._on_epoch_begin(0)
    embeddings = trainer.embed(trainer.train_dataset)
    clusters = (
        ward(embeddings.relation, 3)
        if start == "ward"
        else trainer._cluster(rows, embeddings.relation, None)
    )
    nearest = assign(embeddings.relation, clusters.centroids)
    assert (embeddings.cluster_probabilities.argmax(1) == nearest).all()


def test_what_heads_agree_on_is_stored_and_scored(encoder, rows, tmp_path):
    seen = []
    options = {"num_train_epochs": 1, "clustering_method": "consensus"}
    trainer = make_trainer(
        encoder, rows, tmp_path, lambda prediction: seen.append(prediction) or {}, **options
    )
    trainer.train()
    trainer.evaluate()
    embeddings = trainer.embed(trainer.train_dataset).relation
    found = consensus(embeddings, 3, type_pairs=type_pairs(rows), seed=trainer.args.seed)
    np.testing.assert_allclose(trainer.model.cluster_centroids.numpy(), found.centroids, atol=1e-6)
    assert (seen[0].predictions == found.labels).all()


def test_head_starts_from_noise(encoder, rows, tmp_path):
    trainer = make_trainer(encoder, rows, tmp_path, warmup_epochs=0, cluster_head_init="random")
    before = weights(trainer)
    trainer._on_epoch_begin(0)
    assert not changed(before, weights(trainer))


def test_mutual_neighbors(encoder, rows, tmp_path):
    trainer = make_trainer(encoder, rows, tmp_path, warmup_epochs=0)
    mutual = make_trainer(encoder, rows, tmp_path, warmup_epochs=0, mutual_neighbors=True)
    trainer._on_epoch_begin(0)
    mutual._on_epoch_begin(0)
    assert (mutual.neighbors == mutual_neighbors(trainer.neighbors)).all()
    assert (mutual.neighbors != trainer.neighbors).any()


def test_clusters_are_stored(runs, tmp_path):
    _, _, trainer = runs()
    labels = assign(
        trainer.embed(trainer.train_dataset).relation, trainer.model.cluster_centroids.numpy()
    )
    assert np.bincount(labels, minlength=3).tolist() == trainer.model.config.cluster_sizes
    trainer.save_model(tmp_path)
    loaded = SiamUREModel.from_pretrained(tmp_path)
    assert torch.equal(loaded.cluster_centroids, trainer.model.cluster_centroids)
    assert sum(loaded.config.cluster_sizes) == 60
    # The thresholds too: rows unlike all of the training are unassigned.
    embeddings = trainer.embed(trainer.train_dataset).relation
    labels = loaded.assign_clusters(torch.from_numpy(np.array(embeddings)))
    assert (labels == -1).float().mean() <= 0.1 and set(labels.tolist()) >= {0, 1, 2}
    assert (loaded.assign_clusters(-loaded.cluster_centroids) == -1).all()


def test_head_has_a_learning_rate_of_its_own(runs):
    _, _, trainer = runs(head_learning_rate=0.5, lr_scheduler_type="constant", num_train_epochs=1)
    head = {id(parameter) for parameter in trainer.model.cluster_head.parameters()}
    for group in trainer.optimizer.param_groups:
        rates = {0.5 if id(parameter) in head else 1e-3 for parameter in group["params"]}
        assert rates <= {group["lr"]}


def test_collapse_is_called_by_name(encoder, rows, tmp_path, caplog):
    trainer = make_trainer(encoder, rows, tmp_path)
    with torch.no_grad():  # all projections point one way
        trainer.model.projector[-1].weight.zero_()
        trainer.model.projector[-1].bias.fill_(1.0)
    with caplog.at_level(logging.WARNING):
        trainer._log_diagnostics()
    assert any(
        record.message.startswith("g has collapsed: spread 0.00") for record in caplog.records
    )
    assert not any(record.message.startswith("h has collapsed") for record in caplog.records)


def test_too_few_rows(encoder, rows, tmp_path):
    with pytest.raises(
        ValueError,
        match="5 training examples are too few for 3 clusters and 5 neighbors each; give 6 or more, "
        "or lower num_clusters or num_neighbors",
    ):
        make_trainer(encoder, rows.select(range(5)), tmp_path)


@pytest.mark.parametrize("save_steps", [2, 4, 6])
def test_resume_continues_bit_for_bit(encoder, rows, tmp_path, save_steps):
    """A checkpoint within the first phase, at the switch and within the second; 4 steps per
    epoch."""
    whole = make_trainer(encoder, rows, tmp_path / "whole")
    whole.train()
    part = make_trainer(
        encoder, rows, tmp_path / "part", save_strategy="steps", save_steps=save_steps
    )
    part.train()
    resumed = make_trainer(encoder, rows, tmp_path / "resumed")
    resumed.train(resume_from_checkpoint=str(tmp_path / "part" / f"checkpoint-{save_steps}"))
    assert not changed(weights(whole), weights(resumed))
    assert (whole.neighbors == resumed.neighbors).all()


def train_losses(encoder, rows, folder, **options) -> list[float]:
    """Of two joint epochs among three, so that neighbors are mined twice: workers with old ones
    would show."""
    usual = {"dropout": 0.0, "optim": "sgd", "learning_rate": 5e-3, "num_train_epochs": 3}
    trainer = make_trainer(encoder, rows, folder, **usual, **options)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.fixture(scope="module")
def plain_losses(encoder, rows, tmp_path_factory):
    return train_losses(encoder, rows, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "options",
    [
        {"gradient_checkpointing": True},
        {"dataloader_num_workers": 2, "dataloader_persistent_workers": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_ways_to_run_change_nothing(encoder, rows, tmp_path, plain_losses, options):
    assert train_losses(encoder, rows, tmp_path, **options) == plain_losses


@pytest.mark.parametrize("bf16", [None, True])
def test_a_processor_with_bfloat16_trains_in_it(encoder, rows, tmp_path, monkeypatch, bf16):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr("modeling_siamure.training.training_args.has_native_bfloat16", lambda: True)
    trainer = make_trainer(encoder, rows, tmp_path, bf16=bf16, use_cpu=False, num_train_epochs=1)
    assert trainer.args.device.type == "cpu"
    assert trainer.accelerator.mixed_precision == "bf16"
    trainer.train()


def test_bfloat16_changes_rounding_only(encoder, rows, tmp_path, plain_losses):
    losses = train_losses(encoder, rows, tmp_path, bf16=True)
    assert losses == pytest.approx(plain_losses, rel=0, abs=0.02) and losses != plain_losses


@pytest.mark.extended
def test_the_model_compiles_without_a_break(encoder, rows, tmp_path, plain_losses):
    torch.compiler.reset()
    counters.clear()
    losses = train_losses(encoder, rows, tmp_path, torch_compile=True)
    assert losses == pytest.approx(plain_losses, rel=0, abs=1e-5)
    assert not counters["graph_break"]
    # Of the first batch, and of batches of any shape.
    assert counters["stats"]["unique_graphs"] == 2

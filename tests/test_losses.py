"""Losses: values worked out by hand, gradients, and precision."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeling_siamure import SiamUREModelOutput
from modeling_siamure.losses import (
    AnchorCounts,
    consistency_loss,
    joint_loss,
    negative_cosine_similarity,
    negative_entropy,
    neighbor_cosine_loss,
    semantic_clustering_loss,
    siamese_loss,
)


def logits(*probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log().float()


def test_siamese_loss_by_hand():
    # cosines: d1 with g2 is 0.6, d2 with g1 is 1/sqrt(2)
    predictions = torch.tensor([[[3.0, 4.0]], [[1.0, 1.0]]])
    projections = torch.tensor([[[0.0, 2.0]], [[5.0, 0.0]]])
    assert siamese_loss(predictions, projections).item() == pytest.approx(
        -(0.6 + math.sqrt(0.5)) / 2
    )


def test_stop_gradient():
    predictions = torch.randn(2, 4, 8, requires_grad=True)
    projections = torch.randn(2, 4, 8, requires_grad=True)
    siamese_loss(predictions, projections).backward()
    assert projections.grad is None
    assert predictions.grad.abs().sum() > 0
    both = torch.randn(2, 4, 8, requires_grad=True)  # without MLPs: h is prediction and target
    siamese_loss(both, both).backward()
    fixed = both.detach()
    by_hand = (
        negative_cosine_similarity(both[0], fixed[1])
        + negative_cosine_similarity(both[1], fixed[0])
    ) / 2
    torch.testing.assert_close(both.grad, torch.autograd.grad(by_hand, both)[0])


def test_consistency_by_hand():
    views = torch.stack([logits([0.5, 0.5]), logits([0.9, 0.1])])
    neighbors = logits([0.8, 0.2], [0.3, 0.7]).unsqueeze(0)
    dots = [[0.5, 0.5], [0.9 * 0.8 + 0.1 * 0.2, 0.9 * 0.3 + 0.1 * 0.7]]
    mean = -sum(math.log(dot) for row in dots for dot in row) / 4
    assert consistency_loss(views, neighbors).item() == pytest.approx(mean)
    assert consistency_loss(views, neighbors, reduction="sum").item() == pytest.approx(2 * mean)


def test_entropy_by_hand():
    expected = 0.25 * math.log(0.25) + 0.75 * math.log(0.75)
    assert negative_entropy(torch.tensor([0.25, 0.75])).item() == pytest.approx(expected)
    empty = torch.tensor([1.0, 0.0], requires_grad=True)
    negative_entropy(empty).backward()
    assert torch.isfinite(empty.grad).all()


def test_clustering_loss_uses_the_mean_over_rows_and_views():
    views = torch.stack([logits([0.9, 0.1]), logits([0.3, 0.7])])
    _, entropy = semantic_clustering_loss(
        views, logits([0.5, 0.5]).unsqueeze(0), entropy_weight=2.0
    )
    assert entropy.item() == pytest.approx(2 * (0.6 * math.log(0.6) + 0.4 * math.log(0.4)))
    _, entropy = semantic_clustering_loss(
        views, logits([0.5, 0.5]).unsqueeze(0), global_mean=lambda mean: torch.tensor([0.5, 0.5])
    )
    assert entropy.item() == pytest.approx(-math.log(2))


def test_confident_disagreement_does_not_underflow():
    far = torch.tensor([[[200.0, -200.0]]], requires_grad=True)
    loss = consistency_loss(far, torch.tensor([[[-200.0, 200.0]]]))
    loss.backward()
    assert loss.item() == pytest.approx(400 - math.log(2))
    assert torch.isfinite(far.grad).all()


def test_losses_are_float32_under_autocast():
    rows = torch.randn(2, 8, 5, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        consistency, entropy = semantic_clustering_loss(rows, rows.transpose(0, 1))
        assert consistency.dtype == entropy.dtype == siamese_loss(rows, rows).dtype == torch.float32
    torch.testing.assert_close(
        consistency, consistency_loss(rows.float(), rows.float().transpose(0, 1))
    )


def test_neighbor_cosine_by_hand():
    views = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    neighbors = torch.tensor([[[3.0, 4.0], [0.0, 1.0]]])
    assert neighbor_cosine_loss(views, neighbors).item() == pytest.approx(-(0.6 + 0 + 0.8 + 1) / 4)


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 1000))
def test_bounds(neighbors, clusters, seed):
    torch.manual_seed(seed)
    views, around = torch.randn(2, 5, clusters), torch.randn(5, neighbors, clusters)
    consistency, entropy = semantic_clustering_loss(views, around)
    assert consistency >= -1e-6
    assert -math.log(clusters) - 1e-5 <= entropy <= 1e-6
    assert -1 - 1e-5 <= siamese_loss(views, views.flip(0)) <= 1 + 1e-5


def make_outputs(anchors: int, neighbors: int) -> SiamUREModelOutput:
    """Outputs for two views of each anchor, and its neighbors."""
    torch.manual_seed(anchors + neighbors)
    rows = (2 + neighbors) * anchors
    return SiamUREModelOutput(
        relation_embedding=torch.randn(rows, 6),
        projection=torch.randn(rows, 5),
        prediction=torch.randn(rows, 5),
        cluster_logits=torch.randn(rows, 3),
    )


def count(anchors: int) -> AnchorCounts:
    """The counts of a batch that is alone in its optimizer step."""
    total = torch.tensor(float(anchors))
    return AnchorCounts(anchors, total, total)


def stack(rows: torch.Tensor, anchors: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Views `(2, anchors, size)` and neighbors `(anchors, neighbors, size)`, row by row."""
    views = torch.stack([rows[:anchors], rows[anchors : 2 * anchors]])
    around = [rows[2 * anchors + anchor :: anchors] for anchor in range(anchors)]
    return views, torch.stack(around)


@pytest.mark.parametrize("use_mlps", [True, False])
def test_the_first_phase_is_siamese_alone(use_mlps):
    outputs = make_outputs(4, neighbors=0)
    loss, parts = joint_loss(outputs, 0, count(4), use_mlps=use_mlps)
    views = outputs.relation_embedding.unflatten(0, (2, 4))
    expected = siamese_loss(views, views)
    if use_mlps:
        predictions = outputs.prediction.unflatten(0, (2, 4))
        expected = siamese_loss(predictions, outputs.projection.unflatten(0, (2, 4)))
    torch.testing.assert_close(loss, expected)
    assert parts.keys() == {"loss_siamese"} and parts["loss_siamese"] is loss


def test_the_joint_phase_adds_eta_times_the_clustering_loss():
    outputs = make_outputs(4, neighbors=3)
    loss, parts = joint_loss(outputs, 3, count(4), clustering_weight=0.7, entropy_weight=1.5)
    predictions = stack(outputs.prediction, 4)[0]
    expected = siamese_loss(predictions, stack(outputs.projection, 4)[0])
    consistency, entropy = semantic_clustering_loss(
        *stack(outputs.cluster_logits, 4), entropy_weight=1.5
    )
    assert list(parts) == ["loss_siamese", "loss_consistency", "loss_entropy"]
    found = torch.stack(list(parts.values()))
    torch.testing.assert_close(found, torch.stack([expected, consistency, entropy]))
    torch.testing.assert_close(loss, expected + 0.7 * (consistency + entropy))
    _, summed = joint_loss(
        outputs, 3, count(4), entropy_weight=1.5, neighbor_reduction="sum", num_neighbors=5
    )
    torch.testing.assert_close(summed["loss_consistency"], 5 * consistency)
    torch.testing.assert_close(summed["loss_entropy"], entropy)


def test_the_authors_clustering_loss():
    outputs = make_outputs(4, neighbors=3)
    loss, parts = joint_loss(
        outputs, 3, count(4), clustering_loss="neighbor_cosine", clustering_weight=0.7
    )
    assert list(parts) == ["loss_siamese", "loss_neighbor_cosine"]
    expected = neighbor_cosine_loss(*stack(outputs.relation_embedding, 4))
    torch.testing.assert_close(parts["loss_neighbor_cosine"], expected)
    torch.testing.assert_close(loss, parts["loss_siamese"] + 0.7 * expected)


def test_weighted_by_their_anchors_batches_mean_over_the_optimizer_step():
    """DDP and Trainer take plain means over processes and batches: 2 x 2 batches of 3, 1, 4, 0."""
    values = [torch.randn(anchors) for anchors in (3, 1, 4, 0)]
    step = torch.tensor(8.0)
    batches = [torch.tensor(4.0), torch.tensor(4.0)]  # of both processes, first and second batch
    weighted = []
    shared = []
    for index, rows in enumerate(values):
        counts = AnchorCounts(len(rows), batches[index // 2], step, num_batches=2, num_processes=2)
        mean = rows.mean() if len(rows) else torch.tensor(0.0)
        weighted.append(counts.weight * mean)
        shared.append(counts.global_weight)
    torch.testing.assert_close(torch.stack(weighted).mean(), torch.cat(values).mean())
    torch.testing.assert_close(torch.stack(shared).mean(), torch.tensor(1.0))


def test_a_padding_batch_does_not_count():
    counts = AnchorCounts(0, torch.tensor(4.0), torch.tensor(4.0), num_processes=2)
    loss, parts = joint_loss(make_outputs(1, neighbors=0), 0, counts)
    assert loss == 0 and parts["loss_siamese"] == 0
    alone = torch.tensor([0.25, 0.75])
    assert count(3).global_mean(alone) is alone

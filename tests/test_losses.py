"""Losses: values worked out by hand, gradients, and precision."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeling_siamure.losses import (
    consistency_loss,
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
    assert siamese_loss(predictions, projections).item() == pytest.approx(-(0.6 + math.sqrt(0.5)) / 2)


def test_stop_gradient():
    predictions = torch.randn(2, 4, 8, requires_grad=True)
    projections = torch.randn(2, 4, 8, requires_grad=True)
    siamese_loss(predictions, projections).backward()
    assert projections.grad is None
    assert predictions.grad.abs().sum() > 0
    both = torch.randn(2, 4, 8, requires_grad=True)  # without MLPs: h is prediction and target
    siamese_loss(both, both).backward()
    fixed = both.detach()
    by_hand = (negative_cosine_similarity(both[0], fixed[1]) + negative_cosine_similarity(both[1], fixed[0])) / 2
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
    _, entropy = semantic_clustering_loss(views, logits([0.5, 0.5]).unsqueeze(0), entropy_weight=2.0)
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
    torch.testing.assert_close(consistency, consistency_loss(rows.float(), rows.float().transpose(0, 1)))


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

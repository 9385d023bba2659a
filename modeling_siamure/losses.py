"""The losses of SiamURE (paper, Eq. 5 to 9): pure functions of tensors, and their sum over a batch.

All of them compute in float32, also under autocast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F

from .modeling_siamure import SiamUREModelOutput
from .utils.distributed import SumOverProcesses


def negative_cosine_similarity(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return D of Eq. 5: minus the mean cosine between rows, with a stop-gradient on the target.

    Args:
        prediction, target: `(batch_size, size)`.

    >>> negative_cosine_similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
    tensor(-0.7071)
    """
    return -F.cosine_similarity(prediction.float(), target.detach().float(), dim=-1).mean()


def siamese_loss(predictions: torch.Tensor, projections: torch.Tensor) -> torch.Tensor:
    """Return L_Rl of Eq. 6: each view predicts the other's projection.

    It lies between -1 and 1; near -1 early on it means collapse.

    Args:
        predictions: d(g(h)) of both views, `(2, batch_size, size)`.
        projections: g(h) of both views, of the same shape. The ablation without MLPs passes h for
            both.

    >>> x = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    >>> siamese_loss(x, x.flip(0)), siamese_loss(x, x)
    (tensor(-1.), tensor(-0.))
    """
    return (
        negative_cosine_similarity(predictions[0], projections[1])
        + negative_cosine_similarity(predictions[1], projections[0])
    ) / 2


def consistency_loss(
    view_logits: torch.Tensor,
    neighbor_logits: torch.Tensor,
    reduction: Literal["mean", "sum"] = "mean",
) -> torch.Tensor:
    """Return the first term of Eq. 7: minus the mean of log <Phi(x), Phi(k)>.

    The mean goes over views and anchors.

    Args:
        view_logits: Logits of the anchors, `(views, batch_size, clusters)`.
        neighbor_logits: Logits of each anchor's neighbors, `(batch_size, neighbors, clusters)`.
        reduction: `"mean"` over an anchor's neighbors, or the printed `"sum"`.

    >>> consistency_loss(torch.zeros(2, 1, 4), torch.zeros(1, 3, 4)).exp()  # uniform: <p, q> = 1/4
    tensor(4.)
    """
    views = F.log_softmax(view_logits.float(), dim=-1).unsqueeze(2)
    neighbors = F.log_softmax(neighbor_logits.float(), dim=-1).unsqueeze(0)
    # In log space: the product of probabilities underflows.
    agreement = torch.logsumexp(views + neighbors, dim=-1)
    agreement = agreement.mean(dim=-1) if reduction == "mean" else agreement.sum(dim=-1)
    return -agreement.mean()


def negative_entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the second term of Eq. 7, without its weight: the sum of p log p.

    It goes from -log(clusters), where all are used alike, to 0, where one is used.

    >>> negative_entropy(torch.tensor([0.5, 0.5, 0.0]))
    tensor(-0.6931)
    """
    return (
        probabilities * probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()
    ).sum()


def semantic_clustering_loss(
    view_logits: torch.Tensor,
    neighbor_logits: torch.Tensor,
    entropy_weight: float = 1.0,
    reduction: Literal["mean", "sum"] = "mean",
    global_mean: Callable[[torch.Tensor], torch.Tensor] = lambda mean: mean,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both terms of L_Cl (Eq. 7-8): neighbors agree, and all clusters are used.

    Their sum is the loss.

    Args:
        view_logits, neighbor_logits, reduction: As for `consistency_loss`.
        entropy_weight: lambda.
        global_mean: Turns the mean probabilities of this process `(clusters,)` into those of all
            processes.

    Returns:
        The consistency term and the weighted entropy term.

    >>> consistency, entropy = semantic_clustering_loss(torch.zeros(2, 8, 4), torch.zeros(8, 1, 4))
    >>> float(consistency + entropy)  # uniform assignments
    0.0
    """
    probabilities = F.softmax(view_logits.float(), dim=-1).flatten(0, 1)
    entropy = entropy_weight * negative_entropy(global_mean(probabilities.mean(dim=0)))
    return consistency_loss(view_logits, neighbor_logits, reduction), entropy


def neighbor_cosine_loss(
    view_embeddings: torch.Tensor, neighbor_embeddings: torch.Tensor
) -> torch.Tensor:
    """Return the term that the authors' code uses in place of Eq. 7.

    It is minus the mean cosine of an anchor and its neighbors. It knows no clusters and nothing in
    it keeps embeddings apart; it is here for comparison.

    Args:
        view_embeddings: h of the anchors, `(views, batch_size, size)`.
        neighbor_embeddings: h of each anchor's neighbors, `(batch_size, neighbors, size)`.
    """
    views = view_embeddings.float().unsqueeze(2)
    return -F.cosine_similarity(views, neighbor_embeddings.float().unsqueeze(0), dim=-1).mean()


@dataclass(frozen=True)
class AnchorCounts:
    """Numbers of anchors that share an optimizer step with those of a batch.

    Processes and accumulation steps may hold unequally many anchors, but DDP and Trainer take plain
    means over them: weighted by its anchors, such a mean is that over all of the optimizer step.

    Attributes:
        local: Anchors of this process' batch; 0 for a padding batch.
        global_batch: Those of all processes' batches, a scalar tensor.
        global_step: Those of all batches of the optimizer step, a scalar tensor.
        num_batches: Batches per process and optimizer step.
        num_processes: Number of processes.

    >>> counts = AnchorCounts(3, torch.tensor(8.0), torch.tensor(8.0), num_processes=2)
    >>> counts.weight
    tensor(0.7500)
    """

    local: int
    global_batch: torch.Tensor
    global_step: torch.Tensor
    num_batches: int = 1
    num_processes: int = 1

    @property
    def weight(self) -> torch.Tensor:
        """Weight of a mean over this process' batch."""
        return self.local * self.num_processes * self.num_batches / self.global_step

    @property
    def global_weight(self) -> torch.Tensor:
        """Weight of a mean over all processes' batches."""
        return self.global_batch * self.num_batches / self.global_step

    def global_mean(self, mean: torch.Tensor) -> torch.Tensor:
        """Return the mean over all processes' batches, with exact gradients.

        Args:
            mean: The mean over this process' batch.
        """
        if self.num_processes == 1:
            return mean
        return SumOverProcesses.apply(mean * (self.local / self.global_batch.clamp(min=1)))


def joint_loss(
    outputs: SiamUREModelOutput,
    neighbors_per_anchor: int,
    counts: AnchorCounts,
    use_mlps: bool = True,
    clustering_loss: Literal["semantic", "neighbor_cosine", "none"] = "semantic",
    clustering_weight: float = 0.5,
    entropy_weight: float = 1.0,
    num_neighbors: int = 20,
    neighbor_reduction: Literal["mean", "sum"] = "mean",
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the loss of a batch: L_Rl in the first phase, then L_Rl + eta L_Cl (Eq. 9).

    Args:
        outputs: The model's, for two views of each anchor and then its neighbors, as
            `RelationCollator` stacks them.
        neighbors_per_anchor: Neighbors of each anchor in the batch; 0 in the first phase.
        counts: What weighs the batch.
        use_mlps, clustering_loss, clustering_weight, entropy_weight, num_neighbors,
            neighbor_reduction: As in `SiamURETrainingArguments`.

    Returns:
        The loss, and its parts by the names that they have in the logs, without eta.
    """

    def stacked(rows: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        assert rows is not None  # the model gives all of its outputs
        groups = rows.unflatten(0, (2 + neighbors_per_anchor, -1))
        # (views, batch, ...), (batch, neighbors, ...)
        return groups[:2], groups[2:].transpose(0, 1)

    views, neighbors = stacked(outputs.relation_embedding)
    if use_mlps:
        siamese = siamese_loss(stacked(outputs.prediction)[0], stacked(outputs.projection)[0])
    else:
        siamese = siamese_loss(views, views)
    parts = {"loss_siamese": siamese * counts.weight}
    if not neighbors_per_anchor:
        return parts["loss_siamese"], parts
    if clustering_loss == "semantic":
        consistency, entropy = semantic_clustering_loss(
            *stacked(outputs.cluster_logits), entropy_weight, global_mean=counts.global_mean
        )
        if neighbor_reduction == "sum":
            consistency = consistency * num_neighbors
        parts["loss_consistency"] = consistency * counts.weight
        parts["loss_entropy"] = entropy * counts.global_weight
        clustering = parts["loss_consistency"] + parts["loss_entropy"]
    else:
        clustering = neighbor_cosine_loss(views, neighbors) * counts.weight
        parts["loss_neighbor_cosine"] = clustering
    return parts["loss_siamese"] + clustering_weight * clustering, parts

"""The loss of a batch: L_Rl in the first phase, L_Rl + eta L_Cl in the joint one (paper, Eq. 9)."""

from dataclasses import dataclass

import torch

from .distributed import SumOverProcesses
from .losses import neighbor_cosine_loss, semantic_clustering_loss, siamese_loss
from .modeling_siamure import SiamUREModelOutput
from .training_args import SiamURETrainingArguments


@dataclass(frozen=True)
class AnchorCounts:
    """How many anchors share an optimizer step with those of a batch.

    Processes and accumulation steps may hold unequally many rows, but DDP and Trainer take plain means over them:
    weighted by its rows, such a mean is that over all rows of the optimizer step.

    Attributes:
        own: Anchors of this process' batch; 0 for a filler.
        batch: Those of all processes' batches, a scalar tensor.
        step: Those of all batches of the optimizer step, a scalar tensor.
        num_batches: Batches a process and optimizer step.
        num_processes: How many processes there are.

    >>> AnchorCounts(own=3, batch=torch.tensor(8.0), step=torch.tensor(8.0), num_processes=2).weight
    tensor(0.7500)
    """

    own: int
    batch: torch.Tensor
    step: torch.Tensor
    num_batches: int = 1
    num_processes: int = 1

    @property
    def weight(self) -> torch.Tensor:
        """Of a mean over this process' batch."""
        return self.own * self.num_processes * self.num_batches / self.step

    @property
    def global_weight(self) -> torch.Tensor:
        """Of a mean over all processes' batches."""
        return self.batch * self.num_batches / self.step

    def global_mean(self, mean: torch.Tensor) -> torch.Tensor:
        """From the mean over this process' batch to that over all processes' batches, with exact gradients."""
        if self.num_processes == 1:
            return mean
        return SumOverProcesses.apply(mean * (self.own / self.batch.clamp(min=1)))


def batch_loss(
    outputs: SiamUREModelOutput, neighbors_per_anchor: int, counts: AnchorCounts, args: SiamURETrainingArguments
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """What a batch of `RelationCollator` adds to the loss.

    Args:
        outputs: The model's, for two views of each anchor and then its neighbors.
        neighbors_per_anchor: How many neighbors an anchor has in the batch; 0 in the first phase.
        counts: What weighs the batch.
        args: Which losses, and their weights.

    Returns:
        The loss, and its parts by the names that they have in the logs, without eta.
    """

    def stacked(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        groups = rows.unflatten(0, (2 + neighbors_per_anchor, -1))
        return groups[:2], groups[2:].transpose(0, 1)  # (views, batch, ...) and (batch, neighbors, ...)

    views, neighbors = stacked(outputs.relation_embedding)
    if args.use_mlps:
        siamese = siamese_loss(stacked(outputs.prediction)[0], stacked(outputs.projection)[0])
    else:
        siamese = siamese_loss(views, views)
    parts = {"loss_siamese": siamese * counts.weight}
    if not neighbors_per_anchor:
        return parts["loss_siamese"], parts
    if args.clustering_loss == "semantic":
        consistency, entropy = semantic_clustering_loss(
            *stacked(outputs.cluster_logits), entropy_weight=args.entropy_weight, global_mean=counts.global_mean
        )
        if args.neighbor_reduction == "sum":
            consistency = consistency * args.num_neighbors
        parts["loss_consistency"], parts["loss_entropy"] = consistency * counts.weight, entropy * counts.global_weight
        clustering = parts["loss_consistency"] + parts["loss_entropy"]
    else:
        clustering = parts["loss_neighbor_cosine"] = neighbor_cosine_loss(views, neighbors) * counts.weight
    return parts["loss_siamese"] + args.clustering_weight * clustering, parts

"""The losses of SiamURE as pure functions of tensors (paper, Eq. 5 to 9).

All of them compute in float32, also under autocast.
"""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F


def negative_cosine_similarity(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """D of Eq. 5: minus the mean cosine between rows, with a stop-gradient on the target.

    Args:
        prediction, target: `(batch_size, size)`.

    >>> negative_cosine_similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
    tensor(-0.7071)
    """
    return -F.cosine_similarity(prediction.float(), target.detach().float(), dim=-1).mean()


def siamese_loss(predictions: torch.Tensor, projections: torch.Tensor) -> torch.Tensor:
    """L_Rl of Eq. 6: each view predicts the other's projection. Between -1 and 1; near -1 early on means collapse.

    Args:
        predictions: d(g(h)) of both views, `(2, batch_size, size)`.
        projections: g(h) of both views, of the same shape. The ablation without MLPs passes h for both.

    >>> x = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    >>> siamese_loss(x, x.flip(0)), siamese_loss(x, x)
    (tensor(-1.), tensor(-0.))
    """
    return (
        negative_cosine_similarity(predictions[0], projections[1])
        + negative_cosine_similarity(predictions[1], projections[0])
    ) / 2


def consistency_loss(
    view_logits: torch.Tensor, neighbor_logits: torch.Tensor, reduction: Literal["mean", "sum"] = "mean"
) -> torch.Tensor:
    """First term of Eq. 7: minus the mean of log <Phi(x), Phi(k)>, over views and anchors.

    Args:
        view_logits: Logits of the anchors, `(views, batch_size, clusters)`.
        neighbor_logits: Logits of each anchor's neighbors, `(batch_size, neighbors, clusters)`.
        reduction: `"mean"` over an anchor's neighbors, or the printed `"sum"`.

    >>> consistency_loss(torch.zeros(2, 1, 4), torch.zeros(1, 3, 4)).exp()  # uniform: <p, q> = 1/4
    tensor(4.)
    """
    views = F.log_softmax(view_logits.float(), dim=-1).unsqueeze(2)
    neighbors = F.log_softmax(neighbor_logits.float(), dim=-1).unsqueeze(0)
    agreement = torch.logsumexp(views + neighbors, dim=-1)  # in log space: the product of probabilities underflows
    agreement = agreement.mean(dim=-1) if reduction == "mean" else agreement.sum(dim=-1)
    return -agreement.mean()


def negative_entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Second term of Eq. 7, without its weight: sum of p log p, from -log(clusters) (all used alike) to 0 (one used).

    >>> negative_entropy(torch.tensor([0.5, 0.5, 0.0]))
    tensor(-0.6931)
    """
    return (probabilities * probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()).sum()


def semantic_clustering_loss(
    view_logits: torch.Tensor,
    neighbor_logits: torch.Tensor,
    entropy_weight: float = 1.0,
    reduction: Literal["mean", "sum"] = "mean",
    global_mean: Callable[[torch.Tensor], torch.Tensor] = lambda mean: mean,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both terms of L_Cl (Eq. 7-8): neighbors agree, and all clusters are used. Their sum is the loss.

    Args:
        view_logits, neighbor_logits, reduction: As for `consistency_loss`.
        entropy_weight: lambda.
        global_mean: Turns the mean probabilities of this process `(clusters,)` into those of all processes.

    Returns:
        The consistency term and the weighted entropy term.

    >>> consistency, entropy = semantic_clustering_loss(torch.zeros(2, 8, 4), torch.zeros(8, 1, 4))
    >>> float(consistency + entropy)  # uniform assignments
    0.0
    """
    probabilities = F.softmax(view_logits.float(), dim=-1).flatten(0, 1)
    entropy = entropy_weight * negative_entropy(global_mean(probabilities.mean(dim=0)))
    return consistency_loss(view_logits, neighbor_logits, reduction), entropy


def neighbor_cosine_loss(view_embeddings: torch.Tensor, neighbor_embeddings: torch.Tensor) -> torch.Tensor:
    """The term that the authors' code uses in place of Eq. 7: minus the mean cosine of an anchor and its neighbors.

    It knows no clusters and nothing in it keeps embeddings apart; it is here for comparison.

    Args:
        view_embeddings: h of the anchors, `(views, batch_size, size)`.
        neighbor_embeddings: h of each anchor's neighbors, `(batch_size, neighbors, size)`.
    """
    views = view_embeddings.float().unsqueeze(2)
    return -F.cosine_similarity(views, neighbor_embeddings.float().unsqueeze(0), dim=-1).mean()

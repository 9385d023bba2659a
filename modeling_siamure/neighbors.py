"""Exact nearest neighbors of relation embeddings, and how good they are (paper, 2.3)."""

import numpy as np
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

ROW_BLOCK = 1024
COLUMN_BLOCK = 16384


@torch.no_grad()
def nearest_neighbors(embeddings: torch.Tensor, num_neighbors: int = 20, show_progress: bool = False) -> torch.Tensor:
    """N(x): the K nearest neighbors of each row by cosine, the row itself excluded by its index.

    The similarities are computed block by block, so memory grows with the number of rows only.

    Args:
        embeddings: h, `(rows, size)`; the search runs on its device, in float32.
        num_neighbors: K.
        show_progress: Whether to show a progress bar.

    Returns:
        Row indices `(rows, num_neighbors)`, nearest first.

    Raises:
        ValueError: There are not more rows than neighbors.

    >>> nearest_neighbors(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), num_neighbors=1).tolist()
    [[1], [0], [1]]
    """
    rows = len(embeddings)
    if rows <= num_neighbors:
        raise ValueError(f"{rows} rows can't have {num_neighbors} neighbors each; give more rows or set num_neighbors")
    embeddings = F.normalize(embeddings.float(), dim=-1)
    found = torch.empty(rows, num_neighbors, dtype=torch.long)
    for start in tqdm(range(0, rows, ROW_BLOCK), desc="Mining neighbors", unit="block", disable=not show_progress):
        block = embeddings[start : start + ROW_BLOCK]
        own = torch.arange(start, start + len(block), device=block.device)
        scores = block.new_empty(len(block), 0)
        indices = own.new_empty(len(block), 0)
        for first in range(0, rows, COLUMN_BLOCK):
            columns = embeddings[first : first + COLUMN_BLOCK]
            similarity = block @ columns.T
            inside = (own >= first) & (own < first + len(columns))
            similarity[inside.nonzero().squeeze(1), own[inside] - first] = -torch.inf
            best = similarity.topk(min(num_neighbors, len(columns)), dim=1)
            scores = torch.cat([scores, best.values], dim=1)
            indices = torch.cat([indices, best.indices + first], dim=1)
            best = scores.topk(min(num_neighbors, scores.shape[1]), dim=1)
            scores, indices = best.values, indices.gather(1, best.indices)
        found[start : start + len(block)] = indices.cpu()
    return found


def neighbor_accuracy(neighbors: np.ndarray, labels: np.ndarray) -> float:
    """Share of neighbors that have their anchor's gold label (paper, Figure 3). A score, never a criterion.

    >>> neighbor_accuracy(np.array([[1], [0], [0]]), np.array(["a", "a", "b"]))
    0.6666666666666666
    """
    return float((labels[neighbors] == labels[:, None]).mean())


def neighbor_overlap(neighbors: np.ndarray, previous: np.ndarray) -> float:
    """Share of an anchor's neighbors that it had at the last mining too.

    >>> neighbor_overlap(np.array([[1, 2]]), np.array([[2, 3]]))
    0.5
    """
    return float((neighbors[:, :, None] == previous[:, None, :]).any(axis=2).mean())

"""Exact nearest neighbors of relation embeddings, and how good they are (paper, 2.3)."""

import numpy as np
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

ROW_BLOCK = 1024
COLUMN_BLOCK = 16384


def shard_rows(num_rows: int, index: int, count: int) -> range:
    """The rows that one of several processes searches for.

    They are whole blocks, so each similarity is computed in the same way however many processes there are.

    >>> shard_rows(5000, 0, 2), shard_rows(5000, 1, 2)
    (range(0, 2048), range(2048, 5000))
    """
    blocks = -(-num_rows // ROW_BLOCK)
    first, end = (min(blocks * part // count * ROW_BLOCK, num_rows) for part in (index, index + 1))
    return range(first, end)


@torch.no_grad()
def nearest_neighbors(
    embeddings: torch.Tensor | np.ndarray,
    num_neighbors: int = 20,
    show_progress: bool = False,
    rows: range | None = None,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """N(x): the K nearest neighbors of each row by cosine, the row itself excluded by its index.

    The similarities are computed block by block, so memory grows with the number of rows only; embeddings in a
    memory-mapped file are never read as a whole.

    Args:
        embeddings: h, `(all rows, size)`.
        num_neighbors: K.
        show_progress: Whether to show a progress bar.
        rows: The rows whose neighbors to find, such as a process' `shard_rows`; all by default.
        device: Where to search, in float32.

    Returns:
        Row indices `(rows, num_neighbors)`, nearest first.

    Raises:
        ValueError: There are not more rows than neighbors.

    >>> nearest_neighbors(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), num_neighbors=1).tolist()
    [[1], [0], [1]]
    """
    num_rows = len(embeddings)
    if num_rows <= num_neighbors:
        raise ValueError(
            f"{num_rows} rows can't have {num_neighbors} neighbors each; give more rows or set num_neighbors"
        )
    rows = range(num_rows) if rows is None else rows
    device = torch.device(device)
    if device.type == "cuda" and 4 * num_rows * embeddings.shape[1] < torch.cuda.mem_get_info(device)[0] // 2:
        embeddings = torch.as_tensor(embeddings).to(device)  # copied once, not once a block

    def normalized(start: int, end: int) -> torch.Tensor:
        return F.normalize(torch.as_tensor(embeddings[start:end]).to(device).float(), dim=-1)

    found = torch.empty(len(rows), num_neighbors, dtype=torch.int32)
    blocks = range(rows.start, rows.stop, ROW_BLOCK)
    for start in tqdm(blocks, desc="Mining neighbors", unit="block", disable=not show_progress):
        block = normalized(start, min(start + ROW_BLOCK, rows.stop))
        own = torch.arange(start, start + len(block), device=block.device)
        scores = block.new_empty(len(block), 0)
        indices = own.new_empty(len(block), 0)
        for first in range(0, num_rows, COLUMN_BLOCK):
            columns = normalized(first, first + COLUMN_BLOCK)
            similarity = block @ columns.T
            inside = (own >= first) & (own < first + len(columns))
            similarity[inside.nonzero().squeeze(1), own[inside] - first] = -torch.inf
            best = similarity.topk(min(num_neighbors, len(columns)), dim=1)
            scores = torch.cat([scores, best.values], dim=1)
            indices = torch.cat([indices, best.indices + first], dim=1)
            best = scores.topk(min(num_neighbors, scores.shape[1]), dim=1)
            scores, indices = best.values, indices.gather(1, best.indices)
        found[start - rows.start : start - rows.start + len(block)] = indices.cpu()
    return found


def keep_mutual(neighbors: np.ndarray) -> np.ndarray:
    """Leaves each anchor those neighbors that have it among their own, nearest first, repeated to fill its K places.

    An anchor without such a neighbor becomes its own: its two views alone then say that they belong together.

    Args:
        neighbors: N(x), `(rows, K)`.

    >>> keep_mutual(np.array([[1, 2], [0, 2], [1, 3], [1, 0]]))
    array([[1, 1],
           [0, 2],
           [1, 1],
           [3, 3]])
    """
    anchors = np.arange(len(neighbors))[:, None]
    # One neighbor at a time: rows x K comparisons in memory, not rows x K x K.
    is_mutual = np.column_stack([(neighbors[column] == anchors).any(axis=1) for column in neighbors.T])
    mutual_first = np.take_along_axis(neighbors, np.argsort(~is_mutual, axis=1, kind="stable"), axis=1)
    counts = is_mutual.sum(axis=1, keepdims=True)
    repeated = np.arange(neighbors.shape[1]) % counts.clip(min=1)
    return np.where(counts > 0, np.take_along_axis(mutual_first, repeated, axis=1), anchors).astype(neighbors.dtype)


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

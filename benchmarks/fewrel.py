"""The default recipe on FewRel val_wiki: 16 relations, 80 % of the rows to train on, 20 % unseen to score.

python -m benchmarks.fewrel --data_dir FEWREL [--seeds 0 1 2] [--max_train_samples 1600]
"""

import argparse

from .runs import summarize, train, untrained, write

POOLINGS = {
    "markers, last layer": {"pooling": "marker", "pooling_layer": 6},
    "mentions, last layer": {"pooling": "mention", "pooling_layer": 6},
    "mentions and context, last layer": {"pooling": "mention_context", "pooling_layer": 6},
    "markers, layer 4": {"pooling": "marker", "pooling_layer": 4},
    "mentions, layer 4": {"pooling": "mention", "pooling_layer": 4},
    "markers and context, last layer": {"pooling": "marker_context", "pooling_layer": 6},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--max_train_samples", type=int, default=1600)
    args = parser.parse_args()
    corpus = {
        **{"dataset_name": "fewrel", "data_dir": args.data_dir, "train_split": "val_wiki", "num_clusters": 16},
        **{"validation_fraction": 0.2, "max_train_samples": args.max_train_samples, "save_strategy": "no"},
    }
    trained = [train("default", seed, **corpus) for seed in args.seeds]
    rows = {}
    for name, pooling in POOLINGS.items():  # what can be had of the same encoder without training
        scores = [untrained("default", seed, **corpus, **pooling) for seed in args.seeds]
        rows[f"untrained: {name}"] = ("untrained_", scores)
    rows |= {
        "untrained: the recipe's mentions and context, layer 4": ("untrained_", trained),
        "trained, k-means": ("eval_", trained),
        "trained, cluster head": ("eval_head_", trained),
    }
    content = {"seeds": args.seeds, "corpus": {**corpus, "data_dir": "FEWREL"}, "rows": rows}
    write("fewrel", content, summarize(rows))


if __name__ == "__main__":
    main()

"""The default recipe on FewRel val_wiki: 16 relations, 80 % of the rows to train on, 20 % unseen to score.

python -m benchmarks.fewrel --data_dir FEWREL [--seeds 0 1 2] [--max_train_samples 1600]
"""

import argparse

from .runs import summarize, train, write

POOLINGS = {  # what can be had of the same encoder without training
    "markers, last layer": {"pooling": "marker", "pooling_layer": 6},
    "mentions, last layer": {"pooling": "mention", "pooling_layer": 6},
    "mentions and context, last layer": {"pooling": "mention_context", "pooling_layer": 6},
    "markers, layer 4": {"pooling": "marker", "pooling_layer": 4},
    "mentions, layer 4": {"pooling": "mention", "pooling_layer": 4},
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
    rows = {"untrained, " + name: [] for name in POOLINGS}
    for name, pooling in POOLINGS.items():
        for seed in args.seeds:  # no epoch: only the scores before training differ
            rows["untrained, " + name].append(train("default", seed, num_train_epochs=0, **corpus, **pooling))
    rows |= {"untrained, the recipe's pooling": trained, "trained, k-means": trained, "trained, cluster head": trained}
    prefixes = dict.fromkeys(rows, "untrained_")
    prefixes |= {"trained, k-means": "eval_", "trained, cluster head": "eval_head_"}
    table = summarize(rows, prefixes)
    write("fewrel", {"seeds": args.seeds, "corpus": {**corpus, "data_dir": "FEWREL"}, "rows": rows}, table)


if __name__ == "__main__":
    main()

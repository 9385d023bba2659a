"""The default recipe on FewRel val_wiki: 16 relations, 80 % of the rows to train on, 20 % unseen to score.

python -m benchmarks.fewrel --data_dir FEWREL --work_dir DIR [--seeds 0 1 2] [--max_train_samples 1600]
"""

from .runs import argument_parser, summarize, train_all, untrained, write

OTHER_POOLINGS = ("marker", "mention", "marker_context")


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--max_train_samples", type=int, default=1600)
    args = parser.parse_args()
    corpus = {
        **{"dataset_name": "fewrel", "data_dir": args.data_dir, "train_split": "val_wiki", "num_clusters": 16},
        **{"validation_fraction": 0.2, "max_train_samples": args.max_train_samples, "save_strategy": "no"},
    }
    (trained,) = train_all(args.work_dir, "default", args.seeds, [corpus])
    rows = {
        f"untrained, {pooling}": (
            "untrained_",
            [untrained("default", seed, **corpus, pooling=pooling) for seed in args.seeds],
        )
        for pooling in OTHER_POOLINGS
    }
    rows |= {
        "untrained, mention_context (the recipe's)": ("untrained_", trained),
        "trained, k-means": ("eval_", trained),
        "trained, cluster head": ("eval_head_", trained),
    }
    content = {"seeds": args.seeds, "corpus": {**corpus, "data_dir": "FEWREL"}, "rows": rows}
    write("fewrel", content, summarize(rows))


if __name__ == "__main__":
    main()

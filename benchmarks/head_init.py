"""Does it help to start the cluster head from a partition of h? The demo recipe (Ward) against a start from noise.

python -m benchmarks.head_init --work_dir DIR [--seeds 0 1 2]
"""

from .runs import argument_parser, summarize, train_all, write

STARTS = {"Ward": {}, "noise": {"cluster_head_init": "random"}}


def main():
    args = argument_parser(__doc__).parse_args()
    results = dict(zip(STARTS, train_all(args.work_dir, "demo", args.seeds, list(STARTS.values())), strict=True))
    rows = {"untrained, k-means": ("untrained_", results["Ward"])}
    for start, runs in results.items():
        rows[f"head from {start}: k-means on h"] = ("eval_", runs)
        rows[f"head from {start}: its argmax"] = ("eval_head_", runs)
    write("head_init", {"seeds": args.seeds, "results": results}, summarize(rows))


if __name__ == "__main__":
    main()

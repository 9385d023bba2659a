"""The demo recipe on the embedded corpus over seeds: trained against untrained and against the type pairs.

python -m benchmarks.demo --work_dir DIR [--seeds 0 1 2]
"""

from .runs import argument_parser, summarize, train_all, write


def main():
    args = argument_parser(__doc__).parse_args()
    results = train_all(args.work_dir, "demo", args.seeds)
    rows = {
        "one cluster per type pair": ("type_pair_", results),
        "untrained encoder, consensus": ("untrained_", results),
        "untrained encoder, k-means": ("untrained_kmeans_", results),
        "trained, consensus": ("eval_", results),
        "trained, k-means": ("eval_kmeans_", results),
        "trained, cluster head": ("eval_head_", results),
    }
    write("demo", {"seeds": args.seeds, "results": results}, summarize(rows))


if __name__ == "__main__":
    main()

"""Does it help to start the cluster head from k-means centroids of h? The demo recipe, against a head from noise.

python -m benchmarks.head_init --work_dir DIR [--seeds 0 1 2]
"""

from .runs import argument_parser, summarize, train_all, write


def main():
    args = argument_parser(__doc__).parse_args()
    variants = [{"pooling_layer": 6, "cluster_head_init": start} for start in ("kmeans", "random")]
    kmeans, random = train_all(args.work_dir, "demo", args.seeds, variants)
    rows = {
        "untrained, k-means": ("untrained_", kmeans),
        "head from k-means centroids: k-means on h": ("eval_", kmeans),
        "head from k-means centroids: its argmax": ("eval_head_", kmeans),
        "head from noise: k-means on h": ("eval_", random),
        "head from noise: its argmax": ("eval_head_", random),
    }
    write("head_init", {"seeds": args.seeds, "kmeans": kmeans, "random": random}, summarize(rows))


if __name__ == "__main__":
    main()

"""The demo recipe on the embedded corpus over seeds: trained against untrained, against the type pairs, and against a
cluster head that starts from noise instead of from k-means centroids.

python -m benchmarks.demo [--seeds 0 1 2]
"""

import argparse

from .runs import summarize, train, write


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    results = [train("demo", seed) for seed in seeds]
    random_head = [train("demo", seed, cluster_head_init="random") for seed in seeds]
    rows = {
        "one cluster per type pair": ("type_pair_", results),
        "untrained encoder, k-means": ("untrained_", results),
        "trained, k-means": ("eval_", results),
        "trained, cluster head": ("eval_head_", results),
        "trained from a random cluster head, k-means": ("eval_", random_head),
        "trained from a random cluster head, cluster head": ("eval_head_", random_head),
    }
    write("demo", {"seeds": seeds, "results": results, "random_head": random_head}, summarize(rows))


if __name__ == "__main__":
    main()

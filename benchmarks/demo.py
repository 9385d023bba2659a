"""The demo recipe on the embedded corpus over seeds: trained against untrained and against the type pairs.

python -m benchmarks.demo [--seeds 0 1 2]
"""

import argparse

from .runs import summarize, train, write


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    results = [train("demo", seed) for seed in seeds]
    prefixes = {
        "one cluster per type pair": "type_pair_",
        "untrained encoder, k-means": "untrained_",
        "trained, k-means": "eval_",
        "trained, cluster head": "eval_head_",
    }
    table = summarize(dict.fromkeys(prefixes, results), prefixes)
    write("demo", {"seeds": seeds, "results": results}, table)


if __name__ == "__main__":
    main()

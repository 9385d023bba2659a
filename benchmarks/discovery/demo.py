"""Compare the demo recipe on the embedded corpus with the untrained encoder and the type pairs.

    python -m benchmarks.discovery.demo [--seeds 0 1 2]

Each seed is a run of `train.py`; runs that have finished in the work folder are not repeated.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..runs import REPOSITORY, BenchmarkParser, score_table, write_report

LINES = {
    "one cluster per type pair": "type_pair_",
    "untrained encoder, consensus": "untrained_",
    "untrained encoder, k-means": "untrained_kmeans_",
    "trained, consensus": "eval_",
    "trained, k-means": "eval_kmeans_",
    "trained, cluster head": "eval_head_",
}


def train(folder: Path, recipe: str, seed: int) -> dict[str, float]:
    """Train with a recipe in a process of its own, on one thread; return `all_results.json`.

    A run that has finished already is not repeated.
    """
    output = folder.resolve() / f"{recipe},seed={seed}"
    results = output / "all_results.json"
    if not results.exists():
        command = [sys.executable, "train.py", f"recipes/{recipe}.yaml", "--seed", str(seed)]
        command += ["--output_dir", str(output), "--disable_tqdm", "true"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, cwd=REPOSITORY, check=True, env=environment)
    return json.loads(results.read_text())


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_seeds([0, 1, 2])
    args = parser.parse_args()
    folder = args.work_dir / "discovery" / "demo"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda seed: train(folder, "demo", seed), args.seeds))
    keys = ("b3_f1", "v_measure_f1", "ari")
    scores = {
        name: [{key: result[prefix + key] for key in keys} for result in results]
        for name, prefix in LINES.items()
    }
    write_report(args, "discovery/demo", {"results": results}, score_table(scores))


if __name__ == "__main__":
    main()

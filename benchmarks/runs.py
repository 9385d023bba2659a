"""Runs of `train.py` over seeds, and what their scores say."""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, median, stdev

import torch
from threadpoolctl import threadpool_limits

from modeling_siamure.model_card import SCORES
from modeling_siamure.training_args import has_native_bfloat16

REPOSITORY = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


def train(work_dir: Path, recipe: str, seed: int) -> dict[str, float]:
    """Trains with a recipe in a process of its own, on one thread, and returns its `all_results.json`.

    A run that has finished in `work_dir` already is not repeated.
    """
    output = work_dir / f"{recipe},seed={seed}"
    results = output / "all_results.json"
    if not results.exists():
        command = [sys.executable, "train.py", f"recipes/{recipe}.yaml", "--output_dir", str(output)]
        command += ["--seed", str(seed), "--disable_tqdm", "true"]
        subprocess.run(command, cwd=REPOSITORY, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return json.loads(results.read_text())


def train_all(work_dir: Path, recipe: str, seeds: list[int]) -> list[dict[str, float]]:
    """Trains with each seed: as many runs side by side as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda seed: train(work_dir, recipe, seed), seeds))


def argument_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work_dir", type=Path, required=True, help="Where the runs are kept; those there are reused.")
    return parser


def machine() -> dict[str, str | int | bool]:
    """What the figures were measured on."""
    return {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "native_bfloat16": has_native_bfloat16(),
        "torch": torch.__version__,
    }


def shown(values: list[float] | None) -> str:
    """Mean and deviation over seeds of scores between 0 and 1, in percent; a dash where there are none.

    >>> shown([0.5, 0.6]), shown([0.5]), shown(None)
    ('55.0 ± 7.1', '50.0', '–')
    """
    if not values:
        return "–"
    percent = [100 * value for value in values]
    return f"{mean(percent):.1f}" + (f" ± {stdev(percent):.1f}" if len(percent) > 1 else "")


def summarize(rows: dict[str, tuple[str, list[dict[str, float]]]]) -> str:
    """A Markdown table in percent: mean and deviation over seeds of each row's scores.

    Args:
        rows: A row's name to what stands before its keys, such as `"eval_"`, and its results, one a seed.
    """
    lines = [f"| | {' | '.join(SCORES)} |", "|---|" + "---:|" * len(SCORES)]
    for name, (prefix, results) in rows.items():
        cells = [shown([result[prefix + key] for result in results]) for key in SCORES.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write(name: str, content: dict, table: str):
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({**content, "machine": machine()}, indent=2) + "\n")
    (RESULTS / f"{name}.md").write_text(table + "\n")
    print(table)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Lets torch, BLAS and OpenMP (FAISS, scikit-learn) use so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    with threadpool_limits(count):
        yield
    torch.set_num_threads(before)


def ratio_table(sides: dict[str, list[dict[str, float]]], key: str, baseline: str) -> str:
    """A Markdown table of medians over repeats, and the median of the ratios to the baseline, repeat by repeat."""
    lines = [f"| | {key.replace('_', ' ')} | of {baseline} |", "|---|---:|---:|"]
    for name, figures in sides.items():
        ratio = median(its[key] / base[key] for its, base in zip(figures, sides[baseline], strict=True))
        lines.append(f"| {name} | {median(its[key] for its in figures):.4g} | {ratio:.2f} |")
    return "\n".join(lines)


class PeakMemory:
    """The most memory (MiB) that the process has of its own in a block, without the pages of mapped files. Linux."""

    def __enter__(self):
        self.mib, self._stop = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._stop.wait(0.1):
            status = Path("/proc/self/status").read_text().splitlines()
            self.mib = max(self.mib, int(next(line for line in status if line.startswith("RssAnon")).split()[1]) / 1024)

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

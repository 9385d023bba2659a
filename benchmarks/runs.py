"""Share what the benchmarks need: arguments, provenance, reports, timing and memory."""

import argparse
import contextlib
import functools
import json
import os
import platform
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import evaluate
import torch
from threadpoolctl import threadpool_limits

from modeling_siamure.training.model_card import SCORES
from modeling_siamure.training.training_args import has_native_bfloat16

REPOSITORY = Path(__file__).parents[1]
WORK_DIR = Path("build", "benchmarks")
RESULTS_DIR = Path(__file__).parent / "results"


# --------------------------------------------------------------------------------------------------
# Arguments


class BenchmarkParser(argparse.ArgumentParser):
    """Parse a benchmark's arguments; the parsed namespace also holds `summary` and `command`.

    Args:
        description: The docstring of the benchmark; its first line is the summary in the report.
        options: Further arguments of [`argparse.ArgumentParser`].
    """

    def __init__(self, description: str, **options: Any):
        super().__init__(
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,
        )
        self.add_argument(
            "--work_dir", type=Path, default=WORK_DIR, help="Where raw figures are kept and reused."
        )
        self.add_argument(
            "--results_dir", type=Path, default=RESULTS_DIR, help="Where the Markdown table goes."
        )

    def add_data_root(self) -> None:
        """Add the required argument that names the folder of the corpora."""
        self.add_argument(
            "--data_root", type=Path, required=True, help="Folder with a folder per corpus."
        )

    def add_seeds(self, seeds: Sequence[int]) -> None:
        """Add `--seeds` with these defaults."""
        self.add_argument("--seeds", type=int, nargs="+", default=list(seeds))

    def parse_args(self, args=None, namespace=None) -> argparse.Namespace:
        """Parse the arguments and note the command that gave them."""
        parsed = super().parse_args(args, namespace)
        parsed.summary = (self.description or "").strip().splitlines()[0]
        parsed.command = self._command(parsed)
        return parsed

    def _command(self, parsed: argparse.Namespace) -> str:
        """Return the command without the folders of this machine."""
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        module = spec.name if spec and spec.name.startswith("benchmarks.") else self.prog
        words = ["python", "-m", module.removesuffix(".__main__")]
        for action in self._actions:
            value = getattr(parsed, action.dest, None)
            if action.dest in ("help", "work_dir", "results_dir"):
                continue
            if value is None or value == action.default:
                continue
            words += action.option_strings[:1]
            if value is not True:
                values = value if isinstance(value, list) else [value]
                words += [_without_folders(value, action.dest) for value in values]
        return shlex.join(words)


def _without_folders(value: object, name: str) -> str:
    """Return a value as a word; the name of the argument in capitals stands for a folder."""
    is_folder = isinstance(value, Path) or name.endswith("_dir") or Path(str(value)).is_absolute()
    return name.upper() if is_folder else str(value)


# --------------------------------------------------------------------------------------------------
# Provenance and reports


def machine() -> dict[str, str | int | bool]:
    """Return what the figures are measured on."""
    return {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "native_bfloat16": has_native_bfloat16(),
        "torch": torch.__version__,
    }


def describe_machine(facts: Mapping[str, Any]) -> str:
    """Return the facts of `machine()` in words.

    >>> facts = {"architecture": "x86_64", "cores": 2, "native_bfloat16": False, "torch": "2.13.0"}
    >>> describe_machine(facts)
    'x86_64, 2 cores, no native bfloat16, torch 2.13.0'
    """
    bfloat16 = "native bfloat16" if facts["native_bfloat16"] else "no native bfloat16"
    return f"{facts['architecture']}, {facts['cores']} cores, {bfloat16}, torch {facts['torch']}"


def provenance() -> dict[str, str]:
    """Return machine, commit and date of a measurement that is made now."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    described = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    return {
        "machine": describe_machine(machine()),
        "commit": described.stdout.strip() or "unknown",
        "date": date.today().isoformat(),
    }


def merge_provenance(measurements: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return machines, commits and dates of several measurements, each named once.

    >>> one = {"machine": "x86_64, 2 cores", "commit": "1a2b3c4", "date": "2026-11-25"}
    >>> merge_provenance([one, {**one, "date": "2026-11-26"}])["date"]
    '2026-11-25; 2026-11-26'
    """
    ordered = sorted(measurements, key=lambda measured: measured["date"])
    merged = {}
    for key in ("machine", "commit", "date"):
        values = [value for measured in ordered for value in measured[key].split("; ")]
        merged[key] = "; ".join(dict.fromkeys(values))
    return merged


def render(title: str, summary: str, command: str, measured: Mapping[str, str], body: str) -> str:
    """Return a report as Markdown: what was measured, by which command, where and when.

    Args:
        title: The name of the report.
        summary: One sentence.
        command: What printed the figures.
        measured: Output of `provenance()`.
        body: Tables in Markdown.
    """
    lines = [f"# {title}", "", summary, "", f"- command: `{command}`"]
    lines += [f"- {key}: {measured[key]}" for key in ("machine", "commit", "date")]
    return "\n".join([*lines, "", body.strip()]) + "\n"


def write_report(
    args: argparse.Namespace, name: str, figures: Mapping[str, Any], table: str
) -> None:
    """Keep raw figures as JSON in the work folder, and write and print the report.

    Args:
        args: Parsed by a [`BenchmarkParser`].
        name: Folder and name of the report, such as `"speed/mining"`.
        figures: What was measured.
        table: The same as a Markdown table.
    """
    measured = provenance()
    record = {"arguments": vars(args), "measured": measured, "figures": figures}
    raw = args.work_dir / f"{name}.json"
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")
    path = args.results_dir / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        render(path.stem, args.summary, args.command, measured, table), encoding="utf-8"
    )
    print(table)


def format_scores(values: Sequence[float] | None) -> str:
    """Return mean and deviation over seeds of scores between 0 and 1, in percent.

    Scores that do not exist become a dash.

    >>> format_scores([0.5, 0.6]), format_scores([0.5]), format_scores(None)
    ('55.0 ± 7.1', '50.0', '–')
    """
    if not values:
        return "–"
    percent = [100 * value for value in values]
    deviation = f" ± {stdev(percent):.1f}" if len(percent) > 1 else ""
    return f"{mean(percent):.1f}{deviation}"


def score_table(lines: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Return a Markdown table in percent: mean and deviation over seeds of the main scores.

    Args:
        lines: The name of a line to its results, one per seed.
    """
    table = [f"| | {' | '.join(SCORES)} |", "|---|" + "---:|" * len(SCORES)]
    for name, results in lines.items():
        cells = [format_scores([result[key] for result in results]) for key in SCORES.values()]
        table.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(table)


def ratio_table(sides: Mapping[str, list[dict[str, float]]], key: str, baseline: str) -> str:
    """Return a Markdown table of medians over repeats and of ratios to the baseline.

    A ratio is the median of the ratios that are taken repeat by repeat.
    """
    lines = [f"| | {key.replace('_', ' ')} | of {baseline} |", "|---|---:|---:|"]
    for name, figures in sides.items():
        pairs = zip(figures, sides[baseline], strict=True)
        ratio = median(figure[key] / base[key] for figure, base in pairs)
        value = median(figure[key] for figure in figures)
        lines.append(f"| {name} | {value:.4g} | {ratio:.2f} |")
    return "\n".join(lines)


@functools.cache
def metric() -> evaluate.EvaluationModule:
    """Load the metric of this repository once."""
    return evaluate.load(str(REPOSITORY / "metrics" / "b_cubed"))


# --------------------------------------------------------------------------------------------------
# Time and memory


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Limit torch, BLAS and OpenMP (FAISS, scikit-learn) to this number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    with threadpool_limits(count):
        yield
    torch.set_num_threads(before)


class Stopwatch:
    """Measure `seconds` and `processor_seconds` of a block."""

    def __enter__(self) -> "Stopwatch":
        self._wall = time.perf_counter()
        self._processor = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.processor_seconds = time.process_time() - self._processor
        self.seconds = time.perf_counter() - self._wall

    @property
    def figures(self) -> dict[str, float]:
        """Both times by their names."""
        return {"seconds": self.seconds, "processor_seconds": self.processor_seconds}


def device_seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return how long work takes: processor seconds on a CPU, seconds until a GPU has finished."""
    if device.type != "cuda":
        with Stopwatch() as watch:
            work()
        return watch.processor_seconds
    torch.cuda.synchronize(device)
    with Stopwatch() as watch:
        work()
        torch.cuda.synchronize(device)
    return watch.seconds


def matmul_flops(dtype: torch.dtype, device: torch.device, size: int = 1024) -> float:
    """Return FLOPs per second (see `device_seconds`) of a product of square matrices, best of 5."""
    matrix = torch.randn(size, size, dtype=dtype, device=device)
    return 2 * size**3 / min(device_seconds(lambda: matrix @ matrix, device) for _ in range(5))


class PeakMemory:
    """Measure the most anonymous memory (MiB) of the process in a block. Linux only.

    Pages of mapped files do not count.

    Args:
        interval: Seconds between two looks.
    """

    def __init__(self, interval: float = 0.1):
        self.interval = interval

    def __enter__(self) -> "PeakMemory":
        self.mib = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(self.interval):
            lines = Path("/proc/self/status").read_text().splitlines()
            anonymous = next(line for line in lines if line.startswith("RssAnon"))
            self.mib = max(self.mib, int(anonymous.split()[1]) / 1024)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

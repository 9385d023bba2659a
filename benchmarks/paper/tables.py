"""Run the paper's tables and figures on a corpus: floors, rivals and ablations, one protocol.

    python -m benchmarks.paper.tables --dataset fewrel --data_dir FEWREL [--only table2 figure4]
    python -m benchmarks.paper.tables --summarize fewrel pubmed ...

The folder `paper/NAME` of the work folder gets cells, results.json, table2 and table3 (.csv), and
figure2 to figure5 (.png, .svg); the results folder gets the report `paper/NAME.md`. A cell, which
is a method with a seed and a budget, is run once and kept: the same command resumes a run that was
stopped, and other settings run afresh what they change. What the cells at hand allow is written,
whatever --only says. Gold labels score, and do nothing else.
"""

import argparse
import logging
import os
import sys
import warnings
from typing import NoReturn

import datasets
import numpy as np
from huggingface_hub.errors import HTTPError
from transformers.utils import logging as transformers_logging

from modeling_siamure.utils.files import atomic_write

from ..runs import BenchmarkParser, merge_provenance, render
from .experiment import ITEMS, Experiment
from .methods import METHODS, Budget
from .protocols import PROTOCOLS, Corpus
from .report import read_results, summarize, write_tables


def fail(message: object) -> NoReturn:
    """End the program with one line and status 2: the mistake is the caller's."""
    print(f"benchmarks.paper: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(2)


def positive(text: str) -> int:
    """Parse a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parse and check the arguments."""
    parser = BenchmarkParser(__doc__, prog="benchmarks.paper.tables", allow_abbrev=False)
    parser.error = fail
    add = parser.add_argument
    add("--dataset", choices=PROTOCOLS)
    add("--data_dir", help="The folder with the files of the corpus.")
    add("--name", help="Of the report and the work folder; that of the corpus by default.")
    parser.add_seeds([0, 1, 2])
    add("--encoder", help="Hub name, folder or pip:PACKAGE/FOLDER; the recipe's by default.")
    add("--num_clusters", type=positive, help="C; that of the corpus's protocol by default.")
    add("--max_train_samples", type=positive, help="Train on this many rows, drawn by seed.")
    add("--max_eval_samples", type=positive, help="Score this many rows, drawn by seed.")
    add("--epochs", type=positive, help="Of all that is trained; each recipe's own by default.")
    add("--warmup_epochs", type=int, help="L of all that is trained; the recipe's by default.")
    add("--dropouts", type=float, nargs="+", help="Rows of Table 3.")
    add("--neighbors", type=positive, nargs="+", help="K, the points of Figure 3.")
    add("--only", nargs="+", choices=ITEMS, default=ITEMS, help="Run the cells of these alone.")
    add("--methods", nargs="+", choices=METHODS, help="Rows of Table 2; all by default.")
    add("--summarize", nargs="+", metavar="NAME", help="Write one table of several reports.")
    args = parser.parse_args(argv)
    if args.summarize is None and args.dataset is None:
        parser.error("give --dataset, or --summarize")
    if len(set(args.seeds)) < len(args.seeds) or min(args.seeds) < 0:
        parser.error("--seeds takes different whole numbers from 0 on")
    if args.warmup_epochs is not None and args.warmup_epochs < 0:
        parser.error("--warmup_epochs takes a whole number from 0 on")
    return args


def build(args: argparse.Namespace) -> Experiment:
    """Build the experiment that the arguments describe."""
    corpus = Corpus(args.dataset, args.data_dir, args.max_train_samples, args.max_eval_samples)
    sweeps = {"dropouts": args.dropouts, "neighbors": args.neighbors}
    return Experiment(
        corpus,
        args.work_dir / "paper" / (args.name or args.dataset),
        args.seeds,
        args.encoder,
        args.num_clusters,
        Budget(args.epochs, args.warmup_epochs),
        args.methods,
        **{name: values for name, values in sweeps.items() if values},
    )


def draw(experiment: Experiment, results: dict) -> None:
    """Draw the figures that there are cells for, into the work folder."""
    from . import figures

    folder = experiment.folder
    names = experiment.corpus.relation_names
    scored = experiment.examples.scored
    relations = np.array(scored["relation"])
    seed = experiment.seeds[0]
    encoder = experiment.encoder_name.removeprefix("pip:").removesuffix("/model")
    title = f"{results['corpus']} · {encoder} · {len(scored):,} rows scored"
    counted = f"Relations of {results['corpus']} · {len(scored):,} rows scored · seed {seed}"
    for name in ("figure3", "figure4", "figure5"):
        for ending in (".png", ".svg"):  # those of other settings
            (folder / (name + ending)).unlink(missing_ok=True)
    figures.draw_distribution(folder / "figure2", counted, relations.tolist(), names)
    if sweep := results["figure3"]:
        plural = "s" * (len(results["seeds"]) > 1)
        seeds = f"seed{plural} {', '.join(map(str, results['seeds']))}"
        accuracy = {
            line["num_neighbors"]: [mined[-1] for mined in line["neighbor_accuracy"]]
            for line in sweep
            if "neighbor_accuracy" in line
        }
        b3_f1 = {line["num_neighbors"]: line["scores"]["b3_f1"] for line in sweep}
        figures.draw_neighbors(folder / "figure3", f"{title} · {seeds}", accuracy, b3_f1)
    panels = {"with clustering": "as_trained", "without clustering": "no_clustering"}
    embeddings = {panel: experiment.array(method, "h") for panel, method in panels.items()}
    if all(array is not None for array in embeddings.values()):
        path = folder / "figure4"
        figures.draw_map(path, f"{title} · seed {seed}", embeddings, relations, names, seed)
    if (labels := experiment.array("default", "labels")) is not None:
        path = folder / "figure5"
        what = f"{title} · default recipe · seed {seed}"
        figures.draw_make_up(path, what, labels, relations, names)


def quiet() -> None:
    """Leave the screen to the one progress bar and to warnings."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()
    # Each cell loads the encoder, which would report its unused heads.
    transformers_logging.set_verbosity_error()
    warnings.filterwarnings("ignore", message=".*pin_memory")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def write_summary(args: argparse.Namespace) -> str:
    """Write one table of several reports; return it.

    Raises:
        OSError, ValueError: A report cannot be read.
    """
    corpora = [read_results(args.work_dir / "paper" / name) for name in args.summarize]
    table = summarize(corpora)
    measured = merge_provenance(results["measured"] for results in corpora)
    path = args.results_dir / "paper" / "summary.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, render(path.stem, args.summary, args.command, measured, table))
    return table


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark."""
    args = parse(argv)
    try:
        if args.summarize:
            print(write_summary(args))
            return
        quiet()
        experiment = build(args)
        experiment.run(args.only)
        report = args.results_dir / "paper" / f"{args.name or args.dataset}.md"
        draw(experiment, write_tables(experiment, report, args.summary, args.command))
    except (ValueError, OSError, HTTPError) as error:
        fail(error)
    except ImportError as error:
        fail(f"{error}; pip install '{error.name}'" if error.name else error)
    except KeyboardInterrupt:
        print(
            "benchmarks.paper: stopped; finished cells are kept, the same command resumes",
            file=sys.stderr,
        )
        sys.exit(130)
    print(report.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()

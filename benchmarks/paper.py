"""The paper's tables and figures on a corpus: floors, rivals and ablations under one protocol.

    python -m benchmarks.paper --dataset fewrel --data_dir FEWREL --output_dir OUT [--only table2 figure4]
    python -m benchmarks.paper --summarize OUT1 OUT2 ...

OUT gets results.json, table2 and table3 (.md, .csv), and figure2 to figure5 (.png, .svg). A cell, which is a method
with a seed and a budget, is run once and kept in OUT/cells: a run that was stopped goes on with the same command, and
other settings run afresh what they change. What the cells at hand allow is written, whatever --only says. Gold labels
score, and do nothing else.
"""

import argparse
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import NoReturn

import datasets
import numpy as np
from huggingface_hub.errors import HTTPError
from transformers.utils import logging as transformers_logging

from .paper_corpora import PROTOCOLS, Corpus
from .paper_experiment import ITEMS, Experiment
from .paper_methods import METHODS, Budget
from .paper_report import summarize, write_report


def fail(message: object) -> NoReturn:
    """Ends the program with one line and status 2: the mistake is the caller's."""
    print(f"benchmarks.paper: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(2)


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("benchmarks.paper", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.error = fail
    parser.add_argument("--dataset", choices=PROTOCOLS)
    parser.add_argument("--data_dir", help="The folder with the files of the corpus.")
    parser.add_argument("--output_dir", type=Path, help="Where cells, tables and figures go.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--encoder", help="Hub name, folder or pip:PACKAGE/FOLDER; that of the recipe by default.")
    parser.add_argument("--num_clusters", type=positive, help="C; that of the corpus' protocol by default.")
    parser.add_argument("--max_train_samples", type=positive, help="Train on so many rows, drawn by seed.")
    parser.add_argument("--max_eval_samples", type=positive, help="Score so many rows, drawn by seed.")
    parser.add_argument("--epochs", type=positive, help="Of all that is trained; each recipe's own by default.")
    parser.add_argument("--warmup_epochs", type=int, help="L of all that is trained; the recipe's share by default.")
    parser.add_argument("--only", nargs="+", choices=ITEMS, default=ITEMS, help="Run the cells of these alone.")
    parser.add_argument("--methods", nargs="+", choices=METHODS, help="Rows of Table 2; all by default.")
    parser.add_argument("--summarize", type=Path, nargs="+", metavar="OUT", help="Print one table of several corpora.")
    args = parser.parse_args(argv)
    if args.summarize is None and (args.dataset is None or args.output_dir is None):
        parser.error("give --dataset and --output_dir, or --summarize")
    if len(set(args.seeds)) < len(args.seeds) or min(args.seeds) < 0:
        parser.error("--seeds takes different whole numbers from 0 on")
    if args.warmup_epochs is not None and args.warmup_epochs < 0:
        parser.error("--warmup_epochs takes a whole number from 0 on")
    return args


def build(args: argparse.Namespace) -> Experiment:
    corpus = Corpus(args.dataset, args.data_dir, args.max_train_samples, args.max_eval_samples)
    budget = Budget(args.epochs, args.warmup_epochs)
    return Experiment(corpus, args.output_dir, args.seeds, args.encoder, args.num_clusters, budget, args.methods)


def draw(experiment: Experiment, results: dict) -> None:
    """Draws the figures that there are cells for."""
    from . import paper_figures as figures

    rows, names, folder = experiment.rows, experiment.corpus.relation_names, experiment.folder
    relations, seed = np.array(rows.scored["relation"]), experiment.seeds[0]
    encoder = experiment.encoder_name.removeprefix("pip:").removesuffix("/model")
    what = f"{results['corpus']} · {encoder} · {len(rows.scored):,} rows scored"
    counted = f"Relations of {results['corpus']} · {len(rows.scored):,} rows scored · seed {seed}"
    for name in ("figure3", "figure4", "figure5"):
        for ending in (".png", ".svg"):  # those of other settings
            (folder / (name + ending)).unlink(missing_ok=True)
    figures.draw_distribution(folder / "figure2", counted, relations.tolist(), names)
    if sweep := results["figure3"]:
        seeds = f"seed{'s' * (len(results['seeds']) > 1)} {', '.join(map(str, results['seeds']))}"
        accuracy = {
            line["num_neighbors"]: [mined[-1] for mined in line["neighbor_accuracy"]]
            for line in sweep
            if "neighbor_accuracy" in line
        }
        b3_f1 = {line["num_neighbors"]: line["scores"]["b3_f1"] for line in sweep}
        figures.draw_neighbors(folder / "figure3", f"{what} · {seeds}", accuracy, b3_f1)
    panels = {"with clustering": "as_trained", "without clustering": "no_clustering"}
    embeddings = {panel: experiment.array(method, "h") for panel, method in panels.items()}
    if all(array is not None for array in embeddings.values()):
        figures.draw_map(folder / "figure4", f"{what} · seed {seed}", embeddings, relations, names, seed)
    if (labels := experiment.array("default", "labels")) is not None:
        figures.draw_make_up(folder / "figure5", f"{what} · default recipe · seed {seed}", labels, relations, names)


def quiet() -> None:
    """Leaves the screen to the one progress bar and to warnings."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()  # each cell loads the encoder, and would report its unused heads
    warnings.filterwarnings("ignore", message=".*pin_memory")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    try:
        if args.summarize:
            print(summarize(args.summarize))
            return
        quiet()
        experiment = build(args)
        with tempfile.TemporaryDirectory() as folder:
            experiment.run(args.only, Path(folder))
        draw(experiment, write_report(experiment))
    except (ValueError, OSError, HTTPError) as error:
        fail(error)
    except ImportError as error:
        fail(f"{error}; pip install 'siamure[card]'")
    except KeyboardInterrupt:
        print("benchmarks.paper: stopped; finished cells are kept, go on with the same command", file=sys.stderr)
        sys.exit(130)
    tables = [path for path in (args.output_dir / f"table{number}.md" for number in (2, 3)) if path.exists()]
    print("\n".join(path.read_text(encoding="utf-8") for path in tables))


if __name__ == "__main__":
    main()

"""The command `siamure`: find the relations of a corpus, and assign further sentences to them.

    siamure discover FILE --output_dir OUT [--model DIR | --train] [--num_clusters N|auto]
    siamure assign FILE --model OUT/model [--output FILE]

Several processes: accelerate launch -m modeling_siamure.cli discover FILE --output_dir OUT
"""

import argparse
import logging
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .utils.terminal import end_in_one_line, fail, quiet_libraries

if TYPE_CHECKING:
    from .recipe import Recipe


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        fail(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="siamure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command")
    discover = commands.add_parser(
        "discover", help="find the relations of a corpus, with a report and a model"
    )
    assign = commands.add_parser("assign", help="assign sentences to the clusters of a model")
    for command in (discover, assign):
        command.add_argument(
            "file", type=Path, help="JSON lines, JSON, CSV, TSV or Parquet, in the instance schema"
        )
        command.add_argument(
            "--text_column", "--text-column", help="the column that holds the sentence"
        )
        command.add_argument(
            "--columns", nargs="+", default=[], metavar="COLUMN=NAME", help="the file's other names"
        )
        command.add_argument(
            "--offsets", help="what the file's offsets count: characters, inclusive, utf16, bytes"
        )
        command.add_argument(
            "--on_error",
            choices=("raise", "skip"),
            default="raise",
            help="end at a row that can't be read, or skip it",
        )
        command.add_argument("--no_progress", action="store_true", help="no progress bars")
        command.add_argument(
            "--strict", action="store_true", help="refuse rows that would only be warned of"
        )
    discover.add_argument(
        "--output_dir", required=True, type=Path, help="a folder that is not there yet"
    )
    which = discover.add_mutually_exclusive_group()
    which.add_argument(
        "--model", help="embed with this trained model: a folder, or a name on the hub"
    )
    which.add_argument(
        "--train",
        action="store_true",
        help="train on the sentences first; else take the encoder as it is",
    )
    discover.add_argument(
        "--recipe", type=Path, help="encoder and training, as a recipe of train.py; the default one"
    )
    discover.add_argument(
        "--encoder",
        help="small (the default), base (slower, better), or the name of a base-size encoder",
    )
    discover.add_argument(
        "--num_clusters", default="auto", help="how many relations to look for, or auto"
    )
    discover.add_argument("--keep_all", action="store_true", help="leave no row unassigned")
    discover.add_argument(
        "--max_unassigned",
        type=float,
        default=0.1,
        help="largest share of the rows that may stay unassigned; 0.1",
    )
    discover.add_argument(
        "--no_report", action="store_true", help="no report.html, for which plotly is needed"
    )
    discover.add_argument("--metric", help="scores clusters where gold is known: evaluate's name")
    discover.add_argument(
        "--trust_remote_code",
        action="store_true",
        help="run the code of a --metric that is not of this package",
    )
    discover.add_argument("--seed", type=int, default=0)
    assign.add_argument(
        "--model", required=True, help="the model folder of a discovery, or a name on the hub"
    )
    assign.add_argument(
        "--output", type=Path, help="a Parquet file; FILE-assignments.parquet by default"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Run the command; a person's mistake is one line and exit status 2."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help(sys.stderr)
        sys.exit(2)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        with end_in_one_line():
            {"discover": discover, "assign": assign}[args.command](args)
    except KeyboardInterrupt:
        print("siamure: stopped; the same command resumes", file=sys.stderr)
        sys.exit(130)


def load_input(args: argparse.Namespace):
    """Return all rows of the file, in its order."""
    from data_scripts.loading import load_user_file

    pairs = [pair.partition("=") for pair in args.columns]
    if wrong := ["".join(pair) for pair in pairs if not pair[0] or not pair[2]]:
        raise ValueError(f"--columns {wrong[0]!r} has no '='; write COLUMN=NAME")
    columns = {column: name for column, _, name in pairs} | (
        {"text": args.text_column} if args.text_column else {}
    )
    return load_user_file(
        args.file, columns=columns or None, on_error=args.on_error, offsets=args.offsets
    )


def describe_command(args: argparse.Namespace, recipe: "Recipe") -> dict[str, Any]:
    """Return what decides the result of a command, for `list_changes`.

    Files and models are told by their content, not by where they are.
    """
    from .modeling_siamure import resolve_encoder
    from .training.run_record import describe_arguments
    from .utils.files import file_digest

    run: dict[str, Any] = {}
    if args.command == "discover":
        run |= describe_arguments(recipe.training_arguments("", seed=args.seed))
        run |= {} if args.model else vars(recipe.model_arguments)
    aside = ("command", "output_dir", "output", "no_progress", "recipe", "encoder")
    # Last: the number of clusters is that of the command, whatever the recipe says.
    run |= {name: value for name, value in vars(args).items() if name not in aside}
    for name in ("file", "model", "model_name_or_path", "metric"):
        if run.get(name):
            source = Path(resolve_encoder(str(run[name])))
            run[name] = f"#{file_digest(source)}" if source.exists() else str(run[name])
    return run


def discover(args: argparse.Namespace) -> None:
    """Find the relations of a file, and write report, assignments, clusters and model."""
    from accelerate import PartialState

    from .discovery import RelationDiscovery
    from .discovery.outputs import write_assignments, write_clusters, write_model
    from .discovery.report import build_report, score_gold, summarize
    from .recipe import DEFAULT_METRIC, Recipe, load_metric
    from .training.model_card import path_on_card
    from .utils.distributed import broadcast_from_main
    from .utils.files import (
        RUN_FILE,
        UNFINISHED,
        atomic_write,
        compare_run,
        complete,
        holds_result,
        lock_folder,
        publish,
        write_record,
    )

    if args.num_clusters != "auto" and not re.fullmatch("0*[1-9][0-9]{0,8}", args.num_clusters):
        raise ValueError(
            f"--num_clusters {args.num_clusters}: give a whole number of 1 or more, or auto"
        )
    metric = args.metric or str(DEFAULT_METRIC)
    if not args.no_report:
        _require_plotly()
        load_metric(metric, args.trust_remote_code)  # before anything is embedded
    show_progress = sys.stderr.isatty() and not args.no_progress
    quiet_libraries(show_progress)
    if args.encoder and (args.recipe or args.model):
        raise ValueError("--encoder chooses a recipe; give it without --recipe and --model")
    recipe = Recipe.for_encoder(args.encoder) if args.encoder else Recipe.of(args.recipe)
    recipe.training_arguments("")  # sets up the processes as the recipe says
    discovery = RelationDiscovery(
        "auto" if args.num_clusters == "auto" else int(args.num_clusters),
        model_name_or_path=args.model,
        finetune=args.train,
        recipe=recipe,
        reject_outliers=not args.keep_all,
        max_unassigned=args.max_unassigned,
        seed=args.seed,
        work_dir=str(args.output_dir / UNFINISHED),
        show_progress=show_progress,
        strict=args.strict,
    )
    state = PartialState()
    output = args.output_dir
    run_file = f"model/{RUN_FILE}"

    def is_finished() -> bool:
        if not holds_result(output, run_file):
            return False
        complete(output)
        if changes := compare_run(output / "model", run):
            raise FileExistsError(
                f"{output} holds something already, of another run: {changes}; give another "
                "--output_dir, or remove it"
            )
        print(f"{output} holds the result of this command")
        return True

    is_new = not holds_result(output, run_file)
    with lock_folder(output, state.is_main_process, is_new):
        run = broadcast_from_main(describe_command, args, recipe)
        if broadcast_from_main(is_finished):
            return
        dataset = load_input(args)
        discovery.fit(dataset)
        if state.is_main_process:
            trusts = args.trust_remote_code
            scores, clusterings = score_gold(discovery, dataset, metric, trusts)
            with publish(output) as folder:
                write_model(
                    discovery,
                    folder / "model",
                    output.name,
                    args.file.name,
                    path_on_card(output, "model"),
                    scores,
                    clusterings,
                )
                write_record(folder / run_file, {"run": run})
                write_assignments(
                    folder / "assignments.parquet",
                    dataset,
                    discovery.assignment_,
                    discovery.model_.config.id2label,
                    run,
                )
                write_clusters(folder / "clusters.csv", discovery)
                if not args.no_report:
                    page = build_report(discovery, dataset, args.file.name, scores, clusterings)
                    atomic_write(folder / "report.html", page)
            print(f"{summarize(discovery)}\n")
            for cluster in discovery.clusters_:
                print(f"{cluster.size:>8,}  {cluster.name}")
            print(f"\nSaved to {output}")
            if not args.no_report:
                print(f"Open {output / 'report.html'} in a browser to explore them")
        state.wait_for_everyone()


def assign(args: argparse.Namespace) -> None:
    """Assign the rows of a file to the clusters of a model, and write them."""
    from accelerate import PartialState

    from .clustering.assignment import SKIPPED
    from .configuration_siamure import UNASSIGNED
    from .discovery import RelationDiscovery
    from .discovery.outputs import read_run, write_assignments
    from .recipe import Recipe
    from .utils.distributed import broadcast_from_main
    from .utils.files import list_changes, lock_file

    output = args.output or args.file.with_name(f"{args.file.stem}-assignments.parquet")
    show_progress = sys.stderr.isatty() and not args.no_progress
    quiet_libraries(show_progress)
    recipe = Recipe.of(None)
    recipe.training_arguments("")  # sets up the processes as the recipe says
    state = PartialState()

    def is_finished() -> bool:
        if not output.exists():
            return False
        earlier = read_run(output)
        changes = "" if earlier is None else list_changes(earlier, run)
        if earlier is None or changes:
            told = f", of another run: {changes}" if changes else ""
            raise FileExistsError(
                f"{output} is there already{told}; give another --output, or remove it"
            )
        print(f"{output} is there already, and holds the result of this command")
        return True

    with lock_file(output, "--output") if state.is_main_process else nullcontext():
        run = broadcast_from_main(describe_command, args, recipe)
        if broadcast_from_main(is_finished):
            return
        dataset = load_input(args)
        discovery = RelationDiscovery.from_pretrained(
            args.model, show_progress=show_progress, strict=args.strict
        )
        assignment = discovery.predict(dataset)
        labels = assignment.labels
        if state.is_main_process:
            write_assignments(output, dataset, assignment, discovery.model_.config.id2label, run)
            counts = [f"{len(labels):,} sentences", f"{(labels == UNASSIGNED).sum():,} unassigned"]
            print(", ".join([*counts, f"{(labels == SKIPPED).sum():,} skipped: {output}"]))


def _require_plotly():
    try:
        import plotly  # noqa: F401
    except ImportError:
        raise ImportError(
            "the report needs plotly: pip install plotly, or give --no_report"
        ) from None


if __name__ == "__main__":
    main()

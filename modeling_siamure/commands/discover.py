"""`siamure discover`: the relations of a corpus, with a report and a model."""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path
from typing import get_type_hints

from accelerate import PartialState

from data_scripts.plain_text import write_pairs

from ..discovery import RelationDiscovery
from ..discovery.report import summarize
from ..discovery.saved import write_discovery
from ..recipe import DEFAULT_METRIC, Recipe, load_metric
from ..utils.contract import check_values
from ..utils.distributed import broadcast_from_main
from ..utils.files import (
    RUN_FILE,
    UNFINISHED,
    compare_run,
    complete,
    digest,
    holds_result,
    lock_folder,
    publish,
)
from ..utils.terminal import quiet_libraries
from .inputs import describe_command, is_plain_text, load_input, pair_options, require_plotly


def run(args: argparse.Namespace) -> None:
    """Find the relations of a file, and write report, assignments, clusters and model."""
    if args.num_clusters != "auto" and not re.fullmatch("0*[1-9][0-9]{0,8}", args.num_clusters):
        raise ValueError(
            f"--num_clusters {args.num_clusters}: give a whole number of 1 or more, or auto"
        )
    metric = args.metric or str(DEFAULT_METRIC)
    if not args.no_report:
        require_plotly()
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
        min_precision=args.min_precision,
        seed=args.seed,
        work_dir=str(args.output_dir / UNFINISHED),
        show_progress=show_progress,
        strict=args.strict,
    )
    # Before entities are looked for, which may take hours.
    check_values(discovery.get_params(deep=False), get_type_hints(RelationDiscovery.__init__))
    is_text = is_plain_text(args)
    state = PartialState()
    output = args.output_dir
    run_file = f"model/{RUN_FILE}"

    def is_finished() -> bool:
        if not holds_result(output, run_file):
            return False
        complete(output)
        if changes := compare_run(output / "model", record):
            raise FileExistsError(
                f"{output} holds something already, of another run: {changes}; give another "
                "--output_dir, or remove it"
            )
        print(f"{output} holds the result of this command")
        return True

    is_new = not holds_result(output, run_file)
    with lock_folder(output, state.is_main_process, is_new):
        record = broadcast_from_main(describe_command, args, recipe)
        if broadcast_from_main(is_finished):
            return
        pairs_file = None
        if is_text:
            pairs_file = broadcast_from_main(_write_pairs, args, output / UNFINISHED, show_progress)
        dataset = load_input(args, pairs_file)
        discovery.fit(dataset)
        if state.is_main_process:
            discovery.title_ = args.file.resolve().name
            with publish(output) as folder:
                if pairs_file:
                    shutil.copyfile(pairs_file, folder / "pairs.jsonl")
                write_discovery(
                    discovery,
                    folder,
                    output,
                    record,
                    metric,
                    args.trust_remote_code,
                    has_report=not args.no_report,
                )
            print(f"{summarize(discovery)}\n")
            for cluster in discovery.clusters_:
                print(f"{cluster.size:>8,}  {cluster.name}")
            print(f"\nSaved to {output}")
            if not args.no_report:
                print(f"Open {output / 'report.html'} in a browser to explore them")
        state.wait_for_everyone()


def _write_pairs(args: argparse.Namespace, folder: Path, show_progress: bool) -> Path:
    """Write the pairs of plain text among the unfinished work, where they are found again."""
    inputs = [args.file, *args.more]
    options = pair_options(args)
    key = digest(json.dumps(options.describe(inputs), sort_keys=True))[:16]
    path = folder / f"pairs-{key}.jsonl"
    num_processes = args.num_processes or 1
    counts = write_pairs(
        inputs, path, options, num_processes=num_processes, show_progress=show_progress
    )
    print(f"{counts.describe()}\n")
    return path

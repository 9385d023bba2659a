"""`siamure assign`: the clusters of further sentences."""

import argparse
import sys
from contextlib import nullcontext

from accelerate import PartialState

from ..clustering.assignment import SKIPPED
from ..configuration_siamure import UNASSIGNED
from ..discovery import RelationDiscovery
from ..discovery.outputs import read_run, write_assignments
from ..recipe import Recipe
from ..utils.distributed import broadcast_from_main
from ..utils.files import list_changes, lock_file
from ..utils.terminal import quiet_libraries
from .inputs import describe_command, load_input


def run(args: argparse.Namespace) -> None:
    """Assign the rows of a file to the clusters of a model, and write them."""
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
        changes = "" if earlier is None else list_changes(earlier, record)
        if earlier is None or changes:
            told = f", of another run: {changes}" if changes else ""
            raise FileExistsError(
                f"{output} is there already{told}; give another --output, or remove it"
            )
        print(f"{output} is there already, and holds the result of this command")
        return True

    with lock_file(output, "--output") if state.is_main_process else nullcontext():
        record = broadcast_from_main(describe_command, args, recipe)
        if broadcast_from_main(is_finished):
            return
        dataset = load_input(args)
        discovery = RelationDiscovery.from_pretrained(
            args.model, show_progress=show_progress, strict=args.strict
        )
        assignment = discovery.predict(dataset)
        labels = assignment.labels
        if state.is_main_process:
            write_assignments(output, dataset, assignment, discovery.clusters_, record)
            counts = [f"{len(labels):,} sentences", f"{(labels == UNASSIGNED).sum():,} unassigned"]
            print(", ".join([*counts, f"{(labels == SKIPPED).sum():,} skipped: {output}"]))

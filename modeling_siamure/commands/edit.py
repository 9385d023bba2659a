"""`siamure edit`: the clusters of a discovery as a person corrects them."""

import argparse
import shutil
from contextlib import nullcontext

from ..discovery import RelationDiscovery
from ..discovery.edits import EDITS_FILE, read_edits, write_edits
from ..discovery.outputs import read_run
from ..discovery.report import summarize
from ..discovery.saved import FOUND, earlier_edits, write_discovery
from ..utils.files import atomic_write, complete, lock_folder, publish
from ..utils.terminal import quiet_libraries
from .inputs import require_plotly

PREVIOUS_EDITS = "edits.previous.yaml"


def run(args: argparse.Namespace) -> None:
    """Replay edits on a discovery as it was found, and write all of its files again."""
    source = args.folder
    edits = read_edits(args.edits)
    text = args.edits.read_text(encoding="utf-8-sig")
    if not source.is_dir():
        raise FileNotFoundError(f"{source} does not exist; give the folder of a discovery")
    quiet_libraries(show_progress=False)
    output = args.output_dir or source
    is_copy = output.resolve() != source.resolve()
    with lock_folder(source, is_new=False), lock_folder(output) if is_copy else nullcontext():
        complete(source)
        has_report = (source / "report.html").exists()
        if has_report:
            require_plotly()
        discovery = RelationDiscovery.load(source, edits)
        undone = [edit for edit in earlier_edits(source) if edit not in edits]
        record = read_run(source / "assignments.parquet")
        with publish(output) as folder:
            if is_copy:
                shutil.copytree(source / FOUND, folder / FOUND)
            elif undone:
                previous = (source / EDITS_FILE).read_text(encoding="utf-8")
                atomic_write(folder / PREVIOUS_EDITS, previous)
            write_discovery(
                discovery, folder, output, record or None, has_report=has_report, edits=text
            )
    if undone:
        lines = ", ".join(write_edits(undone).splitlines())
        kept = f"{source / EDITS_FILE}" if is_copy else f"{output / PREVIOUS_EDITS}"
        print(f"Earlier edits that {args.edits} does not hold are undone: {lines} ({kept})\n")
    print(f"{summarize(discovery)}\n")
    for cluster in discovery.clusters_:
        print(f"{cluster.size:>8,}  {cluster.id:>5}  {cluster.name}")
    print(f"\nSaved to {output}")

"""`siamure export`: a discovery for other tools."""

import argparse

from ..graph import export


def run(args: argparse.Namespace) -> None:
    """Write the facts, the relations or tasks of a discovery in the format that was asked for."""
    path = export(
        args.folder,
        args.to,
        args.output,
        args.min_score,
        args.min_support,
        args.merge_inverses,
    )
    print(f"Saved to {path}")

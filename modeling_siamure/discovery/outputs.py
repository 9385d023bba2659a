"""The files that a discovery leaves: assignments, clusters, model."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

from ..clustering.assignment import Assignment
from ..clustering.descriptions import ClusterDescription
from ..training.model_card import SCORES, write_model_card
from ..utils.escaping import spreadsheet_cell
from ..utils.files import atomic_path
from .edits import OUTSIDE

if TYPE_CHECKING:
    from .estimator import RelationDiscovery

RUN_KEY = "siamure"  # of the Parquet file's metadata
ADDED = ("cluster", "cluster_id", "name", "score", "margin", "reversed")


def write_assignments(
    path: Path,
    dataset: Dataset,
    assignment: Assignment,
    clusters: Sequence[ClusterDescription],
    run: dict[str, Any],
    block_size: int = 10_000,
) -> None:
    """Write each row of the dataset with what it was assigned to, as Parquet.

    `cluster` is its number in the model, `cluster_id` what edits call it. `reversed` says that a
    person swapped head and tail of its relation.

    `cluster` is -1 and `name` "unassigned" where a row belongs to no cluster (score and margin are
    then those of the nearest); -2, "skipped" and nulls where it was skipped; -3 and "no relation"
    where a person rejected its cluster; -4, "left out as unrelated" and nulls where it was left out
    before clustering. A column of the source that has one of these names gets `source_` in front.

    Args:
        path: Where; whole or not there.
        dataset: The rows.
        assignment: Where they belong.
        clusters: The clusters, by their numbers.
        run: What the assignments are of, for `read_run`.
        block_size: Rows that are written at once.
    """
    labels = assignment.labels
    names = dict(enumerate(cluster.name for cluster in clusters)) | OUTSIDE
    ids = dict(enumerate(cluster.id for cluster in clusters))
    is_reversed = assignment.is_reversed
    if is_reversed is None:
        is_reversed = np.zeros(len(labels), dtype=bool)
    renamed = _columns_of_source(dataset.column_names)
    writer = None
    with atomic_path(path) as partial:
        try:
            for start in range(0, len(dataset), block_size):
                rows = slice(start, min(start + block_size, len(dataset)))
                block_labels = labels[rows].tolist()
                table = dataset.with_format("arrow")[rows].rename_columns(renamed)
                table = table.append_column("cluster", pa.array(block_labels, pa.int32()))
                block_ids = [ids.get(label) for label in block_labels]
                table = table.append_column("cluster_id", pa.array(block_ids, pa.string()))
                block_names = [names[label] for label in block_labels]
                table = table.append_column("name", pa.array(block_names, pa.string()))
                table = table.append_column("score", _floats(assignment.scores[rows]))
                table = table.append_column("margin", _floats(assignment.margins[rows]))
                table = table.append_column("reversed", pa.array(is_reversed[rows], pa.bool_()))
                table = table.replace_schema_metadata({RUN_KEY: json.dumps(run)})
                writer = writer or pq.ParquetWriter(partial, table.schema)
                writer.write_table(table)
        finally:
            if writer:
                writer.close()


def read_run(path: Path) -> dict[str, Any] | None:
    """Return what the assignments in a file are of; `None` if it holds something else."""
    try:
        return json.loads((pq.read_schema(path).metadata or {})[RUN_KEY.encode()])
    except (ValueError, KeyError):
        return None


def _columns_of_source(names: list[str]) -> list[str]:
    """Return the names of the source's columns beside ours."""
    renamed = []
    for original in names:
        name = original
        while name in ADDED or (name != original and name in names):
            name = f"source_{name}"
        renamed.append(name)
    return renamed


def _floats(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.float32), mask=np.isnan(values))


def write_clusters(path: Path, discovery: "RelationDiscovery", num_examples: int = 3) -> None:
    """Write a line per cluster as CSV: name, size, types, phrases, parts, id, note, examples.

    The rows that belong to no cluster, were skipped or left out, and those of rejected clusters
    have lines of their own, so that sizes add up. Text that a spreadsheet would take for a formula
    has an apostrophe before it; what it is without one is in `assignments.parquet`.

    Args:
        path: Where; whole or not there.
        discovery: After `fit`.
        num_examples: Number of central examples per cluster, and of borderline ones.
    """
    labels = discovery.labels_
    numbers = range(1, num_examples + 1)
    columns = ["cluster", "name", "size", "share", "type_pairs", "trigger_words", "parts"]
    columns += ["cluster_id", "note"]
    columns += [f"central_{number}" for number in numbers]
    columns += [f"borderline_{number}" for number in numbers]
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for number, cluster in enumerate(discovery.clusters_):
            pairs = [f"{pair} {count}" for pair, count in cluster.type_pairs.items()]
            row = {
                "cluster": number,
                "name": cluster.name,
                "size": cluster.size,
                "share": cluster.size / len(labels),
                "type_pairs": "; ".join(pairs),
                "trigger_words": ", ".join(cluster.words),
                "parts": "; ".join(
                    f"{', '.join(part.words[:3])} {part.size}" for part in cluster.parts
                ),
                "cluster_id": cluster.id,
                "note": cluster.note,
            }
            central = zip(numbers, cluster.examples, strict=False)
            borderline = zip(numbers, cluster.borderline_examples, strict=False)
            row |= {f"central_{place}": text for place, text in central}
            row |= {f"borderline_{place}": text for place, text in borderline}
            cells = {
                column: spreadsheet_cell(cell) if isinstance(cell, str) else cell
                for column, cell in row.items()
            }
            writer.writerow(cells)
        for label, name in OUTSIDE.items():
            if size := int((labels == label).sum()):
                share = size / len(labels)
                writer.writerow({"cluster": label, "name": name, "size": size, "share": share})


def write_model(
    discovery: "RelationDiscovery",
    folder: Path,
    name: str,
    data_name: str,
    path: str | None = None,
    scores: dict[str, list[float]] | None = None,
    clusterings: Sequence[str] = (),
) -> None:
    """Write model, tokenizer and card, ready for the Auto classes and for `push_to_hub`.

    Args:
        discovery: After `fit`.
        folder: Where.
        name: Title of the card.
        data_name: Where the rows are from.
        path: What the card's examples load; the name by default.
        scores, clusterings: Of `score_gold`; empty without gold.
    """
    scores = scores or {}
    discovery.save_pretrained(folder)
    write_model_card(
        folder,
        model_name=name,
        config=discovery.model_.config,
        args=discovery.training_args_,
        model_id=path,
        results={f"eval_{SCORES[score]}": values[0] for score, values in scores.items()},
        score_table=[
            [clustering, *(f"{100 * values[place]:.1f}" for values in scores.values())]
            for place, clustering in enumerate(clusterings)
        ],
        clusters=discovery.clusters_,
        clustering_method=discovery.clustering_method_,
        num_examples=len(discovery.labels_),
        dataset=data_name,
        finetuned_from=discovery.model_name_or_path or discovery.encoder_,
        is_finetuned=discovery.finetune,
        untrained_because=discovery.untrained_because_,
        doubts=discovery.doubts_,
        **discovery.encoder_facts_,
    )

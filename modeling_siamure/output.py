"""The files that a discovery leaves: assignments, clusters, model."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

from .assignment import SKIPPED, UNASSIGNED, Assignment
from .discovery import RelationDiscovery
from .model_card import write_model_card

NAMES = {UNASSIGNED: "unassigned", SKIPPED: "skipped"}
ADDED = ("cluster", "name", "score", "margin")
WRITTEN_ROWS = 10_000


def write_atomically(path: Path, text: str) -> None:
    """Writes a text file that is whole or not there."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_assignments(path: Path, dataset: Dataset, assignment: Assignment, names: dict[int, str]) -> None:
    """Write each row of the dataset with its `cluster`, `name`, `score` and `margin`, as Parquet.

    `cluster` is -1 and `name` "unassigned" where a row belongs to no cluster (score and margin are then those of the
    nearest); -2, "skipped" and nulls where it was skipped. A column of the source that has one of these names gets
    `source_` in front.

    Args:
        path: Where; whole or not there.
        dataset: The rows.
        assignment: Where they belong.
        names: Names of the clusters, by their numbers.
    """
    labels = assignment.labels
    names = names | NAMES
    taken = set(dataset.column_names)
    renamed = []
    for name in dataset.column_names:
        while name in ADDED or (name not in dataset.column_names and name in taken):
            name = f"source_{name}"
        renamed.append(name)
    partial, writer = path.with_name(f"{path.name}.partial"), None
    try:
        for start in range(0, len(dataset), WRITTEN_ROWS):
            rows = slice(start, min(start + WRITTEN_ROWS, len(dataset)))
            table = dataset.with_format("arrow")[rows].rename_columns(renamed)
            own = labels[rows].tolist()
            table = table.append_column("cluster", pa.array(own, pa.int32()))
            table = table.append_column("name", pa.array([names[label] for label in own], pa.string()))
            for name, values in (("score", assignment.scores[rows]), ("margin", assignment.margins[rows])):
                array = pa.array(values.astype(np.float32), mask=np.isnan(values))
                table = table.append_column(name, array)
            table = table.replace_schema_metadata()
            writer = writer or pq.ParquetWriter(partial, table.schema)
            writer.write_table(table)
    finally:
        if writer:
            writer.close()
    partial.replace(path)


def write_clusters(path: Path, discovery: RelationDiscovery, num_examples: int = 3) -> None:
    """Writes a line a cluster as CSV: name, size, share, type pairs, trigger words and examples.

    The rows that belong to no cluster and those that were skipped have lines of their own, so that sizes add up.
    """
    labels = discovery.labels_
    columns = ["cluster", "name", "size", "share", "type_pairs", "trigger_words"]
    columns += [f"{kind}_{number}" for kind in ("central", "doubtful") for number in range(1, num_examples + 1)]
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for number, cluster in enumerate(discovery.clusters_):
            row = {"cluster": number, "name": cluster.name, "size": cluster.size, "share": cluster.size / len(labels)}
            row["type_pairs"] = "; ".join(f"{pair} {count}" for pair, count in cluster.type_pairs.items())
            row["trigger_words"] = ", ".join(cluster.words)
            for kind, texts in (("central", cluster.examples), ("doubtful", cluster.doubtful)):
                row |= {f"{kind}_{place}": text for place, text in enumerate(texts[:num_examples], 1)}
            writer.writerow(row)
        for label, name in NAMES.items():
            if size := int((labels == label).sum()):
                writer.writerow({"cluster": label, "name": name, "size": size, "share": size / len(labels)})
    partial.replace(path)


def write_model(discovery: RelationDiscovery, folder: Path, name: str, data_name: str) -> None:
    """Writes model, tokenizer and card, ready for the Auto classes and for `push_to_hub`."""
    discovery.save_pretrained(folder)
    trainer = discovery.trainer(folder)
    trainer.clusters, trainer.train_dataset = discovery.clusters_, discovery.labels_
    encoder = None if discovery.model else discovery.read_recipe()["model_name_or_path"]
    write_model_card(trainer, name, {}, data_name, encoder, is_trained=discovery.train)

"""Facts as tables: triples, and the files of Neo4j's importer."""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..utils.escaping import spreadsheet_cell
from ..utils.files import atomic_path
from .facts import Fact, FactStore

_TRIPLES = pa.schema(
    [
        *((name, pa.string()) for name in ("head", "relation", "tail", "head_type", "tail_type")),
        ("support", pa.int32()),
        ("mean_score", pa.float32()),
        ("evidence", pa.list_(pa.string())),
    ]
)


def write_triples(store: FactStore, path: Path, **limits: Any) -> None:
    """Write one line per pair of entities and relation, as Parquet or as CSV.

    In CSV the evidence is a JSON list, and text that a spreadsheet would take for a formula has an
    apostrophe before it.

    Args:
        store: The facts.
        path: Where, by its ending; whole or not there.
        limits: Of `FactStore.facts`.

    Raises:
        ValueError: The path has another ending.
    """
    rows = map(_as_row, store.facts(**limits))
    with atomic_path(path) as partial:
        if path.suffix == ".parquet":
            with pq.ParquetWriter(partial, _TRIPLES) as writer:
                while batch := list(islice(rows, 10_000)):
                    writer.write_table(pa.Table.from_pylist(batch, _TRIPLES))
        elif path.suffix == ".csv":
            _write_csv(partial, _TRIPLES.names, map(_as_cells, rows))
        else:
            raise ValueError(f"{path}: triples are .csv or .parquet; give one of these endings")


def _as_row(fact: Fact) -> dict[str, Any]:
    return {
        "head": fact.head.name,
        "relation": fact.relation,
        "tail": fact.tail.name,
        "head_type": fact.head.type,
        "tail_type": fact.tail.type,
        "support": fact.support,
        "mean_score": fact.mean_score,
        "evidence": fact.evidence,
    }


def _as_cells(row: dict[str, Any]) -> Iterator[Any]:
    for value in row.values():
        if isinstance(value, list):
            value = json.dumps(value, ensure_ascii=False)
        yield spreadsheet_cell(value) if isinstance(value, str) else value


def _write_csv(path: Path, header: Iterable[str], lines: Iterable[Iterable[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def write_neo4j(store: FactStore, folder: Path, **limits: Any) -> None:
    """Write `nodes.csv` and `relationships.csv` for Neo4j's importer, and `load.cypher` for others.

    Args:
        store: The facts.
        folder: Where; it is there, and empty.
        limits: Of `FactStore.facts`.
    """
    types = {cluster: relation_type(name) for cluster, name in unique_names(store.names).items()}
    nodes = (
        (entity.id, entity.name, f"Entity;{_label(entity.type)}" if entity.type else "Entity")
        for entity in store.entities()
    )
    _write_csv(folder / "nodes.csv", ("id:ID", "name", ":LABEL"), nodes)
    edges = (
        (
            fact.head.id,
            fact.tail.id,
            types[fact.cluster],
            fact.relation,
            fact.support,
            fact.mean_score,
            json.dumps(fact.evidence, ensure_ascii=False),
        )
        for fact in store.facts(**limits)
    )
    columns = ("name", "support:int", "score:float", "evidence")
    _write_csv(folder / "relationships.csv", (":START_ID", ":END_ID", ":TYPE", *columns), edges)
    (folder / "load.cypher").write_text(_cypher(sorted(types.values())), encoding="utf-8")


def _label(entity_type: str) -> str:
    """Return a label without the character that separates labels."""
    return entity_type.replace(";", ",")


def unique_names(names: dict[int, str]) -> dict[int, str]:
    """Return names of which no two give the same type of relationship."""
    seen: dict[str, int] = {}
    unique = {}
    for cluster, name in sorted(names.items()):
        key = relation_type(name)
        seen[key] = seen.get(key, 0) + 1
        unique[cluster] = name if seen[key] == 1 else f"{name} {seen[key]}"
    return unique


def relation_type(name: str) -> str:
    """Return the name of a relation as a type of relationship is written.

    >>> relation_type("PERSON→CITY · was born in, ← birthplace of")
    'PERSON_CITY_WAS_BORN_IN_BIRTHPLACE_OF'
    """
    return re.sub(r"\W+", "_", name).strip("_").upper() or "RELATED"


def _cypher(types: list[str]) -> str:
    """Return statements that load both files where the importer can't run."""
    lines = [
        "// Put nodes.csv and relationships.csv into the database's folder import, then run this.",
        "CREATE CONSTRAINT entity_id IF NOT EXISTS FOR (n:Entity) REQUIRE n.id IS UNIQUE;",
        "LOAD CSV WITH HEADERS FROM 'file:///nodes.csv' AS row",
        "CALL (row) { MERGE (n:Entity {id: toInteger(row.`id:ID`)}) SET n.name = row.name }",
        "IN TRANSACTIONS;",
    ]
    for name in types:
        lines += [
            "LOAD CSV WITH HEADERS FROM 'file:///relationships.csv' AS row",
            f"WITH row WHERE row.`:TYPE` = '{name}'",
            "CALL (row) {",
            "  MATCH (head:Entity {id: toInteger(row.`:START_ID`)})",
            "  MATCH (tail:Entity {id: toInteger(row.`:END_ID`)})",
            f"  MERGE (head)-[r:`{name}`]->(tail)",
            "  SET r.name = row.name, r.support = toInteger(row.`support:int`),",
            "      r.score = toFloat(row.`score:float`), r.evidence = row.evidence",
            "} IN TRANSACTIONS;",
        ]
    return "\n".join([*lines, ""])

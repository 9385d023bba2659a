"""Export a discovery to the formats of other tools."""

import tempfile
from pathlib import Path
from typing import Any

from ..clustering.storage import load_clusters
from ..configuration_siamure import SiamUREConfig
from ..utils.files import lock_file, replace_flushed
from .facts import FactStore, read_facts
from .networks import write_graphml, write_rdf
from .schema import write_gliner, write_labelstudio, write_prodigy, write_schema
from .tables import write_neo4j, write_triples

# What each format is written to, beside the discovery.
FORMATS = {
    "triples": "triples.csv",
    "graphml": "graph.graphml",
    "turtle": "graph.ttl",
    "jsonld": "graph.jsonld",
    "neo4j": "neo4j",
    "schema": "schema.json",
    "labelstudio": "labelstudio.json",
    "prodigy": "prodigy.jsonl",
    "gliner": "gliner.json",
}


def export(
    folder: str | Path,
    to: str,
    output: str | Path | None = None,
    min_score: float = 0.0,
    min_support: int = 1,
    merges_inverses: bool = False,
) -> Path:
    """Export a discovery.

    Args:
        folder: Of `siamure discover` or `siamure edit`.
        to: One of `FORMATS`. A graph has a fact per pair of entities and relation; spellings of a
            name that differ in case, spaces or a possessive are one entity, of each entity type,
            and columns `head_id` and `tail_id` count where rows have them.
        output: The file, or the folder for `neo4j`; it must not be there yet. By default it lies in
            the folder, under the name that `FORMATS` gives.
        min_score: The least mean score of a fact.
        min_support: The least number of sentences of a fact.
        merges_inverses: Whether relations that are inverse to one another become one (see
            `FactStore.find_inverses`).

    Returns:
        Where the export is.

    Raises:
        ValueError: The folder holds no discovery, or there is no such format.
        FileExistsError: The output is there already.
        ImportError: The format needs a library that is not installed.
    """
    folder = Path(folder)
    if to not in FORMATS:
        raise ValueError(f"format {to!r}: it must be one of {', '.join(FORMATS)}")
    assignments = folder / "assignments.parquet"
    if not assignments.exists():
        raise ValueError(
            f"{folder} holds no assignments.parquet; give the output folder of siamure discover"
        )
    path = folder / FORMATS[to] if output is None else Path(output)
    if path.exists():
        raise FileExistsError(f"{path} is there already; give another --output, or remove it")
    model = folder / "model"
    clusters = load_clusters(str(model), SiamUREConfig.from_pretrained(model))
    limits: dict[str, Any] = {"min_score": min_score, "min_support": min_support}

    def write(store: FactStore, partial: Path) -> None:
        match to:
            case "triples":
                write_triples(store, path, **limits)
            case "graphml":
                write_graphml(store, path, **limits)
            case "turtle":
                write_rdf(store, path, "turtle", **limits)
            case "jsonld":
                write_rdf(store, path, "json-ld", **limits)
            case "neo4j":
                partial.mkdir()
                write_neo4j(store, partial, **limits)
                replace_flushed(partial, path)
            case "schema":
                write_schema(store, clusters, path)
            case "labelstudio":
                write_labelstudio(clusters, path)
            case "prodigy":
                write_prodigy(clusters, path)
            case _:
                write_gliner(clusters, path)

    with (
        lock_file(path, "--output"),
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".siamure-") as work,
        read_facts(assignments, Path(work, "facts.db"), merges_inverses) as store,
    ):
        write(store, Path(work, "export"))
    return path

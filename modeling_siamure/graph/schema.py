"""The relations themselves: a schema, labels for zero-shot extractors, tasks for annotators."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..clustering.descriptions import ClusterDescription
from ..markers import MarkedSentence, read_markers
from ..utils.files import atomic_write
from .facts import FactStore


def write_schema(store: FactStore, clusters: Sequence[ClusterDescription], path: Path) -> None:
    """Write each relation with its phrases, and the entity types of its heads and tails, as JSON.

    Args:
        store: The facts.
        clusters: The clusters, by their numbers.
        path: Where; whole or not there.
    """
    relations = []
    for number, cluster in enumerate(clusters):
        if number not in store.names:  # merged into its inverse, or without a sentence
            continue
        pairs = store.type_pairs(number)
        total = sum(count for *_, count in pairs)
        inverse = store.inverses.get(number)
        relations.append(
            {
                "id": number,
                "name": cluster.name,
                "description": ", ".join(cluster.words),
                "sentences": total,
                "types": [
                    {"head": head, "tail": tail, "share": round(count / total, 4)}
                    for head, tail, count in pairs
                ],
                "inverse_of": None if inverse is None else clusters[inverse].name,
            }
        )
    _write_json(path, {"relations": relations})


def write_gliner(clusters: Sequence[ClusterDescription], path: Path) -> None:
    """Write the labels that zero-shot extractors take: the entity types, and the relations.

    Args:
        clusters: The clusters.
        path: Where; whole or not there.
    """
    pairs = [pair.split("→", 1) for cluster in clusters for pair in cluster.type_pairs]
    types = sorted({entity_type for pair in pairs for entity_type in pair} - {"entity"})
    relations = [
        {
            "relation": ", ".join(cluster.words[:2]) or cluster.name,
            "name": cluster.name,
            "pairs_filter": [
                pair.split("→", 1) for pair in cluster.type_pairs if pair != "entity→entity"
            ],
        }
        for cluster in clusters
    ]
    _write_json(path, {"labels": types, "relations": relations})


def write_labelstudio(clusters: Sequence[ClusterDescription], path: Path) -> None:
    """Write the central and borderline sentences of each cluster as tasks of Label Studio.

    Both mentions and the relation are predictions, which an annotator confirms or corrects. The
    labeling configuration needs `<Labels name="label" toName="text">` and
    `<Relations><Relation value="..."/></Relations>`; docs/export.md has one.

    Args:
        clusters: The clusters.
        path: Where; whole or not there.
    """
    tasks = []
    for cluster, kind, marked in _sentences(clusters):
        regions = [
            {
                "id": role,
                "from_name": "label",
                "to_name": "text",
                "type": "labels",
                "value": {
                    "start": start,
                    "end": end,
                    "text": marked.sentence[start:end],
                    "labels": [entity_type or "entity"],
                },
            }
            for role, (start, end), entity_type in _mentions(marked)
        ]
        relation = {
            "type": "relation",
            "from_id": "head",
            "to_id": "tail",
            "direction": "right",
            "labels": [cluster.name],
        }
        tasks.append(
            {
                "data": {"text": marked.sentence, "cluster": cluster.name, "kind": kind},
                "predictions": [{"model_version": "siamure", "result": [*regions, relation]}],
            }
        )
    _write_json(path, tasks)


def write_prodigy(clusters: Sequence[ClusterDescription], path: Path) -> None:
    """Write the central and borderline sentences of each cluster as tasks of Prodigy's rel.manual.

    Args:
        clusters: The clusters.
        path: JSON lines; whole or not there.
    """
    lines = []
    for cluster, kind, marked in _sentences(clusters):
        spans = [
            {"start": start, "end": end, "label": entity_type or "entity"}
            for _, (start, end), entity_type in _mentions(marked)
        ]
        relation = {"head_span": spans[0], "child_span": spans[1], "label": cluster.name}
        task = {
            "text": marked.sentence,
            "spans": spans,
            "relations": [relation],
            "meta": {"cluster": cluster.name, "kind": kind},
        }
        lines.append(json.dumps(task, ensure_ascii=False))
    atomic_write(path, "".join(f"{line}\n" for line in lines))


def _sentences(
    clusters: Sequence[ClusterDescription],
) -> Iterator[tuple[ClusterDescription, str, MarkedSentence]]:
    for cluster in clusters:
        kinds = {"central": cluster.examples, "borderline": cluster.borderline_examples}
        shown = set()
        for kind, texts in kinds.items():
            for text in texts:
                if text not in shown:
                    yield cluster, kind, read_markers(text)
                shown.add(text)


def _mentions(marked: MarkedSentence) -> list[tuple[str, tuple[int, int], str | None]]:
    return [("head", marked.head, marked.head_type), ("tail", marked.tail, marked.tail_type)]


def _write_json(path: Path, content: Any) -> None:
    atomic_write(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")

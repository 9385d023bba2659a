"""The JSON of Label Studio: regions of a text with labels, and relations between regions."""

from typing import Any

from ..annotations import AnnotatedRecords, Document
from ..schema import DataError, get


class LabelStudio(AnnotatedRecords):
    """Tasks such as `{"data": {"text": ...}, "annotations": [{"result": [...]}]}`.

    Of a task with several annotations, the ground truth is read, else the first that is not
    canceled; predictions where nobody annotated. The text is `data.text`, else the longest string
    of `data`. Tasks of the export JSON-MIN, which has no relations, are read, too.
    """

    HOMEPAGE = "https://labelstud.io/guide/export"

    def _read(self, number: int, record: dict[str, Any]) -> Document:
        regions, notes = _regions(record)
        is_full = isinstance(record.get("data"), dict)
        text = _text(record["data"] if is_full else record)
        document = Document(str(record.get("id", number)), text, self.config.offsets)
        document.notes += notes
        relations = []
        for place, region in enumerate(regions):
            with document.errors_at(number):
                if get(region, "type", str, optional=True) == "relation":
                    relations.append(region)
                else:
                    _add_entity(document, region, place)
        for region in relations:
            with document.errors_at(number):
                _add_relation(document, region)
        return document


def _regions(record: dict[str, Any]) -> tuple[list, list[str]]:
    """Return the regions of the annotation to read, and what is worth knowing about the choice."""
    if not isinstance(record.get("data"), dict):
        # JSON-MIN: the values of each label stand under the name of its tag.
        lists = (value for value in record.values() if isinstance(value, list))
        values = (entry for entries in lists for entry in entries if isinstance(entry, dict))
        return [{"value": value} for value in values if "labels" in value], []
    versions = get(record, "annotations", list, optional=True)
    versions = versions or get(record, "completions", list, optional=True) or []
    kept = [version for version in versions if not get_flag(version, "was_cancelled")]
    notes = []
    if not kept and (predictions := get(record, "predictions", list, optional=True)):
        kept = predictions[:1]
        notes.append("task without annotations: its prediction is read")
    if len(kept) > 1:
        notes.append("task with several annotations: one is read")
    if not kept:
        return [], ["task without annotations"]
    truths = [version for version in kept if get_flag(version, "ground_truth")]
    return get((truths or kept)[0], "result", list, optional=True) or [], notes


def get_flag(version: Any, field: str) -> bool:
    """Return whether an annotation says that something is true of it."""
    if not isinstance(version, dict):
        raise DataError("annotations", "is not an object", "export the project again", got=version)
    return bool(version.get(field))


def _text(data: dict[str, Any]) -> str:
    texts = {name: value for name, value in data.items() if isinstance(value, str)}
    if "text" not in texts and not texts:
        fix = "give tasks with a text; audio and pictures have none"
        raise DataError("data", "holds no text", fix, got=", ".join(map(str, data)))
    return texts.get("text") or max(texts.values(), key=len)


def _add_entity(document: Document, region: dict[str, Any], place: int) -> None:
    value = get(region, "value", dict)
    labels = value.get("labels")
    if not isinstance(labels, list) or type(value.get("start")) is not int:
        document.notes.append("region that marks no characters of the text: ignored")
        return
    if len(labels) > 1:
        document.notes.append("region with several labels: the first one is its type")
    entity_type = get({"labels": labels[0]}, "labels", str) if labels else None
    name = get(value, "text", str, optional=True)
    key = get(region, "id", str, optional=True) or place
    document.add_entity(key, value["start"], value.get("end"), entity_type, name)


def _add_relation(document: Document, region: dict[str, Any]) -> None:
    head, tail = get(region, "from_id", str), get(region, "to_id", str)
    if region.get("direction") == "left":
        head, tail = tail, head
    labels = get(region, "labels", list, optional=True) or [None]
    for label in labels:
        label = get({"labels": label}, "labels", str, optional=True)
        document.add_relation(head, tail, label)

"""The JSON lines of Prodigy: tasks with spans and relations."""

from typing import Any

from ..annotations import AnnotatedRecords, Document
from ..schema import DataError, get

# A span of characters; spans have no ids.
Span = tuple[int, int]


class Prodigy(AnnotatedRecords):
    """Lines such as `{"text", "tokens", "spans": [{"start", "end", "label"}], "relations"}`.

    A relation names its spans as `head_span` and `child_span`, or by `head` and `child`, the
    indices of tokens in them. Tasks that were rejected or ignored are left out and counted.
    """

    HOMEPAGE = "https://prodi.gy/docs/api-interfaces"

    def _read(self, number: int, record: dict[str, Any]) -> Document | None:
        answer = get(record, "answer", str, optional=True) or "accept"
        if answer != "accept":
            self.drop(f"task with the answer {answer}")
            return None
        document = Document(str(number), get(record, "text", str), self.config.offsets)
        for span in get(record, "spans", list, optional=True) or []:
            with document.errors_at(number):
                _add_entity(document, span)
        for relation in get(record, "relations", list, optional=True) or []:
            with document.errors_at(number):
                head, tail = (_span(document, record, relation, role) for role in ("head", "child"))
                document.add_relation(head, tail, get(relation, "label", str, optional=True))
        return document


def _add_entity(document: Document, span: Any) -> Span:
    """Add a span, unless it is there already, and return its key."""
    key = get(span, "start", int), get(span, "end", int)
    if key not in document.entities:
        document.add_entity(key, *key, get(span, "label", str, optional=True))
    return key


def _span(document: Document, record: dict[str, Any], relation: Any, role: str) -> Span:
    """Return the key of the head or the child of a relation; it may be no span of the task."""
    if (span := get(relation, f"{role}_span", dict, optional=True)) is not None:
        return _add_entity(document, span)
    index = get(relation, role, int)
    tokens = get(record, "tokens", list)
    if not 0 <= index < len(tokens):
        problem = "names a token that does not exist"
        raise DataError("relations", problem, "count tokens from 0", got=index)
    start, end = get(tokens[index], "start", int), get(tokens[index], "end", int)
    around = (key for key in document.raw_offsets if key[0] <= start and end <= key[1])
    return next(around, None) or _add_entity(document, {"start": start, "end": end})

"""The JSON lines of doccano: a text with spans, and relations between spans."""

from typing import Any

from ..annotations import AnnotatedRecords, Document
from ..schema import DataError, get


class Doccano(AnnotatedRecords):
    """Lines with `entities` and `relations`, or with spans alone.

    - `{"text", "entities": [{"id", "start_offset", "end_offset", "label"}], "relations":
      [{"from_id", "to_id", "type"}]}`
    - `{"text", "label": [[start, end, type]]}`; the list may be called `labels`, too.
    """

    HOMEPAGE = "https://doccano.github.io/doccano"

    def _read(self, number: int, record: dict[str, Any]) -> Document:
        text = get(record, "data" if "text" not in record and "data" in record else "text", str)
        document = Document(str(record.get("id", number)), text, self.config.offsets)
        for entity in get(record, "entities", list, optional=True) or []:
            with document.errors_at(number):
                start, end = get(entity, "start_offset", int), get(entity, "end_offset", int)
                label = get(entity, "label", str, optional=True)
                document.add_entity(get(entity, "id", int), start, end, label)
        field = "label" if "label" in record else "labels"
        for place, span in enumerate(get(record, field, list, optional=True) or []):
            with document.errors_at(number):
                if not isinstance(span, list) or len(span) != 3 or not isinstance(span[2], str):
                    fix = "give [start, end, type]; classes of whole texts mark no entities"
                    raise DataError(field, "holds something that is no span", fix, got=span)
                document.add_entity(f"{field}{place}", *span)
        for relation in get(record, "relations", list, optional=True) or []:
            with document.errors_at(number):
                head, tail = get(relation, "from_id", int), get(relation, "to_id", int)
                document.add_relation(head, tail, get(relation, "type", str, optional=True))
        return document

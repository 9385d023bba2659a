"""The columns of your own files, and their usual names."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from .schema import FEATURES, DataError, is_missing

COLUMNS = (*FEATURES, "tokens")
SENTENCES = ("sentence", "tokens", "text")
_ROLES = {
    "head": ("subj", "subject", "e1", "entity1", "entity_1", "ent1", "arg1", "head_entity", "h"),
    "tail": ("obj", "object", "e2", "entity2", "entity_2", "ent2", "arg2", "tail_entity", "t"),
}
# Usual names of the field, for columns that a row lacks under the name of the schema.
_ALIASES = {
    "sentence": ("sent", "sentText", "sentence_text"),
    "tokens": ("token", "words"),
    "relation": ("label", "rel"),
    **{
        f"{role}{suffix}": tuple(f"{alias}{suffix}" for alias in aliases)
        for role, aliases in _ROLES.items()
        for suffix in ("", "_type", "_start", "_end")
    },
}


# Those of triples, which have no relation by its usual names: it is their predicate.
TRIPLE_ALIASES = {
    "sentence": ("evidence", "text", "sent", "sentText", "context", "quote", "passage", "chunk"),
    "predicate": ("pred", "relation", "rel", "relationship", "relation_type", "verb", "edge")
    + ("property", "type", "label", "p", "r"),
    **{name: _ALIASES[name] for name in ("head_type", "tail_type")},
    "head": (*_ROLES["head"], "s", "source", "from"),
    "tail": (*_ROLES["tail"], "o", "target", "to"),
}


def is_triple(record: dict[str, Any]) -> bool:
    """Return whether an object is a triple of an extractor, and no pair of mentions with a label.

    >>> is_triple({"subject": "Ada", "predicate": "runs", "object": "Acme"})
    True
    >>> is_triple({"subject": "Ada", "object": "Acme", "text": "Ada runs Acme", "relation": "r"})
    False
    """
    ends = [{role, *TRIPLE_ALIASES[role]} & record.keys() for role in ("head", "tail")]
    if not all(names and isinstance(record[min(names)], str) for names in ends):
        return False
    if record.keys() & {"predicate", "pred", "verb"} or {"arg1", "rel", "arg2"} <= record.keys():
        return True
    texts = {*SENTENCES, *_ALIASES["sentence"], *_ALIASES["tokens"]}
    names = ("relation", "rel", "relationship", "type")
    return record.keys().isdisjoint(texts) and not record.keys().isdisjoint(names)


def rename_columns(
    raw: dict[str, Any],
    columns: dict[str, str],
    prefers_mapped_text: bool = False,
    aliases: Mapping[str, tuple[str, ...]] = _ALIASES,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of a row under the names of the schema, without missing ones.

    Args:
        raw: The row.
        columns: Name in the schema to the name in the file, as the user gives them.
        prefers_mapped_text: Whether a column that the user names is the text, whatever else the
            file calls one.
        aliases: Usual names of columns that a row lacks under the name of the schema.

    Returns:
        The values, and the names in the file of those that have another one there.

    Raises:
        DataError: A column that the user names does not exist.

    >>> rename_columns({"text": "Ada left Acme", "e1": "Ada", "e2": "Acme", "label": 3}, {})[1]
    {'relation': 'label', 'head': 'e1', 'tail': 'e2'}
    """
    known = dict.fromkeys([*COLUMNS, *aliases])
    row = {column: raw[column] for column in known if not is_missing(raw.get(column))}
    if prefers_mapped_text and {"text", "sentence"} & set(columns):
        for column in SENTENCES:
            row.pop(column, None)
    names = dict(columns)
    for column, name in columns.items():
        if name not in raw:
            fix = f"correct the mapping of {column!r} in columns; {list_columns(raw)}"
            raise DataError(name, "is missing", fix)
        row[column] = raw[name]
    has_sentence = any(column in row for column in SENTENCES)
    for column, usual in aliases.items():
        if column in row or column in columns or (has_sentence and column in SENTENCES):
            continue
        for name in usual:
            if not is_missing(raw.get(name)):
                row[column] = raw[name]
                names[column] = name
                break
    row = {column: value for column, value in row.items() if not is_missing(value)}
    for role in _ROLES:
        if isinstance(row.get(role), dict | list):
            row |= _read_entity(row.pop(role), role)
    return row, names


def _read_entity(entity: Any, role: str) -> dict[str, Any]:
    """Return what an entity says that is a value of its own, under the names of the schema.

    These are OpenNRE's `{"name", "pos": [start, end]}`, FewRel's `[name, id, [[token indices]]]`
    and `{"text", "indices": [[token indices]]}`, and spans such as `{"start", "end", "label"}`.

    Raises:
        DataError: It is none of these.
    """
    if isinstance(entity, list) and len(entity) == 3:
        entity = {"indices": entity[2]}
    if not isinstance(entity, dict):
        problem = "is neither a string nor an entity"
        raise DataError(
            role, problem, 'write it as the sentence does, or {"start": 0, "end": 7}', entity
        )
    start, end = entity.get("start"), entity.get("end")
    if isinstance(span := entity.get("pos"), list) and len(span) == 2:
        start, end = span
    indices = entity.get("indices")
    if isinstance(indices, list) and indices and isinstance(indices[0], list) and indices[0]:
        start, end = indices[0][0], indices[0][-1]
        end = end + 1 if type(end) is int else end
    values = {f"{role}_start": start, f"{role}_end": end}
    if start is None or end is None:
        # Beside offsets a name is often the one of a knowledge base.
        names = ("name", "text", "word")
        values[role] = next((entity[name] for name in names if name in entity), None)
    kinds = (entity.get(name) for name in ("type", "label", "entity_group"))
    entity_type = next((kind for kind in kinds if kind is not None), None)
    # FewRel on the hub writes the id of Wikidata where others have a type.
    if not (isinstance(entity_type, str) and re.fullmatch(r"Q[0-9]+", entity_type)):
        values[f"{role}_type"] = entity_type
    return {column: value for column, value in values.items() if not is_missing(value)}


def list_columns(raw: dict[str, Any], max_columns: int = 20) -> str:
    """Return in words which columns a row has.

    >>> list_columns({"body": "Ada left Acme", "who": "Ada"})
    'its columns are body, who'
    """
    names = [str(name) for name in raw]
    more = ", ..." if len(names) > max_columns else ""
    return f"its columns are {', '.join(names[:max_columns])}{more}"


def free_name(name: str, reserved: Collection[str], taken: Collection[str]) -> str:
    """Return the name of a column of the source beside ours, with `source_` in front where needed.

    Args:
        name: The column.
        reserved: Names that are ours.
        taken: Names of all columns of the source.

    >>> free_name("name", {"name"}, {"name", "source_name"})
    'source_source_name'
    """
    if name not in reserved:
        return name
    while name in reserved or name in taken:
        name = f"source_{name}"
    return name

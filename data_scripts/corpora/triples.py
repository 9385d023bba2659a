"""Triples of a language model or an OpenIE system: subject, predicate, object and evidence."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from ..columns import COLUMNS, TRIPLE_ALIASES, rename_columns
from ..formats import advise
from ..schema import DataError, Instance, Mention, get, get_text
from .table import UserFile, UserFileConfig

_WORD_ENDS = re.compile(r"[_\s]+|(?<=[a-z])(?=[A-Z])")


@dataclass
class TriplesConfig(UserFileConfig):
    """Adds the column `predicate`; `sentence` is the evidence."""

    _COLUMNS: ClassVar = (*COLUMNS, "predicate")


class Triples(UserFile):
    """One row per triple; files and further columns as of `UserFile`.

    The text of a row is the triple as a sentence, whose mentions are subject and object, and the
    evidence behind it, if there is any: so the predicate stands between the mentions, where the
    embedding and the names of clusters look first. Nothing has to occur in the evidence. Predicates
    such as `WORKS_FOR` and `worksFor` are written as words.

    The columns are `head`, `predicate`, `tail` and `sentence` (the evidence), or their usual names
    (`subject`, `relation`, `object`, `evidence`, `text` and the like). Beside a `predicate`,
    `relation` is a gold label.
    """

    BUILDER_CONFIG_CLASS = TriplesConfig
    ADDED = ("predicate",)
    UNIT = "triples"

    def _rename_columns(self, raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        columns = dict(self.config.columns or {})
        if raw.get("evidence") and not columns.keys() & {"sentence", "text"}:
            columns["sentence"] = "evidence"
        row, names = rename_columns(raw, columns, True, TRIPLE_ALIASES)
        if names.get("predicate") == "relation":
            row.pop("relation", None)
        return row, names

    def _locate_mentions(
        self, raw: dict[str, Any], row: dict[str, Any], names: dict[str, str]
    ) -> Instance:
        for field in ("head", "predicate", "tail"):
            if field not in row:
                raise DataError(field, "is missing", advise(raw))
        head, tail = (" ".join(get_name(row, field).split()) for field in ("head", "tail"))
        predicate = get_name(row, "predicate")
        triple = f"{head} {predicate_words(predicate)} {tail}"
        evidence = _evidence(row)
        return Instance(
            None,
            f"{triple}. {evidence}" if evidence else f"{triple}.",
            Mention(0, len(head)),
            Mention(len(triple) - len(tail), len(triple)),
            [],
            {"predicate": predicate},
        )


def get_name(row: dict[str, Any], field: str) -> str:
    """Return a name, which may be a number such as a year."""
    name = get_text(row, field)
    if name is None or not name.strip(" _"):
        raise DataError(field, "is empty", "name it", got=row.get(field))
    return name


def _evidence(row: dict[str, Any]) -> str:
    field = next((name for name in ("sentence", "text", "tokens") if name in row), None)
    if field is None:
        return ""
    value = row[field]
    sentences = value if isinstance(value, list) else [value]
    return " ".join(get({field: sentence}, field, str).strip() for sentence in sentences)


def predicate_words(predicate: str) -> str:
    """Return a predicate as words: without underscores, camel case and capitals alone.

    >>> [predicate_words(name) for name in ("WORKS_FOR", "worksFor", "works for NASA")]
    ['works for', 'works for', 'works for NASA']
    """
    words = [word for word in _WORD_ENDS.split(predicate) if word]
    is_one_name = not re.search(r"\s", predicate.strip())
    return " ".join(word.lower() if is_one_name else word for word in words)

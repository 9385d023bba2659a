"""Your own data: JSON, JSON lines, CSV, TSV or Parquet, with columns mapped to the schema."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import datasets

from modeling_siamure.markers import MARKER, read_markers

from ..builder import RelationBuilder, RelationConfig
from ..files import read_rows
from ..schema import (
    FEATURES,
    Characters,
    DataError,
    Instance,
    Mention,
    Tokens,
    find_mentions,
    get,
    get_text,
    is_utf8,
    mention_at_offsets,
)

_COLUMNS = (*FEATURES, "tokens")
_OFFSETS = ("head_start", "head_end", "tail_start", "tail_end")


@dataclass
class UserFileConfig(RelationConfig):
    """Adds a mapping of columns, and the choice to keep every row.

    Args:
        columns: Name in the schema, or `tokens`, to the name in the file, such as
            `{"sentence": "body"}`.
        keep_all_rows: Whether to return one row for each row of the file, in its order, as
            `siamure discover` and `siamure assign` need. Columns that are read under another name
            are then carried along too. With `on_error="skip"`, a row that can't be read has no
            `text`, and a further column `problem` says why.
    """

    FILES: ClassVar = {
        split: rf"{split}\.(jsonl|json|csv|tsv|parquet)"
        for split in ("train", "validation", "test")
    }

    columns: dict[str, str] | None = None
    keep_all_rows: bool = False

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.columns or {}, dict):
            raise ValueError(
                f"columns is {self.columns!r}; map names of the schema to those of the file"
            )
        if unknown := sorted(set(self.columns or ()) - set(_COLUMNS)):
            raise ValueError(f"columns maps {unknown[0]!r}, which is none of {', '.join(_COLUMNS)}")
        if not isinstance(self.keep_all_rows, bool):
            raise ValueError(f"keep_all_rows is {self.keep_all_rows!r}; choose True or False")

    @property
    def reports_problems(self) -> bool:
        """Whether the rows have a column `problem`."""
        return self.keep_all_rows and self.on_error == "skip"


class UserFile(RelationBuilder):
    """One row per pair of mentions, in the first of these forms that a row has.

    - `sentence` with `head_start`, `head_end`, `tail_start`, `tail_end`: characters, ends
      exclusive;
    - `tokens`, a list of words (in CSV: words separated by spaces), with the same four: tokens,
      ends exclusive;
    - `text` that holds markers already, such as
      `<e1:PERSON> Ada Roe </e1:PERSON> leads <e2> Acme </e2>`;
    - `sentence`, `tokens` or `text`, with `head` and `tail` as strings, which are looked for (see
      `find_mentions`).

    `head_type`, `tail_type`, `relation` and `id` may be missing or empty. Where `head` is given
    beside offsets, it must be what they mark, which detects inclusive ends. Further columns are
    carried along.
    """

    BUILDER_CONFIG_CLASS = UserFileConfig
    LICENSE = "That of your data."

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        paths = [path for files in self.config.sources().values() for path in files]
        self.extra_features = _infer_features(paths, self._schema_columns())
        features = {**FEATURES, **self.extra_features}
        if self.config.reports_problems:
            features["problem"] = datasets.Value("string")
        self.info.features = datasets.Features(features)
        return super()._split_generators(dl_manager)

    def _schema_columns(self) -> set[str]:
        """Return the columns of the file that are not carried along as further ones."""
        columns = set(FEATURES)
        if not self.config.keep_all_rows:
            columns |= set((self.config.columns or {}).values())
        if self.config.reports_problems:
            columns.add("problem")
        return columns

    def _iter_source(self, source: Path) -> Iterator[tuple[int, Any]]:
        return read_rows(source)

    def _to_instance(self, raw: dict[str, Any]) -> Instance:
        row = self._rename_columns(raw)
        extra = {
            name: _encode(raw.get(name), feature) for name, feature in self.extra_features.items()
        }
        if self.config.reports_problems:
            extra["problem"] = None
        sentence, head, tail = self._locate_mentions(row)
        head = head._replace(type=get_text(row, "head_type") or head.type)
        tail = tail._replace(type=get_text(row, "tail_type") or tail.type)
        relation = get_text(row, "relation")
        relations = [relation] if relation else []
        return Instance(get_text(row, "id"), sentence, head, tail, relations, extra)

    def _rename_columns(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a row under the names of the schema, without empty ones."""
        row = {column: raw[column] for column in _COLUMNS if raw.get(column) not in (None, "", [])}
        columns = self.config.columns or {}
        if self.config.keep_all_rows and {"text", "sentence"} & set(columns):
            # The column that the user names is the text, whatever else the file calls one.
            for column in ("sentence", "tokens", "text"):
                row.pop(column, None)
        for column, name in columns.items():
            if name not in raw:
                fix = f"correct the mapping of {column!r} in columns"
                raise DataError(name, "is missing", fix)
            row[column] = raw[name]
        return {column: value for column, value in row.items() if value is not None}

    def _locate_mentions(self, row: dict[str, Any]) -> tuple[str, Mention, Mention]:
        """Return the sentence of a row and its two mentions."""
        text: Characters | Tokens
        field = next((name for name in ("sentence", "tokens", "text") if name in row), None)
        if field is None:
            problem = "is missing or empty"
            fix = "give the sentence that holds both mentions"
            raise DataError("sentence", problem, fix)
        if field == "tokens":
            words = row["tokens"]
            text = Tokens(words.split(" ") if isinstance(words, str) else words)
        else:
            text = Characters(get(row, field, str))
        if any(row.get(offset) is not None for offset in _OFFSETS):
            head = mention_at_offsets(row, "head", text)
            tail = mention_at_offsets(row, "tail", text)
        elif field == "text" and MARKER.search(text.sentence):
            try:
                marked = read_markers(text.sentence)
            except ValueError as error:
                problem = "does not hold each of the four markers once"
                fix = "mark one head and one tail"
                raise DataError("text", problem, fix, got=str(error)) from None
            head = Mention(*marked.head, marked.head_type)
            tail = Mention(*marked.tail, marked.tail_type)
            return marked.sentence, head, tail
        else:
            names = get(row, "head", str), get(row, "tail", str)
            head, tail, ambiguous = find_mentions(text.sentence, *names)
            if ambiguous:
                self.note("an entity occurs more than once in the sentence: nearest pair taken")
        return text.sentence, head, tail

    def _default_id(self, split: str, position: int | str) -> str:
        return str(position) if self.config.keep_all_rows else super()._default_id(split, position)

    def _replace_bad_row(
        self, raw: Any, error: DataError, source: Any, position: int | str
    ) -> list[dict[str, Any]]:
        """Return a row that has its id, its further columns and the problem, if it has to stay."""
        if not self.config.keep_all_rows:
            return super()._replace_bad_row(raw, error, source, position)
        self._locate(error, source, position)
        raw = raw if isinstance(raw, dict) else {}
        row: dict[str, Any] = dict.fromkeys(FEATURES)
        for name, feature in self.extra_features.items():
            value = _encode(raw.get(name), feature)
            row[name] = _replace_surrogates(value) if isinstance(value, str) else value
        row["id"] = _replace_surrogates(str(raw.get("id") or position))
        row["problem"] = _replace_surrogates(str(error))
        return [row]


def _infer_features(paths: list[Path], schema_columns: set[str]) -> dict[str, Any]:
    """Return the further columns of all files and their types, from a first pass over the rows."""
    kinds: dict[str, set[str]] = {}
    for path in paths:
        for number, row in read_rows(path):
            if isinstance(row, DataError):
                continue
            for name in row.keys() - schema_columns:
                if name not in kinds and not is_utf8(name):
                    problem = "has a column whose name is not valid UTF-8"
                    fix = "save the file as UTF-8"
                    raise DataError(None, problem, fix, got=name, file=path, row=number)
                kinds.setdefault(name, set()).add(_kind(row[name]))
    return {name: _feature(kinds[name] - {"null"}) for name in sorted(kinds)}


def _feature(kinds: set[str]) -> Any:
    """Return the type of a column whose values have these kinds."""
    if kinds == {"int64", "float64"}:
        return datasets.Value("float64")
    kind = next(iter(kinds), "string") if len(kinds) < 2 else "json"
    return datasets.Json() if kind == "json" else datasets.Value(kind)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if type(value) is int and not -(2**63) <= value < 2**63:
        return "json"
    kinds = {str: "string", bool: "bool", int: "int64", float: "float64"}
    return kinds.get(type(value), "json")


def _encode(value: Any, feature: Any) -> Any:
    if value is None or not isinstance(feature, datasets.Json):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _replace_surrogates(text: str) -> str:
    """Return a string that can be stored as UTF-8."""
    return text.encode(errors="replace").decode()

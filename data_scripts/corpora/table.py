"""Your own data: JSON, JSON lines, CSV, TSV or Parquet, with columns mapped to the schema."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import datasets

from modeling_siamure.markers import MARKER, read_markers

from ..builder import RelationBuilder, RelationConfig, _empty_tally, to_row
from ..columns import COLUMNS, SENTENCES, free_name, rename_columns
from ..files import read_rows
from ..formats import advise
from ..schema import (
    BOUNDS,
    FEATURES,
    OFFSETS,
    Characters,
    DataError,
    Instance,
    Mention,
    Tokens,
    fitting_offsets,
    get,
    get_labels,
    get_offset,
    get_text,
    is_utf8,
    locate_mentions,
    may_be_missing,
)

# TACRED's and CORE's offsets have inclusive ends.
_INCLUSIVE = {"subj_end", "obj_end", "e1_end", "e2_end"}
_PLACEHOLDER = re.compile(r"@([A-Za-z][\w-]*)\$")
_OTHER_MARKERS = re.compile(r"\[(/?)E([12])\]|<(/?)E([12])>")


@dataclass
class UserFileConfig(RelationConfig):
    """Adds a mapping of columns, and the choice to keep every row.

    Args:
        columns: Name in the schema, or `tokens`, to the name in the file, such as
            `{"sentence": "body"}`.
        offsets: What the offsets count: `"characters"` (or tokens) from 0, ends exclusive, unless
            the names of the columns say something else; `"inclusive"` ends; `"one_based"`;
            `"one_based_inclusive"`; `"utf16"` units; `"bytes"` of UTF-8; `"lf"` or `"crlf"`, the
            characters of the text with such line ends.
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
    offsets: str | None = None
    keep_all_rows: bool = False

    _CHOICES: ClassVar = {**RelationConfig._CHOICES, "offsets": (None, *OFFSETS)}
    _COLUMNS: ClassVar = COLUMNS

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.columns or {}, dict):
            raise ValueError(
                f"columns is {self.columns!r}; map names of the schema to those of the file"
            )
        if unknown := sorted(set(self.columns or ()) - set(self._COLUMNS)):
            names = ", ".join(self._COLUMNS)
            raise ValueError(f"columns maps {unknown[0]!r}, which is none of {names}")
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
      `find_name`); beside a name, the start or the end says which place is meant;
    - a sentence with two placeholders for entities, such as `@GENE$`.

    `head_type`, `tail_type`, `relation` and `id` may be missing or empty; `relation` may be a list.
    Where `head` is given beside offsets, it must be what they mark, which detects inclusive ends.
    The usual names of the field are known too (`token`, `h` and `t` with `pos`, `subj_start`, `e1`,
    `label` and the like); what was read under which name is said in one line. Further columns are
    carried along.
    """

    BUILDER_CONFIG_CLASS = UserFileConfig
    LICENSE = "That of your data."
    ADDED: ClassVar[tuple[str, ...]] = ()  # columns of strings, beside those of the schema

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        paths = [path for files in self.config.sources().values() for path in files]
        further = _infer_features(paths, self._schema_columns())
        # Columns of the file give way where they have a name that the output needs.
        added = [*self.ADDED, *(["problem"] if self.config.reports_problems else [])]
        self.source_names = {free_name(name, added, further): name for name in further}
        self.extra_features = {name: further[self.source_names[name]] for name in self.source_names}
        features = {**FEATURES, **self.extra_features}
        features |= dict.fromkeys(added, datasets.Value("string"))
        self.info.features = datasets.Features(features)
        return super()._split_generators(dl_manager)

    def _schema_columns(self) -> set[str]:
        """Return the columns of the file that are not carried along as further ones."""
        columns = {*FEATURES, *self.ADDED}
        if not self.config.keep_all_rows:
            columns |= set((self.config.columns or {}).values())
        return columns

    def _iter_source(self, source: Path) -> Iterator[tuple[int, Any]]:
        return read_rows(source, self.doubt)

    def _to_instance(self, raw: dict[str, Any]) -> Instance:
        columns = self.config.columns or {}
        row, names = self._rename_columns(raw)
        instance = self._locate_mentions(raw, row, names)
        relations = get_labels(row, "relation")
        for label in filter(may_be_missing, relations):
            self.note(f"relation: {label!r} is kept as a label")
        renamed = {column: name for column, name in names.items() if column not in columns}
        if renamed:
            pairs = ", ".join(f"{name} as {column}" for column, name in renamed.items())
            self.tally["remarks"][f"read {pairs}; where that is wrong, map columns"] += 1
        extra = {**instance.extra, **self._extra_values(raw)}
        if self.config.reports_problems:
            extra["problem"] = None
        return instance._replace(
            id=get_text(row, "id"),
            head=instance.head._replace(type=get_text(row, "head_type") or instance.head.type),
            tail=instance.tail._replace(type=get_text(row, "tail_type") or instance.tail.type),
            relations=relations,
            extra=extra,
        )

    def _rename_columns(self, raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the values of a row under the names of the schema, see `rename_columns`."""
        return rename_columns(raw, self.config.columns or {}, self.config.keep_all_rows)

    def _locate_mentions(
        self, raw: dict[str, Any], row: dict[str, Any], names: dict[str, str]
    ) -> Instance:
        """Return the sentence of a row and its two mentions."""
        field = next((name for name in SENTENCES if name in row), None)
        if field is None:
            raise DataError("sentence", "is missing or empty", advise(raw))
        missing = [
            role
            for role in ("head", "tail")
            if not row.keys() & {role, f"{role}_start", f"{role}_end"}
        ]
        may_be_inclusive = not _INCLUSIVE.isdisjoint(names.values())
        text: Characters | Tokens
        spans: tuple = ()
        if field == "tokens" or isinstance(row[field], list):
            offsets = "inclusive" if may_be_inclusive else "characters"
            text = Tokens(_words(row[field]), field, self.config.offsets or offsets)
        else:
            sentence = get(row, field, str)
            has_offsets = bool(row.keys() & set(BOUNDS))
            marked = _OTHER_MARKERS.sub(_rewrite_marker, sentence)
            may_be_marked = (field == "text" and not has_offsets) or len(missing) == 2
            if may_be_marked and MARKER.search(marked):
                return _read_marked(field, marked)
            if len(missing) == 2 and len(places := list(_PLACEHOLDER.finditer(sentence))) == 2:
                self.tally["remarks"]["read @TYPE$ as the mentions, the first one as head"] = 1
                mentions = (Mention(*place.span(), place[1]) for place in places)
                return Instance(None, sentence, *mentions, [])
            if has_offsets:
                spans = _given_spans(row)
            text = Characters(sentence, self.config.offsets or "characters")
            # As characters, such columns occur with both kinds of ends.
            if may_be_inclusive and not self.config.offsets and spans:
                fitting = fitting_offsets(sentence, spans)
                if "characters" not in fitting and "inclusive" in fitting:
                    text = Characters(sentence, "inclusive")
        if missing:
            raise DataError(missing[0], "is missing", advise(raw))
        head, tail, by_name, ambiguous = locate_mentions(row, text)
        if ambiguous:
            self.note("an entity occurs more than once in the sentence: nearest pair taken")
        return Instance(
            None, text.sentence, head, tail, [], by_name=by_name, offsets=() if by_name else spans
        )

    def _extra_values(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Return the further columns of a row."""
        return {
            name: _encode(raw.get(self.source_names[name]), feature)
            for name, feature in self.extra_features.items()
        }

    def _default_id(self, split: str, position: int | str) -> str:
        return str(position) if self.config.keep_all_rows else super()._default_id(split, position)

    def _replace_bad_row(
        self, raw: Any, error: DataError, source: Any, position: int | str
    ) -> list[dict[str, Any]]:
        """Return a row that has its id, its further columns and the problem, if it has to stay."""
        if not self.config.keep_all_rows:
            return super()._replace_bad_row(raw, error, source, position)
        self._locate(error, source, position)
        error.file = Path(error.file).name  # these rows are passed on, and the folders are not
        raw = raw if isinstance(raw, dict) else {}
        row: dict[str, Any] = dict.fromkeys([*FEATURES, *self.ADDED])
        for name, value in self._extra_values(raw).items():
            row[name] = _replace_surrogates(value) if isinstance(value, str) else value
        row["id"] = _replace_surrogates(str(raw.get("id") or position))
        row["problem"] = _replace_surrogates(str(error))
        return [row]


def _words(tokens: Any) -> Any:
    """Return the words of a list, or of a CSV cell: separated by spaces, or written as a list."""
    if not isinstance(tokens, str):
        return tokens
    if tokens.startswith("[") and tokens.endswith("]"):
        try:
            words = ast.literal_eval(tokens)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
    return tokens.split(" ")


def _rewrite_marker(match: re.Match) -> str:
    """Return the marker of this package for one of other code: `[E1]`, `<E1>`."""
    close = match[1] or match[3] or ""
    return f"<{close}e{match[2] or match[4]}>"


def _read_marked(field: str, text: str) -> Instance:
    """Return the instance of a marked sentence."""
    try:
        marked = read_markers(text)
    except ValueError as error:
        problem = "does not hold each of the four markers once"
        raise DataError(field, problem, "mark one head and one tail", got=str(error)) from None
    head = Mention(*marked.head, marked.head_type)
    tail = Mention(*marked.tail, marked.tail_type)
    return Instance(None, marked.sentence, head, tail, [])


def _given_spans(row: dict[str, Any]) -> tuple:
    """Return start and end of head and tail as the row gives them, if it gives all."""
    if not all(bound in row for bound in BOUNDS):
        return ()
    head_start, head_end, tail_start, tail_end = (get_offset(row, bound) for bound in BOUNDS)
    return (head_start, head_end), (tail_start, tail_end)


def _infer_features(paths: list[Path], schema_columns: set[str]) -> dict[str, Any]:
    """Return the further columns of all files and their types, from a first pass over the rows."""
    kinds: dict[str, set[str]] = {}
    for path in paths:
        for number, row in read_rows(path):
            if isinstance(row, DataError):
                continue
            for name in sorted(row.keys() - schema_columns):
                if name not in kinds and (not is_utf8(name) or "\0" in name):
                    problem = "has a column whose name is not valid UTF-8, or holds a NUL"
                    fix = "rename it, or save the file as UTF-8"
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


class _SingleRows(UserFile):
    """The reader of a file's rows for rows that come one by one."""

    def __init__(self):
        self.config = UserFileConfig()
        self.extra_features = {}
        self.tally = _empty_tally()


def mark_row(row: dict[str, Any]) -> str:
    """Return the marked sentence of one row, in any form that a file may have.

    Args:
        row: The values by the names of the schema.

    Raises:
        DataError: The row can't be read.

    >>> mark_row({"sentence": "Ada Roe leads Acme.", "head": "Ada Roe", "tail": "Acme"})
    '<e1> Ada Roe </e1> leads <e2> Acme </e2>.'
    """
    instance = _SingleRows()._to_instance(row)
    return to_row(instance, "", None)["text"]

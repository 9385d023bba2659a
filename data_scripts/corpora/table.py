"""One's own data: JSON, JSON lines, CSV, TSV or Parquet, with columns mapped to the schema."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import datasets
import pyarrow
import pyarrow.parquet

from modeling_siamure.markers import MARKER, read_markers

from ..builder import RelationBuilder, RelationConfig
from ..files import read_json, read_lines
from ..schema import FEATURES, DataError, Instance, Mention, Tokens, find_mentions, get, parse_json

_COLUMNS = (*FEATURES, "tokens")


@dataclass
class TableConfig(RelationConfig):
    """Adds a mapping of columns.

    Args:
        columns: Name in the schema, or `tokens`, to the name in the file, such as `{"sentence": "body"}`.
    """

    FILES: ClassVar = {split: rf"{split}\.(jsonl|json|csv|tsv|parquet)" for split in ("train", "validation", "test")}

    columns: dict[str, str] | None = None

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.columns or {}, dict):
            raise ValueError(f"columns is {self.columns!r}; map names of the schema to those of the file")
        if unknown := sorted(set(self.columns or ()) - set(_COLUMNS)):
            raise ValueError(f"columns maps {unknown[0]!r}, which is none of {', '.join(_COLUMNS)}")


class Table(RelationBuilder):
    """One row a pair of mentions, in the first of these forms that a row has:

    - `sentence` with `head_start`, `head_end`, `tail_start`, `tail_end`: characters, ends exclusive;
    - `tokens`, a list of words (in CSV: words with blanks between), with the same four: tokens, ends exclusive;
    - `text` that holds markers already, such as `<e1:PERSON> Ada Roe </e1:PERSON> leads <e2> Acme </e2>`;
    - `sentence`, `tokens` or `text`, with `head` and `tail` as strings, which are looked for (see `find_mentions`).

    `head_type`, `tail_type`, `relation` and `id` may be missing or empty. Where `head` stands beside offsets, it must
    be what they mark, which catches ends that are inclusive. Further columns are carried along.
    """

    BUILDER_CONFIG_CLASS = TableConfig
    LICENSE = "That of your data."

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        sources = self.config.sources()
        self.extra = _find_extra([path for paths in sources.values() for path in paths], self._used())
        self.info.features = datasets.Features({**FEATURES, **self.extra})
        return super()._split_generators(dl_manager)

    def _used(self) -> set[str]:
        """The columns of the file that make the row, so that the others are further ones."""
        return set(FEATURES) | set((self.config.columns or {}).values())

    def _rows(self, source: Path) -> Iterator[tuple[int, Any]]:
        return _read(source)

    def _instance(self, raw: dict[str, Any]) -> Instance:
        row = {column: raw.get(column) for column in _COLUMNS if raw.get(column) not in ("", [])}
        for column, name in (self.config.columns or {}).items():
            if name not in raw:
                raise DataError(name, "is missing", f"correct the mapping of {column!r} in columns")
            row[column] = raw[name]
        sentence, head, tail = self._mentions(row)
        relation = _text(row, "relation")
        return Instance(
            _text(row, "id"),
            sentence,
            head._replace(type=_text(row, "head_type") or head.type),
            tail._replace(type=_text(row, "tail_type") or tail.type),
            [relation] if relation else [],
            {name: _encode(raw.get(name), feature) for name, feature in self.extra.items()},
        )

    def _mentions(self, row: dict[str, Any]) -> tuple[str, Mention, Mention]:
        tokens = None
        if row.get("sentence") is None and row.get("tokens") is not None:
            words = row["tokens"]
            tokens = Tokens(words.split(" ") if isinstance(words, str) else words)
        offsets = any(row.get(f"{role}_{end}") is not None for role in ("head", "tail") for end in ("start", "end"))
        field = "sentence" if row.get("sentence") is not None else "text"
        if not tokens and row.get(field) is None:
            raise DataError("sentence", "is missing or empty", "give the sentence that holds both mentions")
        sentence = tokens.sentence if tokens else get(row, field, str)
        if offsets:
            head, tail = (self._span(row, role, tokens, sentence) for role in ("head", "tail"))
        elif field == "text" and not tokens and MARKER.search(sentence):
            try:
                sentence, head, tail, *types = vars(read_markers(sentence)).values()
            except ValueError as error:
                problem = "does not hold each of the four markers once"
                raise DataError("text", problem, "mark one head and one tail", got=str(error)) from None
            return sentence, Mention(*head, types[0]), Mention(*tail, types[1])
        else:
            head, tail, choice = find_mentions(sentence, get(row, "head", str), get(row, "tail", str))
            if choice:
                self.remark("an entity stands in the sentence more than once: nearest pair taken")
        return sentence, head, tail

    def _span(self, row: dict[str, Any], role: str, tokens: Tokens | None, sentence: str) -> Mention:
        start, end = _number(row, f"{role}_start"), _number(row, f"{role}_end")
        if tokens:
            mention = tokens.mention(start, end, None, f"{role}_start")
        elif 0 <= start < end <= len(sentence):
            mention = Mention(start, end)
        else:
            problem = "and end are reversed or outside the sentence"
            got = f"{start} to {end}, exclusive, of {len(sentence)} characters"
            raise DataError(f"{role}_start", problem, "count characters of the sentence from 0", got=got)
        name, marked = row.get(role), sentence[mention.start : mention.end]
        if name is not None and name != marked:
            problem = "is not what stands at its offsets"
            raise DataError(role, problem, "count from 0 and leave the end out", got=f"{name!r}, but there: {marked!r}")
        return mention


def _number(row: dict[str, Any], field: str) -> int:
    """An offset; CSV has digits, and Parquet written by pandas may have whole floats."""
    value = row.get(field)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return get(row, field, int)


def _text(row: dict[str, Any], field: str) -> str | None:
    value = row.get(field)
    return str(value) if type(value) is int else get(row, field, str, optional=True)


def _read(path: Path) -> Iterator[tuple[int, dict[str, Any] | DataError]]:
    """The rows of a file with their numbers; a row that can't be read comes as its error."""
    reader = {".csv": _read_csv, ".tsv": _read_csv, ".parquet": _read_parquet}.get(path.suffix.lower(), _read_json)
    for number, row in reader(path):
        if not isinstance(row, dict | DataError):
            row = DataError(None, "is not an object", 'write {"sentence": ..., ...}', got=row)
        yield number, row


def _read_json(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open("rb") as file:
        is_list = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    if is_list:
        yield from enumerate(read_json(path, list), 1)
        return
    for number, (_, line) in enumerate(read_lines(path), 1):
        if line.strip():
            try:
                yield number, parse_json(line)
            except DataError as error:
                yield number, error


def _read_csv(path: Path) -> Iterator[tuple[int, Any]]:
    # Bytes that are not UTF-8 pass as half characters and are refused with their row.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        header = None
        while True:
            number = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if header is None:
                    raise DataError(None, "has no header", "name the columns", got=str(error), file=path) from None
                yield number, DataError(None, "is not CSV", "close its quotes", got=str(error))
                continue
            if header is None:
                header = cells
                if len(set(header)) < len(header):
                    raise DataError(None, "has two columns of one name", "rename one", got=header, file=path)
            elif len(cells) == len(header):
                yield number, {name: cell or None for name, cell in zip(header, cells, strict=True)}
            elif cells:
                got = f"{len(cells)} instead of {len(header)}"
                yield number, DataError(None, "has another number of cells than the header", "quote cells", got=got)


def _read_parquet(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        batches = pyarrow.parquet.ParquetFile(path).iter_batches(1000)
        yield from enumerate((row for batch in batches for row in batch.to_pylist()), 1)
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise DataError(None, "is not Parquet", "write the file again", got=str(error), file=path) from None


def _find_extra(paths: list[Path], used: set[str]) -> dict[str, Any]:
    """The further columns of all files and their types, from a first pass over the rows."""
    kinds: dict[str, set[str]] = {}
    for path in paths:
        for number, row in _read(path):
            for name in row.keys() - used if isinstance(row, dict) else ():
                if name not in kinds and not _is_utf8(name):
                    problem = "has a column whose name is not valid UTF-8"
                    raise DataError(None, problem, "save the file as UTF-8", got=name, file=path, row=number)
                kinds.setdefault(name, set()).add(_kind(row[name]))
    features = {}
    for name in sorted(kinds):
        found = kinds[name] - {"null"}
        if found == {"int64", "float64"}:
            found = {"float64"}
        kind = found.pop() if len(found) == 1 else "string" if not found else "json"
        features[name] = datasets.Json() if kind == "json" else datasets.Value(kind)
    return features


def _is_utf8(name: str) -> bool:
    return name.encode(errors="ignore").decode() == name


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if type(value) is int and not -(2**63) <= value < 2**63:
        return "json"
    return {str: "string", bool: "bool", int: "int64", float: "float64"}.get(type(value), "json")


def _encode(value: Any, feature: Any) -> Any:
    if value is None or not isinstance(feature, datasets.Json):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)

"""Source files: which ones a corpus has, and what rows they hold."""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Any, TextIO

import pyarrow
import pyarrow.parquet

from .schema import DataError


def find_files(folder: Path, patterns: dict[str, str]) -> dict[str, list[Path]]:
    """Return the file of each split that exists.

    Args:
        folder: The folder of the corpus.
        patterns: Split to a regular expression for the whole file name.

    Raises:
        FileNotFoundError: None of them exists.
        DataError: Two files could be one split.
    """
    names = sorted(path.name for path in folder.iterdir())
    files = {}
    for split, pattern in patterns.items():
        matches = [name for name in names if re.fullmatch(pattern, name, flags=re.IGNORECASE)]
        if len(matches) > 1:
            problem = f"several files could be the {split} split"
            raise DataError(None, problem, "name one in data_files", got=matches, file=folder)
        if matches:
            files[split] = [folder / matches[0]]
    if not files:
        raise FileNotFoundError(
            f"{folder} holds no file with the corpus' own name of the split "
            f"{' or '.join(patterns)}; pass the folder that does, or data_files"
        )
    return files


def split_files(suffixes: str) -> dict[str, str]:
    r"""Return patterns for `find_files`: files that are named after their split.

    Args:
        suffixes: A regular expression for the suffix.

    >>> split_files("jsonl?")["train"]
    '[^.]*train[^.]*\\.(jsonl?)'
    """
    stems = {"train": "train", "validation": "(dev|val)", "test": "test"}
    return {split: rf"[^.]*{stem}[^.]*\.({suffixes})" for split, stem in stems.items()}


def parse_json(text: bytes) -> Any:
    """Parse strict JSON; nothing is evaluated.

    Raises:
        DataError: The text is not UTF-8, not JSON, or has a key twice in one object.
    """
    try:
        return json.loads(text.decode("utf-8-sig"), object_pairs_hook=_object)
    except DataError:
        raise
    except UnicodeDecodeError as error:
        got = f"byte {error.start}"
        raise DataError(None, "is not UTF-8", "save the file as UTF-8", got=got) from None
    except RecursionError:
        raise DataError(None, "is nested too deeply", "give plain rows") from None
    except ValueError as error:
        fix = "repair it or copy the file again"
        raise DataError(None, "is not JSON", fix, got=str(error)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object whose keys are all different."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        doubled = next(key for key in keys if keys.count(key) > 1)
        raise DataError(None, "has a key twice in one object", "leave one of them", got=doubled)
    return content


def read_json(path: Path, kind: type | UnionType) -> Any:
    """Read a whole JSON file, whose top level must be a `list`, a `dict`, or either.

    Raises:
        DataError: It is not JSON, or its top level is something else. Names the file.
    """
    try:
        content = _parse_whole(path.read_bytes())
        if not isinstance(content, kind):
            expected = "list" if kind is list else "object"
            problem = f"is not a JSON {expected}"
            raise DataError(None, problem, "check which corpus and file it is")
    except DataError as error:
        error.file = path
        raise
    return content


def _parse_whole(text: bytes) -> Any:
    """Parse the JSON of a whole file; says so where it is JSON lines instead."""
    try:
        return parse_json(text)
    except DataError as error:
        lines = [line for line in text.splitlines() if line.strip()][:2]
        if len(lines) > 1 and all(map(_is_json, lines)):
            problem = "is JSON lines, not one JSON list"
            fix = "check which corpus it is: pure and opennre are JSON lines"
            raise DataError(None, problem, fix) from None
        raise error


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(parse_json(line), dict)
    except DataError:
        return False


def read_lines(path: Path, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    r"""Yield the lines that begin in a range of bytes, with the byte that each begins at.

    Adjacent ranges share no line and lose none, so several processes can read one file. Lines end
    at `\n` only: texts hold characters that Python's own line splitting would take for ends.

    Args:
        path: The file.
        start: First byte of the range.
        end: Byte after the range; `None` reads to the end of the file.
    """
    with path.open("rb") as file:
        if start:
            file.seek(start - 1)
            start += len(file.readline()) - 1
        for line in file:
            if end is not None and start >= end:
                return
            yield start, line.rstrip(b"\r\n")
            start += len(line)


def _ignore(reason: str, example: str) -> None:
    """Take a doubt that nobody asked for."""


def read_rows(
    path: Path, doubt: Callable[[str, str], None] = _ignore
) -> Iterator[tuple[int, dict[str, Any] | DataError]]:
    """Yield the numbered rows of a JSON, JSON lines, CSV, TSV or Parquet file, by its suffix.

    A row that can't be read comes as its error. Rows count from 1; in files of lines they are
    lines.

    Args:
        path: The file.
        doubt: Called with a reason and an example where a row may have been read wrongly.

    Raises:
        DataError: The file as a whole can't be read.
    """
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        rows = _read_table(path, doubt)
    elif suffix == ".parquet":
        rows = _read_parquet(path)
    else:
        rows = _read_json_rows(path)
    for number, row in rows:
        if not isinstance(row, dict | DataError):
            row = DataError(None, "is not an object", 'write {"sentence": ..., ...}', got=row)
        yield number, row


def _read_json_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a JSON list, of an object that holds all rows, or of JSON lines."""
    with path.open("rb") as file:
        first = b""
        while not first.strip() and (line := file.readline()):
            first = line.removeprefix(b"\xef\xbb\xbf")
        is_one_line = not file.read().strip()
    is_named_json = path.suffix.lower() in (".json", ".jsonl", ".ndjson")
    if not is_named_json and first.lstrip()[:1] not in (b"[", b"{"):
        problem = "is neither JSON nor, by its name, CSV, TSV or Parquet"
        fix = "give rows with two marked entities; `siamure pairs` makes them of plain text"
        raise DataError(None, problem, fix, file=path)
    if first.lstrip().startswith(b"["):
        yield from enumerate(read_json(path, list), 1)
        return
    if is_one_line or not _is_json(first):
        try:
            rows = _unwrap(parse_json(path.read_bytes()))
        except DataError:
            rows = None
        if rows is not None:
            yield from enumerate(rows, 1)
            return
    yield from read_json_lines(path)


def _unwrap(content: Any) -> list | None:
    """Return the rows of one JSON object that holds a table; `None` where it is a row itself.

    These are `{"data": [rows]}`, and what pandas writes: `{column: {index: value}}`, its
    `orient="index"`, `"split"` and `"table"`.

    >>> _unwrap({"head": {"0": "Ada", "1": "Bo"}, "tail": {"0": "Acme", "1": "Salt"}})
    [{'head': 'Ada', 'tail': 'Acme'}, {'head': 'Bo', 'tail': 'Salt'}]
    """
    if not isinstance(content, dict):
        return None
    rows = content.get("data")
    columns = content.get("columns")
    if isinstance(rows, list) and isinstance(columns, list):
        is_table = all(isinstance(row, list) and len(row) == len(columns) for row in rows)
        return [dict(zip(columns, row, strict=True)) for row in rows] if is_table else None
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return rows
    tables = list(content.values())
    if not tables or not all(isinstance(table, dict) for table in tables):
        return None
    if all(name.isdigit() for name in content):
        return tables
    index = tables[0].keys()
    if all(table.keys() == index for table in tables) and all(key.isdigit() for key in index):
        return [{name: table[key] for name, table in content.items()} for key in index]
    return None


def read_json_lines(
    path: Path, parse: Callable[[bytes], Any] = parse_json
) -> Iterator[tuple[int, Any]]:
    """Yield the numbered lines that are not empty, each parsed, or as its `DataError`."""
    for number, (_, line) in enumerate(read_lines(path), 1):
        if line.strip():
            try:
                yield number, parse(line)
            except DataError as error:
                yield number, error


class _Lines:
    """The lines of a file, with a look ahead."""

    def __init__(self, file: TextIO):
        self.file = file
        self.number = 1
        self.ahead: deque[str] = deque()

    def peek(self, index: int = 0) -> str:
        """Return a line ahead, with its end; an empty string behind the last one."""
        while len(self.ahead) <= index and (line := self.file.readline()):
            self.ahead.append(line)
        return self.ahead[index] if index < len(self.ahead) else ""

    def skip(self, count: int) -> None:
        """Go on behind some of the lines ahead."""
        for _ in range(count):
            self.ahead.popleft()
        self.number += count


def _read_table(path: Path, doubt: Callable[[str, str], None]) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a CSV or TSV file; each line belongs to one row or to one error."""
    # Bytes that are not UTF-8 pass as lone surrogates, and are refused with their row.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = _Lines(file)
        if not lines.peek():
            return
        delimiter = _delimiter(lines.peek(), "\t" if path.suffix.lower() == ".tsv" else ",")
        try:
            header, count = _parse_cells(lines, delimiter)
        except DataError as error:
            error.file, error.row = path, 1
            raise
        check_columns(header, path)
        lines.skip(count)
        while line := lines.peek():
            number = lines.number
            if not line.strip("\r\n"):
                lines.skip(1)
                continue
            row, count = _read_record(lines, delimiter, header)
            if count > 1 and isinstance(row, dict):
                matches = _looks_like_rows(lines, count, delimiter, header)
                if 2 * sum(matches) > count:
                    reason = "a cell in quotes spans lines that look like rows; check its quotes"
                    doubt(reason, f"row {number} of {path.name}")
            lines.skip(count)
            yield number, row


def _delimiter(header: str, usual: str) -> str:
    """Return what separates the columns; a file often has another separator than its suffix says.

    >>> _delimiter("sentence;head;tail", ",")
    ';'
    """
    return usual if usual in header else max(usual + ",;\t", key=header.count)


def check_columns(names: list[str], path: Path) -> None:
    """Raise a `DataError` where two columns have one name."""
    if len(set(names)) < len(names):
        doubled = next(name for name in names if names.count(name) > 1)
        raise DataError(None, "has two columns with one name", "rename one", doubled, path)


def _read_record(
    lines: _Lines, delimiter: str, header: list[str]
) -> tuple[dict[str, str | None] | DataError, int]:
    """Return the row that begins at the next line, or its error, and how many lines it takes.

    A cell in quotes may span lines. The quote is taken for a stray one, and the first line is on
    its own, where lines inside look like rows and the whole does not, or all do and it is TSV.
    """
    try:
        cells, count = _parse_cells(lines, delimiter)
    except DataError as error:
        return error, 1
    if count > 1:
        matches = _looks_like_rows(lines, count, delimiter, header)
        holds_rows = any(matches[1:-1]) or (matches[0] and matches[-1])
        if delimiter == "\t" and (all(matches) or (holds_rows and len(cells) != len(header))):
            cells, count = lines.peek().rstrip("\r\n").split(delimiter), 1
        elif holds_rows and len(cells) != len(header):
            return _unclosed(lines.peek()), 1
    if len(cells) != len(header):
        problem = "has a different number of cells than the header"
        got = f"{len(cells)} instead of {len(header)}"
        return DataError(None, problem, "quote cells", got=got), count
    return dict(zip(header, (cell or None for cell in cells), strict=True)), count


def _looks_like_rows(lines: _Lines, count: int, delimiter: str, header: list[str]) -> list[bool]:
    """Return which of the next lines have as many cells as the header, if it has several."""
    wanted = len(header) - 1
    return [wanted > 0 and lines.peek(i).count(delimiter) == wanted for i in range(count)]


def _parse_cells(lines: _Lines, delimiter: str) -> tuple[list[str], int]:
    """Return the cells of the record that begins at the next line, and how many lines it takes.

    In TSV, quotes mean nothing unless a cell is quoted whole.

    Raises:
        DataError: A cell begins with a quote, and is not quoted whole, in CSV.
    """
    text = lines.peek()
    if '"' not in text:
        return text.rstrip("\r\n").split(delimiter), 1
    raw_cell = re.compile(rf"[^{delimiter}\r\n]*")
    count = 1
    position = 0
    cells = []
    while True:
        quoted = None
        if text.startswith('"', position):
            quoted = _closing_quote(lines, text, count, position, delimiter)
        if quoted:
            text, count, end = quoted
            cells.append(text[position + 1 : end - 1].replace('""', '"'))
        elif delimiter != "\t" and text.startswith('"', position):
            raise _unclosed(text[position:])
        else:
            end = raw_cell.match(text, position).end()
            cells.append(text[position:end])
        if not text.startswith(delimiter, end):
            return cells, count
        position = end + 1


def _closing_quote(
    lines: _Lines, text: str, count: int, position: int, delimiter: str
) -> tuple[str, int, int] | None:
    """Find where a cell that begins with a quote ends, in the text so far or in further lines.

    Returns:
        The text with the further lines, the number of its lines, and the end of the cell; `None`
        where the next quote that is not doubled does not end the cell.
    """
    pieces = [text]
    length = len(text)
    search_from = position + 1
    while True:
        base = length - len(pieces[-1])
        found = pieces[-1].find('"', search_from - base)
        if found < 0:
            line = lines.peek(count)
            if not line:
                return None
            pieces.append(line)
            count += 1
            search_from = length
            length += len(line)
        elif pieces[-1].startswith('"', found + 1):
            search_from = base + found + 2
        else:
            following = pieces[-1][found + 1 : found + 2]
            is_end = following in ("", "\r", "\n", delimiter)
            return ("".join(pieces), count, base + found + 1) if is_end else None


def _unclosed(text: str) -> DataError:
    """Return the error of a cell that begins with a quote and is not quoted whole."""
    if r"\"" in text:
        problem = "is not CSV: quotes inside a quoted cell are written with a backslash"
        fix = 'write "" for each, or save the file as JSON lines'
        return DataError(None, problem, fix, got=text.strip())
    problem = "is not CSV: a cell in quotes is not closed"
    return DataError(None, problem, 'close it, and write "" for a quote inside', got=text.strip())


def _read_parquet(path: Path, batch_size: int = 1000) -> Iterator[tuple[int, Any]]:
    try:
        file = pyarrow.parquet.ParquetFile(path)
        check_columns(file.schema_arrow.names, path)
        batches = file.iter_batches(batch_size)
        yield from enumerate((row for batch in batches for row in batch.to_pylist()), 1)
    except DataError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        problem = "is not Parquet"
        raise DataError(None, problem, "write the file again", got=str(error), file=path) from None


def decode(line: bytes) -> str:
    """Decode a line of a corpus that mixes encodings: as UTF-8 where it is that, else Latin-1.

    >>> decode("Zoë".encode()), decode("Zoë".encode("latin-1"))
    ('Zoë', 'Zoë')
    """
    try:
        return line.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def split_ranges(path: Path, size: int = 1 << 24) -> list[tuple[Path, int, int]]:
    """Cut a file into ranges for `read_lines`, each of `size` bytes (16 MiB by default)."""
    length = path.stat().st_size
    starts = range(0, max(length, 1), size)
    return [(path, start, min(start + size, length)) for start in starts]


def line_number(path: Path, position: int) -> int:
    """Return the number, counted from 1, of the line that begins at a byte."""
    number = 1
    with path.open("rb") as file:
        while position > 0 and (block := file.read(min(position, 1 << 20))):
            number += block.count(b"\n")
            position -= len(block)
    return number

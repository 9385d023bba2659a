"""Source files: which ones a corpus has, and what rows they hold."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Any

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


def parse_json(text: bytes) -> Any:
    """Parse strict JSON; nothing is evaluated.

    Raises:
        DataError: The text is not UTF-8 or not JSON.
    """
    try:
        return json.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        got = f"byte {error.start}"
        raise DataError(None, "is not UTF-8", "save the file as UTF-8", got=got) from None
    except RecursionError:
        raise DataError(None, "is nested too deeply", "give plain rows") from None
    except ValueError as error:
        fix = "repair it or copy the file again"
        raise DataError(None, "is not JSON", fix, got=str(error)) from None


def read_json(path: Path, kind: type | UnionType) -> Any:
    """Read a whole JSON file, whose top level must be a `list`, a `dict`, or either.

    Raises:
        DataError: It is not JSON, or its top level is something else. Names the file.
    """
    try:
        content = parse_json(path.read_bytes())
        if not isinstance(content, kind):
            expected = "list" if kind is list else "object"
            problem = f"is not a JSON {expected}"
            raise DataError(None, problem, "check which corpus and file it is")
    except DataError as error:
        error.file = path
        raise
    return content


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


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | DataError]]:
    """Yield the numbered rows of a JSON, JSON lines, CSV, TSV or Parquet file, by its suffix.

    A row that can't be read comes as its error. Rows count from 1; in files of lines they are
    lines.

    Raises:
        DataError: The file as a whole can't be read.
    """
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".parquet": _read_parquet}
    for number, row in readers.get(path.suffix.lower(), _read_json_rows)(path):
        if not isinstance(row, dict | DataError):
            row = DataError(None, "is not an object", 'write {"sentence": ..., ...}', got=row)
        yield number, row


def _read_json_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a JSON list, or of JSON lines where the file does not begin with `[`."""
    with path.open("rb") as file:
        is_list = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    if is_list:
        yield from enumerate(read_json(path, list), 1)
    else:
        yield from read_json_lines(path)


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


def _read_csv(path: Path) -> Iterator[tuple[int, Any]]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    # Bytes that are not UTF-8 pass as lone surrogates, and are refused with their row.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = None
        while True:
            number = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if header is None:
                    problem = "has no header"
                    raise DataError(
                        None, problem, "name the columns", got=str(error), file=path
                    ) from None
                yield number, DataError(None, "is not CSV", "close its quotes", got=str(error))
                continue
            if header is None:
                header = cells
                if len(set(header)) < len(header):
                    problem = "has two columns with one name"
                    raise DataError(None, problem, "rename one", got=header, file=path)
            elif len(cells) == len(header):
                values = (cell or None for cell in cells)
                yield number, dict(zip(header, values, strict=True))
            elif cells:
                problem = "has a different number of cells than the header"
                got = f"{len(cells)} instead of {len(header)}"
                yield number, DataError(None, problem, "quote cells", got=got)


def _read_parquet(path: Path, batch_size: int = 1000) -> Iterator[tuple[int, Any]]:
    try:
        batches = pyarrow.parquet.ParquetFile(path).iter_batches(batch_size)
        yield from enumerate((row for batch in batches for row in batch.to_pylist()), 1)
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

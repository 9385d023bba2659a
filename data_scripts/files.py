"""Source files: which ones a corpus has, what is in them, and what they hash to."""

import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any

import modeling_siamure.markers

from .schema import DataError, parse_json


def find_files(folder: Path, patterns: dict[str, str]) -> dict[str, list[Path]]:
    """The files of each split that are there.

    Args:
        folder: Where the corpus lies.
        patterns: Split to a regular expression for the whole file name.

    Raises:
        FileNotFoundError: None of them is there.
        DataError: Two files could be one split.
    """
    names = sorted(path.name for path in folder.iterdir())
    found = {}
    for split, pattern in patterns.items():
        matches = [name for name in names if re.fullmatch(pattern, name, flags=re.IGNORECASE)]
        if len(matches) > 1:
            raise DataError(
                None, f"several files could be the {split} split", "name one in data_files", got=matches, file=folder
            )
        if matches:
            found[split] = [folder / matches[0]]
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no file with the corpus' own name of the split {' or '.join(patterns)}; "
            "pass the folder that does, or data_files"
        )
    return found


def read_json(path: Path, kind: type | UnionType) -> Any:
    """A whole JSON file, whose top level must be a `list`, a `dict`, or either.

    Raises:
        DataError: It is not JSON, or something else is on top. Names the file.
    """
    try:
        content = parse_json(path.read_bytes())
        if not isinstance(content, kind):
            wanted = "list" if kind is list else "object"
            raise DataError(None, f"is not a JSON {wanted}", "check which corpus and file it is")
    except DataError as error:
        error.file = path
        raise
    return content


def read_lines(path: Path, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The lines that begin in a range of bytes, with the byte each begins at.

    Ranges that meet share no line and lose none, so one file can be read by several processes. Lines end at `\\n` only:
    texts hold characters that Python's own line splitting would take for ends.

    Args:
        path: The file.
        start, end: The range; the default is all of it.
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


def decode(line: bytes) -> str:
    """A line of a corpus that mixes encodings: UTF-8 where it is that, else Latin-1.

    >>> decode("Zoë".encode()), decode("Zoë".encode("latin-1"))
    ('Zoë', 'Zoë')
    """
    try:
        return line.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def split_ranges(path: Path, size: int = 1 << 24) -> list[tuple[Path, int, int]]:
    """Cuts a file into ranges of bytes for `read_lines`, 16 MiB each."""
    length = path.stat().st_size
    return [(path, start, min(start + size, length)) for start in range(0, max(length, 1), size)]


def line_number(path: Path, position: int) -> int:
    """The line, counted from 1, that begins at a byte."""
    number = 1
    with path.open("rb") as file:
        while position > 0 and (block := file.read(min(position, 1 << 20))):
            number += block.count(b"\n")
            position -= len(block)
    return number


def digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_digest() -> str:
    """SHA-256 of the code that turns files into rows: all of this package, and the markers."""
    folder = Path(__file__).parent
    sources = [*sorted(folder.glob("*.py")), *sorted(folder.glob("corpora/*.py")), Path(modeling_siamure.markers.__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def content_key(sources: dict[str, list[Path]]) -> str:
    """A key that changes with any source file, with the split it is read as, and with the code that reads it."""
    digests = {path: digest(path) for path in set().union(*sources.values())}
    content = {split: [(path.name, digests[path]) for path in paths] for split, paths in sources.items()}
    return hashlib.sha256(json.dumps([code_digest(), content], sort_keys=True).encode()).hexdigest()

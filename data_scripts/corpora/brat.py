"""The standoff annotations of brat (Stenetorp et al. 2012): a text and a file `.ann` beside it."""

import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from ..annotations import AnnotatedBuilder, AnnotationConfig, Document
from ..files import read_lines
from ..formats import list_files
from ..schema import DataError

_ENTITY = re.compile(r"(T\S*)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_RELATION = re.compile(r"R\S*\t(\S+) \S+?:(\S+) \S+?:(\S+)\s*")
_IGNORED = {
    "E": "event: ignored",
    "*": "equivalence: ignored",
    "A": "attribute: ignored",
    "M": "attribute: ignored",
    "N": "normalization: ignored",
    "#": "",  # notes of the annotators
}


class BratConfig(AnnotationConfig):
    """Finds the documents of a folder, and of a folder per split."""

    def find_sources(self, folder: Path) -> dict[str, list[Path]]:
        """Return the annotations per split: the folders `train`, `dev` and `test`, or all."""
        names = {"train": ("train",), "validation": ("dev", "validation", "val"), "test": ("test",)}
        splits = {
            split: list_files(folder / name)
            for split, candidates in names.items()
            for name in candidates
            if (folder / name).is_dir()
        }
        return splits or {"train": list_files(folder)}

    def other_sources(self) -> dict[str, list[Path]]:
        """Return the texts of the documents.

        Raises:
            DataError: Annotations have no text beside them.
        """
        texts = [text_of(path) for paths in self.sources().values() for path in paths]
        if missing := [path for path in texts if not path.is_file()]:
            count = f", as do {len(missing) - 1} more" if missing[1:] else ""
            problem = f"has no text {missing[0].name} beside it{count}"
            fix = "put each document's .txt beside its .ann"
            raise DataError(None, problem, fix, file=missing[0].with_suffix(".ann"))
        return {"texts": texts}


class Brat(AnnotatedBuilder):
    """Documents of a folder: entities (`T`) and binary relations (`R`) of an `.ann`, with its text.

    Offsets count characters of the text, line ends as they are in the file. An entity of several
    parts is read from the begin of the first to the end of the last. Events, attributes,
    equivalences and normalizations are ignored and counted.
    """

    BUILDER_CONFIG_CLASS = BratConfig
    HOMEPAGE = "https://brat.nlplab.org/standoff.html"

    @cached_property
    def _root(self) -> str:
        paths = [path for files in self.config.sources().values() for path in files]
        return os.path.commonpath([path.parent for path in paths])

    def _documents(self, source: Path) -> Iterator[tuple[int | str, Document | DataError]]:
        name = source.with_suffix("").relative_to(self._root).as_posix()
        try:
            text = text_of(source).read_bytes().decode()
        except UnicodeDecodeError as error:
            problem = f"annotates {text_of(source).name}, which is not UTF-8"
            yield 1, DataError(None, problem, "save the text as UTF-8", got=f"byte {error.start}")
            return
        document = Document(name, text, self.config.offsets)
        relations = []
        for number, (_, raw) in enumerate(read_lines(source), 1):
            with document.errors_at(number):
                line = _decode(raw)
                if line.startswith("R"):
                    relations.append((number, line))
                elif line.strip():
                    _read_entity(document, line)
        for number, line in relations:
            with document.errors_at(number):
                _read_relation(document, line)
        yield 1, document


def text_of(annotations: Path) -> Path:
    """Return the path of the text that a file of annotations is of."""
    return annotations.with_suffix(".txt")


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"byte {error.start} of the line"
        raise DataError(None, "is not UTF-8", "save the file as UTF-8", got=got) from None


def _read_entity(document: Document, line: str) -> None:
    """Add the entity of a line, or count what is ignored."""
    if (kind := line[0]) in _IGNORED:
        document.notes += filter(None, [_IGNORED[kind]])
        return
    match = _ENTITY.fullmatch(line)
    if not match:
        fix = "write T1<TAB>TYPE START END<TAB>TEXT"
        raise DataError(None, "is no line of brat's annotations", fix, got=line)
    key, entity_type, fragments, name = match.groups()
    if key in document.entities:
        problem = "has an id that another entity has, too"
        raise DataError("entity", problem, "number each once", got=key)
    offsets = [int(offset) for offset in re.findall(r"\d+", fragments)]
    if len(offsets) > 2:
        document.notes.append("entity of several parts: read from the first to the last")
        name = None
    document.add_entity(key, min(offsets[::2]), max(offsets[1::2]), entity_type, name)


def _read_relation(document: Document, line: str) -> None:
    match = _RELATION.fullmatch(line)
    if not match:
        fix = "write R1<TAB>LABEL Arg1:T1 Arg2:T2"
        raise DataError(None, "is no relation of two arguments", fix, got=line)
    label, head, tail = match.groups()
    if head.startswith("E") or tail.startswith("E"):
        document.notes.append("relation of an event: ignored")
        return
    document.add_relation(head, tail, label)

"""Documents of plain text: which ones there are, and their passages, one at a time."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from ..files import read_rows
from ..schema import DataError, get_text, is_missing, is_utf8
from .entities import Annotation, Entity, is_pronoun, require

TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
DOCBIN = ".spacy"
SUFFIXES = (".txt", *TABLES, DOCBIN)
_OTHER_SPACE = re.compile(r"[^\S ]")
_SENTENCE_END = re.compile(r"[。！？][^\w\s]*|[.!?…।؟][^\w\s]*(?:\s+|$)")


class Source(NamedTuple):
    """A file of documents, and what their names begin with."""

    path: Path
    name: str


class Passage(NamedTuple):
    """A part of a document that holds whole sentences, as a rule one paragraph.

    Attributes:
        document: Name of the document.
        start: The character of the document at which the passage begins.
        text: Its text.
        annotation: Sentences and entities, where the source has them.
    """

    document: str
    start: int
    text: str
    annotation: Annotation | None = None


class ReadingOptions(NamedTuple):
    """How documents are read.

    Attributes:
        text_column: The column of a table that holds the text.
        encoding: Of `.txt` files; UTF-8 by default.
        keeps_entities: Whether a DocBin's own entities count, and not its text alone.
        max_length: Number of characters after which a paragraph is cut, behind a sentence.
    """

    text_column: str = "text"
    encoding: str | None = None
    keeps_entities: bool = False
    max_length: int = 20_000


def find_sources(inputs: Iterable[Path]) -> tuple[list[Source], int]:
    """Return the files that some inputs name, and how many other files are left out.

    Args:
        inputs: Files, and folders, of which every `.txt` file counts, also in folders inside.

    Raises:
        OSError: An input is not there, or a folder holds no such file.
        ValueError: A file is of another kind, by its suffix.
    """
    sources = []
    num_others = 0
    for path in inputs:
        if path.is_dir():
            files = sorted(child for child in path.rglob("*") if child.is_file())
            texts = [child for child in files if child.suffix.lower() == ".txt"]
            num_others += len(files) - len(texts)
            if not texts:
                held = f"{len(files)} other files" if files else "no file at all"
                raise FileNotFoundError(
                    f"{path} holds no .txt file, but {held}; give another folder, or its files "
                    "one by one"
                )
            sources += [Source(child, child.relative_to(path).as_posix()) for child in texts]
        elif not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; correct the path")
        elif path.suffix.lower() not in SUFFIXES:
            known = ", ".join(SUFFIXES)
            raise ValueError(f"{path} is none of {known}, by its name; rename or convert it")
        else:
            sources.append(Source(path, path.name))
    if len({source.name for source in sources}) < len(sources):
        sources = [Source(source.path, source.path.as_posix()) for source in sources]
    paths = Counter(source.path.resolve() for source in sources)
    path, count = paths.most_common(1)[0]
    if count > 1:
        raise ValueError(f"{path} is given twice; give each file once")
    return sources, num_others


def read_passages(source: Source, options: ReadingOptions) -> Iterator[Passage]:
    """Yield the passages of all documents of a file, in their order.

    A document without text has one passage, which is empty. White space other than blanks, such as
    the line breaks in a paragraph, becomes blanks, one each: characters stay where they are.

    Args:
        source: The file.
        options: How it is read.

    Raises:
        DataError: The file, or a row of it, can't be read; names both.
    """
    suffix = source.path.suffix.lower()
    if suffix == ".txt":
        yield from _read_text(source, options)
    elif suffix == DOCBIN:
        yield from _read_docbin(source, options)
    else:
        for name, text in _read_table(source, options.text_column):
            yield from _passages(name, io.StringIO(text, newline=""), options.max_length)


def cut_passages(file: TextIO, max_length: int = 20_000) -> Iterator[tuple[int, str]]:
    r"""Cut a text at its empty lines, and what is longer than a limit behind a sentence.

    Args:
        file: The text; it is read as a stream, so that it may be of any size.
        max_length: Number of characters.

    Yields:
        The character at which a passage begins, and its text.

    >>> list(cut_passages(io.StringIO("Ada left.\nBo stayed.\n\nIt rained.")))
    [(0, 'Ada left.\nBo stayed.\n'), (22, 'It rained.')]
    >>> list(cut_passages(io.StringIO("Ada left. Bo stayed."), max_length=15))
    [(0, 'Ada left. '), (10, 'Bo stayed.')]
    """
    start = 0
    text = ""
    while line := file.readline(max_length):
        if line.strip():
            text += line
        else:
            if text:
                yield start, text
            start += len(text) + len(line)
            text = ""
        while len(text) > max_length:
            end = _last_end(text[:max_length])
            yield start, text[:end]
            start += end
            text = text[end:]
    if text:
        yield start, text


def _last_end(text: str) -> int:
    """Return where to cut a text: behind its last sentence, else its last word, else its end."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text) if match.end() < len(text)]
    return ends[-1] if ends else max(map(text.rfind, " \n\t\u3000")) + 1 or len(text)


def _passages(document: str, file: TextIO, max_length: int) -> Iterator[Passage]:
    is_empty = True
    for start, text in cut_passages(file, max_length):
        is_empty = False
        yield Passage(document, start, _with_blanks(text))
    if is_empty:
        yield Passage(document, 0, "")


def _with_blanks(text: str) -> str:
    return _OTHER_SPACE.sub(" ", text)


def _read_text(source: Source, options: ReadingOptions) -> Iterator[Passage]:
    encoding = options.encoding or "utf-8"
    # The mark that some programs write before UTF-8 is no character of the text.
    encoding = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    try:
        with source.path.open(encoding=encoding, newline="") as file:
            for passage in _passages(source.name, file, options.max_length):
                if "\0" in passage.text:
                    problem = "holds NUL characters: it is UTF-16, or no text"
                    raise DataError(None, problem, "give --encoding utf-16", file=source.path)
                yield passage
    except UnicodeError as error:
        problem = f"is not {options.encoding or 'UTF-8'}"
        fix = "save it so, or give files of another encoding apart, with --encoding NAME"
        got = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
        raise DataError(None, problem, fix, got=got, file=source.path) from None
    except LookupError:
        raise ValueError(
            f"--encoding {options.encoding}: no encoding of text has this name; such as utf-8, "
            "latin-1, cp1252, utf-16"
        ) from None


def looks_like_utf8(path: Path) -> bool:
    """Return whether a file is UTF-8 and holds more than ASCII."""
    is_ascii = True
    try:
        with path.open(encoding="utf-8", newline="") as file:
            while block := file.read(1 << 16):
                is_ascii = is_ascii and block.isascii()
    except UnicodeDecodeError:
        return False
    return not is_ascii


def _read_table(source: Source, column: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each row; the name is its `id`, or the number of the row."""
    for number, row in read_rows(source.path):
        try:
            if isinstance(row, DataError):
                raise row
            text = _text(row, column)
            if not is_utf8(text):
                raise DataError(column, "is not UTF-8", "save the file as UTF-8")
            name = get_text(row, "id") or f"{source.name}:{number}"
        except DataError as error:
            error.file, error.row = source.path, number
            raise
        yield name, text


def _text(row: dict[str, Any], column: str) -> str:
    text = row.get(column)
    if column not in row:
        texts = {name: value for name, value in row.items() if isinstance(value, str)}
        longest = max(texts, key=lambda name: len(texts[name]), default="NAME")
        names = ", ".join(list(row)[:20])
        fix = f"name the column of the text, such as --text_column {longest}; there are {names}"
        raise DataError(column, "is missing", fix)
    if is_missing(text):
        return ""
    if not isinstance(text, str):
        raise DataError(column, "is not text", "name another one with --text_column", got=text)
    return text


def _read_docbin(source: Source, options: ReadingOptions) -> Iterator[Passage]:
    spacy = require("spacy", source.path.name)
    from spacy.tokens import DocBin

    try:
        docs = enumerate(DocBin().from_disk(source.path).get_docs(spacy.blank("xx").vocab), 1)
        for number, doc in docs:
            name = f"{source.name}:{number}"
            if options.keeps_entities:
                yield Passage(name, 0, _with_blanks(doc.text), annotation_of_doc(doc))
            else:
                yield from _passages(name, io.StringIO(doc.text, newline=""), options.max_length)
    except Exception as error:  # spaCy raises whatever its parts do
        fix = "write it again with DocBin.to_disk"
        got = f"{type(error).__name__}: {error}"
        raise DataError(None, "is no DocBin of spaCy", fix, got=got, file=source.path) from None


def annotation_of_doc(doc: Any) -> Annotation:
    """Return the entities of a spaCy document, and its sentences where it has them.

    Args:
        doc: A `spacy.tokens.Doc`.
    """
    sentences = None
    if doc.has_annotation("SENT_START"):
        sentences = [(sentence.start_char, sentence.end_char) for sentence in doc.sents]
    has_tags = doc.has_annotation("POS")
    entities = [
        Entity(
            span.start_char,
            span.end_char,
            span.label_ or None,
            all(token.pos_ == "PRON" for token in span) if has_tags else is_pronoun(span.text),
        )
        for span in doc.ents
    ]
    return Annotation(sentences, entities)

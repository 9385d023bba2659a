"""Columns of CoNLL-2003 and its kin: a token per line, with the tag of its entity."""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..annotations import AnnotatedBuilder, Document
from ..builder import EntityPairsConfig
from ..files import read_lines, split_files
from ..formats import is_comment, split_cells, tag_column
from ..schema import DataError, Tokens

_TAG = re.compile(r"([BIESLUM])-(.+)")


@dataclass
class ConllConfig(EntityPairsConfig):
    """Names the files of such corpora.

    Args:
        tag_column: The column that holds the tags, counted from 1; the last one that does by
            default.
    """

    FILES: ClassVar = split_files("conll|iob2?|bio|bioes|txt|tsv")

    tag_column: int | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.tag_column is not None:
            if not str(self.tag_column).isdigit() or int(self.tag_column) < 1:
                raise ValueError(f"tag_column is {self.tag_column!r}; count columns from 1")
            self.tag_column = int(self.tag_column)


class Conll(AnnotatedBuilder):
    """Sentences that an empty line ends; columns separated by tabs or spaces.

    Tags are IOB1, IOB2 (BIO), IOBES or BILOU: `B-PER`, `I-PER`, `O`. The first column is the token;
    the second one where the first counts the tokens.
    """

    BUILDER_CONFIG_CLASS = ConllConfig
    HOMEPAGE = "https://www.clips.uantwerpen.be/conll2003/ner"

    def _documents(self, source: Path) -> Iterator[tuple[int | str, Document | DataError]]:
        column = self._find_column(source)
        for number, (line, block) in enumerate(read_blocks(source), 1):
            try:
                yield line, _read_sentence(f"{source.stem}-{number}", block, column)
            except DataError as error:
                yield line, error

    def _find_column(self, source: Path, num_lines: int = 2000) -> int:
        if self.config.tag_column is not None:
            return self.config.tag_column - 1
        lines = itertools.islice(read_lines(source), num_lines)
        rows = (raw.decode("utf-8", "replace") for _, raw in lines)
        column = tag_column((split_cells(row) for row in rows if not _is_aside(row)), 0.9)
        if column is None:
            problem = "has no column of tags such as B-PER and O"
            raise DataError(None, problem, "name it, such as tag_column=4", file=source)
        return column


def _is_aside(line: str) -> bool:
    return not line.strip() or line.startswith("-DOCSTART-") or is_comment(line)


def read_blocks(source: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the blocks of lines between empty ones, with the number of the first line."""
    block: list[bytes] = []
    number = 0
    for number, (_, raw) in enumerate(read_lines(source), 1):
        if raw.strip():
            block.append(raw)
        elif block:
            yield number - len(block), block
            block = []
    if block:
        yield number - len(block) + 1, block


def decode_block(block: list[bytes]) -> list[str]:
    """Return the lines of a block.

    Raises:
        DataError: They are not UTF-8.
    """
    try:
        return [raw.decode("utf-8-sig") for raw in block]
    except UnicodeDecodeError as error:
        got = f"byte {error.start} of a line"
        raise DataError(None, "is not UTF-8", "save the file as UTF-8", got=got) from None


def _read_sentence(name: str, block: list[bytes], column: int) -> Document:
    rows = [split_cells(line) for line in decode_block(block) if not _is_aside(line)]
    for cells in rows:
        if len(cells) != len(rows[0]) or len(cells) <= column:
            problem = "holds lines with different numbers of columns"
            fix = "put an empty line between sentences, and a token and its tag on each line"
            raise DataError(None, problem, fix, got=" ".join(cells))
    numbers = [str(number) for number in range(1, len(rows) + 1)]
    is_counted = column > 1 and [cells[0] for cells in rows] == numbers
    return tagged_sentence(
        name,
        Tokens([cells[is_counted] for cells in rows] or [""]),
        [cells[column] for cells in rows],
    )


def tagged_sentence(name: str, tokens: Tokens, tags: list[str]) -> Document:
    """Return a sentence with the entities of its tags."""
    document = Document(name, tokens.sentence, is_sentence=True)
    for number, (start, end, entity_type) in enumerate(decode_tags(tags), 1):
        mention = tokens.mention(start, end, entity_type, "tag")
        document.add_entity(number, *mention)
    return document


def decode_tags(tags: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """Yield the entities of tags: start, end (exclusive) and type.

    Args:
        tags: IOB1, IOB2, IOBES or BILOU; `O`, `_`, `-` and nothing stand outside entities.

    Raises:
        DataError: A tag is none.

    >>> list(decode_tags(["B-PER", "I-PER", "O", "S-ORG", "I-ORG"]))
    [(0, 2, 'PER'), (3, 4, 'ORG'), (4, 5, 'ORG')]
    """
    begin = 0
    current = None
    for position, tag in enumerate(itertools.chain(tags, ["O"])):
        match = _TAG.fullmatch(tag)
        if not match and tag not in ("O", "_", "-", ""):
            raise DataError("tag", "is no tag of an entity", "write B-PER, I-PER or O", got=tag)
        prefix, entity_type = match.groups() if match else ("O", None)
        if current and (prefix in "OBSU" or entity_type != current):
            yield begin, position, current
            current = None
        if entity_type and not current:
            begin = position
            current = entity_type
        if current and prefix in "ESLU":
            yield begin, position + 1, current
            current = None

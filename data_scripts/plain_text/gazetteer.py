"""Entities by a list of names."""

import logging
import unicodedata
from pathlib import Path

from ..files import read_rows
from ..schema import DataError, get, get_text
from .entities import TOKEN, Annotation, Entity

logger = logging.getLogger(__name__)


class Gazetteer:
    """Find the names of a list in texts: the longest one at each place, from left to right.

    A name is found where it stands as whole words, with any white space between them, and in the
    same letters, however their accents are encoded. In scripts that write no spaces, or particles
    onto names, it is found anywhere.

    Args:
        types: Name to type.

    >>> gazetteer = Gazetteer({"Ada": "PERSON", "Ada Roe": "PERSON", "Acme": "ORG"})
    >>> [entity[:3] for entity in gazetteer.find("Ada  Roe's Acme is in Adamstown.")]
    [(0, 8, 'PERSON'), (11, 15, 'ORG')]
    """

    def __init__(self, types: dict[str, str | None]):
        self._types: dict[str, str | None] = {}
        self._longest: dict[str, int] = {}  # number of tokens, by the first one
        for name, entity_type in types.items():
            tokens = [token for token, _, _ in _tokens(name.strip())]
            if tokens:
                self._types["".join(tokens)] = entity_type
                self._longest[tokens[0]] = max(len(tokens), self._longest.get(tokens[0], 0))

    @classmethod
    def from_file(cls, path: Path) -> "Gazetteer":
        """Read a list of names: TSV, CSV, JSON lines or Parquet with the columns `name` and `type`.

        Raises:
            OSError: The file does not exist.
            DataError: A row has no name, or the file no row.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path}, the list of names, does not exist; correct the path")
        types: dict[str, str | None] = {}
        repeated = []
        for number, row in read_rows(path):
            try:
                if isinstance(row, DataError):
                    raise row
                if "name" not in row:
                    fix = "call the columns name and type, in the first line of TSV or CSV"
                    raise DataError("name", "is missing", fix, got=", ".join(map(str, row)))
                name = get(row, "name", str).strip()
                entity_type = get_text(row, "type")
            except DataError as error:
                error.file, error.row = path, number
                raise
            if types.setdefault(name, entity_type) != entity_type:
                repeated.append(name)
        if not any(types):
            raise DataError(None, "holds no name", "list names and types", file=path)
        if repeated:
            logger.warning(
                "%d names of %s have several types, of which the first counts, e.g. %r",
                len(repeated),
                path.name,
                repeated[0],
            )
        return cls(types)

    def find(self, text: str) -> list[Entity]:
        """Return the names in a text, which don't overlap."""
        tokens = list(_tokens(text))
        entities = []
        place = 0
        while place < len(tokens):
            longest = min(self._longest.get(tokens[place][0], 0), len(tokens) - place)
            for length in range(longest, 0, -1):
                name = "".join(token for token, _, _ in tokens[place : place + length])
                if name in self._types:
                    start, end = tokens[place][1], tokens[place + length - 1][2]
                    entities.append(Entity(start, end, self._types[name]))
                    place += length
                    break
            else:
                place += 1
        return entities

    def annotate(self, texts: list[str]) -> list[Annotation]:
        """Return the names in each text; sentences it sets none."""
        return [Annotation(None, self.find(text)) for text in texts]


def _tokens(text: str) -> list[tuple[str, int, int]]:
    """Return the tokens of a text as they are compared, with their characters."""
    return [
        (
            " " if match[0].isspace() else unicodedata.normalize("NFC", match[0]),
            match.start(),
            match.end(),
        )
        for match in TOKEN.finditer(text)
    ]

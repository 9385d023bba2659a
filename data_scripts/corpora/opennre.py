"""The JSON lines of OpenNRE (Han et al. 2019), in which Wiki80 and others are published."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..builder import RelationBuilder, RelationConfig
from ..files import read_lines
from ..schema import DataError, Instance, Mention, Tokens, get, parse_json


@dataclass
class OpenNREConfig(RelationConfig):
    FILES: ClassVar = {
        split: rf"[^.]*{stem}[^.]*\.(txt|jsonl?)"
        for split, stem in {"train": "train", "validation": "(val|dev)", "test": "test"}.items()
    }


class OpenNRE(RelationBuilder):
    """`{"token" or "text", "h": {"name", "pos": [start, end]}, "t", "relation"}`, ends exclusive, no types.

    Offsets count tokens with `token` and characters with `text`. Older files hold Python literals instead of JSON.
    """

    BUILDER_CONFIG_CLASS = OpenNREConfig
    NO_RELATION = ("NA",)
    LICENSE = "That of the corpus: ask its publisher."
    HOMEPAGE = "https://github.com/thunlp/OpenNRE"

    def _rows(self, source: Path) -> Iterator[tuple[int, Any]]:
        for number, (_, line) in enumerate(read_lines(source), 1):
            if line.strip():
                try:
                    yield number, _parse(line)
                except DataError as error:
                    yield number, error

    def _instance(self, row: Any) -> Instance:
        relation = get(row, "relation", str, optional=True)
        relations = [relation] if relation else []
        if "token" in row:
            tokens = Tokens(row["token"], "token")
            head, tail = (tokens.mention(*_position(row, field), None, field) for field in "ht")
            return self._compared(row, Instance(None, tokens.sentence, head, tail, relations))
        sentence = get(row, "text", str)
        for field in "ht":
            start, end = _position(row, field)
            if not 0 <= start < end <= len(sentence):
                got = f"{start} to {end}, exclusive, of {len(sentence)} characters"
                raise DataError(field, "has a pos that is reversed or outside the text", "count characters from 0", got)
        head, tail = (Mention(*_position(row, field)) for field in "ht")
        return self._compared(row, Instance(None, sentence, head, tail, relations))

    def _compared(self, row: dict[str, Any], instance: Instance) -> Instance:
        for field, mention in (("h", instance.head), ("t", instance.tail)):
            name = get(row[field], "name", str, optional=True)
            if name is not None and _plain(name) != _plain(instance.sentence[mention.start : mention.end]):
                self.remark("an entity's name is not what its offsets mark")
        return instance


def _parse(line: bytes) -> Any:
    try:
        return parse_json(line)
    except DataError as error:
        try:
            return ast.literal_eval(line.decode("utf-8-sig").strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise error from None


def _position(row: dict[str, Any], field: str) -> tuple[int, int]:
    position = get(get(row, field, dict), "pos", list)
    if len(position) != 2 or any(type(offset) is not int for offset in position):
        raise DataError(field, "has a pos that is not [start, end]", "give two offsets", got=position)
    return position[0], position[1]


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()

"""The JSON lines of OpenNRE (Han et al. 2019), the format of Wiki80 and other corpora."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..builder import RelationBuilder, RelationConfig
from ..files import parse_json, read_json_lines
from ..schema import Characters, DataError, Instance, Tokens, get


@dataclass
class OpenNREConfig(RelationConfig):
    """Names the files of OpenNRE."""

    FILES: ClassVar = {
        split: rf"[^.]*{stem}[^.]*\.(txt|jsonl?)"
        for split, stem in {"train": "train", "validation": "(val|dev)", "test": "test"}.items()
    }


class OpenNRE(RelationBuilder):
    """Lines such as `{"token", "h": {"name", "pos": [start, end]}, "t", "relation"}`.

    Ends are exclusive, and there are no entity types. Offsets count tokens of `token`, or
    characters where the line has `text` instead. Older files hold Python literals instead of JSON.
    """

    BUILDER_CONFIG_CLASS = OpenNREConfig
    NO_RELATION = ("NA",)
    LICENSE = "That of the corpus: ask its publisher."
    HOMEPAGE = "https://github.com/thunlp/OpenNRE"

    def _iter_source(self, source: Path) -> Iterator[tuple[int, Any]]:
        return read_json_lines(source, _parse)

    def _to_instance(self, row: Any) -> Instance:
        relation = get(row, "relation", str, optional=True)
        text = (
            Tokens(row["token"], "token") if "token" in row else Characters(get(row, "text", str))
        )
        offsets = _position(row, "h"), _position(row, "t")
        head = text.mention(*offsets[0], None, "h")
        tail = text.mention(*offsets[1], None, "t")
        self._compare_name(row["h"], text.sentence[head.start : head.end])
        self._compare_name(row["t"], text.sentence[tail.start : tail.end])
        instance = Instance(None, text.sentence, head, tail, [relation] if relation else [])
        return instance._replace(offsets=offsets) if isinstance(text, Characters) else instance

    def _compare_name(self, entity: dict[str, Any], marked: str) -> None:
        name = get(entity, "name", str, optional=True)
        if name is not None and _normalize(name) != _normalize(marked):
            self.note("an entity's name is not what its offsets mark")


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
        problem = "has a pos that is not [start, end]"
        raise DataError(field, problem, "give two offsets", got=position)
    return position[0], position[1]


def _normalize(name: str) -> str:
    return "".join(name.split()).casefold()

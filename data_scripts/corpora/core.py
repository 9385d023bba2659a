"""CORE: relations between companies (Borchert et al. 2023)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..builder import RelationBuilder, RelationConfig
from ..files import read_json
from ..schema import DataError, Instance, Mention, Tokens, get


@dataclass
class CoreConfig(RelationConfig):
    """Names the files of CORE."""

    FILES: ClassVar = {"train": r"train\.json", "test": r"test\.json"}


class Core(RelationBuilder):
    """One JSON list per split, token offsets with inclusive ends, no entity types.

    `invert_relation` makes `e2` the head.
    """

    BUILDER_CONFIG_CLASS = CoreConfig
    NO_RELATION = ("undefined",)
    LICENSE = "CC BY 4.0"
    HOMEPAGE = "https://github.com/pnborchert/CORE"

    def _iter_source(self, source: Path) -> Iterator[tuple[int, Any]]:
        yield from enumerate(read_json(source, list), 1)

    def _to_instance(self, row: Any) -> Instance:
        tokens = Tokens(get(row, "context", list), "context")
        head = _mention(tokens, row, "e1")
        tail = _mention(tokens, row, "e2")
        inverted = get(row, "invert_relation", int)
        if inverted not in (0, 1):
            fix = "write 1 if e2 is the head"
            raise DataError("invert_relation", "is neither 0 nor 1", fix, got=inverted)
        if inverted:
            head, tail = tail, head
        relation = get(row, "relation", str, optional=True)
        relations = [relation] if relation else []
        return Instance(get(row, "id", str), tokens.sentence, head, tail, relations)


def _mention(tokens: Tokens, row: dict[str, Any], entity: str) -> Mention:
    start = get(row, f"{entity}_start", int)
    end = get(row, f"{entity}_end", int) + 1
    return tokens.mention(start, end, None, f"{entity}_start")

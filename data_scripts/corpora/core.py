"""CORE: relations between companies (Borchert et al. 2023)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..builder import RelationBuilder, RelationConfig
from ..files import read_json
from ..schema import DataError, Instance, Tokens, get


@dataclass
class CoreConfig(RelationConfig):
    FILES: ClassVar = {"train": r"train\.json", "test": r"test\.json"}


class Core(RelationBuilder):
    """A JSON list a split, token offsets with inclusive ends, no types; `invert_relation` makes `e2` the head."""

    BUILDER_CONFIG_CLASS = CoreConfig
    NO_RELATION = ("undefined",)
    LICENSE = "CC BY 4.0"
    HOMEPAGE = "https://github.com/pnborchert/CORE"

    def _rows(self, source: Path) -> Iterator[tuple[int, Any]]:
        yield from enumerate(read_json(source, list), 1)

    def _instance(self, row: Any) -> Instance:
        tokens = Tokens(get(row, "context", list), "context")
        head, tail = (
            tokens.mention(get(row, f"{e}_start", int), get(row, f"{e}_end", int) + 1, None, f"{e}_start")
            for e in ("e1", "e2")
        )
        inverted = get(row, "invert_relation", int)
        if inverted not in (0, 1):
            raise DataError("invert_relation", "is neither 0 nor 1", "write 1 if e2 is the head", got=inverted)
        if inverted:
            head, tail = tail, head
        relation = get(row, "relation", str, optional=True)
        return Instance(get(row, "id", str), tokens.sentence, head, tail, [relation] if relation else [])

"""FewRel: few-shot relation classification (Han et al. 2018; Gao et al. 2019 for PubMed)."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..builder import RelationBuilder, RelationConfig
from ..files import read_json
from ..schema import DataError, Instance, Mention, Tokens, get


@dataclass
class FewRelConfig(RelationConfig):
    """Makes one split of each file."""

    def find_sources(self, folder: Path) -> dict[str, list[Path]]:
        """Return one split per file, named after it: `val_wiki.json` is the split `val_wiki`."""
        paths = [
            path for path in sorted(folder.glob("*.json")) if not path.name.startswith("pid2name")
        ]
        if not paths:
            raise FileNotFoundError(
                f"{folder} holds no FewRel file such as val_wiki.json; pass the folder that does"
            )
        return {re.sub(r"\W+", "_", path.stem): [path] for path in paths}


class FewRel(RelationBuilder):
    """FewRel 1.0 and 2.0: `{relation: [instance, ...]}`, or a list without labels; no entity types.

    An instance is `{"tokens", "h": [name, id, [[token indices]]], "t"}`. Of the mentions of an
    entity, the first is marked. Relations are Wikidata properties such as `P177`.
    """

    BUILDER_CONFIG_CLASS = FewRelConfig
    LICENSE = "MIT"
    HOMEPAGE = "https://github.com/thunlp/FewRel"

    def _iter_source(self, source: Path) -> Iterator[tuple[int | str, Any]]:
        content = read_json(source, dict | list)
        if not content:
            fix = "check which corpus and file it is"
            raise DataError(None, "holds no instance", fix, file=source)
        if isinstance(content, list):
            for number, row in enumerate(content, 1):
                yield number, (None, row)
            return
        for relation, rows in content.items():
            if not isinstance(rows, list):
                fix = "give a list of instances per relation"
                raise DataError(relation, "is not a list", fix, file=source)
            for number, row in enumerate(rows, 1):
                yield f"{relation}-{number}", (relation, row)

    def _to_instance(self, row: tuple[str | None, Any]) -> Instance:
        relation, row = row
        tokens = Tokens(get(row, "tokens", list))
        head = _mention(tokens, row, "h")
        tail = _mention(tokens, row, "t")
        return Instance(None, tokens.sentence, head, tail, [relation] if relation else [])


def _mention(tokens: Tokens, row: dict[str, Any], field: str) -> Mention:
    entity = get(row, field, list)
    mentions = entity[2] if len(entity) == 3 else None
    first_mention = mentions[0] if isinstance(mentions, list) and mentions else None
    if not isinstance(first_mention, list) or not first_mention:
        problem = "is not [name, id, [[token indices]]]"
        raise DataError(field, problem, "list the tokens of one mention", got=entity)
    first = first_mention[0]
    last = first_mention[-1]
    if any(type(index) is not int for index in first_mention) or any(
        following != index + 1 for index, following in itertools.pairwise(first_mention)
    ):
        problem = "lists tokens that are not consecutive"
        raise DataError(field, problem, "list consecutive tokens", got=first_mention)
    return tokens.mention(first, last + 1, None, field)

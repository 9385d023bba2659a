"""FewRel: few-shot relation classification (Han et al. 2018; Gao et al. 2019 for PubMed)."""

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
    def find_sources(self, folder: Path) -> dict[str, list[Path]]:
        """One split a file, named by it: `val_wiki.json` is the split `val_wiki`."""
        paths = [path for path in sorted(folder.glob("*.json")) if not path.name.startswith("pid2name")]
        if not paths:
            raise FileNotFoundError(f"{folder} holds no FewRel file such as val_wiki.json; pass the folder that does")
        return {re.sub(r"\W+", "_", path.stem): [path] for path in paths}


class FewRel(RelationBuilder):
    """FewRel 1.0 and 2.0: `{relation: [{"tokens", "h": [name, id, [[token indices]]], "t"}]}`, no entity types.

    An entity may have several mentions: the first is marked. Relations are Wikidata properties such as `P177`.
    """

    BUILDER_CONFIG_CLASS = FewRelConfig
    LICENSE = "MIT"
    HOMEPAGE = "https://github.com/thunlp/FewRel"

    def _rows(self, source: Path) -> Iterator[tuple[str, Any]]:
        for relation, rows in read_json(source, dict).items():
            if not isinstance(rows, list):
                raise DataError(relation, "is not a list", "give a list of instances a relation", file=source)
            for number, row in enumerate(rows, 1):
                yield f"{relation}-{number}", (relation, row)

    def _instance(self, row: tuple[str, Any]) -> Instance:
        relation, row = row
        tokens = Tokens(get(row, "tokens", list))
        return Instance(None, tokens.sentence, _mention(tokens, row, "h"), _mention(tokens, row, "t"), [relation])


def _mention(tokens: Tokens, row: dict[str, Any], field: str) -> Mention:
    entity = get(row, field, list)
    mentions = entity[2] if len(entity) == 3 else None
    if not isinstance(mentions, list) or not mentions or not isinstance(mentions[0], list) or not mentions[0]:
        raise DataError(field, "is not [name, id, [[token indices]]]", "list the tokens of one mention", got=entity)
    indices = mentions[0]
    first, last = indices[0], indices[-1]
    if any(type(index) is not int for index in indices) or indices != list(range(first, last + 1)):
        raise DataError(field, "lists tokens that do not follow each other", "list neighbouring tokens", got=indices)
    return tokens.mention(first, last + 1, None, field)

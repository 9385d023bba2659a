"""The JSON of SpERT (Eberts and Ulges 2020), in which FIRE (Hamad et al. 2024) and CoNLL04 are published."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..builder import RelationBuilder, RelationConfig
from ..files import read_json
from ..schema import DataError, Instance, Mention, Tokens, get, labels_by_pair


@dataclass
class SpERTConfig(RelationConfig):
    """Gives one row for each label of a pair, unless told otherwise."""

    # CoNLL04 has conll04_train_dev.json beside its two halves.
    FILES: ClassVar = {
        split: rf"(?!.*train_dev).*{stem}\.json"
        for split, stem in {"train": "train", "validation": "dev", "test": "test"}.items()
    }

    labels: str = "all"


class SpERT(RelationBuilder):
    """Sentences with `tokens`, `entities` (token offsets, end exclusive) and `relations` between their indices."""

    BUILDER_CONFIG_CLASS = SpERTConfig
    LICENSE = "FIRE: CC BY 4.0. CoNLL04: ask its publisher."

    def _rows(self, source: Path) -> Iterator[tuple[int, Any]]:
        for number, row in enumerate(read_json(source, list), 1):
            try:
                pairs = labels_by_pair(get(row, "relations", list), "head", "tail", "type")
            except DataError as error:
                yield number, error
                continue
            for (head, tail), relations in pairs.items():
                yield number, (f"{number}-{head}-{tail}", row, head, tail, relations)

    def _instance(self, row: tuple[str, dict, int, int, list[str]]) -> Instance:
        row_id, row, head, tail, relations = row
        tokens = Tokens(get(row, "tokens", list))
        return Instance(row_id, tokens.sentence, _mention(tokens, row, head), _mention(tokens, row, tail), relations)


def _mention(tokens: Tokens, row: dict, index: int) -> Mention:
    entities = get(row, "entities", list)
    if not 0 <= index < len(entities):
        raise DataError("relations", "names an entity that is not there", "count entities from 0", got=index)
    entity = entities[index]
    return tokens.mention(get(entity, "start", int), get(entity, "end", int), get(entity, "type", str), "entities")

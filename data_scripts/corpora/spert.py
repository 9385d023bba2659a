"""The JSON of SpERT (Eberts and Ulges 2020), the format of FIRE (Hamad et al. 2024) and CoNLL04."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..builder import EntityPairsConfig, RelationBuilder
from ..files import read_json
from ..schema import (
    DataError,
    Instance,
    Mention,
    Tokens,
    add_unlabeled,
    get,
    in_text_order,
    labels_by_pair,
)


@dataclass
class SpERTConfig(EntityPairsConfig):
    """Names the files of SpERT's corpora."""

    # CoNLL04 has conll04_train_dev.json beside its two halves.
    FILES: ClassVar = {
        split: rf"(?!.*train_dev).*{stem}\.json"
        for split, stem in {"train": "train", "validation": "dev", "test": "test"}.items()
    }


class SpERT(RelationBuilder):
    """Sentences with `tokens`, `entities` and `relations` between indices of entities.

    Entities have token offsets with exclusive ends. `relations` may be missing.
    """

    BUILDER_CONFIG_CLASS = SpERTConfig
    LICENSE = "FIRE: CC BY 4.0. CoNLL04: ask its publisher."

    def _iter_source(self, source: Path) -> Iterator[tuple[int, Any]]:
        for number, row in enumerate(read_json(source, list), 1):
            try:
                labels = get(row, "relations", list, optional=True) or []
                num_entities = len(get(row, "entities", list))
            except DataError as error:
                yield number, error
                continue
            pairs, errors = labels_by_pair(labels, "head", "tail", "type")
            yield from ((number, error) for error in errors)
            if self.config.pairs == "all":
                pairs = add_unlabeled(pairs, num_entities)
            for (head, tail), relations in pairs.items():
                yield number, (f"{number}-{head}-{tail}", row, head, tail, relations)

    def _to_instance(self, row: tuple[str, dict, int, int, list[str]]) -> Instance | None:
        row_id, row, head_index, tail_index, relations = row
        tokens = Tokens(get(row, "tokens", list))
        head = _mention(tokens, row, head_index)
        tail = _mention(tokens, row, tail_index)
        if not relations:
            if head[:2] == tail[:2]:
                self.drop("two entities in one place")
                return None
            head, tail = in_text_order(head, tail)
        return Instance(row_id, tokens.sentence, head, tail, relations)


def _mention(tokens: Tokens, row: dict, index: int) -> Mention:
    entities = get(row, "entities", list)
    if not 0 <= index < len(entities):
        problem = "names an entity that does not exist"
        raise DataError("relations", problem, "count entities from 0", got=index)
    entity = entities[index]
    start = get(entity, "start", int)
    end = get(entity, "end", int)
    return tokens.mention(start, end, get(entity, "type", str), "entities")

"""DocRED (Yao et al. 2019) and Re-DocRED (Tan et al. 2022): labeled pairs that share a sentence."""

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
class DocREDConfig(EntityPairsConfig):
    """Names the files of DocRED and Re-DocRED."""

    FILES: ClassVar = {
        "train": r"train(_annotated|_revised)?\.json",
        "validation": r"dev(_revised)?\.json",
        "test": r"test(_revised)?\.json",
    }


class DocRED(RelationBuilder):
    """Documents whose entities have several mentions; a row is a labeled pair in one sentence.

    Of the sentences that mention both entities, the first is taken, and in it the first mentions,
    in the order of the file, that do not overlap. Relations are Wikidata properties such as `P17`.
    """

    BUILDER_CONFIG_CLASS = DocREDConfig
    LICENSE = "MIT; the text comes from Wikipedia, CC BY-SA."
    HOMEPAGE = "https://github.com/tonytan48/Re-DocRED"

    def _iter_source(self, source: Path) -> Iterator[tuple[int, Any]]:
        for number, document in enumerate(read_json(source, list), 1):
            try:
                labels = get(document, "labels", list, optional=True) or []
                num_entities = len(get(document, "vertexSet", list))
            except DataError as error:
                yield number, error
                continue
            pairs, errors = labels_by_pair(labels, "h", "t", "r")
            yield from ((number, error) for error in errors)
            if self.config.pairs == "all":
                pairs = add_unlabeled(pairs, num_entities)
            for (head, tail), relations in pairs.items():
                yield number, (f"{number}-{head}-{tail}", document, head, tail, relations)

    def _to_instance(self, row: tuple[str, dict, int, int, list[str]]) -> Instance | None:
        row_id, document, head, tail, relations = row
        heads = _mentions(document, head)
        tails = _mentions(document, tail)
        candidates = [
            (sentence, head_mention, tail_mention)
            for sentence, head_mention in heads
            for sentence_of_tail, tail_mention in tails
            if sentence == sentence_of_tail
        ]
        if not candidates and not relations:
            return None  # no pair at all
        if not candidates:
            self.drop("no sentence holds both entities", len(relations))
            return None
        # The first minimum is taken, so mentions stay in the order of the file.
        sentence, head_mention, tail_mention = min(
            candidates, key=lambda candidate: (_overlap(*candidate[1:]), candidate[0])
        )
        if not relations:
            if head_mention[:2] == tail_mention[:2]:
                self.drop("two entities in one place")
                return None
            head_mention, tail_mention = in_text_order(head_mention, tail_mention)
        if _overlap(head_mention, tail_mention):
            self.note("head and tail overlap")
        tokens = Tokens(document["sents"][sentence], "sents")
        return Instance(
            row_id,
            tokens.sentence,
            tokens.mention(*head_mention, field="pos"),
            tokens.mention(*tail_mention, field="pos"),
            relations,
        )


def _mentions(document: dict, index: int) -> list[tuple[int, Mention]]:
    """Return the sentence of each mention of an entity, with the mention's tokens and type."""
    entities = get(document, "vertexSet", list)
    sentences = get(document, "sents", list)
    if not 0 <= index < len(entities):
        problem = "names an entity that does not exist"
        raise DataError("labels", problem, "count entities from 0", got=index)
    if not isinstance(entities[index], list) or not entities[index]:
        problem = "has an entity without mentions"
        raise DataError("vertexSet", problem, "list its mentions", got=index)
    mentions = []
    for mention in entities[index]:
        sentence = get(mention, "sent_id", int)
        position = get(mention, "pos", list)
        if not 0 <= sentence < len(sentences) or not isinstance(sentences[sentence], list):
            problem = "is not a sentence of the document"
            raise DataError("sent_id", problem, "count sentences from 0", got=sentence)
        if [type(token) for token in position] != [int, int] or not (
            0 <= position[0] < position[1] <= len(sentences[sentence])
        ):
            problem = "is not [start, end] inside its sentence"
            raise DataError("pos", problem, "count tokens from 0", got=position)
        mentions.append((sentence, Mention(*position, get(mention, "type", str))))
    return mentions


def _overlap(one: Mention, other: Mention) -> bool:
    return one.start < other.end and other.start < one.end

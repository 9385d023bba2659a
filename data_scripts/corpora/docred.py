"""DocRED (Yao et al. 2019) and Re-DocRED (Tan et al. 2022): labelled pairs that share a sentence."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..builder import RelationBuilder, RelationConfig
from ..files import read_json
from ..schema import DataError, Instance, Mention, Tokens, get, labels_by_pair


@dataclass
class DocREDConfig(RelationConfig):
    """Gives one row for each label of a pair, unless told otherwise."""

    FILES: ClassVar = {
        "train": r"train(_annotated|_revised)?\.json",
        "validation": r"dev(_revised)?\.json",
        "test": r"test(_revised)?\.json",
    }

    labels: str = "all"


class DocRED(RelationBuilder):
    """Documents with entities of several mentions; a row is a labelled pair with a mention of each in one sentence.

    The first such sentence is taken, and in it the first mentions, in the order of the file, that do not overlap.
    Relations are Wikidata properties such as `P17`.
    """

    BUILDER_CONFIG_CLASS = DocREDConfig
    LICENSE = "MIT; the text comes from Wikipedia, CC BY-SA."
    HOMEPAGE = "https://github.com/tonytan48/Re-DocRED"

    def _rows(self, source: Path) -> Iterator[tuple[int, Any]]:
        for number, document in enumerate(read_json(source, list), 1):
            try:
                pairs = labels_by_pair(get(document, "labels", list, optional=True) or [], "h", "t", "r")
            except DataError as error:
                yield number, error
                continue
            for (head, tail), relations in pairs.items():
                yield number, (f"{number}-{head}-{tail}", document, head, tail, relations)

    def _instance(self, row: tuple[str, dict, int, int, list[str]]) -> Instance | None:
        row_id, document, head, tail, relations = row
        heads, tails = _mentions(document, head), _mentions(document, tail)
        shared = [
            (sentence, one, other)
            for sentence, one in heads
            for sentence_of_other, other in tails
            if sentence == sentence_of_other
        ]
        if not shared:
            return self.drop("no sentence holds both entities", len(relations))
        # The first minimum is taken, so mentions stay in the order of the file.
        sentence, one, other = min(shared, key=lambda pair: (_overlap(pair[1], pair[2]), pair[0]))
        if _overlap(one, other):
            self.remark("head and tail overlap")
        tokens = Tokens(document["sents"][sentence], "sents")
        return Instance(
            row_id,
            tokens.sentence,
            tokens.mention(*one, field="pos"),
            tokens.mention(*other, field="pos"),
            relations,
        )


def _mentions(document: dict, index: int) -> list[tuple[int, Mention]]:
    """Sentence, and tokens with type, of each mention of an entity."""
    entities, sentences = get(document, "vertexSet", list), get(document, "sents", list)
    if not 0 <= index < len(entities):
        raise DataError("labels", "names an entity that is not there", "count entities from 0", got=index)
    if not isinstance(entities[index], list) or not entities[index]:
        raise DataError("vertexSet", "has an entity without mentions", "list its mentions", got=index)
    mentions = []
    for mention in entities[index]:
        sentence, position = get(mention, "sent_id", int), get(mention, "pos", list)
        if not 0 <= sentence < len(sentences) or not isinstance(sentences[sentence], list):
            raise DataError("sent_id", "is no sentence of the document", "count sentences from 0", got=sentence)
        if [type(token) for token in position] != [int, int] or not (
            0 <= position[0] < position[1] <= len(sentences[sentence])
        ):
            raise DataError("pos", "is not [start, end] inside its sentence", "count tokens from 0", got=position)
        mentions.append((sentence, Mention(*position, get(mention, "type", str))))
    return mentions


def _overlap(one: Mention, other: Mention) -> bool:
    return one.start < other.end and other.start < one.end

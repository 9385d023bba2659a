"""Which entities of a sentence form a pair, and why the others form none."""

import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from .documents import Passage
from .entities import TOKEN, Annotation, Entity, Span, trim

CROSSES = "mentions that cross sentences"


@dataclass(frozen=True)
class PairRules:
    """Which pairs of a sentence become rows.

    Args:
        order: `"first"`: one row per pair, whose head comes first in the text; `"both"`: a further
            row with head and tail swapped.
        max_distance: Largest number of tokens (words and punctuation marks; in scripts without
            spaces, letters) between the two mentions; `None` without a limit.
        type_pairs: Head and tail types that are allowed; `None` allows all.
        max_sentence_length: Number of characters after which a sentence is cut: what is longer is a
            list or a table.
    """

    order: Literal["first", "both"] = "first"
    max_distance: int | None = 30
    type_pairs: frozenset[tuple[str, str]] | None = None
    max_sentence_length: int = 5000


@dataclass
class PairCounts:
    """What came of a text.

    Attributes:
        entities: Number of mentions.
        pairs: Number of rows.
        dropped: Number of rows that were left out, by reason.
    """

    entities: int = 0
    pairs: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def add(self, other: "PairCounts") -> None:
        """Add the counts of another text."""
        self.entities += other.entities
        self.pairs += other.pairs
        self.dropped.update(other.dropped)

    def describe(self) -> str:
        """Return the counts in words.

        >>> PairCounts(9, 4, Counter({"of one name": 2})).describe()
        '4 pairs of 9 mentions; left out: 2 of one name'
        """
        counts = f"{self.pairs:,} pairs of {self.entities:,} mentions"
        reasons = [f"{count:,} {reason}" for reason, count in sorted(self.dropped.items())]
        return f"{counts}; left out: {', '.join(reasons)}" if reasons else counts


def pair_entities(
    passage: Passage, annotation: Annotation, rules: PairRules, counts: PairCounts
) -> Iterator[dict[str, Any]]:
    """Yield the pairs of entities that share a sentence, as rows of the instance schema.

    Further columns say where each is: `document`, and the characters of it that hold the sentence
    (`document_start`, `document_end`), the head (`document_head_start`, ...) and the tail.

    Args:
        passage: The text.
        annotation: Its sentences and entities.
        rules: Which pairs are wanted.
        counts: What is counted is added here.
    """
    text = passage.text
    counts.entities += len(annotation.entities)
    spans = ((*trim(text, entity.start, entity.end), entity) for entity in annotation.entities)
    entities = sorted(
        {entity._replace(start=start, end=end) for start, end, entity in spans if start < end},
        key=lambda entity: (entity.start, entity.end, entity.type or ""),
    )
    place = 0
    for start, end in _cut_long(text, annotation.sentences or [], rules.max_sentence_length):
        inside = []
        while place < len(entities) and entities[place].start < end:
            entity = entities[place]
            place += 1
            if start <= entity.start and entity.end <= end:
                inside.append(entity)
            else:
                counts.dropped[CROSSES] += 1
        if len(inside) > 1:
            for head, tail in _wanted_pairs(text, (start, end), inside, rules, counts.dropped):
                counts.pairs += 1
                yield _row(passage, (start, end), head, tail)
    counts.dropped[CROSSES] += len(entities) - place
    counts.dropped += Counter()  # forgets zeros


def _cut_long(text: str, sentences: list[Span], max_length: int) -> Iterator[Span]:
    """Yield the sentences without white space at their ends, long ones in parts of whole words."""
    for sentence in sentences:
        start, end = trim(text, *sentence)
        while end - start > max_length:
            cut = max(text.rfind(space, start, start + max_length + 1) for space in " \n\t")
            cut = cut if cut > start else start + max_length
            yield trim(text, start, cut)
            start, _ = trim(text, cut, end)
        yield start, end


def _wanted_pairs(
    text: str, sentence: Span, entities: list[Entity], rules: PairRules, dropped: Counter[str]
) -> Iterator[tuple[Entity, Entity]]:
    """Yield head and tail of each row that a sentence gives."""
    start, end = sentence
    tokens = [match.start() for match in TOKEN.finditer(text, start, end) if match[0].strip()]
    num_orders = 2 if rules.order == "both" else 1
    for place, first in enumerate(entities):
        for further, second in enumerate(entities[place + 1 :], place + 1):
            distance = bisect_left(tokens, second.start) - bisect_left(tokens, first.end)
            if rules.max_distance is not None and distance > rules.max_distance:
                # Mentions are sorted: those behind are as far away, or farther.
                reason = f"more than {rules.max_distance} tokens apart"
                dropped[reason] += (len(entities) - further) * num_orders
                break
            if reason := _reason_against(text, first, second):
                dropped[reason] += num_orders
                continue
            for head, tail in ((first, second), (second, first))[:num_orders]:
                if rules.type_pairs is None or (head.type, tail.type) in rules.type_pairs:
                    yield head, tail
                else:
                    dropped["of other types"] += 1


def _reason_against(text: str, first: Entity, second: Entity) -> str | None:
    """Return why two mentions form no pair, whatever their types; `None` if they form one."""
    if first.is_pronoun or second.is_pronoun:
        return "with a pronoun"
    if second.start < first.end:
        return "that overlap"
    if _name(text, first) == _name(text, second):
        return "of one name"
    return None


def _name(text: str, entity: Entity) -> str:
    return " ".join(text[entity.start : entity.end].casefold().split())


def _row(passage: Passage, sentence: Span, head: Entity, tail: Entity) -> dict[str, Any]:
    """Return a row of the instance schema, with where it is in the document."""
    start, end = sentence
    document = passage.document
    shift = passage.start
    places = f"{shift + head.start}-{shift + head.end}:{shift + tail.start}-{shift + tail.end}"
    row: dict[str, Any] = {"id": f"{document}:{places}", "sentence": passage.text[start:end]}
    for role, entity in (("head", head), ("tail", tail)):
        row |= {
            role: passage.text[entity.start : entity.end],
            f"{role}_type": entity.type,
            f"{role}_start": entity.start - start,
            f"{role}_end": entity.end - start,
        }
    row |= {"document": document, "document_start": shift + start, "document_end": shift + end}
    for role, entity in (("head", head), ("tail", tail)):
        row[f"document_{role}_start"] = shift + entity.start
        row[f"document_{role}_end"] = shift + entity.end
    return row


def as_json_line(row: dict[str, Any]) -> str:
    """Return a row as one line of JSON, with its end."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def parse_type_pairs(words: str) -> frozenset[tuple[str, str]]:
    """Parse type pairs as a command line gives them.

    Raises:
        ValueError: A pair has not two types.

    >>> sorted(parse_type_pairs("PERSON:ORG,ORG:GPE"))
    [('ORG', 'GPE'), ('PERSON', 'ORG')]
    """
    pairs = [tuple(word.split(":")) for word in re.split(r"\s*,\s*", words.strip())]
    if wrong := [pair for pair in pairs if len(pair) != 2 or not all(pair)]:
        raise ValueError(f"--type_pairs {':'.join(wrong[0])!r}: write HEAD:TAIL,HEAD:TAIL")
    return frozenset(pairs)  # type: ignore[arg-type]

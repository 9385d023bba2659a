"""What the readers of annotated documents share: texts with entities, and relations of some."""

import bisect
import itertools
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import datasets

from .builder import EntityPairsConfig, RelationBuilder
from .files import read_rows, split_files
from .schema import (
    FEATURES,
    OFFSETS,
    Characters,
    DataError,
    Instance,
    Mention,
    get_offset,
    in_text_order,
    mention_at_offsets,
)
from .sentences import split_sentences, trim

# Where a row comes from: the document, and the character of it at which the sentence begins.
_ORIGIN = {"document": datasets.Value("string"), "sentence_start": datasets.Value("int64")}


@dataclass
class AnnotationConfig(EntityPairsConfig):
    """Options of annotated documents.

    Args:
        offsets: What the offsets count, see `table.UserFileConfig`.
    """

    FILES: ClassVar = split_files("jsonl?")

    offsets: str = "characters"

    _CHOICES: ClassVar = {**EntityPairsConfig._CHOICES, "offsets": tuple(OFFSETS)}


class Document:
    """A text with entities, and with relations between some of them.

    Args:
        document_id: Its name, unique in the corpus.
        text: The whole text.
        offsets: What offsets count, see `OFFSETS`.
        is_sentence: Whether the text is one sentence; else it is split.

    Attributes:
        entities: Mentions in the text, by the key that the source gives them.
        relations: Labels per pair of keys; an annotated pair may have none.
        errors: What could not be read, each with its position.
        notes: What is worth knowing, one reason per occurrence.
    """

    def __init__(
        self,
        document_id: str,
        text: str,
        offsets: str = "characters",
        is_sentence: bool = False,
    ):
        self.id = document_id
        self.text = text
        self.is_sentence = is_sentence
        self.entities: dict[Hashable, Mention] = {}
        self.relations: dict[tuple[Hashable, Hashable], list[str]] = {}
        self.raw_offsets: dict[Hashable, tuple[int, int]] = {}
        self.errors: list[tuple[int | str, DataError]] = []
        self.notes: list[str] = []
        self._characters = Characters(text, offsets)

    @contextmanager
    def errors_at(self, position: int | str) -> Iterator[None]:
        """Keep an error instead of raising it, so that it costs no other annotation."""
        try:
            yield
        except DataError as error:
            self.errors.append((position, error))

    def add_entity(
        self, key: Hashable, start: Any, end: Any, entity_type: str | None, name: str | None = None
    ) -> None:
        """Add the mention at two offsets; white space at its ends is cut off.

        Args:
            key: What relations call it.
            start: First offset.
            end: Offset behind the mention.
            entity_type: Its type, where known.
            name: What the source says that the text is there.

        Raises:
            DataError: The offsets are no span of the text, or mark another text.
        """
        values: dict[str, Any] = {"entity_start": start, "entity_end": end}
        if name is not None:
            values["entity"] = name
        mention = mention_at_offsets(values, "entity", self._characters)
        first, last = trim(self.text, mention.start, mention.end)
        if first == last:
            got = f"{start} to {end}"
            raise DataError("entity", "marks only white space", "mark a word", got=got)
        self.entities[key] = Mention(first, last, entity_type or None)
        self.raw_offsets[key] = get_offset(values, "entity_start"), get_offset(values, "entity_end")

    def add_relation(self, head: Hashable, tail: Hashable, label: str | None) -> None:
        """Add a relation between two entities; `None` says that there is one without a name.

        Raises:
            DataError: There is no such entity.
        """
        for key in (head, tail):
            if key not in self.entities:
                problem = "names an entity that does not exist, or that can't be read"
                raise DataError("relations", problem, "add the entity", got=key)
        labels = self.relations.setdefault((head, tail), [])
        if label and label not in labels:
            labels.append(label)


class _Pair(NamedTuple):
    """A row of the source: two entities of a sentence, and the labels of the pair."""

    document: Document
    sentence: tuple[int, int]
    head: Hashable
    tail: Hashable


class AnnotatedBuilder(RelationBuilder):
    """Base of the readers of annotated documents, which define `_documents`.

    A row is a pair of entities that share a sentence. Rows have two columns beside those of the
    schema: `document`, and `sentence_start`, the character of the document at which the sentence
    begins.
    """

    BUILDER_CONFIG_CLASS = AnnotationConfig
    LICENSE = "That of your data."
    # Characters of a text up to which is found out what its offsets count: it takes time.
    _max_checked = 20_000

    def _info(self) -> datasets.DatasetInfo:
        info = super()._info()
        info.features = datasets.Features({**FEATURES, **_ORIGIN})
        return info

    def _documents(self, source: Path) -> Iterator[tuple[int | str, Document | DataError]]:
        """Yield the position and the content of each document of a file, or its error."""
        raise NotImplementedError

    def _iter_source(self, source: Path) -> Iterator[tuple[int | str, Any]]:
        for position, document in self._documents(source):
            if isinstance(document, DataError):
                yield position, document
                continue
            unit = "sentences" if document.is_sentence else "documents"
            self.tally["read"].update({unit: 1, "entities": len(document.entities)})
            for reason in document.notes:
                self.note(reason)
            yield from document.errors
            yield from ((position, pair) for pair in self._pairs(document))

    def _pairs(self, document: Document) -> Iterator[_Pair]:
        """Yield the pairs of entities to make rows of, sentence by sentence."""
        sentences = [(0, len(document.text))]
        if not document.is_sentence:
            spans = (mention[:2] for mention in document.entities.values())
            sentences, num_crossed = split_sentences(document.text, spans)
            for _ in range(num_crossed):
                self.note("an entity crosses the end of a sentence: read as one sentence")
        starts = [start for start, _ in sentences]
        members: dict[int, list[Hashable]] = {}
        home = {}
        for key, mention in document.entities.items():
            home[key] = bisect.bisect_right(starts, mention.start) - 1
            members.setdefault(home[key], []).append(key)
        labeled: dict[int, list[tuple[Hashable, Hashable]]] = {}
        for head, tail in document.relations:
            if home[head] == home[tail]:
                labeled.setdefault(home[head], []).append((head, tail))
            else:
                num_labels = max(len(document.relations[head, tail]), 1)
                self.drop("no sentence holds both entities", num_labels)
        for number, keys in sorted(members.items()):
            pairs = labeled.get(number, [])
            if self.config.pairs == "all":
                known = {frozenset(pair) for pair in pairs}
                others = itertools.combinations(keys, 2)
                pairs = [*pairs, *(pair for pair in others if frozenset(pair) not in known)]
            for head, tail in pairs:
                yield _Pair(document, sentences[number], head, tail)

    def _to_instance(self, row: _Pair) -> Instance | None:
        document, (start, end), *keys = row
        self._text = document.text
        labels = document.relations.get((row.head, row.tail))
        head, tail = (document.entities[key] for key in keys)
        has_offsets = not document.is_sentence and len(document.text) <= self._max_checked
        offsets = tuple(document.raw_offsets[key] for key in keys) if has_offsets else ()
        if labels is None and head.start < tail.end and tail.start < head.end:
            self.drop("two entities overlap")
            return None
        if labels is None and tail.start < head.start:
            head, tail = in_text_order(head, tail)
            keys.reverse()
        elif head.start < tail.end and tail.start < head.end:
            self.note("head and tail overlap")
        return Instance(
            f"{document.id}-{keys[0]}-{keys[1]}",
            document.text[start:end],
            *(Mention(m.start - start, m.end - start, m.type) for m in (head, tail)),
            labels or [],
            {"document": document.id, "sentence_start": start},
            offsets=offsets,
        )

    def _text_of_offsets(self, instance: Instance) -> str:
        return self._text

    def _fix_if_empty(self) -> str:
        read = sum((tally["read"] for tally in self.tallies().values()), Counter())
        if self.config.pairs == "all" and read:
            return f"it holds {read['entities']} entities, no two of which share a sentence"
        return super()._fix_if_empty()


class AnnotatedRecords(AnnotatedBuilder):
    """Base of the readers of JSON and JSON lines that hold a document per row."""

    def _documents(self, source: Path) -> Iterator[tuple[int | str, Document | DataError]]:
        for number, record in read_rows(source):
            if isinstance(record, DataError):
                yield number, record
                continue
            try:
                document = self._read(number, record)
            except DataError as error:
                yield number, error
            else:
                if document:
                    yield number, document

    def _read(self, number: int, record: dict[str, Any]) -> Document | None:
        """Return the document of a row, or `None` for one left out, counted by `drop`."""
        raise NotImplementedError

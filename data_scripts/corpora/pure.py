"""The JSON lines of PURE and DyGIE++, the form of SciERC, SciER, CrossRE and ACE."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..builder import EntityPairsConfig, RelationBuilder
from ..files import read_rows, split_files
from ..schema import DataError, Instance, Mention, Tokens, add_unlabeled, get, in_text_order

# Start and end of a span of tokens, as the document counts them.
Span = tuple[int, int]


@dataclass
class PureConfig(EntityPairsConfig):
    """Names the files of such corpora."""

    FILES: ClassVar = split_files("jsonl?")


class Pure(RelationBuilder):
    """Documents such as `{"doc_key", "sentences", "ner", "relations"}`, one per line.

    Token indices have inclusive ends and run through the whole document. `ner` and `relations` have
    one list per sentence: of `[start, end, type]`, and of `[start, end, start, end, label]` for
    head and tail; what follows in an entry is ignored. `relations` may be missing. CrossRE has one
    `sentence` instead, whose lists are not nested.
    """

    BUILDER_CONFIG_CLASS = PureConfig
    LICENSE = "That of the corpus: ask its publisher."
    HOMEPAGE = "https://github.com/princeton-nlp/PURE"

    def _iter_source(self, source: Path) -> Iterator[tuple[int, Any]]:
        for number, document in read_rows(source):
            if isinstance(document, DataError):
                yield number, document
                continue
            try:
                sentences = _sentences(document)
            except DataError as error:
                yield number, error
                continue
            for part, sentence in enumerate(sentences, 1):
                prefix = f"{number}-{part}"
                yield from ((number, row) for row in self._iter_pairs(prefix, *sentence))

    def _iter_pairs(
        self, prefix: str, words: Any, first: int, entities: Any, relations: Any
    ) -> Iterator[Any]:
        """Yield the pairs of a sentence whose first token is `first`, or errors."""
        types: dict[Span, str] = {}
        for entry in entities:
            try:
                (span,), entity_type = _entry(entry, "ner", num_spans=1)
            except DataError as error:
                yield error
            else:
                types.setdefault(span, entity_type)
        labels: dict[tuple[Span, Span], list[str]] = {}
        for entry in relations:
            try:
                (head, tail), label = _entry(entry, "relations", num_spans=2)
            except DataError as error:
                yield error
            else:
                labels.setdefault((head, tail), []).append(label)
        spans = list(dict.fromkeys([*types, *itertools.chain(*labels)]))
        numbers = {span: number for number, span in enumerate(spans)}
        pairs = {(numbers[head], numbers[tail]): names for (head, tail), names in labels.items()}
        if self.config.pairs == "all":
            pairs = add_unlabeled(pairs, len(spans))
        for (head_number, tail_number), names in pairs.items():
            head, tail = spans[head_number], spans[tail_number]
            row_id = f"{prefix}-{head_number}-{tail_number}"
            yield row_id, words, first, (head, types.get(head)), (tail, types.get(tail)), names

    def _to_instance(self, row: tuple) -> Instance:
        row_id, words, first, head_entity, tail_entity, relations = row
        tokens = Tokens(words, "sentences")
        head = _mention(tokens, first, *head_entity)
        tail = _mention(tokens, first, *tail_entity)
        if not relations:
            head, tail = in_text_order(head, tail)
        return Instance(row_id, tokens.sentence, head, tail, relations)


def _sentences(document: dict[str, Any]) -> list[tuple[Any, int, list, list]]:
    """Return the words of each sentence, the index of its first, its entities and its relations."""
    is_single = "sentences" not in document and "sentence" in document
    if is_single:
        document = {
            key: [document[name]]
            for key, name in (("sentences", "sentence"), ("ner", "ner"), ("relations", "relations"))
            if document.get(name) is not None
        }
    sentences = get(document, "sentences", list)
    entities = get(document, "ner", list)
    relations = get(document, "relations", list, optional=True) or [[]] * len(sentences)
    for field, lists in (("sentences", sentences), ("ner", entities), ("relations", relations)):
        if len(lists) != len(sentences) or not all(isinstance(entry, list) for entry in lists):
            fix = "give as many lists as there are sentences"
            raise DataError(field, "is not a list per sentence", fix, got=lists)
    starts = itertools.accumulate((len(words) for words in sentences), initial=0)
    return list(zip(sentences, starts, entities, relations, strict=False))


def _entry(entry: Any, field: str, num_spans: int) -> tuple[list[Span], str]:
    """Return the spans of an entry of `ner` or `relations`, and its type or label."""
    size = 2 * num_spans
    numbers = entry[:size] if isinstance(entry, list) else []
    if len(numbers) < size or any(type(number) is not int for number in numbers):
        problem = f"has an entry that does not begin with {size} token indices"
        raise DataError(field, problem, "count tokens from 0, ends inclusive", got=entry)
    name = entry[size] if len(entry) > size else None
    if not isinstance(name, str) or not name:
        kind = "type" if num_spans == 1 else "label"
        raise DataError(field, f"has an entry without a {kind}", f"add its {kind}", got=entry)
    return [(numbers[start], numbers[start + 1]) for start in range(0, size, 2)], name


def _mention(tokens: Tokens, first: int, span: Span, entity_type: str | None) -> Mention:
    start, end = span
    if not first <= start <= end < first + len(tokens.tokens):
        problem = "has a mention outside its sentence"
        got = f"{start} to {end}, of tokens {first} to {first + len(tokens.tokens) - 1}"
        raise DataError("ner", problem, "count tokens of the document from 0", got=got)
    return tokens.mention(start - first, end - first + 1, entity_type, "ner")

"""`*_sentence.json` with `*_label_id.json`: sentences with inline markers, the form that URE code passes around."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from modeling_siamure.markers import MARKER, MarkedSentence, read_markers

from ..builder import RelationBuilder, RelationConfig
from ..files import read_json
from ..schema import DataError, Instance, Mention

SENTENCES, LABELS = "_sentence.json", "_label_id.json"


@dataclass
class SentencePairsConfig(RelationConfig):
    FILES: ClassVar = {
        split: rf".*{stem}.*{SENTENCES}"
        for split, stem in {"train": "train", "validation": "(dev|val)", "test": "test"}.items()
    }

    def other_sources(self) -> dict[str, list[Path]]:
        """The label files that are there."""
        labels = {split: [label_path(path) for path in paths] for split, paths in self.sources().items()}
        return {f"labels of {split}": [path for path in paths if path.is_file()] for split, paths in labels.items()}


class SentencePairs(RelationBuilder):
    """Two parallel lists a split: marked sentences, and whole numbers as labels, which may be missing.

    `[CLS]` and `[SEP]` that stand there as text are taken off; of a doubled marker the first pair counts.
    """

    BUILDER_CONFIG_CLASS = SentencePairsConfig

    def _rows(self, source: Path) -> Iterator[tuple[int, Any]]:
        sentences, path = read_json(source, list), label_path(source)
        labels = read_json(path, list) if path.is_file() else [None] * len(sentences)
        if len(labels) != len(sentences):
            got = f"{len(labels)} labels, {len(sentences)} sentences"
            raise DataError(None, "is not as long as the list of sentences", "take both from one run", got, path)
        yield from enumerate(zip(sentences, labels, strict=True), 1)

    def _instance(self, row: tuple[Any, Any]) -> Instance:
        text, label = row
        if not isinstance(text, str):
            raise DataError("sentence", "is not a string", "give sentences with markers", got=text)
        if label is not None and type(label) is not int:
            raise DataError("label_id", "is not a whole number", "give the label's number", got=label)
        text = text.strip().removeprefix("[CLS]").removesuffix("[SEP]").strip()
        marked, doubled = read_inline(text, "sentence")
        if doubled:
            self.remark("a marker stands there twice: first pair taken")
        return to_instance(None, marked, [] if label is None else [str(label)])


def label_path(path: Path) -> Path:
    """The label file beside a file of sentences."""
    return path.with_name(path.name.removesuffix(SENTENCES) + LABELS)


def read_inline(text: str, field: str) -> tuple[MarkedSentence, bool]:
    """Reads markers that others wrote, with or without blanks inside, perhaps doubled.

    Args:
        text: A sentence such as `the <e1>lid</e1> of a <e2:THING> jar </e2:THING>`.
        field: The source's name of it, for messages.

    Returns:
        The sentence with the first pair of markers of each entity, and whether there were others.

    Raises:
        DataError: A marker is missing.
    """
    first: dict[tuple[str, bool], int] = {}
    extra = []
    for match in MARKER.finditer(text):
        entity, closes = match["entity"], bool(match["close"])
        if (entity, closes) in first or (closes and (entity, False) not in first):
            extra.append(match)
        else:
            first[entity, closes] = match.start()
    for match in reversed(extra):
        start, end = match.span()
        if match["close"] and text[start - 1 : start] == " ":
            start -= 1
        elif not match["close"] and text[end : end + 1] == " ":
            end += 1
        text = text[:start] + text[end:]
    try:
        return read_markers(text), bool(extra)
    except ValueError as error:
        raise DataError(field, "does not hold both marked mentions", "mark head and tail", got=str(error)) from None


def to_instance(row_id: str | None, marked: MarkedSentence, relations: list[str]) -> Instance:
    """An instance of a sentence that was marked."""
    head, tail = Mention(*marked.head, marked.head_type), Mention(*marked.tail, marked.tail_type)
    return Instance(row_id, marked.sentence, head, tail, relations)

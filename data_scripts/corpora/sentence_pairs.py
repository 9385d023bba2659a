"""`*_sentence.json` beside `*_label_id.json`: marked sentences, a common form in URE code."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from modeling_siamure.markers import MARKER, MarkedSentence, read_markers

from ..builder import RelationBuilder, RelationConfig
from ..files import read_json
from ..schema import DataError, Instance, Mention

SENTENCES = "_sentence.json"
LABELS = "_label_id.json"


@dataclass
class SentencePairsConfig(RelationConfig):
    """Names the files of sentences, and finds the files of labels beside them."""

    FILES: ClassVar = {
        split: rf".*{stem}.*{SENTENCES}"
        for split, stem in {"train": "train", "validation": "(dev|val)", "test": "test"}.items()
    }

    def other_sources(self) -> dict[str, list[Path]]:
        """Return the label files that exist."""
        files = {}
        for split, paths in self.sources().items():
            labels = [label_path(path) for path in paths]
            files[f"labels of {split}"] = [path for path in labels if path.is_file()]
        return files


class SentencePairs(RelationBuilder):
    """Two parallel lists per split: marked sentences, and whole numbers as labels.

    The labels may be missing. `[CLS]` and `[SEP]` that occur as text are taken off; of a doubled
    marker, the first pair counts.
    """

    BUILDER_CONFIG_CLASS = SentencePairsConfig

    def _iter_source(self, source: Path) -> Iterator[tuple[int, Any]]:
        sentences = read_json(source, list)
        path = label_path(source)
        labels = read_json(path, list) if path.is_file() else [None] * len(sentences)
        if len(labels) != len(sentences):
            problem = "is not as long as the list of sentences"
            got = f"{len(labels)} labels, {len(sentences)} sentences"
            raise DataError(None, problem, "take both from one run", got, path)
        yield from enumerate(zip(sentences, labels, strict=True), 1)

    def _to_instance(self, row: tuple[Any, Any]) -> Instance:
        text, label = row
        if not isinstance(text, str):
            fix = "give sentences with markers"
            raise DataError("sentence", "is not a string", fix, got=text)
        if label is not None and type(label) is not int:
            fix = "give the label's number"
            raise DataError("label_id", "is not a whole number", fix, got=label)
        text = text.strip().removeprefix("[CLS]").removesuffix("[SEP]").strip()
        marked, doubled = read_inline(text, "sentence")
        if doubled:
            self.note("a marker occurs twice: first pair taken")
        return marked_instance(None, marked, [] if label is None else [str(label)])


def label_path(path: Path) -> Path:
    """Return the label file beside a file of sentences."""
    return path.with_name(path.name.removesuffix(SENTENCES) + LABELS)


def read_inline(text: str, field: str) -> tuple[MarkedSentence, bool]:
    """Read markers that other code wrote, with or without spaces inside, perhaps doubled.

    Args:
        text: A sentence such as `the <e1>lid</e1> of a <e2:THING> jar </e2:THING>`.
        field: The source's name of it, for messages.

    Returns:
        The sentence with the first pair of markers of each entity, and whether there were others.

    Raises:
        DataError: A marker is missing.
    """
    first: dict[tuple[str, bool], int] = {}
    surplus = []
    for match in MARKER.finditer(text):
        entity = match["entity"]
        closes = bool(match["close"])
        if (entity, closes) in first or (closes and (entity, False) not in first):
            surplus.append(match)
        else:
            first[entity, closes] = match.start()
    # From the end, so that the earlier positions stay valid. Each marker takes its inner space.
    for match in reversed(surplus):
        start, end = match.span()
        if match["close"] and text[start - 1 : start] == " ":
            start -= 1
        elif not match["close"] and text[end : end + 1] == " ":
            end += 1
        text = text[:start] + text[end:]
    try:
        return read_markers(text), bool(surplus)
    except ValueError as error:
        problem = "does not hold both marked mentions"
        raise DataError(field, problem, "mark head and tail", got=str(error)) from None


def marked_instance(row_id: str | None, marked: MarkedSentence, relations: list[str]) -> Instance:
    """Return the instance of a marked sentence."""
    head = Mention(*marked.head, marked.head_type)
    tail = Mention(*marked.tail, marked.tail_type)
    return Instance(row_id, marked.sentence, head, tail, relations)

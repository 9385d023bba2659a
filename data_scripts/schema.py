"""The one schema that every corpus is read into, and the one error that a bad source row gives."""

import bisect
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import datasets

from modeling_siamure.markers import insert_markers

_TEXT, _OFFSET = datasets.Value("string"), datasets.Value("int32")

FEATURES = datasets.Features(
    {
        "id": _TEXT,
        "text": _TEXT,
        "sentence": _TEXT,
        "head": _TEXT,
        "head_type": _TEXT,
        "head_start": _OFFSET,
        "head_end": _OFFSET,
        "tail": _TEXT,
        "tail_type": _TEXT,
        "tail_start": _OFFSET,
        "tail_end": _OFFSET,
        "relation": _TEXT,
    }
)

_KINDS = {str: "a string", int: "a whole number", list: "a list", dict: "an object"}


class DataError(ValueError):
    """A mistake in a source file, said in one line: `FILE, row N, field F: what is wrong; fix`.

    Args:
        field: The column or key that is wrong, `None` where a row or a file is wrong as a whole.
        problem: What is wrong, without the value, so that equal mistakes can be counted together.
        fix: What the reader of the message can do.
        got: The offending value, shown shortened.
        file, row: Where; filled in by the reader that knows them. Rows count from 1; in files of lines they are lines.

    >>> str(DataError("subj_end", "lies outside the sentence", "count tokens from 0", got=9, file="dev.json", row=3))
    'dev.json, row 3, field subj_end: lies outside the sentence (9); count tokens from 0'
    """

    def __init__(
        self,
        field: str | None,
        problem: str,
        fix: str,
        got: Any = None,
        file: str | Path | None = None,
        row: int | str | None = None,
    ):
        super().__init__(field, problem, fix, got, file, row)
        self.field, self.problem, self.fix, self.got, self.file, self.row = field, problem, fix, got, file, row

    def __str__(self) -> str:
        place = [
            str(self.file) if self.file is not None else None,
            f"row {self.row}" if self.row is not None else None,
            f"field {self.field}" if self.field is not None else None,
        ]
        shown = ascii(self.got) if self.got is not None else ""
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        where = ", ".join(part for part in place if part)
        return f"{where + ': ' if where else ''}{self.problem}{f' ({shown})' if shown else ''}; {self.fix}"

    @property
    def reason(self) -> str:
        """What such rows are counted under when they are skipped."""
        return f"{self.field}: {self.problem}" if self.field else self.problem


class Mention(NamedTuple):
    """An entity mention: characters of the sentence, end exclusive, and its type where the corpus gives one."""

    start: int
    end: int
    type: str | None = None


class Instance(NamedTuple):
    """What a corpus reader makes of one source row; `relations` holds every label that the source gives the pair."""

    id: str | None
    sentence: str
    head: Mention
    tail: Mention
    relations: list[str]
    extra: Mapping[str, Any] = MappingProxyType({})  # further columns, carried along


def to_row(instance: Instance, row_id: str, relation: str | None, typed: bool = True) -> dict[str, Any]:
    """Writes the markers and gives the row of the schema.

    Args:
        instance: The pair of mentions in its sentence.
        row_id: The row's id.
        relation: The label, `None` when unknown.
        typed: Whether the markers carry the entity types; the type columns are filled either way.

    Raises:
        DataError: A span is empty or outside the sentence, or a string can't be written as UTF-8.

    >>> pair = Instance(None, "Ada Roe leads Acme .", Mention(0, 7, "PERSON"), Mention(14, 18), [])
    >>> to_row(pair, "1", None)["text"]
    '<e1:PERSON> Ada Roe </e1:PERSON> leads <e2> Acme </e2> .'
    """
    sentence, head, tail = instance.sentence, instance.head, instance.tail
    head_type, tail_type = head.type or None, tail.type or None
    try:
        text = insert_markers(sentence, head[:2], tail[:2], head_type if typed else None, tail_type if typed else None)
    except ValueError as error:
        problem = "has a mention that is blank or outside the sentence"
        raise DataError(None, problem, "count characters from 0, end exclusive", got=str(error)) from None
    row = {
        **instance.extra,
        "id": row_id,
        "text": text,
        "sentence": sentence,
        "head": sentence[head.start : head.end],
        "head_type": head_type,
        "head_start": head.start,
        "head_end": head.end,
        "tail": sentence[tail.start : tail.end],
        "tail_type": tail_type,
        "tail_start": tail.start,
        "tail_end": tail.end,
        "relation": relation or None,
    }
    if not f"{text}{row_id}{head_type}{tail_type}{relation}".isascii() or instance.extra:
        for field, value in row.items():
            if isinstance(value, str) and not value.isascii():
                try:
                    value.encode()
                except UnicodeEncodeError:
                    raise DataError(field, "is not valid UTF-8", "save the file as UTF-8", got=value) from None
    return row


def get(row: Any, field: str, kind: type, optional: bool = False) -> Any:
    """The value of a field, once it has the kind that the format says.

    Args:
        row: A parsed source row; anything but a dict is an error.
        field: The key.
        kind: `str`, `int`, `list` or `dict`; `True` and `1.0` are not whole numbers here.
        optional: Whether a missing or null field gives `None`.

    Raises:
        DataError: The field is missing or of another kind.

    >>> get({"subj_start": 4}, "subj_start", int)
    4
    """
    if not isinstance(row, dict):
        raise DataError(None, "is not an object", f"a row is an object with the key {field!r}", got=row)
    value = row.get(field)
    if value is None:
        if optional:
            return None
        raise DataError(field, "is missing", f"the format asks for {_KINDS[kind]} here")
    if type(value) is not kind:
        raise DataError(field, f"is not {_KINDS[kind]}", f"write {_KINDS[kind]}", got=value)
    return value


def labels_by_pair(labels: list, head: str, tail: str, relation: str) -> dict[tuple[int, int], list[str]]:
    """All labels of each pair of entities, where a source lists labels.

    Args:
        labels: Objects with the indices of two entities and a label.
        head, tail, relation: Their keys.

    Raises:
        DataError: A label is not such an object.

    >>> labels_by_pair([{"h": 0, "t": 2, "r": "P17"}, {"h": 0, "t": 2, "r": "P131"}], "h", "t", "r")
    {(0, 2): ['P17', 'P131']}
    """
    pairs: dict[tuple[int, int], list[str]] = {}
    for label in labels:
        pairs.setdefault((get(label, head, int), get(label, tail, int)), []).append(get(label, relation, str))
    return pairs


class Tokens:
    """A tokenized sentence, joined by blanks, that turns token spans into character spans.

    Args:
        tokens: The words; a token may itself be a blank, as in FewRel.
        field: The source's name of the list, for messages.

    >>> Tokens(["Ada", "Roe", "leads", "Acme"]).mention(0, 2, "PERSON", "head")
    Mention(start=0, end=7, type='PERSON')
    """

    def __init__(self, tokens: Any, field: str = "tokens"):
        if not isinstance(tokens, list) or not tokens:
            raise DataError(field, "is not a list of words", "give the sentence as a list of strings", got=tokens)
        self.starts, position = [], 0
        for token in tokens:
            if not isinstance(token, str):
                raise DataError(field, "holds something that is not a string", "give words only", got=token)
            self.starts.append(position)
            position += len(token) + 1
        self.tokens = tokens
        self.sentence = " ".join(tokens)

    def mention(self, start: Any, end: Any, entity_type: str | None, field: str) -> Mention:
        """The mention of tokens `start` to `end`, end exclusive.

        Raises:
            DataError: The offsets are not whole numbers inside the sentence, or the mention is blank.
        """
        for offset in (start, end):
            if type(offset) is not int:
                raise DataError(field, "has an offset that is not a whole number", "count tokens from 0", got=offset)
        if not 0 <= start < end <= len(self.tokens):
            raise DataError(
                field,
                "has offsets that are reversed or outside the sentence",
                "count tokens from 0",
                got=f"{start} to {end}, exclusive, of {len(self.tokens)} tokens",
            )
        mention = Mention(self.starts[start], self.starts[end - 1] + len(self.tokens[end - 1]), entity_type)
        if not self.sentence[mention.start : mention.end].strip():
            raise DataError(field, "marks blanks only", "mark a word", got=f"tokens {start} to {end}")
        return mention


def find_mentions(sentence: str, head: str, tail: str, tokenized: bool = False) -> tuple[Mention, Mention, bool]:
    """Finds two entity strings in a sentence, whole words only.

    Of all places where the two do not overlap, those with the fewest characters between them are taken, the leftmost
    where that is a tie: a relation is rather stated between neighbours.

    Args:
        sentence: The text.
        head, tail: The strings to find.
        tokenized: Whether words end at blanks only; otherwise at whatever is no letter or digit.

    Returns:
        Head, tail, and whether there was a choice, because one of the strings stands there more than once.

    Raises:
        DataError: A string is not there, or not apart from the other.

    >>> find_mentions("Acme hired Ada ; Ada left Acme", "Ada", "Acme")
    (Mention(start=17, end=20, type=None), Mention(start=26, end=30, type=None), True)
    """
    heads, tails = _find("head", head, sentence, tokenized), _find("tail", tail, sentence, tokenized)
    candidates = []  # characters between, where the first begins, where head and tail begin
    for start in heads:
        # Places are sorted, so only the last tail before and the first tail behind can be the nearest.
        if before := bisect.bisect_right(tails, start - len(tail)):
            other = tails[before - 1]
            candidates.append((start - other - len(tail), other, start, other))
        if (behind := bisect.bisect_left(tails, start + len(head))) < len(tails):
            candidates.append((tails[behind] - start - len(head), start, start, tails[behind]))
    if not candidates:
        raise DataError("tail", "stands nowhere apart from the head", "give offsets for both", got=tail)
    _, _, first, second = min(candidates)
    choice = len(heads) + len(tails) > 2
    return Mention(first, first + len(head)), Mention(second, second + len(tail)), choice


def _find(field: str, name: str, sentence: str, tokenized: bool) -> list[int]:
    """Where a string begins, as whole words."""
    if not name.strip():
        raise DataError(field, "is empty", "name the entity")
    # In tokenized text a blank on either side says that the words are whole.
    text, wanted = (f" {sentence} ", f" {name} ") if tokenized else (sentence, name)
    places, position = [], text.find(wanted)
    while position >= 0:
        if tokenized or not _part_of_a_word(sentence, position, position + len(name)):
            places.append(position)
        position = text.find(wanted, position + 1)
    if not places:
        raise DataError(field, "does not stand in the sentence", "write it as the sentence does", got=name)
    return places


def _part_of_a_word(sentence: str, start: int, end: int) -> bool:
    """Whether a letter or digit goes on beyond either end: "Roe" is a part in "Roeburn", and "Bo" in "Rambo"."""
    left, right = sentence[start - 1 : start + 1], sentence[end - 1 : end + 1]
    return (len(left) == 2 and left.isalnum()) or (len(right) == 2 and right.isalnum())


def parse_json(text: bytes) -> Any:
    """JSON, read strictly; never evaluated.

    Raises:
        DataError: The text is not UTF-8 or not JSON.
    """
    try:
        return json.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(None, "is not UTF-8", "save the file as UTF-8", got=f"byte {error.start}") from None
    except RecursionError:
        raise DataError(None, "is nested too deeply", "give plain rows") from None
    except ValueError as error:
        raise DataError(None, "is not JSON", "repair it or copy the file again", got=str(error)) from None

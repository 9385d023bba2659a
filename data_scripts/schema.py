"""The one schema that every corpus is read into, and the one error that a bad source row raises."""

import bisect
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import datasets

_TEXT = datasets.Value("string")
_OFFSET = datasets.Value("int32")

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
    """A mistake in a source file, in one line: `FILE, row N, field F: what is wrong; fix`.

    Args:
        field: The column or key that is wrong, `None` where a row or a file is wrong as a whole.
        problem: What is wrong, without the value, so that equal mistakes can be counted together.
        fix: What the reader of the message can do.
        got: The offending value; a long one is shortened in the message.
        file: The file; filled in by the reader that knows it.
        row: The row, counted from 1, or the line in a file of lines; filled in by the reader.

    >>> str(DataError("obj_end", "is too large", "count tokens from 0", 9, "dev.json", row=3))
    'dev.json, row 3, field obj_end: is too large (9); count tokens from 0'
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
        self.field = field
        self.problem = problem
        self.fix = fix
        self.got = got
        self.file = file
        self.row = row

    def __str__(self) -> str:
        place = []
        if self.file is not None:
            place.append(str(self.file))
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.field is not None:
            place.append(f"field {self.field}")
        where = f"{', '.join(place)}: " if place else ""
        value = f" ({_shorten(self.got)})" if self.got is not None else ""
        return f"{where}{self.problem}{value}; {self.fix}"

    @property
    def reason(self) -> str:
        """The name under which such rows are counted when they are skipped."""
        return f"{self.field}: {self.problem}" if self.field else self.problem


def _shorten(value: Any, max_length: int = 60) -> str:
    """Return a value as it is written in Python, on one line, cut after `max_length` characters.

    Every script is shown as it is; line breaks and characters that can't be printed are escaped.
    """
    shown = repr(value)
    return shown if len(shown) <= max_length else f"{shown[: max_length - 3]}..."


class Mention(NamedTuple):
    """An entity mention: characters of the sentence, end exclusive, and its type where known."""

    start: int
    end: int
    type: str | None = None


class Instance(NamedTuple):
    """One source row, as a corpus reader returns it.

    `relations` holds every label that the source gives the pair, `extra` holds further columns.
    """

    id: str | None
    sentence: str
    head: Mention
    tail: Mention
    relations: list[str]
    extra: Mapping[str, Any] = MappingProxyType({})


def is_utf8(text: str) -> bool:
    r"""Return whether a string can be stored as UTF-8, which lone surrogates can't.

    >>> is_utf8("Zoë"), is_utf8("\ud800")
    (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def get(row: Any, field: str, kind: type, optional: bool = False) -> Any:
    """Return the value of a field that has the kind the format asks for.

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
        fix = f"a row is an object with the key {field!r}"
        raise DataError(None, "is not an object", fix, got=row)
    value = row.get(field)
    if value is None:
        if optional:
            return None
        raise DataError(field, "is missing", f"the format asks for {_KINDS[kind]} here")
    if type(value) is not kind:
        raise DataError(field, f"is not {_KINDS[kind]}", f"write {_KINDS[kind]}", got=value)
    return value


def get_text(row: Any, field: str) -> str | None:
    """Return the string or the whole number of an optional field, as a string."""
    value = row.get(field)
    return str(value) if type(value) is int else get(row, field, str, optional=True)


def get_offset(row: Any, field: str) -> int:
    """Return an offset; CSV has digits, and Parquet written by pandas may have whole floats."""
    value = row.get(field)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return get(row, field, int)


def labels_by_pair(
    labels: list, head: str, tail: str, relation: str
) -> dict[tuple[int, int], list[str]]:
    """Return all labels of each pair of entities, where a source lists labels.

    Args:
        labels: Objects with the indices of two entities and a label.
        head: Key of the head's index.
        tail: Key of the tail's index.
        relation: Key of the label.

    Raises:
        DataError: A label is not such an object.

    >>> labels = [{"h": 0, "t": 2, "r": "P17"}, {"h": 0, "t": 2, "r": "P131"}]
    >>> labels_by_pair(labels, "h", "t", "r")
    {(0, 2): ['P17', 'P131']}
    """
    pairs: dict[tuple[int, int], list[str]] = {}
    for label in labels:
        pair = get(label, head, int), get(label, tail, int)
        pairs.setdefault(pair, []).append(get(label, relation, str))
    return pairs


class Characters:
    """A sentence as it is, whose mentions are given by characters.

    Args:
        sentence: The text.

    >>> Characters("Ada Roe leads Acme").mention(0, 7, "PERSON", "head")
    Mention(start=0, end=7, type='PERSON')
    """

    def __init__(self, sentence: str):
        self.sentence = sentence

    def mention(self, start: int, end: int, entity_type: str | None, field: str) -> Mention:
        """Return the mention of characters `start` to `end`, end exclusive.

        Raises:
            DataError: The offsets are reversed or outside the sentence.
        """
        if not 0 <= start < end <= len(self.sentence):
            problem = "has offsets that are reversed or outside the sentence"
            got = f"{start} to {end}, exclusive, of {len(self.sentence)} characters"
            raise DataError(field, problem, "count characters from 0", got=got)
        return Mention(start, end, entity_type)


class Tokens:
    """A tokenized sentence, joined by spaces, that turns token spans into character spans.

    Args:
        tokens: The words; a token may itself be a space, as in FewRel.
        field: The source's name of the list, for messages.

    >>> Tokens(["Ada", "Roe", "leads", "Acme"]).mention(0, 2, "PERSON", "head")
    Mention(start=0, end=7, type='PERSON')
    """

    def __init__(self, tokens: Any, field: str = "tokens"):
        if not isinstance(tokens, list) or not tokens:
            fix = "give the sentence as a list of strings"
            raise DataError(field, "is not a list of words", fix, got=tokens)
        self.starts = []
        position = 0
        for token in tokens:
            if not isinstance(token, str):
                problem = "holds something that is not a string"
                raise DataError(field, problem, "give words only", got=token)
            self.starts.append(position)
            position += len(token) + 1
        self.tokens = tokens
        self.sentence = " ".join(tokens)

    def mention(self, start: Any, end: Any, entity_type: str | None, field: str) -> Mention:
        """Return the mention of tokens `start` to `end`, end exclusive.

        Raises:
            DataError: The offsets are not whole numbers inside the sentence, or the mention is
                whitespace.
        """
        for offset in (start, end):
            if type(offset) is not int:
                problem = "has an offset that is not a whole number"
                raise DataError(field, problem, "count tokens from 0", got=offset)
        if not 0 <= start < end <= len(self.tokens):
            problem = "has offsets that are reversed or outside the sentence"
            got = f"{start} to {end}, exclusive, of {len(self.tokens)} tokens"
            raise DataError(field, problem, "count tokens from 0", got=got)
        last_character = self.starts[end - 1] + len(self.tokens[end - 1])
        mention = Mention(self.starts[start], last_character, entity_type)
        if not self.sentence[mention.start : mention.end].strip():
            got = f"tokens {start} to {end}"
            raise DataError(field, "marks only whitespace", "mark a word", got=got)
        return mention


def mention_at_offsets(row: dict[str, Any], role: str, text: Characters | Tokens) -> Mention:
    """Return the mention that a row gives as `head_start` and `head_end`, or those of the tail.

    Args:
        row: Values under the names of the schema.
        role: `"head"` or `"tail"`; where the row has such a field, it must be the text there.
        text: The sentence.

    Raises:
        DataError: The offsets are no span of the sentence, or mark other words than the field.
    """
    start = get_offset(row, f"{role}_start")
    end = get_offset(row, f"{role}_end")
    mention = text.mention(start, end, None, f"{role}_start")
    name = row.get(role)
    marked = text.sentence[mention.start : mention.end]
    if name is not None and name != marked:
        problem = "is not the text at its offsets"
        fix = "count from 0 and leave the end out"
        raise DataError(role, problem, fix, got=f"{name!r}, but the text is {marked!r}")
    return mention


def find_mentions(
    sentence: str, head: str, tail: str, tokenized: bool = False
) -> tuple[Mention, Mention, bool]:
    """Find two entity strings in a sentence, as whole words.

    Of all places where the two do not overlap, those with the fewest characters between them are
    taken, and the leftmost of equally near ones: a relation is more often stated between neighbors.

    Args:
        sentence: The text.
        head: The string of the head.
        tail: The string of the tail.
        tokenized: Whether words end at spaces only; otherwise at whatever is no letter or digit.

    Returns:
        Head, tail, and whether there was a choice, because a string occurs more than once.

    Raises:
        DataError: A string does not occur, or only overlapping the other.

    >>> find_mentions("Acme hired Ada ; Ada left Acme", "Ada", "Acme")
    (Mention(start=17, end=20, type=None), Mention(start=26, end=30, type=None), True)
    """
    heads = _find("head", head, sentence, tokenized)
    tails = _find("tail", tail, sentence, tokenized)
    candidates = []  # characters between, start of the first mention, start of head, start of tail
    for start in heads:
        # Places are sorted: only the last tail before and the first tail after can be the nearest.
        if num_before := bisect.bisect_right(tails, start - len(tail)):
            other = tails[num_before - 1]
            candidates.append((start - other - len(tail), other, start, other))
        first_after = bisect.bisect_left(tails, start + len(head))
        if first_after < len(tails):
            other = tails[first_after]
            candidates.append((other - start - len(head), start, start, other))
    if not candidates:
        problem = "occurs nowhere apart from the head"
        raise DataError("tail", problem, "give offsets for both", got=tail)
    _, _, head_start, tail_start = min(candidates)
    return (
        Mention(head_start, head_start + len(head)),
        Mention(tail_start, tail_start + len(tail)),
        len(heads) + len(tails) > 2,
    )


def _find(field: str, name: str, sentence: str, tokenized: bool) -> list[int]:
    """Return where a string begins, as whole words."""
    if not name.strip():
        raise DataError(field, "is empty", "name the entity")
    # In tokenized text, a space on either side says that the words are whole.
    text, wanted = (f" {sentence} ", f" {name} ") if tokenized else (sentence, name)
    places = []
    position = text.find(wanted)
    while position >= 0:
        if tokenized or not _is_part_of_word(sentence, position, position + len(name)):
            places.append(position)
        position = text.find(wanted, position + 1)
    if not places:
        problem = "does not occur in the sentence"
        raise DataError(field, problem, "write it as the sentence does", got=name)
    return places


def _is_part_of_word(sentence: str, start: int, end: int) -> bool:
    """Return whether the word continues beyond either end: "Roe" in "Roeburn", "Bo" in "Rambo"."""
    left = sentence[start - 1 : start + 1]
    right = sentence[end - 1 : end + 1]
    return (len(left) == 2 and left.isalnum()) or (len(right) == 2 and right.isalnum())

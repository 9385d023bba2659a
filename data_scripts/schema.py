"""The one schema that every corpus is read into, and the one error that a bad source row raises."""

import bisect
import html
import itertools
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import datasets

from modeling_siamure.markers import cuts_word, is_inside_word

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

BOUNDS = ("head_start", "head_end", "tail_start", "tail_end")

# What other programs write for a missing value when they turn it into a string.
_MISSING = {"nan", "<na>", "nat", "null"}
# These may also be the name of a label that says so.
_PERHAPS_MISSING = {"none", "na", "n/a"}

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
        message = f"{where}{self.problem}{value}; {self.fix}"
        # The name of a column or a file may hold anything.
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)

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
    `by_name` says that mentions were looked for; `offsets` are those of head and tail in the
    source, where it gives characters.
    """

    id: str | None
    sentence: str
    head: Mention
    tail: Mention
    relations: list[str]
    extra: Mapping[str, Any] = MappingProxyType({})
    by_name: bool = False
    offsets: tuple[tuple[int, int], ...] = ()


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


def is_missing(value: Any) -> bool:
    """Return whether a value stands for none: null, NaN, an empty string or an empty list.

    >>> is_missing(float("nan")), is_missing(""), is_missing(0)
    (True, True, False)
    """
    return value is None or value in ("", []) or (isinstance(value, float) and math.isnan(value))


def get_text(row: Any, field: str) -> str | None:
    """Return an optional field as a string, read alike from JSON, CSV and Parquet.

    A number is written as an integer where it is one, as labels with gaps come out of pandas; NaN
    is missing, and so is a string that other programs write for it (`nan`, `<NA>`, `null`). In a
    type, `None` and `NA` are missing too; a label or an id may have that name.

    Args:
        row: A parsed source row.
        field: The key.

    Raises:
        DataError: The value is neither a string nor a finite number.

    >>> get_text({"relation": 2.0}, "relation"), get_text({"relation": "2.0"}, "relation")
    ('2', '2')
    >>> get_text({"head_type": "NaN"}, "head_type") is None
    True
    """
    value = row.get(field)
    if is_missing(value):
        return None
    is_number = type(value) in (int, float) and math.isfinite(value)
    text = str(value) if is_number else get(row, field, str)
    if text.lower() in _MISSING or (field.endswith("_type") and may_be_missing(text)):
        return None
    return text.partition(".")[0] if re.fullmatch(r"-?[0-9]+\.0+", text) else text


def may_be_missing(text: str) -> bool:
    """Return whether a string may say that there is no value, or be a label of that name."""
    return text.lower() in _PERHAPS_MISSING


def get_labels(row: Any, field: str) -> list[str]:
    """Return the labels of an optional field, which may hold one or a list of them."""
    value = row.get(field)
    values = value if isinstance(value, list) else [value]
    labels = (get_text({field: label}, field) for label in values)
    return [label for label in labels if label]


def get_offset(row: Any, field: str) -> int:
    """Return an offset; CSV has digits, and pandas writes whole floats."""
    value = row.get(field)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.0*)?", value.strip()):
        return int(value.strip().partition(".")[0])
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return get(row, field, int)


def labels_by_pair(
    labels: list, head: str, tail: str, relation: str
) -> tuple[dict[tuple[int, int], list[str]], list[DataError]]:
    """Return all labels of each pair of entities, where a source lists labels.

    Args:
        labels: Objects with the indices of two entities and a label.
        head: Key of the head's index.
        tail: Key of the tail's index.
        relation: Key of the label.

    Returns:
        The labels per pair, and the errors of labels that are no such object.

    >>> labels = [{"h": 0, "t": 2, "r": "P17"}, {"h": 0, "t": 2, "r": "P131"}]
    >>> labels_by_pair(labels, "h", "t", "r")
    ({(0, 2): ['P17', 'P131']}, [])
    """
    pairs: dict[tuple[int, int], list[str]] = {}
    errors = []
    for label in labels:
        try:
            pair = get(label, head, int), get(label, tail, int)
            name = get(label, relation, str)
        except DataError as error:
            errors.append(error)
        else:
            pairs.setdefault(pair, []).append(name)
    return pairs, errors


def add_unlabeled(
    labels: dict[tuple[int, int], list[str]], num_entities: int
) -> dict[tuple[int, int], list[str]]:
    """Return the labels per pair, and no labels for each pair that has none in either direction.

    >>> add_unlabeled({(2, 0): ["leads"]}, 3)
    {(2, 0): ['leads'], (0, 1): [], (1, 2): []}
    """
    pairs = itertools.combinations(range(num_entities), 2)
    others = (pair for pair in pairs if pair not in labels and pair[::-1] not in labels)
    return labels | {pair: [] for pair in others}


def _in_units(encoding: str, size: int) -> Callable[[str, int, int], tuple[int, int]]:
    """Return the correction of offsets that count units of an encoding, of `size` bytes each."""

    def correct(sentence: str, start: int, end: int) -> tuple[int, int]:
        units = sentence.encode(encoding, "surrogatepass")

        def position(offset: int) -> int:
            if not 0 <= size * offset <= len(units):
                return -1
            return len(units[: size * offset].decode(encoding, "ignore"))

        return position(start), position(end)

    return correct


def _with_line_ends(stored: str, counted: str) -> Callable[[str, int, int], tuple[int, int]]:
    """Return the correction of offsets in a text that had other line ends."""

    def correct(sentence: str, start: int, end: int) -> tuple[int, int]:
        text = sentence.replace(stored, counted)

        def position(offset: int) -> int:
            return len(text[: max(offset, 0)].replace(counted, stored))

        return position(start), position(end)

    return correct


# What offsets may count, to the span of characters, end exclusive, that they mean. Where several
# would explain offsets, the first one is the likeliest.
OFFSETS: dict[str, Callable[[str, int, int], tuple[int, int]]] = {
    "characters": lambda sentence, start, end: (start, end),
    "inclusive": lambda sentence, start, end: (start, end + 1),
    "utf16": _in_units("utf-16-le", 2),
    "bytes": _in_units("utf-8", 1),
    "lf": _with_line_ends("\r\n", "\n"),
    "crlf": _with_line_ends("\n", "\r\n"),
    "one_based": lambda sentence, start, end: (start - 1, end - 1),
    "one_based_inclusive": lambda sentence, start, end: (start - 1, end),
}
# These shift every mention; the others only those behind certain characters.
SHIFTS = ("inclusive", "one_based", "one_based_inclusive")


def fitting_offsets(sentence: str, spans: tuple[tuple[int, int], ...]) -> list[str]:
    """Return what offsets would have to count so that no mention is cut off.

    Args:
        sentence: The text.
        spans: Start and end of each mention, as the source gives them.

    Returns:
        Names of `OFFSETS`; and `"html"` where they fit the text without HTML entities.

    >>> fitting_offsets("Ada Roe leads Acme.", ((0, 6), (14, 17)))
    ['inclusive']
    """
    names = [
        name
        for name, correct in OFFSETS.items()
        if all(_is_whole(sentence, *correct(sentence, *span)) for span in spans)
    ]
    text = html.unescape(sentence)
    if text != sentence and all(_is_whole(text, *span) for span in spans):
        names.append("html")
    return names


def _is_whole(sentence: str, start: int, end: int) -> bool:
    """Return whether a span holds whole words, and no space at its ends."""
    if not 0 <= start < end <= len(sentence):
        return False
    mention = sentence[start:end]
    return mention == mention.strip() and not cuts_word(sentence, start, end)


def show_cut(sentence: str, start: int, end: int) -> str:
    """Return a mention with a bar where it cuts a word, and the rest of the word.

    >>> show_cut("Mara Lind runs Petrel Foods.", 0, 8)
    'Mara Lin|d'
    """
    first, last = start, end
    while is_inside_word(sentence, first):
        first -= 1
    while is_inside_word(sentence, last):
        last += 1
    before = f"{sentence[first:start]}|" if first < start else ""
    after = f"|{sentence[end:last]}" if last > end else ""
    return f"{before}{sentence[start:end]}{after}"


class Characters:
    """A sentence as it is, whose mentions are given by characters.

    Args:
        sentence: The text.
        offsets: What offsets count, see `OFFSETS`.

    >>> Characters("Ada Roe leads Acme").mention(0, 7, "PERSON", "head")
    Mention(start=0, end=7, type='PERSON')
    """

    def __init__(self, sentence: str, offsets: str = "characters"):
        self.sentence = sentence
        self._correct = OFFSETS[offsets]

    def mention(self, start: int, end: int, entity_type: str | None, field: str) -> Mention:
        """Return the mention of characters `start` to `end`, end exclusive.

        Raises:
            DataError: The offsets are reversed or outside the sentence.
        """
        first, last = self._correct(self.sentence, start, end)
        if not 0 <= first < last <= len(self.sentence):
            problem = "has offsets that are reversed or outside the sentence"
            got = f"{start} to {end}, exclusive, of {len(self.sentence)} characters"
            fix = self.advice(start, end) or "count characters from 0"
            raise DataError(field, problem, fix, got=got)
        return Mention(first, last, entity_type)

    def bound(self, offset: int, is_end: bool) -> int:
        """Return the character at which a mention with this start or end begins or ends."""
        return self._correct(self.sentence, offset, offset)[is_end]

    def advice(self, start: int, end: int, name: str | None = None) -> str | None:
        """Return how to read offsets under which they mark whole words, or a name."""
        for option, correct in OFFSETS.items():
            first, last = correct(self.sentence, start, end)
            marked = self.sentence[max(first, 0) : max(last, 0)]
            if marked == name if name else _is_whole(self.sentence, first, last):
                return f"they fit with the option offsets={option}"
        return None


class Tokens:
    """A tokenized sentence, joined by spaces, that turns token spans into character spans.

    Args:
        tokens: The words; a token may itself be a space, as in FewRel.
        field: The source's name of the list, for messages.
        offsets: What offsets count, see `OFFSETS`; of tokens, only their begin and end differ.

    >>> Tokens(["Ada", "Roe", "leads", "Acme"]).mention(0, 2, "PERSON", "head")
    Mention(start=0, end=7, type='PERSON')
    """

    def __init__(self, tokens: Any, field: str = "tokens", offsets: str = "characters"):
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
        self._correct = OFFSETS[offsets if offsets in SHIFTS else "characters"]
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
        start, end = self._correct(self.sentence, start, end)
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

    def bound(self, offset: int, is_end: bool) -> int:
        """Return the character at which a mention with this start or end begins or ends."""
        token = self._correct(self.sentence, offset, offset)[is_end]
        if not 0 <= token - is_end < len(self.tokens):
            return -1
        return self.starts[token - is_end] + (len(self.tokens[token - 1]) if is_end else 0)

    def advice(self, start: int, end: int, name: str | None = None) -> str | None:
        """Return how to read offsets under which they mark a name."""
        for option in SHIFTS:
            first, last = OFFSETS[option](self.sentence, start, end)
            if name and " ".join(self.tokens[max(first, 0) : max(last, 0)]) == name:
                return f"they fit with the option offsets={option}"
        return None


def in_text_order(head: Mention, tail: Mention) -> tuple[Mention, Mention]:
    """Return two mentions whose pair has no label, and so no direction, from left to right."""
    return (tail, head) if tail.start < head.start else (head, tail)


def mention_at_offsets(row: dict[str, Any], role: str, text: Characters | Tokens) -> Mention:
    """Return the mention that a row gives as `head_start` and `head_end`, or those of the tail.

    Args:
        row: Values under the names of the schema.
        role: `"head"` or `"tail"`; where the row has such a field, it must be the text there, but
            for white space.
        text: The sentence.

    Raises:
        DataError: The offsets are no span of the sentence, or mark other words than the field.
    """
    start = get_offset(row, f"{role}_start")
    end = get_offset(row, f"{role}_end")
    mention = text.mention(start, end, None, f"{role}_start")
    name = row.get(role)
    marked = text.sentence[mention.start : mention.end]
    if name is not None and str(name).split() != marked.split():
        problem = "is not the text at its offsets"
        fix = text.advice(start, end, name) or "count from 0 and leave the end out"
        raise DataError(role, problem, fix, got=f"{name!r}, but the text is {marked!r}")
    return mention


def locate_mentions(
    row: dict[str, Any], text: Characters | Tokens
) -> tuple[Mention, Mention, bool, bool]:
    """Find both mentions of a row from whatever it gives of each: offsets, name, or name and place.

    Args:
        row: Values under the names of the schema: per role, `head_start` and `head_end`; the name
            `head` and one of these two; or the name alone, which is looked for.
        text: The sentence.

    Returns:
        Head, tail, whether a name was looked for, and whether there was a choice of places.

    Raises:
        DataError: A role has too little, or what it gives does not occur in the sentence.

    >>> row = {"head": "Ada", "head_start": 10, "tail": "Acme"}
    >>> locate_mentions(row, Characters("Ada saw ; Ada left Acme"))[0]
    Mention(start=10, end=13, type=None)
    """
    places = {}
    for role in ("head", "tail"):
        has_start, has_end = f"{role}_start" in row, f"{role}_end" in row
        if has_start and has_end:
            places[role] = [mention_at_offsets(row, role, text)]
            continue
        if role not in row and (has_start or has_end):
            get_offset(row, f"{role}_end" if has_start else f"{role}_start")
        name = get(row, role, str).strip()
        spans = find_name(role, name, text.sentence)
        if has_start or has_end:
            spans = [span for span in spans if _is_at_offset(row, role, text, span)]
            if not spans:
                side = "start" if has_start else "end"
                problem = "does not occur at its offset"
                got = f"{name!r}, {role}_{side} {row[f'{role}_{side}']}"
                raise DataError(role, problem, "count from 0 and leave the end out", got=got)
        places[role] = spans
    looked_for = len(row.keys() & set(BOUNDS)) < len(BOUNDS)
    heads, tails = places["head"], places["tail"]
    if len(heads) == 1 and len(tails) == 1 and row.keys() & set(BOUNDS):
        return heads[0], tails[0], looked_for, False
    return *_nearest(heads, tails, row["tail"]), looked_for, len(heads) + len(tails) > 2


def _is_at_offset(row: dict[str, Any], role: str, text: Characters | Tokens, span: Mention) -> bool:
    """Return whether a span begins or ends where the one offset of a role says."""
    if f"{role}_start" in row:
        offset = get_offset(row, f"{role}_start")
        return text.bound(offset, is_end=False) == span.start
    return text.bound(get_offset(row, f"{role}_end"), is_end=True) == span.end


def find_mentions(
    sentence: str, head: str, tail: str, tokenized: bool = False
) -> tuple[Mention, Mention, bool]:
    """Find two entity strings in a sentence.

    Of all places where the two do not overlap, those with the fewest characters between them are
    taken, and the leftmost of equally near ones: a relation is more often stated between neighbors.

    Args:
        sentence: The text.
        head: The string of the head.
        tail: The string of the tail.
        tokenized: Whether only what stands between spaces counts; see `find_name`.

    Returns:
        Head, tail, and whether there was a choice, because a string occurs more than once.

    Raises:
        DataError: A string does not occur, or only overlapping the other.

    >>> find_mentions("Acme hired Ada ; Ada left Acme", "Ada", "Acme")
    (Mention(start=17, end=20, type=None), Mention(start=26, end=30, type=None), True)
    """
    heads = find_name("head", head, sentence, tokenized)
    tails = find_name("tail", tail, sentence, tokenized)
    return *_nearest(heads, tails, tail), len(heads) + len(tails) > 2


def _nearest(heads: list[Mention], tails: list[Mention], name: str) -> tuple[Mention, Mention]:
    """Return the nearest two mentions that do not overlap; all of one role are equally long.

    Args:
        heads: Places of the head, from left to right.
        tails: Places of the tail, from left to right.
        name: Of the tail, for the message.

    Raises:
        DataError: There are none.
    """
    starts = [tail.start for tail in tails]
    ends = [tail.end for tail in tails]
    candidates = []  # characters between, start of the first mention, head, tail
    for head in heads:
        # Places are sorted: only the last tail before and the first tail after can be the nearest.
        if num_before := bisect.bisect_right(ends, head.start):
            tail = tails[num_before - 1]
            candidates.append((head.start - tail.end, tail.start, head, tail))
        first_after = bisect.bisect_left(starts, head.end)
        if first_after < len(tails):
            tail = tails[first_after]
            candidates.append((tail.start - head.end, head.start, head, tail))
    if not candidates:
        problem = "occurs nowhere apart from the head"
        raise DataError("tail", problem, "give offsets for both", got=name)
    _, _, head, tail = min(candidates)
    return head, tail


def find_name(field: str, name: str, sentence: str, tokenized: bool = False) -> list[Mention]:
    """Return the places of a name in a sentence, from left to right.

    Whole words are looked for first, then words that begin with the name (suffixes), then any
    place. In scripts without spaces, every place counts as whole words (see `cuts_word`).

    Args:
        field: The role, for messages.
        name: The string.
        sentence: The text.
        tokenized: Whether only what stands between spaces counts.

    Raises:
        DataError: The name is empty, or does not occur.

    >>> find_name("head", "Ankara", "Mavisu Ankarada açıldı")
    [Mention(start=7, end=13, type=None)]
    """
    if not name.strip():
        raise DataError(field, "is empty", "name the entity")
    # In tokenized text, a space on either side says that the words are whole.
    text, wanted = (f" {sentence} ", f" {name} ") if tokenized else (sentence, name)
    places = []
    position = text.find(wanted)
    while position >= 0:
        places.append(Mention(position, position + len(name)))
        position = text.find(wanted, position + 1)
    if not places:
        problem = "does not occur in the sentence"
        raise DataError(field, problem, "write it as the sentence does", got=name)
    if tokenized:
        return places
    beginning = [place for place in places if not is_inside_word(sentence, place.start)]
    whole = [place for place in beginning if not is_inside_word(sentence, place.end)]
    return whole or beginning or places

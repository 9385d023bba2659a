"""Cut a text into sentences by rule, without cutting an entity."""

import bisect
import re
from collections.abc import Iterable

# Blank lines, ends of lines, and punctuation that may end a sentence, with what closes behind it.
_BREAK = re.compile(
    r"""(?P<paragraph>[ \t]*\r?\n[ \t]*\r?\n\s*)
    | (?P<line>[ \t]*\r?\n\s*)
    | (?P<full>[。！？]+[”’」』）]*\s*)
    | (?P<mark>[.!?…]+["'”’»)\]]*\s+)""",
    re.VERBOSE,
)
_OPENING = "\"'“‘«„([¿¡-–— "
# A period behind these, or behind an initial, ends no sentence.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“‘.])(?:\w|Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Gen|Col|Rev|Hon|Sen|Rep|Gov|No|Nos|Fig|"
    r"Figs|Eq|Eqs|Sec|Vol|vs|cf|al|ca|approx|bzw|Nr|Mme|Mlle)\.$"
)


def split_sentences(
    text: str, spans: Iterable[tuple[int, int]] = ()
) -> tuple[list[tuple[int, int]], int]:
    r"""Return the sentences of a text as spans of characters, ends exclusive.

    A sentence ends at a blank line; at the end of a line, unless the next one resumes with a small
    letter or the line was wrapped; and at a period, question mark or exclamation mark before what
    is no small letter, but for initials and common abbreviations. Where that would cut one of the
    spans, it does not.

    Args:
        text: The text.
        spans: What must not be cut, such as entities.

    Returns:
        The sentences without white space at their ends, and the number of spans in which one would
        have ended.

    >>> split_sentences("Dr. Ada Roe left\nAcme Inc. Bo stayed.", [(0, 11)])
    ([(0, 16), (17, 26), (27, 37)], 0)
    """
    ordered = sorted(set(spans))
    starts = [start for start, _ in ordered]
    # Of all spans that begin up to here, the largest end: they may be nested.
    ends: list[int] = []
    for _, end in ordered:
        ends.append(max(end, ends[-1]) if ends else end)
    sentences = []
    crossed = set()
    begin = 0
    width = max(map(len, text.split("\n")))
    for match in _BREAK.finditer(text):
        if not _is_end(text, match, width):
            continue
        position = match.end()
        index = bisect.bisect_left(starts, position) - 1
        if index >= 0 and ends[index] > position:
            crossed.add(ordered[index])
            continue
        sentences.append((begin, position))
        begin = position
    sentences.append((begin, len(text)))
    trimmed = (trim(text, *sentence) for sentence in sentences)
    return [(start, end) for start, end in trimmed if start < end], len(crossed)


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span without the white space at its ends.

    >>> trim("Ada  left", 0, 5)
    (0, 3)
    """
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    return start + left, max(start + left, start + len(part.rstrip()))


def _is_end(text: str, match: re.Match, width: int) -> bool:
    """Return whether a sentence ends at a match of `_BREAK`, in a text of lines of some width."""
    if match["paragraph"] or match["full"] or match[0].count("\n") > 1:
        return True
    following = text[match.end() : match.end() + 3].lstrip(_OPENING)[:1]
    if match["line"]:
        return not (following.islower() or _is_wrapped(text, match, width))
    if following.islower() and "\n" not in match[0]:
        return False
    before = text[max(match.start() - 12, 0) : match.start() + 1]
    return not _ABBREVIATION.search(before)


def _is_wrapped(text: str, match: re.Match, width: int) -> bool:
    """Return whether a line ends because the next word had no room in it."""
    length = match.start() - text.rfind("\n", 0, match.start()) - 1
    next_word = text[match.end() : match.end() + width].split(maxsplit=1)
    return 40 <= width <= 120 and bool(next_word) and length + 1 + len(next_word[0]) > width

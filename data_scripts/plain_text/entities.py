"""Entities in texts, the sentences they are in, and the words between them."""

import importlib
from functools import cache
from types import ModuleType
from typing import NamedTuple

import regex

from modeling_siamure.markers import SCRIPTS_WITHOUT_SPACES

Span = tuple[int, int]

# Words, single letters of scripts that write no spaces, punctuation marks, and white space, as
# `markers.is_inside_word` has it.
TOKEN = regex.compile(
    rf"(?:(?!{SCRIPTS_WITHOUT_SPACES.pattern})[\p{{L}}\p{{N}}]\p{{M}}*)+|\s+|.\p{{M}}*",
    regex.DOTALL,
)
_PRONOUN = regex.compile(
    "i|me|my|mine|myself|you|yours?|yourself|yourselves|he|him|his|himself|she|hers?|herself|it|"
    "its|itself|we|us|ours?|ourselves|they|them|theirs?|themselves|who|whom|whose|which|that|this|"
    "these|those|(some|any|every|no)(one|body)"
)
# What `pip install` takes, where it is more than the name of the module.
_INSTALLED_AS = {
    # Its releases ask for a transformers older than ours, and work with ours.
    "gliner": "--no-deps gliner sentencepiece",
}


class Entity(NamedTuple):
    """A mention: characters of a text, end exclusive, and its type where known."""

    start: int
    end: int
    type: str | None
    is_pronoun: bool = False


class Annotation(NamedTuple):
    """What a model says of a text.

    Attributes:
        sentences: Characters of each sentence, end exclusive; `None` where the model sets none.
        entities: Mentions, in any order.
    """

    sentences: list[Span] | None
    entities: list[Entity]


def is_pronoun(name: str) -> bool:
    """Tell whether a name is a pronoun of English, in small letters or with a capital.

    >>> is_pronoun("They"), is_pronoun("us"), is_pronoun("US")
    (True, True, False)
    """
    lowered = name.lower()
    return bool(_PRONOUN.fullmatch(lowered)) and name in (lowered, lowered.capitalize())


def split_sentences(text: str, language: str = "en") -> list[Span]:
    """Return the characters of each sentence, without white space at its ends.

    sentencex splits, which knows the abbreviations of many languages and the full stops of all
    scripts. It is used whatever else is installed, so that a text has the same sentences
    everywhere.

    Args:
        text: The text.
        language: Code of its language, for abbreviations.

    Raises:
        ImportError: sentencex is not installed.

    >>> text = "Dr. Ada left. 他在北京工作。她在上海！"
    >>> [text[start:end] for start, end in split_sentences(text)]
    ['Dr. Ada left.', '他在北京工作。', '她在上海！']
    """
    sentencex = require("sentencex", "splitting sentences")
    boundaries = sentencex.get_sentence_boundaries(language, text)
    spans = [(boundary["start_index"], boundary["end_index"]) for boundary in boundaries]
    return [span for span in (trim(text, *span) for span in spans) if span[0] < span[1]]


def trim(text: str, start: int, end: int) -> Span:
    """Return a span without white space at its ends; an empty one if there is nothing else.

    >>> trim(" Ada ", 0, 5)
    (1, 4)
    """
    inside = text[start:end]
    start += len(inside) - len(inside.lstrip())
    return start, max(start, end - (len(inside) - len(inside.rstrip())))


@cache
def require(library: str, purpose: str) -> ModuleType:
    """Return a library that is optional.

    Args:
        library: Its name.
        purpose: What needs it.

    Raises:
        ImportError: It is not installed; says how to install it.
    """
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        raise ImportError(
            f"{purpose} needs {library}: pip install {_INSTALLED_AS.get(library, library)}"
        ) from None

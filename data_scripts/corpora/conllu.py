"""CoNLL-U (Universal Dependencies) with entities, read by the library `conllu`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

try:
    import conllu
except ImportError:
    raise ImportError("CoNLL-U needs conllu: pip install conllu") from None

from ..annotations import AnnotatedBuilder, Document
from ..builder import EntityPairsConfig
from ..files import split_files
from ..schema import DataError
from .conll import decode_block, decode_tags, read_blocks

_KEYS = ("ner", "ne", "entity")
_BRACKET = re.compile(r"\((?P<open>[^()]+)(?P<closed>\))?|(?P<close>[^()]+)\)")


@dataclass
class ConlluConfig(EntityPairsConfig):
    """Names the files of such corpora.

    Args:
        entities: What holds the entities: a key of the column MISC, or a column such as `xpos`; by
            default the key `NER`, `NE` or `Entity` of MISC, in any case.
    """

    FILES: ClassVar = split_files("conllu")

    entities: str | None = None


class Conllu(AnnotatedBuilder):
    """Sentences of CoNLL-U whose tokens say which entity they belong to, in one of two ways.

    - Tags: `NER=B-PER`, as Stanza and others write them.
    - Brackets: `Entity=(e1-person-1` and `Entity=e1)`, as in GUM and CorefUD; the comment
      `# global.Entity` says which part is the type (`etype`).

    The sentence is that of the forms and `SpaceAfter=No`. The words of a multiword token share
    its span.
    """

    BUILDER_CONFIG_CLASS = ConlluConfig
    HOMEPAGE = "https://universaldependencies.org/format.html"

    def _documents(self, source: Path) -> Iterator[tuple[int | str, Document | DataError]]:
        order = None
        for number, (line, block) in enumerate(read_blocks(source), 1):
            try:
                tokens = _parse(block)
                order = tokens.metadata.get("global.Entity", order)
                name = tokens.metadata.get("sent_id") or f"{source.stem}-{number}"
                yield line, self._read_sentence(name, tokens, order)
            except DataError as error:
                yield line, error

    def _read_sentence(
        self, name: str, tokens: list[dict[str, Any]], order: str | None
    ) -> Document:
        text, spans, words = _surface(tokens)
        values = [_value(word, self.config.entities) for word in words]
        document = Document(name, text, is_sentence=True)
        is_bracketed = any("(" in value or ")" in value for value in values)
        entities = _brackets(values, order) if is_bracketed else decode_tags(values)
        for number, (start, end, entity_type) in enumerate(entities, 1):
            document.add_entity(number, spans[start][0], spans[end - 1][1], entity_type)
        return document


def _parse(block: list[bytes]) -> conllu.TokenList:
    """Return the tokens of a block of lines."""
    text = "\n".join([*decode_block(block), "", ""])
    try:
        (tokens,) = conllu.parse(text)
    except (conllu.exceptions.ParseException, ValueError) as error:
        fix = "give each token ten columns, separated by tabs"
        raise DataError(None, "is no sentence of CoNLL-U", fix, got=str(error)) from None
    return tokens


def _surface(tokens: list[dict[str, Any]]) -> tuple[str, list[tuple[int, int]], list[dict]]:
    """Return the sentence, the span of each word in it, and the words."""
    text = ""
    spans = []
    words = []
    shared: tuple[int, int] | None = None  # the span of a multiword token
    last = 0
    for token in tokens:
        number, form = token["id"], token["form"]
        if isinstance(number, tuple):
            if number[1] == ".":
                continue  # a node that is not in the text
            last = number[2]
            shared = len(text), len(text) + len(form)
        else:
            words.append(token)
            if shared and number <= last:
                spans.append(shared)
                continue
            spans.append((len(text), len(text) + len(form)))
        is_glued = (token.get("misc") or {}).get("SpaceAfter") == "No"
        text += form if is_glued else f"{form} "
    return text.rstrip(), spans, words


def _value(word: dict[str, Any], name: str | None) -> str:
    """Return what a word says about its entity."""
    misc = word.get("misc") or {}
    if name:
        value = misc.get(name, word.get(name.lower()))
    else:
        by_key = {key.lower(): value for key, value in misc.items()}
        value = next((by_key[key] for key in _KEYS if key in by_key), None)
    return value if isinstance(value, str) else ""


def _brackets(values: list[str], order: str | None) -> Iterator[tuple[int, int, str | None]]:
    """Yield the entities that brackets mark: start, end (exclusive) and type.

    Raises:
        DataError: A bracket is not closed, or not opened.

    >>> list(_brackets(["(e1-person-1(e2-place-1)", "", "e1)"], "eid-etype-head"))
    [(0, 1, 'place'), (0, 3, 'person')]
    """
    fields = (order or "").split("-")
    opened: list[tuple[int, str]] = []
    for position, value in enumerate(values):
        for bracket in _BRACKET.finditer(value):
            if bracket["close"]:
                name = bracket["close"]
                matches = [entry for entry in opened if f"{entry[1]}-".startswith(f"{name}-")]
                if not matches:
                    fix = "write Entity=(e1-person at the first word and Entity=e1) at the last"
                    raise DataError("Entity", "closes what is not open", fix, got=value)
                start, content = matches[-1]
                opened.remove(matches[-1])
            else:
                start, content = position, bracket["open"]
                if not bracket["closed"]:
                    opened.append((start, content))
                    continue
            yield start, position + 1, _type(content, fields)
    if opened:
        fix = "write Entity=e1) at the last word, in the same sentence"
        raise DataError("Entity", "is not closed in its sentence", fix, got=opened[0][1])


def _type(content: str, fields: list[str]) -> str | None:
    """Return the type of an entity such as `e1-person-1`."""
    parts = content.split("-")
    if "etype" in fields:
        index = fields.index("etype")
    else:
        index = int(bool(re.fullmatch(r"[a-z]*[0-9]+(\[.*\])?", parts[0])))
    return parts[index] if index < len(parts) else None

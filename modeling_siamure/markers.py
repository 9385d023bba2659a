"""Typed entity markers (Eq. 1): the strings, their tokens, and the window that keeps them.

A marked sentence is the one interface between data and model:

    <e1:PERSON> Ada Roe </e1:PERSON> leads <e2:ORGANIZATION> Acme </e2:ORGANIZATION> .

`e1` is the head and `e2` the tail, whichever comes first; without a type the markers are `<e1>`,
`</e1>`, `<e2>` and `</e2>`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from transformers import AddedToken, PreTrainedTokenizerBase

MARKER = re.compile(r"<(?P<close>/?)e(?P<entity>[12])(?::(?P<type>[^<>\s]+))?>")
ROLES = ("head start", "head end", "tail start", "tail end")
HEAD_START, HEAD_END, TAIL_START, TAIL_END = range(4)
_NOT_IN_A_TYPE = re.compile(r"[<>\s]+")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
# Han, kana, bopomofo and the scripts of mainland Southeast Asia and Tibet write no spaces between
# words; Hangul writes particles onto names.
SCRIPTS_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u1980-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f"
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u318f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\ua980-\ua9ff\uaa60-\uaadf\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)


# --------------------------------------------------------------------------------------------------
# Strings


@dataclass(frozen=True)
class MarkedSentence:
    """A sentence with its two mentions; spans are characters of `sentence`, end exclusive."""

    sentence: str
    head: tuple[int, int]
    tail: tuple[int, int]
    head_type: str | None = None
    tail_type: str | None = None


def marker(role: int, entity_type: str | None = None) -> str:
    """Return the marker of a role (an index into `ROLES`) and an entity type.

    >>> marker(HEAD_START, "PERSON"), marker(TAIL_END)
    ('<e1:PERSON>', '</e2>')
    """
    suffix = "" if entity_type is None else ":" + _NOT_IN_A_TYPE.sub("_", entity_type)
    return f"<{'/' * (role % 2)}e{1 + role // 2}{suffix}>"


def neutralize(sentence: str) -> str:
    """Rewrite what looks like a marker, so that raw text can't move a mention.

    Every offset is kept.

    >>> neutralize("Type <e1> to begin.")
    'Type ‹e1› to begin.'
    """
    return MARKER.sub(lambda match: f"‹{match[0][1:-1]}›", sentence)


def insert_markers(
    sentence: str,
    head: tuple[int, int],
    tail: tuple[int, int],
    head_type: str | None = None,
    tail_type: str | None = None,
) -> str:
    """Write the typed markers around both mentions (Eq. 1).

    The mentions may come in either order, touch, nest, overlap or coincide. Each marker brings one
    blank of its own on its inner side, so that `read_markers` gives the sentence back exactly.

    Args:
        sentence: Raw text; what looks like a marker in it is neutralized.
        head, tail: Start and end of the mention in characters of `sentence`, end exclusive.
        head_type, tail_type: Entity types; `None` gives untyped markers.

    Raises:
        ValueError: A span is empty, blank or not inside the sentence.

    >>> insert_markers("Ada Roe leads Acme.", (0, 7), (14, 18), "PERSON", "ORG")
    '<e1:PERSON> Ada Roe </e1:PERSON> leads <e2:ORG> Acme </e2:ORG>.'
    """
    insertions = []
    for name, role, (start, end), entity_type in (
        ("head", HEAD_START, head, head_type),
        ("tail", TAIL_START, tail, tail_type),
    ):
        if not 0 <= start < end <= len(sentence) or not sentence[start:end].strip():
            raise ValueError(
                f"{name} span {start}-{end} does not hold a mention of a sentence of "
                f"{len(sentence)} characters"
            )
        # At one position, closing markers come first; then the longer mention opens first and
        # closes last.
        insertions.append((start, 1, -end, role, marker(role, entity_type) + " "))
        insertions.append((end, 0, -start, -role, " " + marker(role + 1, entity_type)))
    pieces, done = [], 0
    sentence = neutralize(sentence)
    for position, *_, inserted in sorted(insertions):
        pieces += [sentence[done:position], inserted]
        done = position
    return "".join([*pieces, sentence[done:]])


def read_markers(text: str) -> MarkedSentence:
    """Take the markers out of a marked sentence: the inverse of `insert_markers`.

    Raises:
        ValueError: One of the four markers is missing, doubled or out of order.

    >>> marked = read_markers("<e2> Acme </e2> names <e1:PERSON> Ada Roe </e1:PERSON>")
    >>> marked.sentence, marked.head, marked.head_type
    ('Acme names Ada Roe', (11, 18), 'PERSON')
    """
    positions: dict[int, int] = {}
    types: dict[int, str | None] = {}
    pieces, done, length = [], 0, 0
    for match in MARKER.finditer(text):
        role = 2 * (int(match["entity"]) - 1) + bool(match["close"])
        if role in positions:
            raise ValueError(f"the marker of the {ROLES[role]} stands twice in {text!r}")
        start, end = match.span()
        if match["close"] and start > done and text[start - 1] == " ":
            start -= 1
        elif not match["close"] and text[end : end + 1] == " ":
            end += 1
        pieces.append(text[done:start])
        length += len(pieces[-1])
        positions[role], types[role], done = length, match["type"], end
    for role, name in enumerate(ROLES):
        if role not in positions:
            raise ValueError(
                f"the marker of the {name}, such as {marker(role)}, is missing in {text!r}"
            )
    head = positions[HEAD_START], positions[HEAD_END]
    tail = positions[TAIL_START], positions[TAIL_END]
    if head[0] >= head[1] or tail[0] >= tail[1]:
        raise ValueError(f"a mention is empty or its markers are out of order in {text!r}")
    return MarkedSentence(
        "".join([*pieces, text[done:]]), head, tail, types[HEAD_START], types[TAIL_START]
    )


def find_entity_types(texts: Iterable[str]) -> list[str]:
    """Return the entity types that occur in marked sentences, sorted.

    >>> find_entity_types(["<e1:PER> Ada </e1:PER> met <e2> Bo </e2>"])
    ['PER']
    """
    return sorted(
        {match["type"] for text in texts for match in MARKER.finditer(text) if match["type"]}
    )


def cuts_word(sentence: str, start: int, end: int) -> bool:
    """Return whether a span begins or ends inside a word.

    Scripts that write no spaces between words, or particles onto names (Han, kana, Thai, Lao,
    Khmer, Burmese, Hangul), are excepted, because a span can't be judged there. A combining mark
    belongs to the letter before it in every script.

    Args:
        sentence: The text.
        start: First character of the span.
        end: The character behind its last one.

    >>> cuts_word("Ada Roe leads Acme.", 0, 6), cuts_word("Ada Roe leads Acme.", 0, 7)
    (True, False)
    >>> cuts_word("何曼写成青石巷", 0, 2)
    False
    """
    return is_inside_word(sentence, start) or is_inside_word(sentence, end)


def is_inside_word(sentence: str, position: int) -> bool:
    """Return whether one word continues across a position between two characters."""
    if not 0 < position < len(sentence):
        return False
    before, after = sentence[position - 1], sentence[position]
    if _is_mark(after):
        return before.isalnum() or _is_mark(before)
    if not (after.isalnum() and (before.isalnum() or _is_mark(before))):
        return False
    return not SCRIPTS_WITHOUT_SPACES.search(before + after)


def _is_mark(character: str) -> bool:
    """Return whether a character is a combining mark: an accent, a vowel sign, a virama."""
    return unicodedata.category(character).startswith("M")


# --------------------------------------------------------------------------------------------------
# Vocabulary


def extend_tokenizer(
    tokenizer: PreTrainedTokenizerBase, entity_types: Sequence[str]
) -> tuple[int, list[str]]:
    """Add the markers to a tokenizer, as one block of special tokens.

    Four untyped ones come first, then four per type.

    A marker's role is then `(token id - first id) % 4`, which the model reads without any table.

    Args:
        tokenizer: A fast tokenizer; extended in place. If it knows markers already, new types go
            behind them.
        entity_types: Names such as `"PERSON"`.

    Returns:
        The id of the first marker, and all types in the order of their markers.

    Raises:
        ValueError: Other tokens were added behind the markers, so that the block can't grow.
    """
    known = known_entity_types(tokenizer)
    types = known + [name for name in dict.fromkeys(entity_types) if name not in known]
    markers = [marker(role, name) for name in (None, *types) for role in range(4)]
    # lstrip: byte-level tokenizers would make a token of their own of the blank before a closing
    # marker.
    tokens = [AddedToken(text, lstrip=True, normalized=False, special=True) for text in markers]
    tokenizer.add_tokens(tokens, special_tokens=True)
    ids = tokenizer.convert_tokens_to_ids(markers)
    assert isinstance(ids, list)  # one id per marker
    if ids != list(range(ids[0], ids[0] + len(ids))):
        raise ValueError(
            "the tokenizer has other tokens behind its markers; start from the tokenizer of the "
            "encoder"
        )
    return ids[0], types


def known_entity_types(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return the entity types whose markers a tokenizer has, in the order of their ids."""
    added = sorted(tokenizer.get_added_vocab().items(), key=lambda item: item[1])
    return [
        match["type"]
        for text, _ in added
        if (match := MARKER.fullmatch(text)) and text.startswith("<e1:")
    ]


def check_tokenizer(
    tokenizer: PreTrainedTokenizerBase,
    first_marker_id: int | None,
    entity_types: Sequence[str] | None,
) -> None:
    """Raise a `ValueError` where the markers of a tokenizer are not those of a model.

    Args:
        tokenizer: Of `AutoTokenizer`.
        first_marker_id, entity_types: Of the model's configuration.
    """
    first = tokenizer.get_vocab().get(marker(HEAD_START))
    if (first, known_entity_types(tokenizer)) != (first_marker_id, list(entity_types or ())):
        raise ValueError(
            "the tokenizer does not have the markers of the model; use the one that was saved with "
            "the model"
        )


def name_words(entity_type: str) -> str:
    """Return the words of a type's name, split at case and underscores.

    >>> name_words("STATE_OR_PROVINCE"), name_words("FinancialEntity")
    ('state or province', 'financial entity')
    """
    return " ".join(_WORD.findall(entity_type)).lower() or entity_type


@torch.no_grad()
def initialize_marker_embeddings(
    embeddings: torch.nn.Embedding,
    tokenizer: PreTrainedTokenizerBase,
    entity_types: Sequence[str | None],
) -> None:
    """Start each marker from the mean embedding of the word pieces of its type's name.

    The library's default gives all new tokens one vector, which makes marker states of all types
    alike. A tenth of the role's own words ("head start") keeps the four markers of a type apart.

    Args:
        embeddings: Input embeddings of the encoder, already resized to the extended vocabulary.
        tokenizer: The extended tokenizer.
        entity_types: The types to initialize; `None` stands for the untyped markers.
    """

    def mean_of(words: str) -> torch.Tensor:
        ids = tokenizer(words, add_special_tokens=False)["input_ids"] or [tokenizer.unk_token_id]
        return embeddings.weight[torch.tensor(ids, device=embeddings.weight.device)].mean(dim=0)

    for entity_type in entity_types:
        for role, role_words in enumerate(ROLES):
            words = (
                name_words(entity_type)
                if entity_type is not None
                else f"{role_words.split()[0]} entity"
            )
            index = tokenizer.convert_tokens_to_ids(marker(role, entity_type))
            embeddings.weight[index] = mean_of(words) + 0.1 * mean_of(role_words)


# --------------------------------------------------------------------------------------------------
# Token ids


def marker_roles(input_ids: torch.Tensor, first_marker_id: int, num_markers: int) -> torch.Tensor:
    """Find the markers: `(batch_size, 4, sequence_length)`, true where a token has a role."""
    offsets = input_ids - first_marker_id
    role = torch.where((offsets >= 0) & (offsets < num_markers), offsets % 4, -1)
    return role.unsqueeze(1) == torch.arange(4, device=role.device).view(1, 4, 1)


def relation_spans(is_role: torch.Tensor) -> torch.Tensor:
    """Find the tokens of head mention, tail mention and the text between the two.

    Markers belong to none of them; where a marker occurs more than once, the first counts.
    Touching, nested and overlapping mentions have nothing between them.

    Args:
        is_role: From `marker_roles`.

    Returns:
        `(batch_size, 3, sequence_length)`, true where a token is part of a span.
    """
    first = is_role.int().argmax(dim=-1)  # (batch, 4)
    starts, ends = first[:, [HEAD_START, TAIL_START]], first[:, [HEAD_END, TAIL_END]]
    # Between the mentions: from the end that comes first to the start that comes last.
    starts, ends = (
        torch.cat([starts, ends.amin(dim=1, keepdim=True)], dim=1),
        torch.cat([ends, starts.amax(dim=1, keepdim=True)], dim=1),
    )
    position = torch.arange(is_role.shape[-1], device=is_role.device)
    inside = (position > starts.unsqueeze(-1)) & (position < ends.unsqueeze(-1))
    return inside & ~is_role.any(dim=1, keepdim=True)


def append_prompt(
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    mentions: torch.Tensor,
    mask_token_id: int,
    sep_token_id: int,
    max_tokens: int = 16,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Append the prompt `{head} [MASK] {tail} [SEP]` to each row, behind its last token.

    Args:
        input_ids: Token ids `(batch_size, length)`.
        attention_mask: 1 for tokens, 0 for the padding behind them, `(batch_size, length)`.
        mentions: True where a token is part of head or tail, `(batch_size, 2, length)`.
        mask_token_id, sep_token_id: Of the prompt.
        max_tokens: Tokens of a mention that are repeated; the first ones of a longer one.

    Returns:
        Longer token ids and attention mask, `(batch_size, longer)`, and where the mask stands,
        `(batch_size,)`. The length is that of the longest row; while a graph is traced it is the
        largest possible, for it must not depend on the tokens.

    >>> mentions = torch.tensor([[[0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]]).bool()
    >>> ids, mask, place = append_prompt(
    ...     torch.tensor([[1, 7, 5, 8, 2]]), torch.ones(1, 5), mentions, 4, 2
    ... )
    >>> ids.tolist(), place.tolist()
    ([[1, 7, 5, 8, 2, 7, 4, 8, 2]], [6])
    """
    width = 2 * max_tokens + 2
    length = input_ids.shape[1]
    column = torch.arange(length + width, device=input_ids.device)
    mentions = torch.nn.functional.pad(mentions, (0, width)).long()
    longer = torch.nn.functional.pad(input_ids, (0, width))
    # The first tokens of each mention: the largest of numbers that fall from left to right.
    rank, position = (mentions * (length + width - column)).topk(max_tokens, dim=-1)
    is_token = rank > 0  # (batch, 2, max_tokens)
    counts = is_token.sum(dim=-1)
    head_tokens, tail_tokens = longer.unsqueeze(1).expand(-1, 2, -1).gather(2, position).unbind(1)
    begin = attention_mask.long().sum(dim=1, keepdim=True)
    mask_at = begin + counts[:, :1]
    end = mask_at + 1 + counts[:, 1:]
    offset = torch.arange(max_tokens, device=input_ids.device)
    dump = length + width  # a column that is dropped again, for places without a token
    target = torch.cat(
        [
            torch.where(is_token[:, 0], begin + offset, dump),
            mask_at,
            torch.where(is_token[:, 1], mask_at + 1 + offset, dump),
            end,
        ],
        dim=1,
    )
    ones = torch.ones_like(mask_at)
    tokens = [head_tokens, mask_token_id * ones, tail_tokens, sep_token_id * ones]
    longer = torch.nn.functional.pad(longer, (0, 1)).scatter(1, target, torch.cat(tokens, dim=1))
    attention = (column <= end).to(attention_mask.dtype)
    longer = longer[:, :-1]
    if not torch.compiler.is_compiling():
        used = int(end.max()) + 1
        longer = longer[:, :used]
        attention = attention[:, :used]
    return longer, attention, mask_at.squeeze(1)


def check_marked(is_role: torch.Tensor) -> None:
    """Raise a `ValueError` that names the first row without a marker of some role.

    Args:
        is_role: From `marker_roles`.
    """
    missing = ~is_role.any(dim=-1)
    if missing.any():
        row, role = missing.nonzero()[0].tolist()
        raise ValueError(
            f"row {row} of the batch lacks the marker of the {ROLES[role]}; mark both mentions, "
            "such as "
            "'<e1:PERSON> Ada Roe </e1:PERSON> leads <e2:ORGANIZATION> Acme </e2:ORGANIZATION>', "
            "and use the tokenizer "
            "that was saved with the model"
        )


@dataclass
class EncodedSentences:
    """Token ids of marked sentences, and what had to be done to them.

    `input_ids` holds `None` where a row was skipped; `unknown_types` counts mentions by type.
    """

    input_ids: list[list[int] | None] = field(default_factory=list)
    num_truncated: int = 0
    num_skipped: int = 0
    unknown_types: Counter = field(default_factory=Counter)


def encode_marked(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    max_length: int = 128,
    on_overflow: str = "raise",
) -> EncodedSentences:
    """Turn marked sentences into token ids, keeping both mentions where one is too long.

    Tokens outside the mentions are cut first, then tokens between them. Mentions of a type that the
    tokenizer does not know get the untyped markers.

    Args:
        tokenizer: A tokenizer that went through `extend_tokenizer`.
        texts: Marked sentences.
        max_length: The largest number of tokens per row, special tokens included.
        on_overflow: `"raise"` or `"skip"`, for rows whose two mentions alone exceed `max_length`.

    Raises:
        ValueError: A row lacks a marker, or its mentions do not fit and `on_overflow` is `"raise"`.
            Names the row.
    """
    result = EncodedSentences()
    if not len(texts):
        return result
    known = set(known_entity_types(tokenizer))
    first_id = tokenizer.convert_tokens_to_ids(marker(HEAD_START))
    num_markers = 4 * (1 + len(known))

    def known_marker(match: re.Match) -> str:
        if match["type"] is None or match["type"] in known:
            return match[0]
        result.unknown_types[match["type"]] += not match["close"]
        return f"<{match['close']}e{match['entity']}>"

    # Special tokens go around the window, so they are read off one tokenized word.
    word = tokenizer("a", add_special_tokens=False)["input_ids"]
    framed = tokenizer("a")["input_ids"]
    at = next(i for i in range(len(framed)) if framed[i : i + len(word)] == word)
    prefix, suffix = framed[:at], framed[at + len(word) :]
    budget = max_length - len(prefix) - len(suffix)

    rows = tokenizer(
        [MARKER.sub(known_marker, text) for text in texts], add_special_tokens=False, verbose=False
    )
    for row, ids in enumerate(rows["input_ids"]):
        positions: dict[int, int] = {}
        for position, token in enumerate(ids):
            if 0 <= token - first_id < num_markers:
                positions.setdefault((token - first_id) % 4, position)
        if len(positions) < 4:
            missing = next(role for role in range(4) if role not in positions)
            raise ValueError(
                f"row {row}: the marker of the {ROLES[missing]} is missing in {texts[row]!r}"
            )
        window = ids if len(ids) <= budget else _window(ids, positions, budget)
        if window is None:
            if on_overflow == "raise":
                raise ValueError(
                    f"row {row}: its two mentions alone exceed max_length={max_length}; "
                    "raise max_length or skip such rows (on_overflow='skip')"
                )
            result.num_skipped += 1
        else:
            result.num_truncated += len(window) < len(ids)
            window = prefix + window + suffix
        result.input_ids.append(window)
    return result


def _window(ids: list[int], positions: dict[int, int], budget: int) -> list[int] | None:
    """Return at most `budget` tokens with both mentions; `None` where these do not fit."""
    head = positions[HEAD_START], positions[HEAD_END] + 1
    tail = positions[TAIL_START], positions[TAIL_END] + 1
    (start, first_end), (second_start, end) = sorted([head, tail])
    end = max(first_end, end)
    spare = budget - (end - start)
    if spare >= 0:
        left = min(start, max(spare // 2, spare - (len(ids) - end)))
        return ids[start - left :][:budget]
    # How many of the tokens between the mentions still fit.
    keep = spare + (second_start - first_end)
    if second_start < first_end or keep < 0:
        return None
    return ids[start : first_end + (keep + 1) // 2] + ids[second_start - keep // 2 : end]

"""A health check of a corpus: what makes a result doubtful, said before anything is embedded."""

import html
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from .configuration_siamure import SiamUREConfig
from .data_collator import type_pairs
from .markers import MARKER, MarkedSentence, cuts_word, known_entity_types, marker, read_markers
from .utils.doubts import warn_of_doubt

logger = logging.getLogger(__name__)

MULTILINGUAL_ENCODER = "FacebookAI/xlm-roberta-base"
# What programs write where a value is missing. "None" and "NA" are names of relations, too.
_MISSING_LABEL = re.compile(r"\s*(nan|<na>|nat|null)?\s*", re.IGNORECASE)
_MISSING_TYPE = re.compile(r"\s*(nan|<na>|nat|null|none|na|n/a)?\s*", re.IGNORECASE)
_NUMBER = re.compile(r"\s*[-+]?[0-9]+([.,][0-9]+)?(e[-+]?[0-9]+)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """Something that makes results on a corpus doubtful.

    Attributes:
        kind: Its name: `"cut words"`, `"unknown pieces"`, `"duplicates"`, `"few rows"`,
            `"one type pair"`, `"rows without types"`, `"missing values"` or `"numbers"`.
        message: One line with counts, an example and what to do.
    """

    kind: str
    message: str

    def __str__(self) -> str:
        return self.message


def check_corpus(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    num_clusters: int | None = None,
    max_cut_share: float = 0.05,
    max_unknown_share: float = 0.2,
    max_unreadable_share: float = 0.05,
    max_duplicate_share: float = 0.25,
    max_copies_share: float = 0.05,
    min_rows_per_cluster: int = 5,
) -> list[Finding]:
    """Look for what makes results on a corpus doubtful, and warn of each kind in one line.

    Nothing is embedded. Gold relations are looked at to warn of values that are no names; they
    decide nothing.

    Args:
        dataset: Output of `tokenize_dataset`; `head_type`, `tail_type` and `relation` may be
            missing.
        tokenizer: The tokenizer that made it.
        num_clusters: C; `None` where it is not known yet.
        max_cut_share: Share of rows from which mentions that begin or end inside a word are
            reported; where the text explains them, such as by emoji, any number is.
        max_unknown_share: Share of the word pieces, of all or of a row, from which text counts as
            unreadable. Pieces smaller than a character are unknown, too.
        max_unreadable_share: Share of unreadable rows from which they are reported.
        max_duplicate_share: Share of rows that repeat another one, from which they are reported.
        max_copies_share: Share of rows that are copies of one, from which they are reported; fewer
            than 10 are not.
        min_rows_per_cluster: Number of rows per cluster below which there are too few.

    Returns:
        The findings; none for a healthy corpus.

    ```python
    rows = tokenize_dataset(corpus["train"], tokenizer)
    for finding in check_corpus(rows, tokenizer, num_clusters=19):
        print(finding.kind, finding)
    ```
    """
    texts = dataset["text"][:]
    findings = [
        _find_cut_words(texts, max_cut_share),
        _find_unknown_pieces(texts, dataset, tokenizer, max_unknown_share, max_unreadable_share),
        _find_duplicates(texts, max_duplicate_share, max_copies_share),
        _find_few_rows(len(texts), num_clusters, min_rows_per_cluster),
        _find_one_type_pair(dataset),
        _find_rows_without_types(dataset),
    ]
    for column in {"head_type", "tail_type", "relation"} & set(dataset.column_names):
        findings += _find_odd_values(dataset, column)
    noticed = [finding for finding in findings if finding]
    for finding in noticed:
        warn_of_doubt(logger, "%s", finding)
    return noticed


def check_embeddings(embeddings: np.ndarray, texts: Sequence[str]) -> None:
    """Raise a `ValueError` where an embedding holds NaN or infinity.

    Args:
        embeddings: h, `(rows, size)`.
        texts: The marked sentences.

    >>> check_embeddings(np.eye(2), ["<e1> Ada </e1> left <e2> Acme </e2>"] * 2)
    """
    # The sum of a row is finite where its parts are; it needs no second array of their size.
    (bad,) = np.nonzero(~np.isfinite(np.sum(embeddings, axis=1, dtype=np.float64)))
    if len(bad):
        raise ValueError(
            f"{len(bad)} of {len(embeddings)} embeddings hold values that are not finite, e.g. of "
            f"{_quote(texts[int(bad[0])])}; the weights of the model are broken, or its precision "
            "is too low: try bf16=false"
        )


def check_domain(
    clusters: np.ndarray,
    distances: np.ndarray,
    config: SiamUREConfig,
    strict: bool = False,
    max_far_share: float = 0.5,
) -> None:
    """Warn where most rows are far from all that a model has seen.

    Args:
        clusters: Index of each row's nearest cluster, `(rows,)`.
        distances: The distance to it, `(rows,)`.
        config: Of the model, which holds the largest distances within its clusters.
        strict: Whether to raise instead.
        max_far_share: Share of rows beyond these distances from which they are reported.

    Raises:
        ValueError: `strict` is set, and most rows are far.

    >>> check_domain(np.array([0]), np.array([0.1]), SiamUREConfig(max_distances=[0.5]))
    """
    if config.max_distances is None:
        warn_of_doubt(
            logger,
            "the model holds no thresholds: rows of another domain are assigned as well",
        )
        return
    num_far = int((distances > np.asarray(config.max_distances)[clusters]).sum())
    if num_far < max_far_share * len(distances):
        return
    line = (
        f"{num_far} of {len(distances)} rows are farther from every cluster than what the model "
        "has seen: they may be of another domain; discover the relations of these rows"
    )
    if strict:
        raise ValueError(f"strict: {line}")
    warn_of_doubt(logger, "%s", line)


# --------------------------------------------------------------------------------------------------
# Mentions

Span = tuple[int, int]


def _find_cut_words(texts: list[str], max_share: float) -> Finding | None:
    cut = [row for row, text in enumerate(texts) if _cuts(read_markers(text))]
    if not cut:
        return None
    counted, depends_on_text = _explain([texts[row] for row in cut])
    if not counted:
        cut = [row for row in cut if _loses_beginning(read_markers(texts[row]))]
    if not cut or (len(cut) < max_share * len(texts) and not depends_on_text):
        return None
    cause = "offsets count characters from 0, and ends are exclusive"
    if counted:
        cause += f", but these seem to count {counted}"
    return Finding(
        "cut words",
        f"mentions begin or end inside a word in {len(cut)} of {len(texts)} rows, e.g. "
        f"{_show_cut(read_markers(texts[cut[0]]))}; {cause}. Correct them, or leave them out and "
        "give head and tail as text",
    )


def _cuts(row: MarkedSentence) -> bool:
    return any(cuts_word(row.sentence, *span) for span in (row.head, row.tail))


def _loses_beginning(row: MarkedSentence) -> bool:
    """Return whether a mention begins inside a word of a script that attaches nothing to names.

    Many languages attach endings to names, and some (Arabic, Hebrew, Amharic) words before them:
    there a name is part of a longer word, and nothing is wrong.
    """
    starts = [start for start, _ in (row.head, row.tail) if cuts_word(row.sentence, start, start)]
    scripts = ("LATIN", "GREEK", "CYRILLIC", "DIGIT")
    return any(unicodedata.name(row.sentence[at - 1], "").startswith(scripts) for at in starts)


def _recounted(pattern: str, length: Callable[[str], int]) -> Callable[[str, Span], Span]:
    """Return how to get from offsets that count some pieces of a text otherwise to characters."""
    pieces = re.compile(f"{pattern}|.", re.DOTALL)

    def correct(sentence: str, span: Span) -> Span:
        found = pieces.findall(sentence)
        counted = np.cumsum([0, *(length(piece) for piece in found)])
        characters = np.cumsum([0, *(len(piece) for piece in found)])
        start, end = np.searchsorted(counted, span).clip(max=len(found))
        return int(characters[start]), int(characters[end])

    return correct


# How people count by mistake, and the span that they meant: where the text decides, and everywhere.
_RECOUNTED = {
    "UTF-16 units, as JavaScript and Java do": _recounted(".", lambda c: 1 + (c > "\uffff")),
    "bytes of UTF-8": _recounted(".", lambda c: len(c.encode())),
    "carriage return and line feed as one": _recounted("\r\n", lambda _: 1),
    "each line end as two": _recounted(".", lambda c: 1 + (c == "\n")),
    "HTML entities as the character that they stand for": _recounted(
        "&#?[0-9A-Za-z]+;", lambda piece: len(html.unescape(piece))
    ),
}
_SHIFTED: dict[str, Callable[[str, Span], Span]] = {
    "the last character as the end": lambda _, span: (span[0], span[1] + 1),
    "from 1": lambda _, span: (span[0] - 1, span[1] - 1),
    "from 1, and the last character as the end": lambda _, span: (span[0] - 1, span[1]),
}


def _explain(texts: list[str], sample_size: int = 500, share: float = 0.9) -> tuple[str, bool]:
    """Return how the offsets of cut mentions were counted, and whether the text decides that.

    Args:
        texts: Marked sentences with a mention that cuts a word.
        sample_size: Number of them that are looked at, spread evenly.
        share: Share of them that has to be right once they are counted so.
    """
    rows = [read_markers(text) for text in texts[:: -(-len(texts) // sample_size)]]

    def is_right(row: MarkedSentence, correct: Callable[[str, Span], Span]) -> bool:
        spans = [correct(row.sentence, span) for span in (row.head, row.tail)]
        return all(
            0 <= start < end <= len(row.sentence)
            and not cuts_word(row.sentence, start, end)
            and row.sentence[start:end] == row.sentence[start:end].strip()
            for start, end in spans
        )

    for corrections in (_RECOUNTED, _SHIFTED):
        for name, correct in corrections.items():
            if np.mean([is_right(row, correct) for row in rows]) >= share:
                return name, corrections is _RECOUNTED
    return "", False


def _show_cut(row: MarkedSentence, length: int = 40) -> str:
    """Return the first mention that cuts a word, with the rest of the word behind a bar.

    >>> _show_cut(MarkedSentence("Mara Lind runs Petrel Foods.", (0, 8), (15, 27)))
    "'Mara Lin|d'"
    """
    start, end = next(span for span in (row.head, row.tail) if cuts_word(row.sentence, *span))
    before = re.split(r"[\W_]", row.sentence[:start])[-1]
    after = re.split(r"[\W_]", row.sentence[end:])[0]
    mention = row.sentence[start:end]
    if len(mention) > length:
        mention = f"{mention[: length // 2]}…{mention[-length // 2 :]}"
    begin = f"{before[-length:]}|" if before else ""
    finish = f"|{after[:length]}" if after else ""
    return repr(begin + mention + finish)


# --------------------------------------------------------------------------------------------------
# Sentences


def _find_unknown_pieces(
    texts: list[str],
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    max_share: float,
    max_rows: float,
    batch_size: int = 10_000,
) -> Finding | None:
    if not texts:
        return None
    first_marker = tokenizer.get_vocab()[marker(0)]
    markers = range(first_marker, first_marker + 4 * (1 + len(known_entity_types(tokenizer))))
    unknown_id = tokenizer.unk_token_id
    no_pieces = list({*tokenizer.all_special_ids, *markers} - {unknown_id})
    num_pieces = np.zeros(len(texts), dtype=int)
    num_unknown = np.zeros(len(texts), dtype=int)
    for start in range(0, len(texts), batch_size):
        batch = slice(start, start + batch_size)
        ids = dataset["input_ids"][batch]
        rows = np.repeat(np.arange(start, start + len(ids)), [len(tokens) for tokens in ids])
        tokens = np.concatenate(ids)
        np.add.at(num_pieces, rows, ~np.isin(tokens, no_pieces))
        np.add.at(num_unknown, rows, tokens == unknown_id)
        # Byte-level vocabularies have no unknown piece: they cut a character into bytes.
        num_characters = [len(MARKER.sub("", text)) for text in texts[batch]]
        num_unknown[batch] += np.maximum(num_pieces[batch] - num_characters, 0)
    shares = num_unknown / np.maximum(num_pieces, 1)
    share = num_unknown.sum() / max(num_pieces.sum(), 1)
    unreadable = np.flatnonzero(shares >= max_share)
    if share < max_share and len(unreadable) < max_rows * len(texts):
        return None
    return Finding(
        "unknown pieces",
        f"{share:.0%} of the word pieces are unknown to the encoder, which can't read "
        f"{len(unreadable)} of {len(texts)} rows, e.g. {_quote(texts[unreadable[0]])}; take an "
        f"encoder that knows their language, such as {MULTILINGUAL_ENCODER} (--encoder, or "
        "model_name_or_path in a recipe)",
    )


def _find_duplicates(texts: list[str], max_share: float, max_copies: float) -> Finding | None:
    counts = Counter(texts)
    num_repeated = len(texts) - len(counts)
    if not num_repeated:
        return None
    ((text, count),) = counts.most_common(1)
    is_frequent = count >= 10 and count >= max_copies * len(texts)
    if num_repeated < max_share * len(texts) and not is_frequent:
        return None
    return Finding(
        "duplicates",
        f"{num_repeated} of {len(texts)} rows repeat another one, e.g. {count} times "
        f"{_quote(text)}; clusters may be made of copies: leave them out",
    )


def _find_few_rows(num_rows: int, num_clusters: int | None, least: int) -> Finding | None:
    if num_clusters is None or num_rows >= least * num_clusters or num_clusters == 1:
        return None
    return Finding(
        "few rows",
        f"{num_rows} rows in {num_clusters} clusters are {num_rows / num_clusters:.1f} per "
        f"cluster; {least} or more are advised: give more rows, or ask for fewer clusters",
    )


def _quote(text: str, length: int = 80) -> str:
    """Return the sentence of a marked text, in quotes and on one line, shortened.

    >>> _quote("<e1> Ada Roe </e1> leads <e2> Acme </e2>")
    "'Ada Roe leads Acme'"
    """
    sentence = read_markers(text).sentence
    return repr(sentence if len(sentence) <= length else f"{sentence[:length]}…")


# --------------------------------------------------------------------------------------------------
# Types and labels


def _find_one_type_pair(dataset: Dataset) -> Finding | None:
    pairs = type_pairs(dataset)
    if pairs is None or len(pairs) < 2 or len(set(pairs)) > 1:
        return None
    return Finding(
        "one type pair",
        f"all {len(pairs)} rows have the entity types {'→'.join(pairs[0].split())}, which then "
        "tell no relation from another",
    )


def _find_rows_without_types(dataset: Dataset) -> Finding | None:
    if type_pairs(dataset) is None:
        return None
    pairs = zip(dataset["head_type"][:], dataset["tail_type"][:], strict=True)
    lacking = [row for row, pair in enumerate(pairs) if not all(pair)]
    if not lacking:
        return None
    return Finding(
        "rows without types",
        f"{len(lacking)} of {len(dataset)} rows lack an entity type that others have, e.g. "
        f"{_quote(dataset['text'][lacking[0]])}; they may form clusters of their own: type all "
        "rows, or none",
    )


def _find_odd_values(dataset: Dataset, column: str) -> list[Finding]:
    """Return the findings on the values of a column of types or labels."""
    values = Counter(value for value in dataset[column][:] if value is not None)
    is_missing = _MISSING_LABEL if column == "relation" else _MISSING_TYPE
    findings = []
    missing = {value: count for value, count in values.items() if is_missing.fullmatch(value)}
    if missing:
        findings.append(
            Finding(
                "missing values",
                f"{sum(missing.values())} of {len(dataset)} rows have the {column} "
                f"{next(iter(missing))!r}, which counts as a name; leave it out where it is "
                "missing",
            )
        )
    numbers = [value for value in values if _NUMBER.fullmatch(value)]
    if numbers and len(numbers) + len(missing) == len(values):
        findings.append(
            Finding(
                "numbers",
                f"each {column} is a number, e.g. {numbers[0]!r}, {len(numbers)} different ones in "
                f"{values.total()} rows; give names, if it is the right column",
            )
        )
    return findings

"""The phrases that set clusters of sentences apart, in any script and without lists of words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, count, pairwise, takewhile
from operator import eq
from typing import NamedTuple
from unicodedata import normalize

import numpy as np
import regex
from scipy.sparse import csr_matrix

from ..markers import MarkedSentence

# Scripts without spaces between words. Each of their characters is a token.
_UNSPACED = r"\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_LETTER = rf"[\p{{L}}--[{_UNSPACED}]]"
# A letter with the marks, digits and joiners that follow it.
_PART = rf"{_LETTER}(?:{_LETTER}|[\p{{M}}\p{{N}}\u200c\u200d])*"
_WORD = rf"(?<!\p{{N}}|{_LETTER}|\p{{M}}){_PART}(?:['’‐-]{_PART})*"
_CLITIC = r"(?<!\S)['’]\p{L}{1,2}(?!\w)"  # what is left of "Acme's" behind a mention
_CHARACTER = regex.compile(rf"(?V1)[\p{{L}}&&[{_UNSPACED}]]\p{{M}}*")
_TOKEN = regex.compile(rf"{_CHARACTER.pattern}|{_CLITIC}|{_WORD}")

# A phrase is counted by the order of the mentions, and regardless of it. Of equals the first wins.
_TAIL_FIRST, _ANY_ORDER, _HEAD_FIRST = range(3)


class _Tokens(NamedTuple):
    """The tokens of sentences, without their mentions; each array is `(num_tokens,)`."""

    vocabulary: list[str]
    is_mention_word: np.ndarray  # `(num_words,)`, whether it is more often part of a mention
    words: np.ndarray  # index into the vocabulary
    sentences: np.ndarray  # index of the distinct sentence
    is_joined: np.ndarray  # whether it follows the token before, without punctuation
    is_near: np.ndarray  # whether it stands between the mentions or next to them
    is_between: np.ndarray
    is_tail_first: np.ndarray

    def select(self, kept: np.ndarray) -> "_Tokens":
        """Return these tokens alone; those that followed another token are no longer joined."""
        joined = self.is_joined & np.concatenate([[False], kept[:-1]])
        arrays = [array[kept] for array in self._replace(is_joined=joined)[2:]]
        return _Tokens(self.vocabulary, self.is_mention_word, *arrays)


def distinctive_phrases(
    sentences: Sequence[MarkedSentence],
    labels: np.ndarray,
    num_clusters: int,
    num_phrases: int = 10,
    max_words: int = 4,
    words_around: int = 3,
    weight_around: float = 0.5,
    min_overlap: float = 0.6,
) -> list[list[str]]:
    """Return the phrases of each cluster, the most distinctive first.

    A phrase is a run of words between the mentions, or next to them, which counts less. It counts
    once per different sentence. Those of a cluster are ranked by n p log(p / q)^2, where p is the
    share of its sentences that have the phrase, q the share of all others', p > q, and n its number
    of words: class-based TF-IDF, whose square keeps down what is merely frequent, and in which a
    longer phrase wins where it covers nearly as many sentences. Phrases that occur in one sentence
    only are left out where there are others. Of phrases that share a word, or words that begin
    alike (crosses, crossing), the first represents all.

    No language is assumed:

    - Function words (of, the) are those that are spread over the clusters like the sentences
      themselves. Phrases of nothing else are left out where there are others.
    - Names of other entities are left out: capitalized words that are mostly part of mentions, and
      where fewer than a third of the frequent words are capitalized, all that mostly are, but for
      abbreviations. So nouns in German and headlines in capitals stay.
    - In scripts without spaces, a phrase is a run of characters, four of which count as a word.

    Args:
        sentences: The sentences and their mentions.
        labels: Cluster of each sentence, `(num_sentences,)`, none negative.
        num_clusters: C.
        num_phrases: Number of phrases per cluster; fewer where there are no more.
        max_words: Number of words in the longest phrase.
        words_around: Number of words before the first mention, and behind the second one, that
            count beside those between.
        weight_around: What a phrase counts that is not between the mentions.
        min_overlap: From which overlap of its distribution over clusters with that of the sentences
            on a word is a function word, between 0 and 1.

    Returns:
        Phrases per cluster. An arrow begins those that are typical of sentences whose tail comes
        first: "← founded by" reads from the tail to the head.

    >>> from modeling_siamure.markers import read_markers
    >>> founded = read_markers("<e1> Ada </e1> founded <e2> Acme </e2>")
    >>> founder = read_markers("<e2> Acme </e2> was set up by <e1> Ada </e1>")
    >>> distinctive_phrases([founded, founder], np.array([0, 1]), 2)
    [['founded'], ['← was set up by']]
    """
    # The number of a sentence, and its cluster: a sentence of two clusters counts in both.
    numbers: dict[tuple[int, str], int] = {}
    owners = zip(labels.tolist(), (sentence.sentence for sentence in sentences), strict=True)
    distinct = [numbers.setdefault(owner, len(numbers)) for owner in owners]
    clusters = np.array([label for label, _ in numbers], dtype=int)
    tokens = _read_tokens(sentences, distinct, words_around)
    is_function_word = _function_words(tokens, clusters, num_clusters, min_overlap)
    tokens = tokens.select(tokens.is_near)
    tokens = tokens.select(~_is_name(tokens, ~is_function_word)[tokens.words])
    if not len(tokens.words):
        return [[] for _ in range(num_clusters)]
    ranked = _rank(tokens, ~is_function_word, clusters, num_clusters, max_words, weight_around)
    return [_different(phrases, num_phrases) for phrases in ranked]


def _read_tokens(
    sentences: Sequence[MarkedSentence], numbers: Sequence[int], words_around: int
) -> _Tokens:
    """Read the tokens before, between and behind the mentions of each sentence.

    Each word is written as it mostly is in the corpus, outside the mentions.
    """
    words: list[str] = []
    is_joined: list[bool] = []
    in_mentions: Counter[str] = Counter()
    parts: list[tuple[int, ...]] = []
    for number, sentence in zip(numbers, sentences, strict=True):
        text = sentence.sentence
        (start, first_end), (second_start, second_end) = sorted([sentence.head, sentence.tail])
        for mention in (sentence.head, sentence.tail):
            in_mentions.update(match[0] for match in _tokens_of(text[slice(*mention)])[1])
        around = text[:start], text[first_end:second_start], text[max(first_end, second_end) :]
        for place, part in enumerate(around):
            part, matches = _tokens_of(part)
            if not matches:
                continue
            words += [match[0] for match in matches]
            gaps = [part[one.end() : other.start()] for one, other in pairwise(matches)]
            # Tokenized text has hyphens between spaces: "wholly - owned".
            is_joined += [False, *(gap.strip() in ("", "-") for gap in gaps)]
            begin, end = 0, len(matches)
            if place == 0:
                begin = end - _reach(reversed(matches), words_around)
            elif place == 2:
                end = _reach(matches, words_around)
            is_between = place == 1
            is_tail_first = sentence.tail < sentence.head
            parts.append((len(matches), begin, end, number, is_between, is_tail_first))
    counts = Counter(words)
    spelling = _usual_spelling(counts)
    totals: Counter[str] = Counter()
    for word, frequency in counts.items():
        totals[spelling[word]] += frequency
    vocabulary = sorted(totals)
    index_of = {word: index for index, word in enumerate(vocabulary)}
    table = np.array(parts, dtype=int).reshape(-1, 6)
    lengths = table[:, 0]
    begins, ends, number_of, is_between, is_tail_first = np.repeat(table[:, 1:], lengths, axis=0).T
    places = np.arange(len(words)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return _Tokens(
        vocabulary,
        np.array([in_mentions[word] > totals[word] for word in vocabulary], dtype=bool),
        np.array([index_of[spelling[word]] for word in words], dtype=int),
        number_of,
        np.array(is_joined, dtype=bool),
        (begins <= places) & (places < ends),
        is_between.astype(bool),
        is_tail_first.astype(bool),
    )


def _tokens_of(text: str) -> tuple[str, list[regex.Match]]:
    """Return a text with composed accents, and its tokens."""
    text = normalize("NFC", text)
    return text, list(_TOKEN.finditer(text))


def _usual_spelling(counts: Counter[str]) -> dict[str, str]:
    """Return for each word how it is mostly written; of equals, the one in lower case."""
    spellings = sorted(counts, key=lambda word: (counts[word], word.swapcase()))
    usual = {word.casefold(): word for word in spellings}
    return {word: usual[word.casefold()] for word in counts}


def _reach(matches: Iterable[regex.Match], num_words: int) -> int:
    """Return how many of the tokens make up this number of words."""
    totals = accumulate(_num_words(match[0]) for match in matches)
    return sum(1 for _ in takewhile(lambda total: total <= num_words, totals))


def _num_words(token: str) -> float:
    """Return the number of words that a token counts as: four characters are one."""
    return 0.25 if _CHARACTER.match(token) else 1.0


def _function_words(
    tokens: _Tokens, clusters: np.ndarray, num_clusters: int, min_overlap: float
) -> np.ndarray:
    """Tell which words are spread over the clusters like the sentences: `(num_words,)`.

    Each cluster counts by its size, but the larger half of them alike, so that one large cluster
    does not make its own words function words. With a single cluster none is known.
    """
    sizes = np.bincount(clusters, minlength=num_clusters)
    num_words = len(tokens.vocabulary)
    if np.count_nonzero(sizes) < 2:
        return np.zeros(num_words, dtype=bool)
    words, sentences = np.divmod(
        np.unique(tokens.words * len(clusters) + tokens.sentences), len(clusters)
    )
    ones = np.ones(len(words))
    counts = csr_matrix((ones, (words, clusters[sentences])), shape=(num_words, num_clusters))
    counts.sum_duplicates()
    weights = np.minimum(sizes, np.quantile(sizes[sizes > 0], 0.5, method="lower"))
    weights = weights / weights.sum()
    rows = np.repeat(np.arange(num_words), np.diff(counts.indptr))
    shares = counts.data / sizes[counts.indices]
    weights = weights[counts.indices]
    means = np.bincount(rows, weights * shares, minlength=num_words)
    overlaps = np.bincount(rows, weights * np.minimum(shares / means[rows], 1), num_words)
    return overlaps > min_overlap


def _is_name(
    tokens: _Tokens, is_content_word: np.ndarray, min_sentences: int = 5, min_words: int = 20
) -> np.ndarray:
    """Tell which words of the vocabulary are names of other entities: `(num_words,)`.

    Of the content words in several sentences, a quarter is capitalized in English, all are in
    headlines. Where there are few such words, capitals may mean anything.
    """
    capitalized = np.array([word[0].isupper() for word in tokens.vocabulary], dtype=bool)
    abbreviated = np.array([word[1:].isupper() for word in tokens.vocabulary], dtype=bool)
    num_words = len(tokens.vocabulary)
    # One key per word and sentence.
    keys = np.unique(tokens.sentences * num_words + tokens.words)
    num_sentences = np.bincount(keys % num_words, minlength=num_words)
    frequent = capitalized[is_content_word & (num_sentences >= min_sentences)]
    capitals_are_rare = len(frequent) >= min_words and frequent.mean() < 1 / 3
    return capitalized & (tokens.is_mention_word | (capitals_are_rare & ~abbreviated))


class _Runs(NamedTuple):
    """Runs of joined tokens, of which some are equal."""

    numbers: np.ndarray  # `(num_occurrences,)`, equal where the runs are
    starts: np.ndarray  # `(num_occurrences,)`, the first token of each
    examples: np.ndarray  # `(num_runs,)`, one start of each different run
    num_tokens: np.ndarray  # `(num_runs,)`
    num_words: np.ndarray  # `(num_runs,)`
    has_content: np.ndarray  # `(num_runs,)`, whether a word is no function word


def _find_runs(tokens: _Tokens, is_content_word: np.ndarray, max_words: int) -> _Runs:
    """Find all runs of at most that many words, the shortest first."""
    costs = np.array([_num_words(word) for word in tokens.vocabulary])[tokens.words]
    is_content = is_content_word[tokens.words]
    totals = costs.copy()
    numbers = tokens.words.copy()  # of the run that starts here
    starts = np.arange(len(numbers))
    found = []
    num_runs = 0
    for length in count(1):
        _, first, runs = np.unique(numbers[starts], return_index=True, return_inverse=True)
        examples = starts[first]
        lengths = np.full(len(examples), length)
        found.append(
            _Runs(
                num_runs + runs, starts, examples, lengths, totals[examples], is_content[examples]
            )
        )
        num_runs += len(examples)
        starts = starts[starts + length < len(numbers)]
        following = starts + length
        totals[starts] += costs[following]
        fits = tokens.is_joined[following] & (totals[starts] <= max_words)
        starts, following = starts[fits], following[fits]
        if not len(starts):
            break
        is_content[starts] |= is_content_word[tokens.words[following]]
        longer = numbers[starts] * len(tokens.vocabulary) + tokens.words[following]
        numbers[starts] = np.unique(longer, return_inverse=True)[1]
    return _Runs(*map(np.concatenate, zip(*found, strict=True)))


class _Phrase(NamedTuple):
    text: str
    content: list[str]  # its words without function words, if it has others


def _rank(
    tokens: _Tokens,
    is_content_word: np.ndarray,
    clusters: np.ndarray,
    num_clusters: int,
    max_words: int,
    weight_around: float,
) -> Iterator[Iterator[_Phrase]]:
    """Yield the phrases of each cluster, the most distinctive first."""
    runs = _find_runs(tokens, is_content_word, max_words)
    order = np.where(tokens.is_tail_first[runs.starts], _TAIL_FIRST, _HEAD_FIRST)
    phrases = np.concatenate([3 * runs.numbers + _ANY_ORDER, 3 * runs.numbers + order])
    sentences = np.tile(tokens.sentences[runs.starts], 2)
    weights = np.tile(np.where(tokens.is_between[runs.starts], 1, weight_around), 2)
    # A phrase that occurs twice in a sentence counts where it counts more.
    heaviest = np.argsort(-weights, kind="stable")
    keys = phrases[heaviest] * len(clusters) + sentences[heaviest]
    once = heaviest[np.unique(keys, return_index=True)[1]]
    phrases, weights = phrases[once], weights[once]
    in_all = np.bincount(phrases, weights)
    places = (clusters[sentences[once]], phrases)
    shape = (num_clusters, len(in_all))
    weighted = csr_matrix((weights, places), shape=shape)
    counted = csr_matrix((np.ones(len(once)), places), shape=shape)

    def phrase(number: int) -> _Phrase:
        start = runs.examples[number // 3]
        words = tokens.words[start : start + runs.num_tokens[number // 3]]
        content = words[is_content_word[words]] if runs.has_content[number // 3] else words
        text = _join([tokens.vocabulary[word] for word in words])
        if number % 3 == _TAIL_FIRST:
            text = f"← {text}"
        return _Phrase(text, [tokens.vocabulary[word] for word in content])

    for cluster, size in enumerate(np.bincount(clusters, minlength=num_clusters)):
        row = slice(*weighted.indptr[cluster : cluster + 2])
        candidates = weighted.indices[row]
        in_cluster = weighted.data[row]
        share = in_cluster / max(size, 1)
        # As if one more sentence had the phrase, and one more had it not.
        elsewhere = (in_all[candidates] - in_cluster + 1) / (len(clusters) - size + 2)
        scores = share * np.log(np.maximum(share / elsewhere, 1)) ** 2
        scores *= runs.num_words[candidates // 3]
        is_candidate = scores > 0
        for is_preferred in (runs.has_content[candidates // 3], counted.data[row] > 1):
            if (is_candidate & is_preferred).any():
                is_candidate &= is_preferred
        ranking = np.lexsort((candidates, -scores))
        yield map(phrase, candidates[ranking[is_candidate[ranking]]].tolist())


def _join(words: list[str]) -> str:
    """Write words with spaces, and characters of scripts without spaces side by side."""
    text = words[0]
    for before, word in pairwise(words):
        is_spaced = max(_num_words(before), _num_words(word)) == 1
        text += f" {word}" if is_spaced else word
    return text


def _different(phrases: Iterable[_Phrase], num_phrases: int) -> list[str]:
    """Return the first phrases that share no word, nor words that begin alike."""
    texts: list[str] = []
    used: list[str] = []
    for phrase in phrases:
        if not any(share_stem(word, other) for word in phrase.content for other in used):
            texts.append(phrase.text)
            used += phrase.content
            if len(texts) == num_phrases:
                break
    return texts


def share_stem(word: str, other: str) -> bool:
    """Tell whether two words are forms of one, as far as their beginnings tell.

    >>> share_stem("crosses", "crossing"), share_stem("born", "bore")
    (True, False)
    """
    shared = sum(takewhile(bool, map(eq, word, other)))
    shorter = min(len(word), len(other))
    return word == other or shared >= max(5, 0.6 * shorter) or (shared == shorter >= 4)

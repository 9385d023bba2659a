"""Make marked sentences that are as long as FewRel's of the embedded corpus' words."""

import numpy as np

from data_scripts import load_relation_dataset
from modeling_siamure.markers import insert_markers


def sentences(
    count: int,
    seed: int = 0,
    mean: float = 24.84,
    deviation: float = 6.55,
    shortest: int = 6,
    longest: int = 36,
) -> list[str]:
    """Make different marked sentences without entity types.

    Args:
        count: How many.
        seed: Fixes lengths, words and mentions.
        mean: Of the number of words; the defaults are those of FewRel's val_wiki.json (11,200
            sentences).
        deviation: Standard deviation of the number of words.
        shortest: The smallest number of words.
        longest: The largest number of words.
    """
    rng = np.random.default_rng(seed)
    vocabulary = " ".join(load_relation_dataset("sample")["train"]["sentence"]).split()
    lengths = rng.normal(mean, deviation, count).round().clip(shortest, longest).astype(int)
    marked = []
    for length in lengths.tolist():
        words = [vocabulary[index] for index in rng.integers(len(vocabulary), size=length)]
        borders = np.sort(rng.permutation(length + 1)[:4])
        head = _character_span(words, borders[0], min(borders[1], borders[0] + 3))
        tail = _character_span(words, borders[2], min(borders[3], borders[2] + 3))
        marked.append(insert_markers(" ".join(words), head, tail))
    return marked


def _character_span(words: list[str], start: int, end: int) -> tuple[int, int]:
    """Return where words `start` to `end` (exclusive) stand in the joined text."""
    begin = len(" ".join(words[:start])) + (start > 0)
    return begin, begin + len(" ".join(words[start:end]))

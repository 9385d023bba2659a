"""Sentences that are as long as FewRel's, made of the embedded corpus' words."""

import numpy as np

from data_scripts import load_relation_dataset
from modeling_siamure.markers import insert_markers

# Tokens of FewRel's val_wiki.json (11,200 sentences): mean 24.8, deviation 6.6, from 6 to 36.
MEAN, DEVIATION, SHORTEST, LONGEST = 24.84, 6.55, 6, 36


def sentences(count: int, seed: int = 0) -> list[str]:
    """So many different marked sentences without entity types."""
    rng = np.random.default_rng(seed)
    words = " ".join(load_relation_dataset("sample")["train"]["sentence"]).split()
    lengths = rng.normal(MEAN, DEVIATION, count).round().clip(SHORTEST, LONGEST).astype(int)
    marked = []
    for length in lengths.tolist():
        chosen = [words[index] for index in rng.integers(len(words), size=length)]
        (head_start, head_end), (tail_start, tail_end) = np.sort(rng.permutation(length + 1)[:4]).reshape(2, 2)

        def span(start: int, end: int, chosen: list[str] = chosen) -> tuple[int, int]:
            begin = len(" ".join(chosen[:start])) + (start > 0)
            return begin, begin + len(" ".join(chosen[start:end]))

        head_end, tail_end = min(head_end, head_start + 3), min(tail_end, tail_start + 3)
        marked.append(insert_markers(" ".join(chosen), span(head_start, head_end), span(tail_start, tail_end)))
    return marked

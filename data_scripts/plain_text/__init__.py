"""From plain text to rows: the pairs of entities that share a sentence, with their places."""

from .pairs import PairCounts, PairRules, parse_type_pairs
from .writing import PairOptions, write_pairs

__all__ = ["PairCounts", "PairOptions", "PairRules", "parse_type_pairs", "write_pairs"]

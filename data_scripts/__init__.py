"""Readers of relation corpora, all to one schema: `load_relation_dataset("fewrel", data_dir=...)`."""

from .loading import CORPORA, load_relation_dataset, relation_builder
from .schema import FEATURES, DataError

__all__ = ["CORPORA", "FEATURES", "DataError", "load_relation_dataset", "relation_builder"]

"""Read relation corpora into one schema: `load_relation_dataset("fewrel", data_dir=...)`."""

from .loading import CORPORA, load_relation_dataset, load_user_file, relation_builder
from .schema import FEATURES, DataError

__all__ = [
    "CORPORA",
    "FEATURES",
    "DataError",
    "load_relation_dataset",
    "load_user_file",
    "relation_builder",
]

"""Load the corpora of the discovery benchmarks and embed them with the untrained encoder."""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, concatenate_datasets
from datasets.data_files import DataFilesDict, DataFilesList

from data_scripts import load_relation_dataset
from data_scripts.corpora.docred import DocRED
from data_scripts.files import read_json
from modeling_siamure import RelationDiscovery


class UnlabeledPairs(DocRED):
    """Read the entity pairs that share a sentence and have no label in either direction."""

    def _iter_source(self, source: Path) -> Iterator[tuple[int, Any]]:
        for number, document in enumerate(read_json(source, list), 1):
            labeled = {frozenset((label["h"], label["t"])) for label in document["labels"]}
            for head, tail in permutations(range(len(document["vertexSet"])), 2):
                if frozenset((head, tail)) not in labeled:
                    yield number, (f"{number}-{head}-{tail}", document, head, tail, ["no relation"])


def load(name: str, data_root: Path | None) -> Dataset:
    """Load the examples of a corpus, with one gold relation each.

    Args:
        name: `"sample"`, `"fewrel"`, `"redocred"`, or a corpus in SpERT's format.
        data_root: Folder with a folder per corpus; the embedded corpus needs none.

    Raises:
        ValueError: The folder is missing.
    """
    if name == "sample":
        return load_relation_dataset("sample")["train"]
    if data_root is None:
        raise ValueError(f"--data_root has to name the folder that holds {name}")
    folder = str(data_root / name)
    if name == "fewrel":
        return load_relation_dataset("fewrel", data_dir=folder)["val_wiki"]
    if name == "redocred":
        return load_relation_dataset("docred", data_dir=folder, labels="single")["validation"]
    splits = load_relation_dataset("spert", data_dir=folder, labels="single")
    return concatenate_datasets(list(splits.values()))


def load_negatives(data_root: Path) -> Dataset:
    """Load the pairs of Re-DocRED dev without a label."""
    file = str(data_root / "redocred" / "dev_revised.json")
    files = DataFilesDict({"validation": DataFilesList([file], [])})
    return UnlabeledPairs(data_files=files).read()["validation"]


def draw(examples: Dataset, count: int, seed: int = 0) -> Dataset:
    """Draw this number of examples by seed; they keep their order."""
    chosen = np.random.default_rng(seed).permutation(len(examples))[:count]
    return examples.select(np.sort(chosen))


def untrained_embeddings(examples: Dataset, cache: Path) -> np.ndarray:
    """Embed examples with the default recipe's encoder before any training.

    Args:
        examples: Of the schema of `data_scripts`.
        cache: A .npy file with h, which is read where it exists and written where it does not.
    """
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, RelationDiscovery(1).fit(examples).embeddings_)
    return np.load(cache)

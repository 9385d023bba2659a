"""Corpora for the benchmarks of discovery, and what the untrained encoder of the default recipe makes of their rows."""

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


class UnlabelledPairs(DocRED):
    """The pairs of entities that share a sentence and have no label in either direction: real negatives."""

    def _iter_source(self, source: Path) -> Iterator[tuple[int, Any]]:
        for number, document in enumerate(read_json(source, list), 1):
            labelled = {frozenset((label["h"], label["t"])) for label in document["labels"]}
            for head, tail in permutations(range(len(document["vertexSet"])), 2):
                if frozenset((head, tail)) not in labelled:
                    yield number, (f"{number}-{head}-{tail}", document, head, tail, ["no relation"])


def load(name: str, data_root: Path | None) -> Dataset:
    """The rows of a corpus, with one gold relation each."""
    if name == "sample":
        return load_relation_dataset("sample")["train"]
    if data_root is None:
        raise ValueError(f"--data_root has to name the folder that holds {name}")
    folder = str(data_root / name)
    if name == "fewrel":
        return load_relation_dataset("fewrel", data_dir=folder)["val_wiki"]
    if name == "redocred":
        return load_relation_dataset("docred", data_dir=folder, labels="single")["validation"]
    return concatenate_datasets(list(load_relation_dataset("spert", data_dir=folder, labels="single").values()))


def negatives(data_root: Path) -> Dataset:
    """Pairs of Re-DocRED dev without a label."""
    files = DataFilesDict({"validation": DataFilesList([str(data_root / "redocred" / "dev_revised.json")], [])})
    return UnlabelledPairs(data_files=files).read()["validation"]


def draw(rows: Dataset, count: int, seed: int = 0) -> Dataset:
    """So many of the rows, drawn by seed, in their order."""
    chosen = np.random.default_rng(seed).permutation(len(rows))[:count]
    return rows.select(np.sort(chosen))


def untrained_embeddings(rows: Dataset, cache: Path) -> np.ndarray:
    """h of the default recipe's encoder before any training, read from `cache` if it is there."""
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, RelationDiscovery(1).fit(rows).embeddings_)
    return np.load(cache)

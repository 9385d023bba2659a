"""The rows of `benchmarks.paper`: which of a corpus are trained on, and which are scored."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datasets import Dataset, DatasetDict, concatenate_datasets

from data_scripts import load_relation_dataset


@dataclass(frozen=True)
class Protocol:
    """How a corpus is used.

    Attributes:
        reader: What reads it.
        num_clusters: C; `None` for as many as the scored rows have type pairs.
        train: Splits that are trained on, together; all of them where none is named.
        scored: Splits that are scored; the rows trained on where none is named.
        unseen: Share of the rows that is set aside to be scored.
        options: Of the reader.
        recipe: Whose encoder is the default.
    """

    reader: str
    num_clusters: int | None
    train: tuple[str, ...] = ()
    scored: tuple[str, ...] = ()
    unseen: float | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    recipe: str = "default"


PROTOCOLS = {
    "fewrel": Protocol("fewrel", 16, ("val_wiki",), unseen=0.2),
    "pubmed": Protocol("fewrel", 10, ("val_pubmed",)),
    "redocred": Protocol("docred", None, ("validation",), options={"labels": "single"}),
    "fire": Protocol("spert", 18, options={"labels": "single"}),
    "core": Protocol("core", 12, ("train",), ("test",)),
    "tacred": Protocol("tacred", 10, recipe="paper"),
    "nyt_fb": Protocol("nyt_fb", 10, ("train",), ("test",), recipe="paper"),
    "sample": Protocol("sample", 19, ("train",), ("validation",)),
}


@dataclass(frozen=True)
class Rows:
    """The rows of a seed, in the schema of `data_scripts`; those to be scored have a gold relation each."""

    train: Dataset
    scored: Dataset

    @property
    def has_types(self) -> bool:
        return any(self.scored["head_type"])

    def type_pairs(self) -> list[str]:
        """`HEAD TAIL` types of each scored row."""
        types = (self.scored["head_type"], self.scored["tail_type"])
        return [f"{head} {tail}" for head, tail in zip(*types, strict=True)]

    def fingerprint(self) -> str:
        """A hash of the texts and relations."""
        found = hashlib.sha256()
        for dataset in (self.train, self.scored):
            for text, relation in zip(dataset["text"], dataset["relation"], strict=True):
                found.update(f"{text}\t{relation}\n".encode())
            found.update(b"\n")
        return found.hexdigest()

    def describe(self) -> str:
        """How many rows are trained on and scored, and how many are in both."""
        trained = set(self.train["text"])
        shared = sum(text in trained for text in self.scored["text"])
        counts = f"{len(self.train):,} rows trained on, {len(self.scored):,} scored"
        if shared == len(self.scored):
            same = "the same rows" if len(self.train) == shared else "all of them trained on too"
            return f"{counts}, {same} (no label is read in training)"
        return f"{counts}, {f'{shared:,} of them trained on too' if shared else 'none of them trained on'}"

    def write(self, folder: Path) -> dict[str, str]:
        """Writes both parts as Parquet, once; returns the arguments of `train.py` that read them."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {"train_file": (folder / "train.parquet", self.train)}
        files["validation_file"] = (folder / "validation.parquet", self.scored)
        for path, dataset in files.values():
            if not path.exists():
                dataset.to_parquet(path)
        return {name: str(path) for name, (path, _) in files.items()}


class Corpus:
    """A corpus of `PROTOCOLS`.

    Args:
        name: Its name.
        data_dir: The folder with its files.
        max_train_samples, max_eval_samples: Take so many rows, drawn by seed.

    Raises:
        ValueError: The files are not those of the corpus, or hold no gold relation to score with.
        OSError: They are not there.
    """

    def __init__(
        self,
        name: str,
        data_dir: str | None = None,
        max_train_samples: int | None = None,
        max_eval_samples: int | None = None,
    ):
        self.name, self.protocol = name, PROTOCOLS[name]
        self._limits = max_train_samples, max_eval_samples
        if data_dir is None and name != "sample":
            raise ValueError(f"--data_dir has to name the folder with the files of {name}")
        splits = load_relation_dataset(self.protocol.reader, data_dir, **self.protocol.options)
        self._train = self._together(splits, self.protocol.train)
        self._scored = self._together(splits, self.protocol.scored) if self.protocol.scored else None
        self.relation_names = read_relation_names(Path(data_dir)) if data_dir else {}

    def _together(self, splits: DatasetDict, names: tuple[str, ...]) -> Dataset:
        if missing := [split for split in names if split not in splits]:
            raise ValueError(f"{self.name} has no split {missing[0]!r} there, only {', '.join(splits)}")
        return concatenate_datasets([splits[split] for split in names or splits])

    def rows(self, seed: int) -> Rows:
        """The rows of a seed; where all are taken and none set aside, those of all seeds are alike."""
        train = self._train
        if self.protocol.unseen is not None:  # as train.py draws them
            halves = train.train_test_split(test_size=self.protocol.unseen, seed=seed)
            train, scored = halves["train"], halves["test"]
        else:
            scored = self._scored or train
        # Before the draw, so that there are as many as were asked for.
        scored = scored.filter(lambda relation: relation is not None, input_columns="relation")
        if not len(scored):
            raise ValueError(f"{self.name} has no gold relations there, so nothing can be scored")
        train, scored = (
            rows.shuffle(seed=seed).select(range(limit)) if limit is not None and limit < len(rows) else rows
            for rows, limit in zip((train, scored), self._limits, strict=True)
        )
        return Rows(train, scored)

    def num_clusters(self, rows: Rows) -> int:
        """C of the protocol."""
        return self.protocol.num_clusters or len(set(rows.type_pairs()))


def read_relation_names(folder: Path) -> dict[str, str]:
    """What properties such as `P17` are called, from a `pid2name*.json` beside the corpus: id to `[name, ...]`."""
    names = {}
    for path in sorted(folder.glob("pid2name*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        names |= {relation: words[0] for relation, words in content.items()}
    return names

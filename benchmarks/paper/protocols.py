"""Say which examples of a corpus `benchmarks.paper` trains on, and which it scores."""

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
        num_clusters: C; `None` for as many as the scored examples have type pairs.
        train: Splits that are trained on, together; all of them where none is named.
        scored: Splits that are scored; the examples trained on where none is named.
        unseen: Share of the examples that is set aside to be scored.
        options: Of the reader.
        recipe: The recipe whose encoder is the default.
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
class Examples:
    """The examples of a seed; those to be scored have a gold relation each.

    Attributes:
        train: Trained on, in the schema of `data_scripts`.
        scored: Scored, in the same schema.
    """

    train: Dataset
    scored: Dataset

    @property
    def has_types(self) -> bool:
        """Whether the scored examples have entity types."""
        return any(self.scored["head_type"])

    def type_pairs(self) -> list[str]:
        """Return the `HEAD TAIL` types of each scored example."""
        types = (self.scored["head_type"], self.scored["tail_type"])
        return [f"{head} {tail}" for head, tail in zip(*types, strict=True)]

    def fingerprint(self) -> str:
        """Hash the texts and relations."""
        digest = hashlib.sha256()
        for dataset in (self.train, self.scored):
            for text, relation in zip(dataset["text"], dataset["relation"], strict=True):
                digest.update(f"{text}\t{relation}\n".encode())
            digest.update(b"\n")
        return digest.hexdigest()

    def describe(self) -> str:
        """Say how many examples are trained on and scored, and how many are in both."""
        trained = set(self.train["text"])
        shared = sum(text in trained for text in self.scored["text"])
        counts = f"{len(self.train):,} rows trained on, {len(self.scored):,} scored"
        if not shared:
            return f"{counts}, none of them trained on"
        if shared < len(self.scored):
            return f"{counts}, {shared:,} of them trained on too"
        same = "the same rows" if len(self.train) == shared else "all of them trained on too"
        return f"{counts}, {same} (no label is read in training)"


class Corpus:
    """A corpus of `PROTOCOLS`.

    Args:
        name: Its name.
        data_dir: The folder with its files.
        max_train_samples: Train on this number of examples, drawn by seed.
        max_eval_samples: Score this number of examples, drawn by seed.

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
        self.name = name
        self.protocol = PROTOCOLS[name]
        self.max_train_samples = max_train_samples
        self.max_eval_samples = max_eval_samples
        if data_dir is None and name != "sample":
            raise ValueError(f"--data_dir has to name the folder with the files of {name}")
        options = self.protocol.options
        splits = load_relation_dataset(self.protocol.reader, data_dir, **options)
        self._train = self._concatenate(splits, self.protocol.train)
        self._scored = None
        if self.protocol.scored:
            self._scored = self._concatenate(splits, self.protocol.scored)
        self.relation_names = read_relation_names(Path(data_dir)) if data_dir else {}

    def _concatenate(self, splits: DatasetDict, names: tuple[str, ...]) -> Dataset:
        if missing := [split for split in names if split not in splits]:
            available = ", ".join(splits)
            raise ValueError(f"{self.name} has no split {missing[0]!r} there, only {available}")
        return concatenate_datasets([splits[split] for split in names or splits])

    def examples(self, seed: int) -> Examples:
        """Draw the examples of a seed.

        Where all are taken and none set aside, the examples of all seeds are alike.
        """
        train = self._train
        scored = self._scored or train
        if self.protocol.unseen is not None:  # as train.py draws them
            halves = train.train_test_split(test_size=self.protocol.unseen, seed=seed)
            train = halves["train"]
            scored = halves["test"]
        # Before the draw, so that there are as many as were asked for.
        scored = scored.filter(lambda relation: relation is not None, input_columns="relation")
        if not len(scored):
            raise ValueError(f"{self.name} has no gold relations there, so nothing can be scored")
        return Examples(
            _draw(train, self.max_train_samples, seed),
            _draw(scored, self.max_eval_samples, seed),
        )

    def num_clusters(self, examples: Examples) -> int:
        """Return C of the protocol."""
        return self.protocol.num_clusters or len(set(examples.type_pairs()))


def _draw(examples: Dataset, limit: int | None, seed: int) -> Dataset:
    if limit is None or limit >= len(examples):
        return examples
    return examples.shuffle(seed=seed).select(range(limit))


def read_relation_names(folder: Path) -> dict[str, str]:
    """Read what properties such as `P17` are called.

    Args:
        folder: Holds `pid2name*.json` beside the corpus: id to `[name, ...]`.
    """
    names = {}
    for path in sorted(folder.glob("pid2name*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        names |= {relation: words[0] for relation, words in content.items()}
    return names

"""What the builders of all corpora share: options, cache key, error handling, counting."""

import json
import logging
import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import datasets
from datasets.exceptions import DatasetGenerationError

from .files import content_key, find_files
from .schema import FEATURES, DataError, Instance, to_row

logger = logging.getLogger(__name__)


@dataclass
class RelationConfig(datasets.BuilderConfig):
    """Options that every corpus takes; a corpus with more of them has its own subclass.

    Args:
        markers: `"typed"` writes the entity types into the markers, `"untyped"` leaves them out.
        no_relation: `"keep"` or `"drop"` the pairs whose label says that there is no relation.
        labels: Which label of a pair that has several: `"first"`, `"all"` (one row a label), or `"single"`, which
            drops such pairs.
        on_error: `"raise"` stops at the first bad row, `"skip"` leaves bad rows out and counts them by reason.

    Raises:
        ValueError: An option has another value, or there is nothing to read.
    """

    FILES: ClassVar[dict[str, str]] = {}  # split to a pattern for its file name

    markers: str = "typed"
    no_relation: str = "keep"
    labels: str = "first"
    on_error: str = "raise"

    _CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "markers": ("typed", "untyped"),
        "no_relation": ("keep", "drop"),
        "labels": ("first", "all", "single"),
        "on_error": ("raise", "skip"),
    }

    def __post_init__(self):
        super().__post_init__()
        for option, choices in self._CHOICES.items():
            if getattr(self, option) not in choices:
                raise ValueError(f"{option} is {getattr(self, option)!r}; choose one of {', '.join(choices)}")

    def sources(self) -> dict[str, list[Path]]:
        """The files of each split: `data_files` as given, else what the corpus' own names find in `data_dir`."""
        if self.data_files:
            return {str(split): [Path(path) for path in paths] for split, paths in self.data_files.items()}
        if not self.data_dir:
            raise ValueError("nothing to read: pass data_dir, the corpus' folder, or data_files")
        folder = Path(self.data_dir)
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is not a folder; pass the folder that holds the corpus' files")
        return self.find_sources(folder)

    def find_sources(self, folder: Path) -> dict[str, list[Path]]:
        """The files of each split in the corpus' folder."""
        return find_files(folder, self.FILES)

    def other_sources(self) -> dict[str, list[Path]]:
        """Files that change the rows without being a split, such as label patches."""
        return {}

    def create_config_id(self, config_kwargs: dict, custom_features: datasets.Features | None = None) -> str:
        """Keys the cache by what the files hold instead of where they lie, so that an edited file is read afresh."""
        options = {key: value for key, value in config_kwargs.items() if key not in ("data_dir", "data_files")}
        options["content"] = content_key(self.sources() | self.other_sources())
        return super().create_config_id(options, custom_features)


class _StoredFeatures(datasets.Features):
    """Features of rows that are already as they are stored, so that writing need not look at each value again."""

    def encode_example(self, example: dict[str, Any]) -> dict[str, Any]:
        return example


class RelationBuilder(datasets.GeneratorBasedBuilder):
    """Base of all readers: a subclass says how a file falls into rows and how a row becomes an `Instance`."""

    BUILDER_CONFIG_CLASS = RelationConfig
    # Opening a file touches each of its batches; with the library's 1,000 rows, two million cost 100 MB more.
    DEFAULT_WRITER_BATCH_SIZE = 5_000
    NO_RELATION: ClassVar[tuple[str, ...]] = ()
    LICENSE = "See the corpus' publisher."
    HOMEPAGE = ""

    _preparing = False  # else streaming, where nothing is stored and counts are told at the end of the stream

    def _rows(self, source: Any) -> Iterator[tuple[int | str, Any]]:
        """The rows of one source: where each stands, for messages, and what stands there, or its `DataError`."""
        raise NotImplementedError

    def _instance(self, row: Any) -> Instance | None:
        """One row as an instance, or `None` when it is left out, which `drop` counts."""
        raise NotImplementedError

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=FEATURES, license=self.LICENSE, homepage=self.HOMEPAGE)

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        return [
            datasets.SplitGenerator(
                name=split,
                gen_kwargs={"split": split, "sources": [part for path in paths for part in self._parts(split, path)]},
            )
            for split, paths in self.config.sources().items()
        ]

    def _parts(self, split: str, path: Path) -> list[Any]:
        """What a file is read as: itself, or tuples that begin with it, among which processes can be shared out."""
        return [path]

    def _generate_examples(self, split: str, sources: list) -> Iterator[tuple[str, dict[str, Any]]]:
        self.tally = {"skipped": Counter(), "dropped": Counter(), "remarks": Counter()}
        for source in sources:
            for place, raw in self._rows(source):
                try:
                    if isinstance(raw, DataError):
                        raise raw
                    rows = self._finish(self._instance(raw), f"{split}-{place}")
                except DataError as error:
                    if self.config.on_error == "raise":
                        error.file = source[0] if isinstance(source, tuple) else source
                        error.row = self._row_number(source, place)
                        raise
                    self.tally["skipped"][error.reason] += 1
                    continue
                for row in rows:
                    yield row["id"], row
        if not self._preparing:
            self._warn_of_skipped(split, self.tally)

    def _finish(self, instance: Instance | None, row_id: str) -> list[dict[str, Any]]:
        """The rows of an instance: one for each label that the options keep."""
        if instance is None:
            return []
        relations, config = instance.relations or [None], self.config
        if len(relations) > 1 and config.labels == "single":
            self.drop("pair with several labels")
            return []
        if len(relations) > 1 and config.labels == "first":
            self.drop("further label of a pair", len(relations) - 1)
            relations = relations[:1]
        row_id = instance.id or row_id
        rows = []
        for number, relation in enumerate(relations, 1):
            if config.no_relation == "drop" and relation in self.NO_RELATION:
                self.drop(relation)
                continue
            label_id = row_id if len(relations) == 1 else f"{row_id}-{number}"
            rows.append(to_row(instance, label_id, relation, config.markers == "typed"))
        return rows

    def _row_number(self, source: Any, place: int | str) -> int | str:
        """What a message calls the row."""
        return place

    def drop(self, reason: str, count: int = 1) -> None:
        """Counts rows that a rule leaves out."""
        self.tally["dropped"][reason] += count

    def remark(self, what: str) -> None:
        """Counts rows that are kept although something about them is worth knowing."""
        self.tally["remarks"][what] += 1

    def _prepare_split_single(self, **kwargs):
        # The one place where a job's errors, its counts and its folder meet, in this process or in a worker.
        features, self._preparing = self.info.features, True
        self.info.features = _StoredFeatures(features)
        try:
            yield from super()._prepare_split_single(**kwargs)
        except DatasetGenerationError as error:
            if isinstance(error.__cause__, DataError):
                raise error.__cause__ from None
            raise
        finally:
            self.info.features, self._preparing = features, False
        name = f"tally-{kwargs['split_info'].name}-{kwargs['job_id']}.json"
        Path(posixpath.dirname(kwargs["fpath"]), name).write_text(json.dumps(self.tally))

    def tallies(self) -> dict[str, dict[str, Counter]]:
        """What was skipped, dropped and remarked, by split; known once the data is prepared."""
        result = {}
        for split in self.info.splits:
            totals = result[split] = {"skipped": Counter(), "dropped": Counter(), "remarks": Counter()}
            for path in Path(self._output_dir).glob(f"tally-{split}-*.json"):
                for kind, counts in json.loads(path.read_text()).items():
                    totals[kind].update(counts)
        return result

    def read(self, num_proc: int | None = None) -> datasets.DatasetDict:
        """Prepares what the cache does not hold, and gives the splits that have rows.

        Raises:
            DataError: A row is bad, or no row is left.
        """
        self.download_and_prepare(num_proc=num_proc)
        return self.as_dataset({split: split for split in self._splits_with_rows()})

    def _splits_with_rows(self) -> list[str]:
        """The splits that hold rows, after warnings about what a user should know before taking them."""
        for split, tally in self.tallies().items():
            self._warn_of_skipped(split, tally)
        filled = [split for split, info in self.info.splits.items() if info.num_examples]
        if not filled:
            files = ", ".join(str(path) for paths in self.config.sources().values() for path in paths)
            raise DataError(None, "no row is left", "check the format and the options", file=files)
        if empty := sorted(set(self.info.splits) - set(filled)):
            logger.warning("%s: left out, because no row is in it: %s", self.name, ", ".join(empty))
        return filled

    def _warn_of_skipped(self, split: str, tally: dict[str, Counter]) -> None:
        if skipped := tally["skipped"]:
            reasons = "; ".join(f"{count} x {reason}" for reason, count in skipped.most_common())
            logger.warning("%s, %s: bad rows skipped: %d (%s)", self.name, split, skipped.total(), reasons)

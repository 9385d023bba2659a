"""What the readers of all corpora share: options, rows, errors, counts and the cache key."""

import hashlib
import json
import logging
import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import datasets
from datasets.exceptions import DatasetGenerationError

import modeling_siamure.markers
from modeling_siamure.markers import insert_markers

from .files import find_files
from .schema import (
    FEATURES,
    SHIFTS,
    DataError,
    Instance,
    cuts_word,
    fitting_offsets,
    is_utf8,
    show_cut,
)

logger = logging.getLogger(__name__)

_CUT = "a mention begins or ends inside a word"
# Why mentions are cut off, the likeliest first, and what to do about it.
_CAUSES = {
    "inclusive": "ends seem to be inclusive",
    "utf16": "offsets seem to count UTF-16 units",
    "bytes": "offsets seem to count bytes of UTF-8",
    "lf": r"offsets seem to count each \r\n as one character",
    "crlf": r"offsets seem to count each \n as two characters, \r\n",
    "html": "offsets seem to be those of the text without HTML entities",
    "one_based": "offsets seem to count from 1",
    "one_based_inclusive": "offsets seem to count from 1, with inclusive ends",
}


@dataclass
class RelationConfig(datasets.BuilderConfig):
    """Options of every corpus; a corpus with further options has its own subclass.

    Args:
        markers: `"typed"` writes the entity types into the markers, `"untyped"` leaves them out.
        no_relation: `"keep"` or `"drop"` the pairs whose label says that there is no relation.
        labels: Which label to take of a pair that has several: `"first"`, `"all"` (one row per
            label), or `"single"`, which drops such pairs.
        on_error: `"raise"` stops at the first bad row, `"skip"` leaves bad rows out and counts them
            by reason.

    Raises:
        ValueError: An option has another value, or there is nothing to read.
    """

    FILES: ClassVar[dict[str, str]] = {}  # split to a regular expression for its file name

    markers: str = "typed"
    no_relation: str = "keep"
    labels: str = "first"
    on_error: str = "raise"

    _CHOICES: ClassVar[dict[str, tuple[str | None, ...]]] = {
        "markers": ("typed", "untyped"),
        "no_relation": ("keep", "drop"),
        "labels": ("first", "all", "single"),
        "on_error": ("raise", "skip"),
    }

    def __post_init__(self):
        super().__post_init__()
        for option, choices in self._CHOICES.items():
            value = getattr(self, option)
            if value not in choices:
                names = ", ".join(filter(None, choices))
                raise ValueError(f"{option} is {value!r}; choose one of {names}")

    def sources(self) -> dict[str, list[Path]]:
        """Return the files per split: `data_files`, or the corpus' usual names in `data_dir`."""
        if self.data_files:
            return {
                str(split): [Path(path) for path in paths]
                for split, paths in self.data_files.items()
            }
        if not self.data_dir:
            raise ValueError("nothing to read: pass data_dir, the corpus' folder, or data_files")
        folder = Path(self.data_dir)
        if not folder.is_dir():
            raise NotADirectoryError(
                f"{folder} is not a folder; pass the folder that holds the corpus' files"
            )
        return self.find_sources(folder)

    def find_sources(self, folder: Path) -> dict[str, list[Path]]:
        """Return the files per split in the corpus' folder."""
        return find_files(folder, self.FILES)

    def other_sources(self) -> dict[str, list[Path]]:
        """Return the files that change the rows without being a split, such as label patches."""
        return {}

    def create_config_id(
        self, config_kwargs: dict, custom_features: datasets.Features | None = None
    ) -> str:
        """Return a cache key of the files' content, not their path, so that an edit is noticed."""
        options = {
            key: value
            for key, value in config_kwargs.items()
            if key not in ("data_dir", "data_files")
        }
        self.content = content_key(self.sources() | self.other_sources())
        options["content"] = self.content
        return super().create_config_id(options, custom_features)


@dataclass
class EntityPairsConfig(RelationConfig):
    """Options of a corpus that gives entities, and labels of some of their pairs.

    Args:
        labels: As for every corpus; one row per label by default.
        pairs: `"labeled"`, or `"all"` pairs of entities that share a sentence. Those without a
            label come once, from left to right, with a null as `relation`.
    """

    labels: str = "all"
    pairs: str = "labeled"

    _CHOICES: ClassVar = {**RelationConfig._CHOICES, "pairs": ("labeled", "all")}


class NoRowError(DataError):
    """A file without a row."""


class _StoredFeatures(datasets.Features):
    """Features of rows that already have their stored form, which saves a pass over each value."""

    def encode_example(self, example: dict[str, Any]) -> dict[str, Any]:
        return example


class RelationBuilder(datasets.GeneratorBasedBuilder):
    """Base of all readers.

    A subclass defines how a file is cut into rows (`_iter_source`, and `_shards` where several
    processes can share a file) and how a row becomes an `Instance` (`_to_instance`).
    """

    BUILDER_CONFIG_CLASS = RelationConfig
    # Opening an Arrow file touches each of its batches: with the library's 1,000 rows per batch,
    # two million rows cost 100 MB more.
    DEFAULT_WRITER_BATCH_SIZE = 5_000
    NO_RELATION: ClassVar[tuple[str, ...]] = ()
    UNIT = "pairs"  # what messages call the rows
    LICENSE = "See the corpus' publisher."
    HOMEPAGE = ""

    # False while streaming, where no counts are stored: they are logged when the stream ends.
    _preparing = False

    def _shards(self, split: str, path: Path) -> list[Any]:
        """Return the units of a file that processes can share: the path, or tuples led by it."""
        return [path]

    def _iter_source(self, source: Any) -> Iterator[tuple[int | str, Any]]:
        """Yield the position and the content of each row of a shard.

        The position appears in messages; a row that can't be parsed comes as its `DataError`.
        """
        raise NotImplementedError

    def _to_instance(self, row: Any) -> Instance | None:
        """Return a row as an instance, or `None` for a row left out, counted by `drop`."""
        raise NotImplementedError

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=FEATURES, license=self.LICENSE, homepage=self.HOMEPAGE)

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        generators = []
        for split, paths in self.config.sources().items():
            shards = [shard for path in paths for shard in self._shards(split, path)]
            arguments = {"split": split, "sources": shards}
            generators.append(datasets.SplitGenerator(name=split, gen_kwargs=arguments))
        return generators

    def _generate_examples(self, split: str, sources: list) -> Iterator[tuple[str, dict[str, Any]]]:
        self.tally = _empty_tally()
        for source in sources:
            for position, raw in self._iter_source(source):
                row_id = self._default_id(split, position)
                self.tally["spans"]["rows"] += 1
                try:
                    if isinstance(raw, DataError):
                        raise raw
                    rows = self._expand_labels(self._to_instance(raw), row_id)
                except DataError as error:
                    if self.config.on_error == "raise":
                        self._locate(error, source, position)
                        raise
                    if error.reason not in self.tally["skipped"]:
                        self._locate(error, source, position)
                        self.tally["examples"][error.reason] = str(error)
                    self.tally["skipped"][error.reason] += 1
                    rows = self._replace_bad_row(raw, error, source, position)
                for row in rows:
                    yield row["id"], row
        if not self._preparing:
            self._warn(split, self.tally)

    def _default_id(self, split: str, position: int | str) -> str:
        """Return the id of a row that has none."""
        return f"{split}-{position}"

    def _expand_labels(self, instance: Instance | None, row_id: str) -> list[dict[str, Any]]:
        """Return the rows of an instance: one per label that the options keep."""
        if instance is None:
            return []
        self._check_spans(instance)
        relations = instance.relations or [None]
        if len(relations) > 1 and self.config.labels == "single":
            self.drop("pair with several labels")
            return []
        if len(relations) > 1 and self.config.labels == "first":
            self.drop("further label of a pair", len(relations) - 1)
            relations = relations[:1]
        row_id = instance.id or row_id
        rows = []
        for number, relation in enumerate(relations, 1):
            if self.config.no_relation == "drop" and relation in self.NO_RELATION:
                self.drop(relation)
                continue
            label_id = row_id if len(relations) == 1 else f"{row_id}-{number}"
            rows.append(to_row(instance, label_id, relation, self.config.markers == "typed"))
        return rows

    def _replace_bad_row(
        self, raw: Any, error: DataError, source: Any, position: int | str
    ) -> list[dict[str, Any]]:
        """Return the rows that take the place of a bad one, which is none by default."""
        return []

    def _locate(self, error: DataError, source: Any, position: int | str) -> None:
        """Write the file and the row into an error."""
        error.file = source[0] if isinstance(source, tuple) else source
        error.row = self._row_number(source, position)

    def _row_number(self, source: Any, position: int | str) -> int | str:
        """Return the number under which messages name the row."""
        return position

    def _check_spans(self, instance: Instance) -> None:
        """Count the mentions that cut a word, and what their offsets may count instead."""
        sentence = instance.sentence
        cut = [span for span in (instance.head, instance.tail) if cuts_word(sentence, *span[:2])]
        if cut and instance.by_name:
            self.note("the name of an entity occurs only inside a longer word: taken from there")
            return
        fitting = []
        if instance.offsets and (cut or "&" in sentence):
            fitting = fitting_offsets(self._text_of_offsets(instance), instance.offsets)
        # Offsets into the text without HTML entities may also fall between words.
        if cut or fitting == ["html"]:
            span = cut[0] if cut else instance.head
            self.doubt(_CUT, repr(show_cut(sentence, *span[:2])))
            self.tally["spans"].update(fitting)

    def _text_of_offsets(self, instance: Instance) -> str:
        """Return the text whose characters the offsets of the source count."""
        return instance.sentence

    def drop(self, reason: str, count: int = 1) -> None:
        """Count rows that a rule leaves out."""
        self.tally["dropped"][reason] += count

    def note(self, reason: str) -> None:
        """Count a row that is kept although something about it is worth knowing."""
        self.tally["notes"][reason] += 1

    def doubt(self, reason: str, example: str) -> None:
        """Count a row that is kept although it was perhaps read wrongly, which is warned of."""
        self.tally["doubts"][reason] += 1
        self.tally["examples"].setdefault(reason, example)

    def _download_and_prepare(self, *args, **kwargs):
        super()._download_and_prepare(*args, **kwargs)
        sources = self.config.sources() | self.config.other_sources()
        if content_key(sources) != self.config.content:
            files = ", ".join(sorted({str(path) for paths in sources.values() for path in paths}))
            problem = "changed while it was read"
            raise DataError(None, problem, "read it again when it is complete", file=files)

    def _prepare_split_single(self, **kwargs):
        # The one place where a job's errors, counts and folder meet, here or in a worker process.
        features = self.info.features
        self.info.features = _StoredFeatures(features)
        self._preparing = True
        try:
            yield from super()._prepare_split_single(**kwargs)
        except DatasetGenerationError as error:
            if isinstance(error.__cause__, DataError):
                raise error.__cause__ from None
            raise
        finally:
            self.info.features = features
            self._preparing = False
        name = f"tally-{kwargs['split_info'].name}-{kwargs['job_id']}.json"
        Path(posixpath.dirname(kwargs["fpath"]), name).write_text(json.dumps(self.tally))

    def tallies(self) -> dict[str, dict[str, Counter]]:
        """Return the counts per split, once the data is prepared.

        Each split has the counts by reason of the rows `"skipped"` as bad, `"dropped"` by a rule,
        and kept with `"notes"` or with `"doubts"`, for which `"examples"` has one each. `"spans"`
        counts all rows, and those whose offsets may count something else.
        """
        result = {}
        for split in self.info.splits:
            totals = result[split] = _empty_tally()
            for path in Path(self._output_dir).glob(f"tally-{split}-*.json"):
                tally = json.loads(path.read_text())
                totals["examples"] = tally.pop("examples") | totals["examples"]
                for kind, counts in tally.items():
                    totals[kind].update(counts)
        return result

    def read(self, num_proc: int | None = None) -> datasets.DatasetDict:
        """Prepare what the cache does not hold, and return the splits that have rows.

        Args:
            num_proc: Number of processes, where the files can be cut.

        Raises:
            DataError: A row is bad, or no row is left.
        """
        self.download_and_prepare(num_proc=num_proc)
        return self.as_dataset({split: split for split in self._splits_with_rows()})

    def _splits_with_rows(self) -> list[str]:
        """Return the splits that have rows; warn of skipped rows and of splits left out."""
        for split, tally in self.tallies().items():
            self._warn(split, tally)
        filled = [split for split, info in self.info.splits.items() if info.num_examples]
        if not filled:
            files = ", ".join(
                str(path) for paths in self.config.sources().values() for path in paths
            )
            raise NoRowError(None, "no row is left", self._fix_if_empty(), file=files)
        if empty := sorted(set(self.info.splits) - set(filled)):
            names = ", ".join(empty)
            message = "%s: splits without rows left out: %s; %s"
            logger.warning(message, self.name, names, self._fix_if_empty())
        return filled

    def describe_reading(self) -> str:
        """Return in words what was read, once the data is prepared: documents, pairs, left out."""
        tallies = self.tallies().values()
        read = sum((tally["read"] for tally in tallies), Counter())
        read[self.UNIT] = sum(info.num_examples for info in self.info.splits.values())
        units = ("documents", "sentences", "entities", self.UNIT)
        parts = [", ".join(f"{unit}: {read[unit]:,}" for unit in units if unit in read)]
        for kind, verb in (("dropped", "left out"), ("notes", "noted")):
            if reasons := sum((tally[kind] for tally in tallies), Counter()):
                listed = ", ".join(f"{count:,} x {reason}" for reason, count in reasons.items())
                parts.append(f"{verb}: {listed}")
        return "; ".join(parts)

    def _fix_if_empty(self) -> str:
        """Return what to do about a split without rows."""
        if getattr(self.config, "pairs", "all") == "labeled":
            return "where no pair is labeled, pairs=all takes every pair of entities"
        return "check the format and the options"

    def _warn(self, split: str, tally: dict[str, Any]) -> None:
        """Say what was skipped, and what was perhaps read wrongly: one line each."""
        if skipped := tally["skipped"]:
            reasons = "; ".join(f"{count} x {reason}" for reason, count in skipped.most_common())
            example = tally["examples"][skipped.most_common(1)[0][0]]
            message = "%s, %s: bad rows skipped: %d (%s), such as %s"
            logger.warning(message, self.name, split, skipped.total(), reasons, example)
        for reason, count in tally["doubts"].items():
            message = "%s, %s: in %d of %d rows %s, such as %s%s"
            cause = _likely_cause(tally["spans"], count) if reason == _CUT else ""
            num_rows = tally["spans"]["rows"]
            example = tally["examples"][reason]
            logger.warning(message, self.name, split, count, num_rows, reason, example, cause)
        for remark in tally["remarks"]:
            logger.warning("%s, %s: %s", self.name, split, remark)


def _empty_tally() -> dict[str, Any]:
    counters = ("skipped", "dropped", "notes", "doubts", "remarks", "spans", "read")
    return {kind: Counter() for kind in counters} | {"examples": {}}


def _likely_cause(counts: Counter, num_cut: int) -> str:
    """Return what the offsets seem to count and how to read them, if it explains most rows."""
    is_frequent = 2 * num_cut >= counts["rows"]
    causes = [name for name in _CAUSES if is_frequent or name not in SHIFTS]
    cause = max(causes, key=lambda name: counts[name])
    if 2 * counts[cause] <= num_cut:
        return "; ends are exclusive, and offsets count characters from 0"
    fix = f"read them with the option offsets={cause}"
    if cause == "html":
        fix = "unescape the sentences (html.unescape)"
    return f"; {_CAUSES[cause]} (true of {counts[cause]} of them): {fix}"


def to_row(
    instance: Instance, row_id: str, relation: str | None, typed: bool = True
) -> dict[str, Any]:
    """Return the row of the schema, with markers written into its `text`.

    Args:
        instance: The pair of mentions in its sentence.
        row_id: The row's id.
        relation: The label, `None` when unknown.
        typed: Whether the markers carry the entity types; the type columns are filled either way.

    Raises:
        DataError: A mention is empty or outside the sentence, or a string is not valid UTF-8.

    >>> from data_scripts.schema import Mention
    >>> pair = Instance(None, "Ada Roe leads Acme .", Mention(0, 7, "PERSON"), Mention(14, 18), [])
    >>> to_row(pair, "1", None)["text"]
    '<e1:PERSON> Ada Roe </e1:PERSON> leads <e2> Acme </e2> .'
    """
    sentence, head, tail = instance.sentence, instance.head, instance.tail
    head_type = head.type or None
    tail_type = tail.type or None
    types = (head_type, tail_type) if typed else (None, None)
    try:
        text = insert_markers(sentence, head[:2], tail[:2], *types)
    except ValueError as error:
        problem = "has a mention that is empty or outside the sentence"
        fix = "count characters from 0, end exclusive"
        raise DataError(None, problem, fix, got=str(error)) from None
    row = {
        **instance.extra,
        "id": row_id,
        "text": text,
        "sentence": sentence,
        "head": sentence[head.start : head.end],
        "head_type": head_type,
        "head_start": head.start,
        "head_end": head.end,
        "tail": sentence[tail.start : tail.end],
        "tail_type": tail_type,
        "tail_start": tail.start,
        "tail_end": tail.end,
        "relation": relation or None,
    }
    # One test of all strings together saves most rows the test of each.
    if instance.extra or not f"{text}{row_id}{head_type}{tail_type}{relation}".isascii():
        for field, value in row.items():
            if isinstance(value, str) and not is_utf8(value):
                raise DataError(field, "is not valid UTF-8", "save the file as UTF-8", got=value)
    return row


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_digest() -> str:
    """Return the SHA-256 of the code that turns files into rows: the readers and the markers."""
    folder = Path(__file__).parent
    paths = [*sorted(folder.glob("*.py")), *sorted(folder.glob("corpora/*.py"))]
    paths.append(Path(modeling_siamure.markers.__file__))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def content_key(sources: dict[str, list[Path]]) -> str:
    """Return a key that changes with a source file, its split, or the code that reads it."""
    digests = {path: digest(path) for path in set().union(*sources.values())}
    content = {
        split: [(path.name, digests[path]) for path in paths] for split, paths in sources.items()
    }
    key = json.dumps([code_digest(), content], sort_keys=True)
    return hashlib.sha256(key.encode()).hexdigest()

"""Pairs of entities from documents to a file: streamed, resumable, by several processes."""

import itertools
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, NamedTuple

from tqdm.auto import tqdm

from modeling_siamure.utils.files import (
    digest,
    file_digest,
    list_changes,
    read_record,
    replace_flushed,
    write_record,
)

from .documents import (
    DOCBIN,
    Passage,
    ReadingOptions,
    Source,
    find_sources,
    looks_like_utf8,
    read_passages,
)
from .entities import split_sentences
from .pairs import PairCounts, PairRules, as_json_line, pair_entities
from .recognizers import KINDS, describe_recognizer, load_recognizer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PairOptions:
    """What rows documents give; the result depends on nothing else.

    Args:
        ner: The model that finds entities, see `load_recognizer`. `None` takes those that a DocBin
            holds; with a model, they don't count.
        types: Types of entities that count, and that GLiNER looks for; `None` takes all.
        rules: Which pairs of a sentence are wanted.
        text_column: The column of a table that holds the text.
        encoding: Of `.txt` files; UTF-8 by default.
        language: Code of the texts' language, for `split_sentences`.
    """

    ner: str | None = None
    types: tuple[str, ...] | None = None
    rules: PairRules = field(default_factory=PairRules)
    text_column: str = "text"
    encoding: str | None = None
    language: str = "en"

    @property
    def reading(self) -> ReadingOptions:
        """How documents are read."""
        return ReadingOptions(self.text_column, self.encoding, keeps_entities=self.ner is None)

    def describe(self, inputs: Iterable[Path]) -> dict[str, Any]:
        """Return what decides the result, for `list_changes`.

        Args:
            inputs: Files and folders; they are told by their names and content.
        """
        sources, _ = find_sources(inputs)
        content = [f"{source.name} {file_digest(source.path)}" for source in sources]
        pairs = self.rules.type_pairs
        return {
            "inputs": f"#{digest(' '.join(content))}",
            "ner": self.ner and describe_recognizer(self.ner),
            "types": self.types and ",".join(self.types),
            "order": self.rules.order,
            "max_distance": self.rules.max_distance,
            "type_pairs": pairs and ",".join(sorted(map(":".join, pairs))),
            "text_column": self.text_column,
            "encoding": self.encoding,
            "language": self.language,
        }


class PairFinder:
    """Make rows of passages.

    Args:
        options: What rows.
    """

    def __init__(self, options: PairOptions):
        self.options = options
        types = list(options.types) if options.types else None
        self.recognizer = options.ner and load_recognizer(options.ner, types, options.language)

    def __call__(self, passages: list[Passage]) -> "Chunk":
        """Return the rows of some passages, as lines of JSON."""
        annotations = [passage.annotation for passage in passages]
        if self.recognizer:
            annotations = self.recognizer.annotate([passage.text for passage in passages])
        counts = PairCounts()
        lines = []
        for passage, annotation in zip(passages, annotations, strict=True):
            if self.options.types:
                wanted = [part for part in annotation.entities if part.type in self.options.types]
                annotation = annotation._replace(entities=wanted)
            if annotation.entities and annotation.sentences is None:
                sentences = split_sentences(passage.text, self.options.language)
                annotation = annotation._replace(sentences=sentences)
            rows = pair_entities(passage, annotation, self.options.rules, counts)
            lines += map(as_json_line, rows)
        num_characters = sum(len(passage.text) for passage in passages)
        return Chunk("".join(lines).encode(), counts, len(passages), num_characters)


class Chunk(NamedTuple):
    """The rows of some passages, as lines of JSON, and what was counted."""

    lines: bytes
    counts: PairCounts
    num_passages: int
    num_characters: int


def write_pairs(
    inputs: Iterable[str | Path],
    output: str | Path,
    options: PairOptions,
    *,
    num_processes: int = 1,
    show_progress: bool = False,
    chunk_size: int = 64,
    seconds_between_saves: float = 5,
) -> PairCounts:
    """Write the pairs of entities that share a sentence, as JSON lines in the instance schema.

    The documents are streamed. A run that was stopped resumes with the same arguments, and leaves
    the same rows as one that was not; `OUTPUT.run.json` says beside the file what it is of. After a
    finished run nothing is done.

    Args:
        inputs: Files (`.txt`, `.jsonl`, `.json`, `.csv`, `.tsv`, `.parquet`, `.spacy`), and folders
            of `.txt` files.
        output: The file; whole or not there.
        options: What rows.
        num_processes: Number of processes that look for entities.
        show_progress: Whether to show a progress bar.
        chunk_size: Number of passages that are read at once.
        seconds_between_saves: Work that a run which is killed may lose.

    Returns:
        What was counted.

    Raises:
        DataError: A file, or a row of it, can't be read; names both.
        ValueError: No pair is found.
        ImportError: A library or a pipeline is not installed; says how to install it.
        OSError: A file does not exist, or the output is of another run.
    """
    inputs = [Path(path) for path in inputs]
    output = Path(output)
    run = options.describe(inputs)
    work = _Work(output, run)
    if work.is_finished():
        return work.counts
    sources, num_others = find_sources(inputs)
    if num_others:
        logger.warning("%d files that are no .txt were left out of the folders", num_others)
    _require_entities(sources, options)
    finder = PairFinder(options)
    survey = _survey(sources, options)
    passages = itertools.chain.from_iterable(
        read_passages(source, options.reading) for source in sources
    )
    passages = itertools.islice(passages, work.num_passages, None)
    chunks = iter(lambda: list(itertools.islice(passages, chunk_size)), [])
    bar = tqdm(
        desc="Pairing entities",
        total=survey.num_characters,
        initial=work.num_characters,
        unit=" characters",
        unit_scale=True,
        disable=not show_progress,
    )
    with bar, work.open() as write, _mapper(finder, num_processes) as find:
        last_save = time.monotonic()
        for chunk in find(chunks):
            write(chunk)
            bar.update(chunk.num_characters)
            if time.monotonic() - last_save > seconds_between_saves:
                work.save()
                last_save = time.monotonic()
    if not work.counts.pairs:
        work.remove()
        raise ValueError(
            f"the {survey.num_documents:,} documents hold no pair: {work.counts.describe()}; give "
            "another --ner, or allow more"
        )
    work.finish()
    return work.counts


class _Work:
    """What a run has written so far, and how far it has come.

    Args:
        output: The file that it will be.
        run: What it is of.
    """

    def __init__(self, output: Path, run: dict[str, Any]):
        self.output = output
        self.partial = output.with_name(f"{output.name}.partial")
        self.record = output.with_name(f"{output.name}.run.json")
        self.run = run
        self.num_passages = 0
        self.num_characters = 0
        self.num_bytes = 0
        self.counts = PairCounts()
        if not self.output.exists() and not self.partial.exists():
            return  # a record alone says nothing
        there = self.output if self.output.exists() else self.partial
        fix = "give another --output, or remove it"
        try:
            record = read_record(self.record)
        except ValueError as error:
            raise FileExistsError(f"{there} is there already, and {error}; {fix}") from None
        if changes := list_changes(record["run"], run):
            raise FileExistsError(f"{there} is there already, of another run: {changes}; {fix}")
        if there.stat().st_size < record["num_bytes"]:
            raise FileExistsError(f"{there} is there already, and cut short; {fix}")
        self.num_passages = record["num_passages"]
        self.num_characters = record["num_characters"]
        self.num_bytes = record["num_bytes"]
        self.counts = PairCounts(**record["counts"])
        self.counts.dropped = Counter(self.counts.dropped)

    def is_finished(self) -> bool:
        """Tell whether the output is there."""
        return self.output.exists()

    @contextmanager
    def open(self) -> Iterator[Callable[[Chunk], None]]:
        """Give a function that writes a chunk behind those that were written before."""
        has_begun = self.partial.exists()
        with self.partial.open("ab") as self._file:
            self._file.truncate(self.num_bytes)
            try:
                self.save()
                yield self._write
            except BaseException:
                if not has_begun and not read_record(self.record)["num_passages"]:
                    self.remove()
                raise
            self.save()

    def _write(self, chunk: Chunk) -> None:
        self._file.write(chunk.lines)
        self.num_bytes += len(chunk.lines)
        self.num_passages += chunk.num_passages
        self.num_characters += chunk.num_characters
        self.counts.add(chunk.counts)

    def save(self) -> None:
        """Note what is written, once it is on the disk: a run that is killed resumes from here."""
        self._file.flush()
        os.fsync(self._file.fileno())
        record = {
            "run": self.run,
            "num_passages": self.num_passages,
            "num_characters": self.num_characters,
            "num_bytes": self.num_bytes,
            "counts": vars(self.counts),
        }
        write_record(self.record, record)

    def finish(self) -> None:
        """Give the file its name."""
        replace_flushed(self.partial, self.output)

    def remove(self) -> None:
        """Leave nothing behind."""
        self.partial.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)


class _Survey(NamedTuple):
    """How much there is to read."""

    num_documents: int
    num_characters: int


def _survey(sources: list[Source], options: PairOptions) -> _Survey:
    """Read everything once, so that what can't be read is said before any work is done.

    Raises:
        DataError: A file, or a row of it, can't be read.
        ValueError: There is no text.
    """
    num_documents = 0
    num_characters = 0
    empty = []
    doubtful = []
    for source in sources:
        previous = None
        for passage in read_passages(source, options.reading):
            if passage.document != previous:
                num_documents += 1
                previous = passage.document
            if not passage.text.strip():
                empty.append(passage.document)
            num_characters += len(passage.text)
        is_utf8 = (options.encoding or "utf-8").lower() in ("utf-8", "utf8")
        if source.path.suffix.lower() == ".txt" and not is_utf8 and looks_like_utf8(source.path):
            doubtful.append(source.path)
    if not num_characters:
        raise ValueError(f"there is no text in {sources[0].path} or the other inputs; give some")
    if empty:
        logger.warning("%d of %d documents are empty, e.g. %s", len(empty), num_documents, empty[0])
    if doubtful:
        logger.warning(
            "%d of %d files look like UTF-8, and are read as %s, e.g. %s",
            len(doubtful),
            len(sources),
            options.encoding,
            doubtful[0],
        )
    return _Survey(num_documents, num_characters)


def _require_entities(sources: list[Source], options: PairOptions) -> None:
    for source in sources:
        if options.ner is None and source.path.suffix.lower() != DOCBIN:
            raise ValueError(
                f"{source.path} says nothing of its entities; say by --ner what finds them: {KINDS}"
            )


# --------------------------------------------------------------------------------------------------
# Processes

_finder: PairFinder  # of a process that looks for entities


@contextmanager
def _mapper(
    finder: PairFinder, num_processes: int
) -> Iterator[Callable[[Iterable[list[Passage]]], Iterator[Chunk]]]:
    """Give a function that maps passages to chunks, in their order, in one process or in several.

    Raises:
        OSError: A process died.
    """
    if num_processes == 1:
        yield lambda items: map(finder, items)
        return
    # Spawned: forked ones would share locks with the threads of libraries.
    executor = ProcessPoolExecutor(
        num_processes, get_context("spawn"), _start_process, (finder.options,)
    )
    try:
        yield lambda items: _map_in_order(executor, items, 2 * num_processes)
    except BrokenProcessPool:
        raise OSError(
            "a process died, perhaps for want of memory; give fewer --num_processes, and the same "
            "command resumes"
        ) from None
    finally:
        executor.shutdown(cancel_futures=True)


def _map_in_order(
    executor: ProcessPoolExecutor, items: Iterable[list[Passage]], window: int
) -> Iterator[Chunk]:
    """Yield the results in the order of the items, of which no more than a window are waiting."""
    waiting: deque[Future[Chunk]] = deque()
    for item in items:
        waiting.append(executor.submit(_find_pairs, item))
        if len(waiting) >= window:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _start_process(options: PairOptions) -> None:
    global _finder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _finder = PairFinder(options)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def _end_with_parent() -> None:
    """End this process when the main one was killed: nobody else would."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _find_pairs(passages: list[Passage]) -> Chunk:
    return _finder(passages)

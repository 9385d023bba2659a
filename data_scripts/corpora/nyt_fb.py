"""NYT+FB (Marcheggiani and Titov 2016): New York Times, partly aligned with Freebase relations."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import decode, line_number, read_lines, split_ranges
from ..schema import DataError, Instance, Mention, find_mentions
from .sentence_pairs import SENTENCES, SentencePairs, SentencePairsConfig

_TYPES = ("PERSON", "LOCATION", "ORGANIZATION", "MISC")
_TYPE_PAIRS = {f"{head}-{tail}": (head, tail) for head in _TYPES for tail in _TYPES}


@dataclass
class NytFbConfig(SentencePairsConfig):
    """Finds either form of the corpus in a folder.

    Args:
        bytes_per_shard: Size of the ranges into which a file of nine columns is cut, so that
            several processes can share it.
    """

    bytes_per_shard: int = 1 << 24

    def __post_init__(self):
        super().__post_init__()
        if type(self.bytes_per_shard) is not int or self.bytes_per_shard < 1:
            raise ValueError(
                f"bytes_per_shard is {self.bytes_per_shard!r}; give a whole number of 1 or more"
            )

    def find_sources(self, folder: Path) -> dict[str, list[Path]]:
        """Return the files of marked sentences, else the file of nine columns for each split."""
        if any(folder.glob(f"*{SENTENCES}")):
            return super().find_sources(folder)
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".txt", ".tsv"))
        if len(paths) != 1:
            raise FileNotFoundError(
                f"{folder} holds {len(paths)} files .txt or .tsv; "
                "pass a folder with the one file of NYT+FB"
            )
        return {split: paths for split in ("train", "validation", "test")}


class NytFb(SentencePairs):
    """Nine columns separated by tabs; or sentences with markers (see `SentencePairs`).

    From a folder, all sentences are for training, and those with a relation are for evaluation as
    well: a sentence whose CRC-32 is divisible by five goes to validation, any other to test. That
    is 20 % and 80 %, and equal sentences stay together. Files given per split are read whole.

    The columns hold no offsets, so the mentions are looked for (see `find_mentions`). Rows whose
    arguments do not occur in the sentence, or only overlapping, are dropped and counted; rows where
    an argument occurs more than once are counted.
    """

    BUILDER_CONFIG_CLASS = NytFbConfig
    LICENSE = "LDC User Agreement (LDC2008T19): not to be passed on."
    HOMEPAGE = "https://catalog.ldc.upenn.edu/LDC2008T19"

    def _shards(self, split: str, path: Path) -> list[Any]:
        if path.name.endswith(SENTENCES):
            return [path]
        subset = "all" if self.config.data_files or split == "train" else split
        ranges = split_ranges(path, self.config.bytes_per_shard)
        return [(*byte_range, subset) for byte_range in ranges]

    def _iter_source(self, source: Any) -> Iterator[tuple[int, Any]]:
        if isinstance(source, Path):
            yield from super()._iter_source(source)
            return
        path, start, end, subset = source
        for position, line in read_lines(path, start, end):
            if not line:
                continue
            if subset != "all" and not line.rpartition(b"\t")[2].strip():
                continue  # no relation
            columns = decode(line).split("\t")
            if subset == "all" or len(columns) != 9 or subset == _evaluation_split(columns[6]):
                yield position, columns

    def _to_instance(self, row: Any) -> Instance | None:
        if isinstance(row, tuple):
            return super()._to_instance(row)
        if len(row) not in (8, 9):  # an editor may have taken the empty ninth off
            problem = "does not have nine columns"
            raise DataError(None, problem, "put one tab between columns", got=len(row))
        _, head, tail, types, trigger, _, sentence, _, *relations = row
        if types not in _TYPE_PAIRS:
            fix = "write such as PERSON-LOCATION"
            raise DataError("4", "is not TYPE-TYPE", fix, got=types)
        if not trigger.startswith("TRIGGER:"):
            fix = "check the order of the columns"
            raise DataError("5", "is not TRIGGER:word", fix, got=trigger)
        try:
            head_span, tail_span, ambiguous = find_mentions(sentence, head, tail, tokenized=True)
        except DataError as error:
            self.drop(f"{error.field} {error.problem}")
            return None
        if ambiguous:
            self.note("an argument occurs more than once in the sentence: nearest pair taken")
        head_type, tail_type = _TYPE_PAIRS[types]
        head_mention = Mention(head_span.start, head_span.end, head_type)
        tail_mention = Mention(tail_span.start, tail_span.end, tail_type)
        labels = relations[0].split() if relations else []
        return Instance(None, sentence, head_mention, tail_mention, labels)

    def _row_number(self, source: Any, position: int | str) -> int | str:
        return position if isinstance(source, Path) else line_number(source[0], position)


def _evaluation_split(sentence: str) -> str:
    return "test" if zlib.crc32(sentence.encode()) % 5 else "validation"

"""NYT+FB (Marcheggiani and Titov 2016): sentences of the New York Times, some aligned with Freebase relations."""

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
    def find_sources(self, folder: Path) -> dict[str, list[Path]]:
        """Files of marked sentences where there are any, else the one file of nine columns, in each split."""
        if any(folder.glob(f"*{SENTENCES}")):
            return super().find_sources(folder)
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".txt", ".tsv"))
        if len(paths) != 1:
            raise FileNotFoundError(
                f"{folder} holds {len(paths)} files .txt or .tsv; pass a folder with the one file of NYT+FB"
            )
        return {split: paths for split in ("train", "validation", "test")}


class NytFb(SentencePairs):
    """Nine columns with tabs between; or sentences with inline markers (see `SentencePairs`).

    From a folder, all sentences are for training. Those with a relation are for evaluation as well: a sentence whose
    CRC-32 is divisible by five goes to validation, any other to test, so 20 % and 80 %, and equal sentences together.
    Files given by split are read whole.

    The columns hold no offsets, so the mentions are looked for (see `find_mentions`): rows whose arguments are not in
    the sentence, or not apart, are dropped and counted, as are rows where an argument stands more than once.
    """

    BUILDER_CONFIG_CLASS = NytFbConfig
    LICENSE = "LDC User Agreement (LDC2008T19): not to be passed on."
    HOMEPAGE = "https://catalog.ldc.upenn.edu/LDC2008T19"

    def _parts(self, split: str, path: Path) -> list[Any]:
        if path.name.endswith(SENTENCES):
            return [path]
        share = "all" if self.config.data_files or split == "train" else split
        return [(*byte_range, share) for byte_range in split_ranges(path)]

    def _rows(self, source: Any) -> Iterator[tuple[int, Any]]:
        if isinstance(source, Path):
            yield from super()._rows(source)
            return
        path, start, end, share = source
        for position, line in read_lines(path, start, end):
            if not line or (share != "all" and not line.rpartition(b"\t")[2].strip()):
                continue
            columns = decode(line).split("\t")
            if share == "all" or len(columns) != 9 or share == _share(columns[6]):
                yield position, columns

    def _instance(self, row: Any) -> Instance | None:
        if isinstance(row, tuple):
            return super()._instance(row)
        if len(row) not in (8, 9):  # an editor may have taken the empty ninth off
            raise DataError(None, "does not have nine columns", "put one tab between columns", got=len(row))
        _, head, tail, types, trigger, _, sentence, _, *relations = row
        if types not in _TYPE_PAIRS:
            raise DataError("4", "is not TYPE-TYPE", "write such as PERSON-LOCATION", got=types)
        if not trigger.startswith("TRIGGER:"):
            raise DataError("5", "is not TRIGGER:word", "check the order of the columns", got=trigger)
        try:
            first, second, choice = find_mentions(sentence, head, tail, tokenized=True)
        except DataError as error:
            return self.drop(f"{error.field} {error.problem}")
        if choice:
            self.remark("an argument stands in the sentence more than once: nearest pair taken")
        head_type, tail_type = _TYPE_PAIRS[types]
        labels = relations[0].split() if relations else []
        return Instance(None, sentence, Mention(*first[:2], head_type), Mention(*second[:2], tail_type), labels)

    def _row_number(self, source: Any, place: int | str) -> int | str:
        return place if isinstance(source, Path) else line_number(source[0], place)


def _share(sentence: str) -> str:
    return "test" if zlib.crc32(sentence.encode()) % 5 else "validation"

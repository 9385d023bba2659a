"""One's own file, each row of it: what `siamure discover` and `siamure assign` read."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import datasets

from ..schema import FEATURES, DataError, Instance
from .table import Table, _encode


class WholeTable(Table):
    """As `Table`, but a row is never left out, and columns that are read under another name are carried along too.

    With `on_error="skip"`, a row that can't be read has no `text`, and a further column `problem` says what is wrong.
    """

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        generators = super()._split_generators(dl_manager)
        if self.config.on_error == "skip":
            self.info.features = datasets.Features({**self.info.features, "problem": datasets.Value("string")})
        return generators

    def _used(self) -> set[str]:
        return set(FEATURES) | ({"problem"} if self.config.on_error == "skip" else set())

    def _instance(self, raw: dict[str, Any]) -> Instance:
        if isinstance(raw, dict) and {"text", "sentence"} & set(self.config.columns or ()):
            raw = {name: value for name, value in raw.items() if name not in ("sentence", "tokens", "text")} | {
                name: raw[name] for name in set(self.config.columns.values()) & raw.keys()
            }
        return super()._instance(raw)

    def _generate_examples(self, split: str, sources: list) -> Iterator[tuple[str, dict[str, Any]]]:
        self.tally = {"skipped": Counter(), "dropped": Counter(), "remarks": Counter()}
        for source in sources:
            for place, raw in self._rows(source):
                try:
                    if isinstance(raw, DataError):
                        raise raw
                    (row,) = self._finish(self._instance(raw), str(place))
                    row |= {"problem": None} if self.config.on_error == "skip" else {}
                except DataError as error:
                    error.file, error.row = source, place
                    if self.config.on_error == "raise":
                        raise
                    self.tally["skipped"][error.reason] += 1
                    row = self._blank(raw, place) | {"problem": str(error)}
                yield str(place), row

    def _blank(self, raw: Any, place: int | str) -> dict[str, Any]:
        """A row that has nothing but its id and its further columns, as far as they can be stored."""
        raw = raw if isinstance(raw, dict) else {}
        extra = {name: _encode(raw.get(name), feature) for name, feature in self.extra.items()}
        for name, value in extra.items():
            if isinstance(value, str):
                extra[name] = value.encode(errors="replace").decode()
        return {**dict.fromkeys(FEATURES), **extra, "id": str(raw.get("id") or place).encode(errors="replace").decode()}

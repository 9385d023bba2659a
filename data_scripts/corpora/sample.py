"""The embedded corpus, `sample/`: sentences of this project's own, so that a demonstration needs no download."""

from dataclasses import dataclass
from pathlib import Path

from .table import Table, TableConfig

_FOLDER = Path(__file__).parents[1] / "sample"


@dataclass
class EmbeddedConfig(TableConfig):
    def sources(self) -> dict[str, list[Path]]:
        """The two files that come with the package."""
        return {split: [_FOLDER / f"{split}.jsonl"] for split in ("train", "validation")}


class Embedded(Table):
    """JSON lines in the schema, typed, with the splits train and validation."""

    BUILDER_CONFIG_CLASS = EmbeddedConfig
    LICENSE = "CC0 1.0"

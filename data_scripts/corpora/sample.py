"""The embedded corpus in `data_scripts/sample`, so that a demonstration needs no download."""

from dataclasses import dataclass
from pathlib import Path

from .table import UserFile, UserFileConfig

_FOLDER = Path(__file__).parents[1] / "sample"


@dataclass
class SampleConfig(UserFileConfig):
    """Reads the files that come with the package."""

    def sources(self) -> dict[str, list[Path]]:
        """Return the two files that come with the package."""
        return {split: [_FOLDER / f"{split}.jsonl"] for split in ("train", "validation")}


class Sample(UserFile):
    """JSON lines in the schema, with entity types and the splits train and validation."""

    BUILDER_CONFIG_CLASS = SampleConfig
    LICENSE = "CC0 1.0"

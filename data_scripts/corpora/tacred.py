"""TACRED (Zhang et al. 2017).

The label patches TACREV (Alt et al. 2020) and Re-TACRED (Stoica et al. 2021) can be applied.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..builder import RelationBuilder, RelationConfig
from ..files import find_files, read_json
from ..schema import DataError, Instance, Mention, Tokens, get

logger = logging.getLogger(__name__)

_PATCHES = {
    "tacrev": {"validation": r"dev.+\.json", "test": r"test.+\.json"},
    "retacred": {
        "train": r"train.+\.json",
        "validation": r"dev.+\.json",
        "test": r"test.+\.json",
    },
}


@dataclass
class TacredConfig(RelationConfig):
    """Adds the patches, and drops `no_relation` by default.

    Args:
        tacrev: Folder of the TACREV patches, such as `dev_patch.json`: new labels for some rows of
            dev and test.
        retacred: Folder of the Re-TACRED patches, such as `dev_id2label.json`: a label for each row
            that stays.
    """

    FILES: ClassVar = {
        "train": r"train\.json",
        "validation": r"dev\.json",
        "test": r"test\.json",
    }

    no_relation: str = "drop"
    tacrev: str | None = None
    retacred: str | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.tacrev and self.retacred:
            raise ValueError("tacrev and retacred both relabel the rows; choose one")

    def patch(self) -> str | None:
        """Return the name of the patch in use."""
        return "tacrev" if self.tacrev else "retacred" if self.retacred else None

    def other_sources(self) -> dict[str, list[Path]]:
        """Return the patch of each split, under `patch of SPLIT`."""
        name = self.patch()
        if name is None:
            return {}
        folder = Path(getattr(self, name))
        patches = find_files(folder, _PATCHES[name])
        unpatched = {"train"} if name == "tacrev" else set()
        if missing := self.sources().keys() - patches.keys() - unpatched:
            raise FileNotFoundError(
                f"{folder} holds no {name} patch of the split {min(missing)}; add it"
            )
        return {f"patch of {split}": paths for split, paths in patches.items()}


class Tacred(RelationBuilder):
    """TACRED as LDC2018T24 publishes it: one JSON list per split.

    Token offsets have inclusive ends; the subject is the head.
    """

    BUILDER_CONFIG_CLASS = TacredConfig
    NO_RELATION = ("no_relation",)
    LICENSE = "LDC User Agreement (LDC2018T24): not to be passed on."
    HOMEPAGE = "https://nlp.stanford.edu/projects/tacred/"
    # Rows of the three published splits together, by the option no_relation.
    PUBLISHED_ROWS: ClassVar = {"drop": 21_773, "keep": 106_264}

    def _shards(self, split: str, path: Path) -> list[tuple[Path, Path | None]]:
        patches = self.config.other_sources().get(f"patch of {split}", [None])
        return [(path, patches[0])]

    def _iter_source(self, source: tuple[Path, Path | None]) -> Iterator[tuple[int, Any]]:
        path, patch_path = source
        patch = _read_patch(patch_path) if patch_path else {}
        rows = read_json(path, list)
        if patch and not any(isinstance(row, dict) and row.get("id") in patch for row in rows):
            problem = "has none of the rows' ids"
            raise DataError(None, problem, f"take the patch of {path.name}", file=patch_path)
        for number, row in enumerate(rows, 1):
            yield number, (row, patch)

    def _to_instance(self, row: tuple[Any, dict[str, str]]) -> Instance | None:
        row, patch = row
        tokens = Tokens(get(row, "token", list), "token")
        head = _mention(tokens, row, "subj")
        tail = _mention(tokens, row, "obj")
        row_id = get(row, "id", str)
        relation = get(row, "relation", str, optional=True)
        if self.config.retacred and row_id not in patch:
            self.drop("not in Re-TACRED")
            return None
        relation = patch.get(row_id, relation)
        return Instance(row_id, tokens.sentence, head, tail, [relation] if relation else [])

    def _splits_with_rows(self) -> list[str]:
        """Warn, too, where the whole corpus has another size than the published one."""
        splits = super()._splits_with_rows()
        num_rows = sum(info.num_examples for info in self.info.splits.values())
        expected = self.PUBLISHED_ROWS[self.config.no_relation]
        if len(self.info.splits) == 3 and not self.config.patch() and num_rows != expected:
            message = "tacred: %s rows where the published corpus has %s"
            logger.warning(message, f"{num_rows:,}", f"{expected:,}")
        return splits


def _mention(tokens: Tokens, row: dict[str, Any], role: str) -> Mention:
    start = get(row, f"{role}_start", int)
    end = get(row, f"{role}_end", int) + 1
    return tokens.mention(start, end, get(row, f"{role}_type", str), f"{role}_start")


def _read_patch(path: Path) -> dict[str, str]:
    """Return id to label.

    Re-TACRED has such an object, TACREV a list of objects with `id` and `relation`.
    """
    content = read_json(path, dict | list)
    if isinstance(content, dict):
        content = [{"id": row_id, "relation": label} for row_id, label in content.items()]
    try:
        return {get(row, "id", str): get(row, "relation", str) for row in content}
    except DataError as error:
        error.file = path
        raise

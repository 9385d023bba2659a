"""TACRED (Zhang et al. 2017), with the label patches TACREV (Alt et al. 2020) and Re-TACRED (Stoica et al. 2021)."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..builder import RelationBuilder, RelationConfig
from ..files import find_files, read_json
from ..schema import DataError, Instance, Tokens, get

logger = logging.getLogger(__name__)

_PATCHES = {
    "tacrev": {"validation": r"dev.+\.json", "test": r"test.+\.json"},
    "retacred": {"train": r"train.+\.json", "validation": r"dev.+\.json", "test": r"test.+\.json"},
}


@dataclass
class TacredConfig(RelationConfig):
    """Adds the patches; drops `no_relation`, as the paper does.

    Args:
        tacrev: Folder of the TACREV patches, such as `dev_patch.json`: new labels for some of dev and test.
        retacred: Folder of the Re-TACRED patches, such as `dev_id2label.json`: a label for each row that stays.
    """

    FILES: ClassVar = {"train": r"train\.json", "validation": r"dev\.json", "test": r"test\.json"}

    no_relation: str = "drop"
    tacrev: str | None = None
    retacred: str | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.tacrev and self.retacred:
            raise ValueError("tacrev and retacred both relabel the rows; choose one")

    def patch(self) -> str | None:
        """The name of the patch in use."""
        return "tacrev" if self.tacrev else "retacred" if self.retacred else None

    def other_sources(self) -> dict[str, list[Path]]:
        """The patch of each split, under `patch of SPLIT`."""
        name = self.patch()
        if name is None:
            return {}
        found = find_files(Path(getattr(self, name)), _PATCHES[name])
        unpatched = {"train"} if name == "tacrev" else set()
        if missing := self.sources().keys() - found.keys() - unpatched:
            raise FileNotFoundError(f"{getattr(self, name)} holds no {name} patch of the split {min(missing)}; add it")
        return {f"patch of {split}": paths for split, paths in found.items()}


class Tacred(RelationBuilder):
    """TACRED as LDC2018T24 has it: one JSON list a split, token offsets with inclusive ends, subject is the head."""

    BUILDER_CONFIG_CLASS = TacredConfig
    NO_RELATION = ("no_relation",)
    LICENSE = "LDC User Agreement (LDC2018T24): not to be passed on."
    HOMEPAGE = "https://nlp.stanford.edu/projects/tacred/"
    SIZE: ClassVar = {"drop": 21_773, "keep": 106_264}  # rows of the three splits together

    def _parts(self, split: str, path: Path) -> list[tuple[Path, Path | None]]:
        patches = self.config.other_sources().get(f"patch of {split}", [None])
        return [(path, patches[0])]

    def _rows(self, source: tuple[Path, Path | None]) -> Iterator[tuple[int, Any]]:
        path, patch_path = source
        patch = _read_patch(patch_path) if patch_path else {}
        rows = read_json(path, list)
        if patch and not any(isinstance(row, dict) and row.get("id") in patch for row in rows):
            raise DataError(None, "has none of the ids of the rows", f"take the patch of {path.name}", file=patch_path)
        for number, row in enumerate(rows, 1):
            yield number, (row, patch)

    def _instance(self, row: tuple[Any, dict[str, str]]) -> Instance | None:
        row, patch = row
        tokens = Tokens(get(row, "token", list), "token")
        head, tail = (
            tokens.mention(
                get(row, f"{role}_start", int),
                get(row, f"{role}_end", int) + 1,
                get(row, f"{role}_type", str),
                f"{role}_start",
            )
            for role in ("subj", "obj")
        )
        row_id, relation = get(row, "id", str), get(row, "relation", str, optional=True)
        if self.config.retacred and row_id not in patch:
            return self.drop("not in Re-TACRED")
        relation = patch.get(row_id, relation)
        return Instance(row_id, tokens.sentence, head, tail, [relation] if relation else [])

    def _splits_with_rows(self) -> list[str]:
        """Also warns where the whole corpus has another size than the published one."""
        splits, config = super()._splits_with_rows(), self.config
        rows, expected = sum(info.num_examples for info in self.info.splits.values()), self.SIZE[config.no_relation]
        if len(self.info.splits) == 3 and not config.patch() and rows != expected:
            logger.warning("tacred: %s rows where the published corpus gives %s", f"{rows:,}", f"{expected:,}")
        return splits


def _read_patch(path: Path) -> dict[str, str]:
    """Id to label: Re-TACRED has an object, TACREV a list of objects with `id` and `relation`."""
    content = read_json(path, dict | list)
    if isinstance(content, dict):
        content = [{"id": row_id, "relation": label} for row_id, label in content.items()]
    try:
        return {get(row, "id", str): get(row, "relation", str) for row in content}
    except DataError as error:
        error.file = path
        raise

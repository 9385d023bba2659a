"""SemEval-2010 Task 8 (Hendrickx et al. 2010) and KBP37 (Zhang and Wang 2015).

Both are blocks of lines, with markers inside the sentence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..builder import RelationBuilder, RelationConfig
from ..files import decode, read_lines
from ..schema import DataError, Instance
from .sentence_pairs import marked_instance, read_inline

# The first line of a block, where the empty line before it is missing.
_BEGIN = re.compile(r"\s*\d+\t|(?!Comment).*<e[12]>")
_RELATION = re.compile(r"(?P<name>.+)\((?P<order>e1,\s?e2|e2,\s?e1)\)")


@dataclass
class SemEval2010Config(RelationConfig):
    """Names the files of SemEval-2010 Task 8 and KBP37."""

    FILES: ClassVar = {
        "train": r"(train_file|train)\.txt",
        "validation": r"dev\.txt",
        "test": r"(test_file_full|test)\.txt",
    }


class SemEval2010(RelationBuilder):
    """Blocks of `id<TAB>"sentence"`, relation, and in SemEval `Comment: ...`.

    An empty line ends a block, and so does the first line of another one. The direction of the
    label decides which mention is the head: `Cause-Effect(e2,e1)` is `Cause-Effect` with `e2` as
    head.
    """

    BUILDER_CONFIG_CLASS = SemEval2010Config
    NO_RELATION = ("Other", "no_relation")
    LICENSE = "SemEval-2010 Task 8: CC BY 3.0. KBP37: ask its publisher."
    HOMEPAGE = "https://semeval2.fbk.eu/semeval2.php?location=tasks"

    def _iter_source(self, source: Path) -> Iterator[tuple[int, list[str]]]:
        block: list[str] = []
        for number, (_, raw) in enumerate(read_lines(source), 1):
            line = decode(raw)
            if block and (not line.strip() or _BEGIN.match(line)):
                yield number - len(block), block
                block = []
            if line.strip():
                block.append(line)
        if block:
            yield number - len(block) + 1, block

    def _to_instance(self, block: list[str]) -> Instance:
        row_id, tab, text = block[0].partition("\t")
        if not tab or not row_id.strip().isdigit():
            problem = "is not a number followed by a tab"
            raise DataError("id", problem, 'write: 8<TAB>"sentence"', got=block[0])
        if len(block) < 2:
            raise DataError("relation", "is missing", "put it on the line below the sentence")
        if len(block) > 2 and not block[2].startswith("Comment"):
            self.doubt("a block goes on behind its relation: part of a row?", repr(block[2]))
        text = text.strip()
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1].strip()
        marked, doubled = read_inline(text, "sentence")
        if doubled:
            self.note("a marker occurs twice: first pair taken")
        instance = marked_instance(row_id.strip(), marked, [])
        relation = block[1].strip()
        if relation in self.NO_RELATION:
            return instance._replace(relations=[relation])
        match = _RELATION.fullmatch(relation)
        if not match:
            fix = "write Name(e1,e2), Name(e2,e1) or Other"
            raise DataError("relation", "has no direction", fix, got=relation)
        if match["order"].startswith("e2"):
            instance = instance._replace(head=instance.tail, tail=instance.head)
        return instance._replace(relations=[match["name"]])

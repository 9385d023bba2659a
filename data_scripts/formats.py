"""Recognize the format of a file or a folder by its content."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .columns import is_triple, list_columns
from .files import read_rows
from .schema import DataError

# What a folder may hold beside the corpus: the settings of brat, notes of its makers.
_ASIDE = {".conf", ".md", ".license", ""}
_TABLES = (".csv", ".tsv", ".parquet")
_FEWREL = re.compile(r'\s*\{\s*"[^"]+"\s*:\s*\[\s*\{\s*"(tokens|h|t)"\s*:')
_TAG = re.compile(r"O|[BIESLUM]-\S+")
_CONLLU = re.compile(r"[0-9]+([-.][0-9]+)?(\t[^\t]+){9}")
_SEMEVAL = re.compile(r'[0-9]+\t"?.*<e1>.*</e1>.*')


def list_files(path: Path) -> list[Path]:
    """Return the files of a corpus: the file itself, or those of a folder and its folders.

    Of brat, whose documents have a text and a file of annotations, these are the annotations.

    Raises:
        DataError: The folder holds files of different kinds, or none.
        FileNotFoundError: The path does not exist.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"{path} does not exist, or is not a file; correct the path")
    kinds: dict[str, list[Path]] = {}
    for file in sorted(path.rglob("*")):
        is_hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.is_file() and not is_hidden and file.suffix.lower() not in _ASIDE:
            kinds.setdefault(file.suffix.lower(), []).append(file)
    if ".ann" in kinds:
        kinds.pop(".txt", None)  # the documents that the annotations are of
    if not kinds:
        raise DataError(None, "holds no file of a corpus", "correct the path", file=path)
    if len(kinds) > 1:
        problem = "holds files of several kinds"
        fix = "give a folder of one format, or one file"
        examples = ", ".join(files[0].name for files in kinds.values())
        raise DataError(None, problem, fix, got=examples, file=path)
    (files,) = kinds.values()
    return files


def recognize(paths: list[Path]) -> str:
    """Return the name of the format of files, one of `CORPORA`; `"table"` where it is no other.

    Raises:
        DataError: They have different formats.
    """
    names = {path: recognize_file(path) for path in paths}
    first = paths[0]
    if other := next((path for path in paths if names[path] != names[first]), None):
        problem = f"is read as {names[other]}, and {first.name} as {names[first]}"
        raise DataError(None, problem, "give a folder of one format, or --format", file=other)
    return names[first]


def recognize_file(path: Path, num_bytes: int = 1 << 20) -> str:
    """Return the name of the format of a file, by its first `num_bytes`."""
    if path.suffix.lower() == ".ann":
        return "brat"
    if path.suffix.lower() != ".parquet":
        with path.open("rb") as file:
            head = file.read(num_bytes).decode("utf-8-sig", "replace")
        if head.lstrip()[:1] in ("{", "["):
            if _FEWREL.match(head):
                return "fewrel"
            return next(filter(None, map(recognize_record, _first_records(head))), "table")
        if name := recognize_lines(head.split("\n")[:-1] or [head]):
            return name
    if path.suffix.lower() in _TABLES:
        rows = (row for _, row in read_rows(path) if not isinstance(row, DataError))
        return recognize_record(next(rows, {})) or "table"
    return "table"


def _first_records(head: str, max_records: int = 20) -> Iterator[dict[str, Any]]:
    """Yield the first objects of a JSON list or of JSON lines."""
    decoder = json.JSONDecoder()
    position = re.compile(r"\s*\[?\s*").match(head).end()  # type: ignore[union-attr]
    try:
        for _ in range(max_records):
            record, position = decoder.raw_decode(head, position)
            if isinstance(record, dict):
                yield record
            position = re.compile(r"[\s,]*").match(head, position).end()  # type: ignore[union-attr]
    except (ValueError, RecursionError):
        return


def recognize_record(record: dict[str, Any]) -> str | None:
    """Return the name of the format that an object is of, if it is a known one.

    >>> recognize_record({"text": "Ada left", "label": [[0, 3, "PER"]]})
    'doccano'
    """
    lists = {name for name, value in record.items() if isinstance(value, list) and value}
    if isinstance(record.get("data"), dict) and record.keys() & {
        "annotations",
        "completions",
        "predictions",
    }:
        return "labelstudio"
    if any(_are_objects(record[name], {"start", "end", "labels"}) for name in lists):
        return "labelstudio"
    if "text" in record and isinstance(record.get("spans"), list):
        return "prodigy"
    if "text" in record and (
        ("entities" in lists and _are_objects(record["entities"], {"start_offset", "end_offset"}))
        or any(_are_spans(record[name]) for name in lists & {"label", "labels"})
    ):
        return "doccano"
    if {"tokens", "entities"} <= record.keys() and isinstance(record["entities"], list):
        return "spert"
    if {"sents", "vertexSet"} <= record.keys():
        return "docred"
    if "ner" in record and record.keys() & {"sentences", "sentence"}:
        return "pure"
    if {"context", "e1_start", "e2_start"} <= record.keys():
        return "core"
    return "triples" if is_triple(record) else None


def advise(raw: dict[str, Any]) -> str:
    """Return what to do about a row that lacks a sentence or a mention.

    >>> advise({"s1": "Ada left Acme", "a": "Ada", "b": "Acme"})
    'map its columns, such as --columns sentence=s1 head=a tail=b; its columns are s1, a, b'
    """
    if name := recognize_record(raw):
        command = f"python -m data_scripts prepare {name} --data_files train=FILE --output_dir OUT"
        return (
            f"it looks like {name}: read it with --format {name}, or make rows of it: `{command}`"
        )
    texts = {name: value for name, value in raw.items() if isinstance(value, str) and value.strip()}
    if not texts:
        return f"give the sentence and both mentions; {list_columns(raw)}"
    sentence = max(texts, key=lambda name: len(texts[name]))
    mentions = [name for name in texts if name != sentence and texts[name] in texts[sentence]]
    if len(mentions) < 2:
        words = f"sentence={shlex.quote(sentence)} head=NAME tail=NAME"
        advice = f"give the sentence and both mentions, such as --columns {words}"
        return f"{advice}; {list_columns(raw)}"
    pairs = {"sentence": sentence, "head": mentions[0], "tail": mentions[1]}
    words = " ".join(shlex.quote(f"{column}={name}") for column, name in pairs.items())
    return f"map its columns, such as --columns {words}; {list_columns(raw)}"


def _are_objects(values: list, keys: set[str]) -> bool:
    return all(isinstance(value, dict) and keys <= value.keys() for value in values)


def _are_spans(values: list) -> bool:
    """Return whether these are `[start, end, type]`."""
    kinds = [int, int, str]
    return all(isinstance(value, list) and [*map(type, value)] == kinds for value in values)


def recognize_lines(lines: list[str]) -> str | None:
    """Return the name of the format of lines, if it is a known one that is not JSON.

    >>> recognize_lines(["Ada NNP B-PER", "left VBD O", "", "Bo NNP B-PER"])
    'conll'
    """
    lines = [line.rstrip("\r") for line in lines]
    words = [line for line in lines if line.strip() and not line.startswith("-DOCSTART-")]
    words = [line for line in words if not is_comment(line)]
    if not words:
        return None
    if all(map(_CONLLU.fullmatch, words)):
        return "conllu"
    if tag_column(map(split_cells, words)) is not None:
        return "conll"
    return "semeval2010" if _SEMEVAL.match(words[0]) else None


def is_comment(line: str) -> bool:
    """Return whether a line of columns is a comment, and not the token `#`.

    >>> is_comment("# sent_id = 4"), is_comment("# NN I-NP O")
    (True, False)
    """
    return bool(re.match(r"#\s*[\w.]+\s*(=|$)|#\s*newdoc|#\s*newpar", line)) and "\t" not in line


def split_cells(line: str) -> list[str]:
    """Return the cells of a line whose columns are separated by tabs, or by spaces."""
    return line.rstrip().split("\t") if "\t" in line.rstrip() else line.split()


def tag_column(rows: Iterable[list[str]], share: float = 1.0) -> int | None:
    """Return the last column that holds tags of entities, such as `B-PER` or `O`.

    Args:
        rows: The cells of each line.
        share: Share of the lines, at least, that have a tag there; and as many cells as the first.

    >>> tag_column([["Ada", "NNP", "I-NP", "B-PER"], ["left", "VBD", "B-VP", "O"]])
    3
    """
    counts: Counter[int] = Counter()
    size = None
    num_rows = 0
    for cells in rows:
        num_rows += 1
        size = size or len(cells)
        if len(cells) == size:
            counts.update(column for column in range(1, size) if _TAG.fullmatch(cells[column]))
    columns = [column for column in counts if counts[column] >= share * num_rows]
    return max(columns, default=None)

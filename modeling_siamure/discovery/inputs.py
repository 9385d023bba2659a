"""What a discovery can be given: a dataset, a table of pandas, or a list of rows."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from datasets import Dataset, Features, Value

from ..markers import MARKER, insert_markers, read_markers

_OFFSETS = ("head_start", "head_end", "tail_start", "tail_end")
_COLUMNS = ("text", "head_type", "tail_type", "relation")


def as_dataset(rows: Any) -> Dataset:
    """Return rows as a dataset with a `text` column of marked sentences.

    Args:
        rows: A `datasets.Dataset`, which is returned as it is; a pandas DataFrame; or a list of
            dictionaries. Each row has a marked sentence as `text`; or a `sentence` with
            `head_start`, `head_end`, `tail_start`, `tail_end` (characters, ends exclusive) and,
            where they are known, `head_type`, `tail_type` and `relation`. A list may also hold the
            marked sentences themselves.

    Returns:
        A dataset with `text`, `head_type`, `tail_type` and `relation`, and as many rows.

    Raises:
        ValueError: A row has neither form, or its offsets mark no two mentions; names the row,
            counted from 1.

    >>> row = {"sentence": "Ada leads Acme.", "head_start": 0, "head_end": 3, "head_type": "PER"}
    >>> as_dataset([row | {"tail_start": 10, "tail_end": 14}])["text"][0]
    '<e1:PER> Ada </e1:PER> leads <e2> Acme </e2>.'
    """
    if isinstance(rows, Dataset):
        return rows
    if isinstance(rows, Mapping) and all(isinstance(part, Dataset) for part in rows.values()):
        raise ValueError(f"the rows are in splits: {', '.join(rows)}; give one of them")
    if isinstance(rows, pd.DataFrame):
        rows = rows.to_dict("records")
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise ValueError(
            f"the rows are a {type(rows).__name__}; give a dataset, a DataFrame or a list of "
            "dictionaries (data_scripts.loading.load_user_file reads a file)"
        )
    marked = []
    for number, row in enumerate(rows, 1):
        try:
            marked.append(_marked_row(row))
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from None
    features = Features({name: Value("string") for name in _COLUMNS})
    columns = {name: [row[name] for row in marked] for name in _COLUMNS}
    return Dataset.from_dict(columns, features=features)


def _marked_row(row: Any) -> dict[str, str | None]:
    if isinstance(row, str):
        row = {"text": row}
    if not isinstance(row, Mapping):
        raise ValueError(f"it is a {type(row).__name__}; give a dictionary")
    values = {str(name): value for name, value in row.items() if not _is_missing(value)}
    head_type, tail_type = (_text(values, name) for name in ("head_type", "tail_type"))
    text = values.get("text")
    if isinstance(text, str) and MARKER.search(text):
        sentence = read_markers(text)
        head_type = head_type or sentence.head_type
        tail_type = tail_type or sentence.tail_type
    elif any(name in values for name in _OFFSETS):
        text = _mark(values, head_type, tail_type)
    else:
        raise ValueError(
            "it has neither a marked text nor a sentence with head_start, head_end, tail_start and "
            f"tail_end; its columns are {', '.join(values) or 'empty'}"
        )
    relation = _text(values, "relation")
    return {"text": text, "head_type": head_type, "tail_type": tail_type, "relation": relation}


def _mark(values: dict[str, Any], head_type: str | None, tail_type: str | None) -> str:
    """Return the marked sentence of a row with offsets."""
    sentence = values.get("sentence", values.get("text"))
    if not isinstance(sentence, str):
        raise ValueError("field sentence: it must be text; give the sentence with both mentions")
    head_start, head_end, tail_start, tail_end = (_offset(values, name) for name in _OFFSETS)
    spans = {"head": (head_start, head_end), "tail": (tail_start, tail_end)}
    text = insert_markers(sentence, spans["head"], spans["tail"], head_type, tail_type)
    for role, (start, end) in spans.items():
        name = values.get(role)
        if isinstance(name, str) and name != sentence[start:end]:
            raise ValueError(
                f"field {role}: {name!r} is not the text at its offsets, {sentence[start:end]!r}; "
                "count characters from 0, ends exclusive"
            )
    return text


def _is_missing(value: Any) -> bool:
    """Return whether a value stands for none: null, an empty string, NaN or pandas' NA."""
    return (isinstance(value, str) and not value) or (
        pd.api.types.is_scalar(value) and pd.isna(value)
    )


def _offset(values: dict[str, Any], name: str) -> int:
    value: Any = values.get(name)
    try:
        is_whole = not isinstance(value, str | bool) and int(value) == value
    except (TypeError, ValueError, OverflowError):
        is_whole = False
    if not is_whole:
        problem = "is missing" if value is None else f"is {value!r}"
        raise ValueError(f"field {name}: {problem}; give the number of a character, from 0")
    return int(value)


def _text(values: dict[str, Any], name: str) -> str | None:
    """Return an optional name, also where it is a whole number."""
    value = values.get(name)
    if value is None or isinstance(value, str):
        return value
    try:
        return str(_offset(values, name))
    except ValueError:
        raise ValueError(f"field {name}: it is {value!r}; give text, or leave it out") from None

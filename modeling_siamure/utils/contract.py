"""The one check of arguments: their names, types, choices and limits, wherever they come from.

Recipes, command lines and Python calls end in the same dataclasses, and these call `check_values`.
A mistake is one line: the name, the value, what is allowed, and the nearest name that is known.
"""

import difflib
import math
import numbers
import os
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from enum import Enum
from functools import cache
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np


class Limit(NamedTuple):
    """What a number has to be, in words and as a test, which NaN does not pass."""

    words: str
    is_met: Callable[[Any], bool]


AT_LEAST_0 = Limit("0 or more", lambda value: 0 <= value < math.inf)
AT_LEAST_1 = Limit("1 or more", lambda value: 1 <= value < math.inf)
SHARE = Limit("between 0 and 1", lambda value: 0 <= value <= 1)
PART = Limit("above 0 and not above 1", lambda value: 0 < value <= 1)
PROPER_PART = Limit("above 0 and below 1", lambda value: 0 < value < 1)
SEED = Limit("between 0 and 4294967295", lambda value: 0 <= value < 2**32)  # NumPy's
# A model has a name and a centroid per cluster, which are made before the rows are counted.
MANY_CLUSTERS = Limit("100000 or less", lambda value: value <= 100_000)

LIMITS: dict[str, tuple[Limit, ...]] = {
    "num_clusters": (AT_LEAST_1, MANY_CLUSTERS),
    **dict.fromkeys(
        (
            "pooling_layer",
            "projection_size",
            "predictor_size",
            "max_train_samples",
            "max_length",
            "num_neighbors",
            "neighbors_per_anchor",
            "neighbor_refresh_epochs",
            "clustering_components",
            "kmeans_restarts",
            "per_device_train_batch_size",
            "per_device_eval_batch_size",
            "gradient_accumulation_steps",
        ),
        (AT_LEAST_1,),
    ),
    **dict.fromkeys(
        (
            "type_weight",
            "warmup_epochs",
            "clustering_weight",
            "entropy_weight",
            "learning_rate",
            "head_learning_rate",
            "num_train_epochs",
            "warmup_steps",
            "weight_decay",
            "adam_epsilon",
            "max_grad_norm",
            "dataloader_num_workers",
        ),
        (AT_LEAST_0,),
    ),
    **dict.fromkeys(
        ("dropout", "pretrained_weight_share", "adam_beta1", "adam_beta2", "max_unassigned"),
        (SHARE,),
    ),
    **dict.fromkeys(("mention_depth", "min_precision"), (PART,)),
    "validation_fraction": (PROPER_PART,),
    **dict.fromkeys(("seed", "data_seed"), (SEED,)),
}

# transformers takes more here than its annotations say.
UNCHECKED = {"resume_from_checkpoint", "fsdp", "debug"}
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
}


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest known name; empty where none is near.

    >>> nearest_name("partition", ["projection", "partitions"])
    '; did you mean partitions?'
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def check_values(values: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    """Check values against the type hints of their arguments, and against `LIMITS`.

    Args:
        values: Names to values.
        hints: Names to types, as of `argument_hints` or `typing.get_type_hints`.

    Raises:
        ValueError: A value is of another type, none of the choices, or beyond a limit; or no
            argument has its name.

    >>> check_values({"dropout": 2.0}, {"dropout": float})
    Traceback (most recent call last):
    ValueError: dropout=2.0: it must be between 0 and 1
    >>> check_values({"loss": "semantics"}, {"loss": Literal["semantic", "none"]})
    Traceback (most recent call last):
    ValueError: loss='semantics': it must be one of semantic, none; did you mean semantic?
    """
    for name, value in values.items():
        if name not in hints:
            raise ValueError(f"{name!r} is no argument{nearest_name(str(name), hints)}")
        _check_type(name, value, hints[name])
        if isinstance(value, numbers.Real):
            for limit in LIMITS.get(name, ()):
                if not limit.is_met(value):
                    choices = [repr(choice) for choice in _choices(hints[name])]
                    others = "".join(f", or {choice}" for choice in choices)
                    raise ValueError(f"{name}={_shorten(value)}: it must be {limit.words}{others}")


@cache
def argument_hints(arguments: type) -> dict[str, Any]:
    """Return the types of a dataclass' fields; choices in their metadata become literals."""
    hints = get_type_hints(arguments)
    for part in fields(arguments):
        if "choices" in part.metadata:
            is_optional = type(None) in alternatives(hints[part.name])
            choices: Any = Literal[tuple(part.metadata["choices"])]
            hints[part.name] = choices | None if is_optional else choices
    return {part.name: hints[part.name] for part in fields(arguments)}


def alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the one type that a hint is.

    >>> alternatives(int | None), alternatives(str)
    ((<class 'int'>, <class 'NoneType'>), (<class 'str'>,))
    """
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _choices(hint: Any) -> list[Any]:
    """Return the values that a hint lists: those of literals and enumerations."""
    choices: list[Any] = []
    for kind in alternatives(hint):
        if get_origin(kind) is Literal:
            choices += get_args(kind)
        elif isinstance(kind, type) and issubclass(kind, Enum):
            choices += [member.value for member in kind]
    return choices


def _check_type(name: str, value: Any, hint: Any) -> None:
    kinds = alternatives(hint)
    choices = _choices(hint)
    # Nested settings become objects, and are checked by what reads them.
    if name in UNCHECKED or any(kind is Any or _base(kind) is dict for kind in kinds):
        return
    if choices and str in kinds:  # an enumeration that may be given by its value
        kinds = tuple(kind for kind in kinds if kind is not str)
    if any(_has_type(value, kind) for kind in kinds):
        return
    allowed = [
        _WORDS.get(_base(kind)) or getattr(kind, "__name__", str(kind))
        for kind in kinds
        if kind is not type(None) and not _choices(kind)
    ]
    nearest = ""
    if choices:
        allowed.append(f"one of {', '.join(map(str, choices))}")
        nearest = nearest_name(str(value), map(str, choices))
    if len(choices) == 1:
        allowed[-1] = repr(choices[0])
    raise ValueError(f"{name}={_shorten(value)}: it must be {', or '.join(allowed)}{nearest}")


def _base(kind: Any) -> Any:
    return get_origin(kind) or kind


def _has_type(value: Any, kind: Any) -> bool:
    """Return whether a value is of a type; NumPy's numbers and paths are what they stand for."""
    if choices := _choices(kind):
        is_member = isinstance(kind, type) and isinstance(value, kind)
        return is_member or (isinstance(value, str | int) and value in choices)
    if _base(kind) is list:
        (item,) = get_args(kind) or (object,)
        return isinstance(value, list | tuple) and all(_has_type(part, item) for part in value)
    if kind in (int, float):
        number = numbers.Integral if kind is int else numbers.Real
        return isinstance(value, number) and not isinstance(value, bool)
    wider = {bool: bool | np.bool_, str: str | os.PathLike}
    return isinstance(value, wider.get(kind, _base(kind)))


def _shorten(value: Any, max_length: int = 60) -> str:
    shown = str(value) if isinstance(value, numbers.Real) else repr(value)
    return shown if len(shown) <= max_length else f"{shown[: max_length - 3]}..."

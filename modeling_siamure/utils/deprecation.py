"""Old names, which live for one minor version with a warning that names the new one."""

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from .contract import nearest_name

# Of recipe keys and arguments of train.py: old -> new.
RENAMED_ARGUMENTS = {"partition": "clustering_method", "start_share": "pretrained_weight_share"}
RENAMED_VALUES = {("cluster_head_init", "partition"): "clustering"}


def deprecated_arguments(**renamed: str) -> Callable[[Callable], Callable]:
    """Let a function take old keyword arguments too, with a `FutureWarning`.

    Args:
        renamed: Old names to new ones.

    Raises:
        TypeError: A call gives both names of an argument, or a name that the function does not
            know; the message then has the nearest one that it knows.

    >>> @deprecated_arguments(paint="color")
    ... def draw(color="red"):
    ...     return color
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     print(draw(paint="blue"), caught[0].message)
    blue 'paint' is now called 'color'; the old name will go with the next minor version
    """

    def decorate(function: Callable) -> Callable:
        known = inspect.signature(function).parameters

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            for old in renamed.keys() & kwargs.keys():
                new = renamed[old]
                if new in kwargs:
                    raise TypeError(f"{old} and {new} are the same argument; give {new} alone")
                warn_renamed(old, new)
                kwargs[new] = kwargs.pop(old)
            for name in kwargs.keys() - known.keys():
                owner = function.__qualname__.removesuffix(".__init__")
                raise TypeError(f"{owner} has no argument {name!r}{nearest_name(name, known)}")
            return function(*args, **kwargs)

        return wrapped

    return decorate


def warn_renamed(old: str, new: str, source: str = "") -> None:
    """Warn of a changed name.

    Args:
        old, new: The names.
        source: Where the old one stands, such as a file.
    """
    message = f"{old!r} is now called {new!r}; the old name will go with the next minor version"
    warnings.warn(f"{source}: {message}" if source else message, FutureWarning, stacklevel=3)


def rename_key(key: str, value: Any, source: str = "") -> tuple[str, Any]:
    """Return a key of a recipe and its value under their present names, with a `FutureWarning`."""
    if key in RENAMED_ARGUMENTS:
        new = RENAMED_ARGUMENTS[key]
        warn_renamed(key, new, source)
        return new, value
    if isinstance(value, str) and (key, value) in RENAMED_VALUES:
        new = RENAMED_VALUES[key, value]
        warn_renamed(f"{key}: {value}", f"{key}: {new}", source)
        return key, new
    return key, value


def rename_options(argv: Sequence[str]) -> list[str]:
    """Return the words of a command line with present names of options, with a `FutureWarning`.

    >>> rename_options(["--seed", "1", "--output_dir=x"])
    ['--seed', '1', '--output_dir=x']
    """
    renamed = []
    for word in argv:
        option, equals, value = word.partition("=")
        name = option.removeprefix("--")
        if option.startswith("--") and name in RENAMED_ARGUMENTS:
            new = RENAMED_ARGUMENTS[name]
            warn_renamed(option, f"--{new}")
            word = f"--{new}{equals}{value}"
        renamed.append(word)
    return renamed

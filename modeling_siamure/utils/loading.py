"""Loading models that others made: whatever is wrong with them is one line that names them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub.errors import HFValidationError


@contextmanager
def loading(name_or_path: str, max_length: int = 300) -> Iterator[None]:
    """Turn what libraries raise while they load a model into one line that names it.

    Args:
        name_or_path: The model: a folder, a name on the hub, or `pip:PACKAGE/FOLDER`.
        max_length: Number of characters that are kept of a library's message.

    Raises:
        OSError: There is no such folder, nor such a model on the hub or in its cache.
        ValueError: Its files can't be read as a model.

    >>> with loading("my/folder/with-a-typo"):
    ...     raise OSError("Can't load the configuration")
    Traceback (most recent call last):
    OSError: my/folder/with-a-typo is not a folder, and not on the hub or in its cache; correct ...
    """
    is_here = name_or_path.startswith("pip:") or Path(name_or_path).is_dir()
    try:
        yield
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        is_missing = not is_here and isinstance(error, OSError | HFValidationError)
        if type(error) is ValueError or (isinstance(error, OSError) and is_here):
            raise  # says what to do, and with what
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        reason = reason if len(reason) <= max_length else f"{reason[:max_length]}..."
        if is_missing:
            raise OSError(
                f"{name_or_path} is not a folder, and not on the hub or in its cache; correct the "
                f"name or the path ({reason})"
            ) from error
        raise ValueError(
            f"{name_or_path} can't be loaded: its files are damaged, or do not fit one another; "
            f"copy them again ({reason})"
        ) from error

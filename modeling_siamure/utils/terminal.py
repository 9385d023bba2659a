"""What the commands have to say to a person."""

import errno
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn


def fail(message: object, program: str = "siamure") -> NoReturn:
    """End the program with one line and status 2: the mistake is the caller's.

    Args:
        message: What is wrong, and how to mend it.
        program: Name of the command.
    """
    if os.environ.get("LOCAL_RANK", "0") == "0":  # all processes of a machine meet the same one
        print(f"{program}: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(2)


@contextmanager
def end_in_one_line(program: str = "siamure") -> Iterator[None]:
    """End the program with one line and status 2 if the block fails by no fault of the code.

    That is a mistake of the caller, a file or network that can't be used, or a disk that is full,
    whichever exception a library raises then. All else passes.

    Args:
        program: Name of the command.
    """
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except (ValueError, OSError, HTTPError, ImportError) as error:
        fail(describe_error(error), program)
    except Exception as error:
        if not is_disk_full(error):
            raise
        fail(describe_error(error), program)


def is_disk_full(error: BaseException) -> bool:
    """Tell whether an exception, or what led to it, is about a disk without room.

    Rust libraries (safetensors, tokenizers) have exceptions of their own for that.

    >>> is_disk_full(Exception("No space left on device (os error 28)"))
    True
    """
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    words = [text for number in numbers for text in (os.strerror(number), f"(os error {number})")]
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:  # libraries make circles of them
        if getattr(cause, "errno", None) in numbers or any(word in str(cause) for word in words):
            return True
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return False


def describe_error(error: BaseException) -> str:
    """Return what an exception says, with the fix where a library says that a disk is full."""
    text = str(error) or type(error).__name__
    if is_disk_full(error) and "room" not in text:
        return f"there is no room on the disk ({text}); make some, and give the same command again"
    return text


def quiet_libraries(show_progress: bool = True) -> None:
    """Leave the terminal to our own stages: no bars of libraries that read or save files.

    Args:
        show_progress: Whether `datasets` may show how far it has come with the rows.
    """
    import warnings

    import datasets
    import transformers

    transformers.utils.logging.disable_progress_bar()
    if not show_progress:
        datasets.utils.logging.disable_progress_bar()
    # Without a GPU there is nothing to pin memory for.
    warnings.filterwarnings("ignore", category=UserWarning, module="torch.utils.data")


@contextmanager
def library_bars(show_progress: bool) -> Iterator[None]:
    """Silence the progress bars of `datasets`, `transformers` and the hub within a block.

    Args:
        show_progress: Whether to leave them as they are.

    >>> import datasets
    >>> with library_bars(False):
    ...     print(datasets.are_progress_bars_disabled())
    True
    """
    import datasets
    import transformers

    logging = transformers.utils.logging
    has_bars = logging.is_progress_bar_enabled() and not show_progress
    datasets_has_bars = not datasets.are_progress_bars_disabled() and not show_progress
    if has_bars:
        logging.disable_progress_bar()
    if datasets_has_bars:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if has_bars:
            logging.enable_progress_bar()
        if datasets_has_bars:
            datasets.enable_progress_bars()


def bars_as_asked(method: Callable) -> Callable:
    """Run a method within `library_bars`, as `show_progress` of its object says."""

    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        with library_bars(self.show_progress):
            return method(self, *args, **kwargs)

    return wrapped


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn where a person looks at a terminal, otherwise as Markdown.

    The first column is aligned to the left, the others to the right.

    Args:
        columns: Their headings.
        rows: Their cells, as text.

    >>> print_table(["clusters of", "ARI"], [["trained, k-means", "64.1"]])
    | clusters of | ARI |
    |---|---:|
    | trained, k-means | 64.1 |
    """
    if not sys.stdout.isatty():
        print(markdown_table(columns, rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns[:1])
    for column in columns[1:]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    Console(markup=False).print(table)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown, the first column aligned to the left, the others to the right.

    Args:
        columns: Their headings.
        rows: Their cells, as text.
    """
    lines = [f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)

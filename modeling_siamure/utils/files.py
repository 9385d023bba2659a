"""Files and folders that are whole or not there, and folders that one run at a time may use."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

UNFINISHED = "_unfinished"  # the hub's upload leaves out names that begin with an underscore


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a path to write to, which becomes `path` when the block ends well.

    Args:
        path: A file. It stays as it was if the block raises.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp(), "a.txt")
    >>> with atomic_path(target) as partial:
    ...     _ = partial.write_text("whole")
    >>> target.read_text(), partial.exists()
    ('whole', False)
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def atomic_write(path: str | Path, text: str) -> None:
    """Write a text file that is whole or not there.

    Args:
        path: The file.
        text: Its content, written as UTF-8.
    """
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def lock_folder(output: Path, is_main: bool = True) -> Iterator[Path]:
    """Lock an output folder for one run, and give its folder for unfinished work.

    A run that fails before it has anything worth keeping leaves nothing behind.

    Args:
        output: The output folder; it is made if it is not there.
        is_main: Whether this is the main process: the others lock nothing.

    Raises:
        FileExistsError: The folder holds something else, or another run uses it.
    """
    unfinished = output / UNFINISHED
    if not is_main:
        yield unfinished
        return
    if output.exists() and (not output.is_dir() or _names(output) - {UNFINISHED}):
        raise FileExistsError(
            f"{output} holds something already; give another --output_dir, or remove it"
        )
    had_folder = output.exists()
    unfinished.mkdir(parents=True, exist_ok=True)
    lock = FileLock(unfinished / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise FileExistsError(
            f"{output} is in use by another run; wait for it, or give another --output_dir"
        ) from None
    try:
        yield unfinished
    finally:
        lock.release()
        if not _names(unfinished) - {"lock"}:  # nothing to resume from
            shutil.rmtree(unfinished)
            if not had_folder:
                output.rmdir()


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}

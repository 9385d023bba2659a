"""Files and folders that are whole or not there, records that show damage, and locks."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

UNFINISHED = "_unfinished"  # the hub's upload leaves out names that begin with an underscore
RUN_FILE = "run.json"  # says what a result or a checkpoint is of
_RESULT = "result"  # in UNFINISHED: a result that is whole
_LOCK = "lock"


# --------------------------------------------------------------------------------------------------
# Whole or not there


def flush(path: str | Path) -> None:
    """Flush a file, or a folder with all that is in it, to the disk.

    Files in a folder get the permissions of the folder, without the right to execute: safetensors
    writes files that nobody else can read, whatever the umask says.

    Args:
        path: The file or folder.
    """
    path = Path(path)
    if path.is_dir():
        mode = path.stat().st_mode & 0o666
        for child in path.iterdir():
            if child.is_file() and child.stat().st_mode & 0o777 != mode:
                child.chmod(mode)
            flush(child)
    _synchronize(path)


def replace_flushed(source: Path, target: Path) -> None:
    """Flush a file or folder to the disk, and then give it its final name.

    The order matters after a loss of power: what has the final name is whole.

    Args:
        source: The file or folder.
        target: Its final name; a file of that name is replaced.
    """
    flush(source)
    source.replace(target)
    _synchronize(target.parent)


def _synchronize(path: Path) -> None:
    is_windows = os.name == "nt"
    if is_windows and path.is_dir():
        return  # folders can't be opened there
    descriptor = os.open(path, os.O_RDWR if is_windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network disks flush no folders
            raise
    finally:
        os.close(descriptor)


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
        replace_flushed(partial, path)
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


# --------------------------------------------------------------------------------------------------
# Results of several files


@contextmanager
def publish(output: Path) -> Iterator[Path]:
    """Give a folder to write a result in, whose files move to `output` when the block ends well.

    One rename decides. A run that ends before it leaves nothing of the result; what a run that ends
    after it has not moved yet is moved by `complete`.

    Args:
        output: The output folder. Files of the same names are replaced, others stay.
    """
    result = output / UNFINISHED / _RESULT
    partial = result.with_name(f"{_RESULT}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        replace_flushed(partial, result)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _remove_if_empty(result.parent)
    complete(output)


def complete(output: Path) -> None:
    """Move what `publish` has left of a whole result, and remove the unfinished work.

    Args:
        output: The output folder.
    """
    unfinished = output / UNFINISHED
    result = unfinished / _RESULT
    for source in sorted(result.rglob("*")):
        if source.is_file():
            target = output / source.relative_to(result)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
            _synchronize(target.parent)
    for path in unfinished.glob("*"):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()
    _remove_if_empty(unfinished)


def holds_result(output: Path, run_file: str = RUN_FILE) -> bool:
    """Tell whether an output folder holds what `publish` leaves, at its place or to be moved.

    Args:
        output: The output folder.
        run_file: Where the record of the run is in it.
    """
    return (output / UNFINISHED / _RESULT).exists() or (output / run_file).exists()


# --------------------------------------------------------------------------------------------------
# Records and digests


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record, as JSON, in which `read_record` sees any damage.

    Args:
        path: The file; whole or not there.
        record: What JSON can hold.
    """
    atomic_write(path, _sealed(record))


def read_record(path: Path) -> dict[str, Any]:
    """Read what `write_record` has written.

    Args:
        path: The file.

    Raises:
        ValueError: The file is missing, or a byte of it differs from what was written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "record.json")
    >>> write_record(path, {"steps": 3})
    >>> read_record(path)
    {'steps': 3}
    >>> path.write_text(path.read_text().replace("3", "4")) and read_record(path)
    Traceback (most recent call last):
    ValueError: record.json is damaged
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"it has no {path.name}") from None
    try:
        record = json.loads(text)
        del record["digest"]
        is_whole = _sealed(record).encode() == text
    except (ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise ValueError(f"{path.name} is damaged")
    return record


def _sealed(record: dict[str, Any]) -> str:
    content = json.dumps(record, sort_keys=True)
    return json.dumps({"digest": digest(content), **record}, indent=1, sort_keys=True) + "\n"


def seal_folder(folder: Path, run: dict[str, Any]) -> None:
    """Write down, in a folder, what it is of, and the size and the digest of each of its files.

    Args:
        folder: The folder, which nothing is written to after that.
        run: What it is of.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            entry = {"bytes": path.stat().st_size, "digest": file_digest(path)}
            files[path.relative_to(folder).as_posix()] = entry
    write_record(folder / RUN_FILE, {"run": run, "files": files})


def find_damage(folder: Path) -> str | None:
    """Return what has happened to a folder since `seal_folder`; `None` if it is whole.

    Args:
        folder: The folder.
    """
    try:
        files = read_record(folder / RUN_FILE)["files"]
        for name, written in files.items():
            path = folder / name
            if not path.is_file():
                return f"it has no {name}"
            if path.stat().st_size < written["bytes"]:
                return f"{name} is cut short"
            if file_digest(path) != written["digest"]:
                return f"{name} is damaged"
    except ValueError as error:
        return str(error)
    except OSError as error:
        return f"it can't be read: {error}"
    return None


def digest(content: str) -> str:
    """Return a short hash of a text."""
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def file_digest(path: str | Path) -> str:
    """Return a short hash of the content of a file, or of the names and contents in a folder.

    Args:
        path: The file or folder.
    """
    path = Path(path)
    if path.is_dir():
        names = sorted(child.relative_to(path).as_posix() for child in path.rglob("*"))
        files = {name: file_digest(path / name) for name in names if (path / name).is_file()}
        return digest(json.dumps(files))
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def list_changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return in words what differs between the records of two runs; nothing if they are alike.

    Args:
        before, now: The records. What only one of them has was written by another version, and does
            not count.

    >>> list_changes({"seed": 1, "epochs": 2}, {"seed": 3, "epochs": 2})
    'seed was 1 and is 3'
    >>> list_changes({"file": "#09af"}, {"file": "#11ee"})
    'file has changed'
    """
    parts = []
    for name in before.keys() & now.keys():
        earlier, value = before[name], now[name]
        if earlier != value:
            is_hash = str(value).startswith("#")
            parts.append(
                f"{name} has changed" if is_hash else f"{name} was {earlier} and is {value}"
            )
    return ", ".join(sorted(parts))


def compare_run(folder: Path, run: dict[str, Any]) -> str:
    """Return in words how a run differs from the one that a folder is of; nothing if it does not.

    Args:
        folder: A folder with a record in `RUN_FILE`.
        run: The run that wants to use it.
    """
    try:
        return list_changes(read_record(folder / RUN_FILE)["run"], run)
    except ValueError as error:
        return str(error)


# --------------------------------------------------------------------------------------------------
# Locks


@contextmanager
def lock_folder(output: Path, is_main: bool = True, is_new: bool = True) -> Iterator[Path]:
    """Lock an output folder for one run, and give its folder for unfinished work.

    A run that fails before it has anything worth keeping leaves nothing behind.

    Args:
        output: The output folder; it is made if it is not there.
        is_main: Whether this is the main process: the others lock nothing.
        is_new: Whether the folder must hold nothing but unfinished work.

    Raises:
        FileExistsError: The folder holds something else, or another run uses it.
    """
    unfinished = output / UNFINISHED
    if not is_main:
        yield unfinished
        return
    had_folder = output.exists()
    if had_folder and (not output.is_dir() or (is_new and _names(output) - {UNFINISHED})):
        raise FileExistsError(
            f"{output} holds something already; give another --output_dir, or remove it"
        )
    unfinished.mkdir(parents=True, exist_ok=True)
    busy = f"{output} is in use by another run; wait for it, or give another --output_dir"
    try:
        with _lock(unfinished / _LOCK, busy):
            yield unfinished
    finally:
        _remove_if_empty(unfinished)
        if not had_folder:
            _remove_if_empty(output)


@contextmanager
def lock_file(path: Path, option: str) -> Iterator[None]:
    """Lock a file, or a folder that gets its name as a whole, for one run.

    Args:
        path: The file or folder, which need not be there.
        option: The option that names another one.

    Raises:
        FileExistsError: Another run writes it.
    """
    busy = f"{path} is being written by another run; wait for it, or give another {option}"
    had_folder = path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _lock(path.with_name(f"{path.name}.{_LOCK}"), busy):
            yield
    finally:
        if not had_folder:
            _remove_if_empty(path.parent)


@contextmanager
def _lock(path: Path, busy: str) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise FileExistsError(busy) from None
    try:
        yield
    finally:
        # While the lock is held: another run may hold the file as soon as it is released.
        with suppress(PermissionError):  # of Windows, where an open file stays
            path.unlink(missing_ok=True)
        lock.release()


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}

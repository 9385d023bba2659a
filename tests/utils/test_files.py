"""Files that are whole or not there, and folders that one run at a time may use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modeling_siamure.utils.files import (
    UNFINISHED,
    atomic_path,
    atomic_write,
    complete,
    holds_result,
    lock_file,
    lock_folder,
    publish,
    read_record,
    write_record,
)
from tests.helpers.commands import REPOSITORY

HOLD = """
import sys
from pathlib import Path
from modeling_siamure.utils.files import lock_folder
with lock_folder(Path(sys.argv[1])) as unfinished:
    (unfinished / "begun").touch()
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds `tmp_path / "out"` until its input ends."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=REPOSITORY, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_folder_that_another_process_uses_is_refused(holder, tmp_path):
    output = tmp_path / "out"
    said = f"{output} is in use by another run; wait for it, or give another --output_dir"
    with pytest.raises(FileExistsError) as caught, lock_folder(output):
        pass
    assert str(caught.value) == said
    with lock_folder(output, is_main=False) as unfinished:  # a process of the run that holds it
        assert unfinished == output / UNFINISHED
    holder.communicate()
    with lock_folder(output) as unfinished:
        assert (unfinished / "begun").exists()  # and can be resumed from


def test_a_killed_process_leaves_no_lock(holder, tmp_path):
    holder.kill()
    holder.wait()
    with lock_folder(tmp_path / "out") as unfinished:
        assert (unfinished / "begun").exists()


@pytest.mark.parametrize("kind", ["file", "folder with a file"])
def test_what_is_there_already_stays(tmp_path, kind):
    output = tmp_path / "out"
    if kind == "file":
        output.touch()
    else:
        output.mkdir()
        (output / "theirs").touch()
    said = "holds something already; give another --output_dir, or remove it"
    with pytest.raises(FileExistsError, match=said), lock_folder(output):
        pass
    assert not (output / UNFINISHED).exists()


@pytest.mark.parametrize("had_folder", [False, True])
def test_a_run_that_fails_at_once_leaves_nothing(tmp_path, had_folder):
    output = tmp_path / "new" / "out"
    if had_folder:
        output.mkdir(parents=True)
    with pytest.raises(RuntimeError, match="at once"), lock_folder(output) as unfinished:
        assert unfinished.is_dir()
        raise RuntimeError("at once")
    assert output.exists() == had_folder and not (output / UNFINISHED).exists()


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "file.txt"
    with pytest.raises(RuntimeError), atomic_path(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    path.write_text("before")
    with pytest.raises(RuntimeError), atomic_path(path) as partial:
        partial.write_text("half")
        assert path.read_text() == "before"
        raise RuntimeError
    assert path.read_text() == "before"
    with atomic_path(str(path)) as partial:
        assert partial.parent == path.parent  # on one file system, where renaming is atomic
        partial.write_text("after")
    assert path.read_text() == "after" and list(tmp_path.iterdir()) == [path]


def test_text_is_the_same_on_each_system(tmp_path):
    path = Path(tmp_path, "text")
    atomic_write(path, "ä\n→\n")
    assert path.read_bytes() == "ä\n→\n".encode()


def test_what_a_run_left_whole_is_completed(tmp_path):
    """As after a loss of power between the renames."""
    with publish(tmp_path / "out") as folder:
        (folder / "model").mkdir()
        for name in ("a", "model/b"):
            (folder / name).write_text(name)
    assert (tmp_path / "out" / "model" / "b").read_text() == "model/b"
    assert not (tmp_path / "out" / UNFINISHED).exists()
    result = tmp_path / "out" / UNFINISHED / "result"
    result.mkdir(parents=True)
    (tmp_path / "out" / "a").rename(result / "a")
    (result.parent / "embedded").mkdir()
    assert holds_result(tmp_path / "out", "none")
    complete(tmp_path / "out")
    assert (tmp_path / "out" / "a").read_text() == "a"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "model"]


def test_a_result_that_is_not_whole_is_none(tmp_path):
    with pytest.raises(RuntimeError), publish(tmp_path / "out") as folder:
        (folder / "a").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == [tmp_path / "out"] and not list((tmp_path / "out").iterdir())


def test_published_files_have_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with publish(tmp_path / "out") as folder:
            (folder / "secret").touch(mode=0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "out" / "secret").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("change", [b"3", b" ", b"x"])
def test_a_record_shows_a_change_of_any_byte(tmp_path, change):
    path = tmp_path / "record.json"
    write_record(path, {"steps": 12, "names": ["a", "b"]})
    text = path.read_bytes()
    assert read_record(path) == {"steps": 12, "names": ["a", "b"]}
    for place in range(len(text)):
        mutated = text[:place] + change + text[place + 1 :]
        if mutated != text:
            path.write_bytes(mutated)
            with pytest.raises(ValueError, match=r"record\.json is damaged"):
                read_record(path)


def test_a_file_is_locked_for_one_run(tmp_path):
    path = tmp_path / "new" / "a.parquet"
    said = f"{path} is being written by another run; wait for it, or give another --output"
    with lock_file(path, "--output"):
        with pytest.raises(FileExistsError) as caught, lock_file(path, "--output"):
            pass
        assert str(caught.value) == said
    assert list(tmp_path.iterdir()) == []

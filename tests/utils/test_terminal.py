"""A mistake, or a disk that is full, ends a command in one line."""

import errno

import pytest
from safetensors import SafetensorError

from modeling_siamure.utils.terminal import end_in_one_line

FULL = {
    "Python": OSError(errno.ENOSPC, "No space left on device", "/out/a"),
    "safetensors": SafetensorError(
        "Error while serializing: I/O error: File too large (os error 27)"
    ),
    "tokenizers": Exception("No space left on device (os error 28)"),
    "quota": Exception("cannot write: Disk quota exceeded"),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_full_disk_is_one_line_whatever_is_raised(error, is_wrapped, capsys):
    with pytest.raises(SystemExit) as stopped, end_in_one_line("tool"):
        if is_wrapped:
            raise RuntimeError("the writer is closed") from error
        raise error
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tool: there is no room on the disk (")
    assert line.endswith("); make some, and give the same command again")


def test_other_failures_are_not_hidden():
    with pytest.raises(RuntimeError, match="a defect"), end_in_one_line("tool"):
        raise RuntimeError("a defect")


def test_a_circle_of_causes_has_an_end(capsys):
    first, second = ValueError("row 3 is wrong"), KeyError("row")
    first.__cause__ = second
    second.__cause__ = first
    with pytest.raises(SystemExit), end_in_one_line("tool"):
        raise first
    assert capsys.readouterr().err == "tool: row 3 is wrong\n"

"""Commands as a person runs them, within this process."""

from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def run(main: Callable[[list[str]], None], *arguments: object) -> None:
    """Run a command with the words of its line."""
    main([str(argument) for argument in arguments])


def assert_fails(
    capsys: pytest.CaptureFixture,
    main: Callable[[list[str]], None],
    *arguments: object,
    said: str,
    program: str = "siamure",
) -> str:
    """Assert that a command ends with status 2 and one line of its own, and return that line."""
    with pytest.raises(SystemExit) as stopped:
        run(main, *arguments)
    errors = capsys.readouterr().err
    lines = [line for line in errors.splitlines() if line.startswith(f"{program}: ")]
    assert stopped.value.code == 2 and len(lines) == 1, errors
    assert said in lines[0] and "Traceback" not in errors, errors
    return lines[0]


def fails(done, *words) -> None:
    """Asserts that train.py ended with one line, which holds these words."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("train.py: ")]
    assert len(lines) == 1 and "Traceback" not in done.stderr, done.stderr
    for word in words:
        assert str(word) in lines[0], lines[0]

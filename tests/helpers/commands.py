"""Commands as a person gives them."""

import json
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def write_rows(path: Path, rows: list[dict]) -> Path:
    """Writes rows as JSON lines, without the marked sentence; returns the path."""
    path.write_text(
        "".join(json.dumps({key: row[key] for key in row if key != "text"}) + "\n" for row in rows)
    )
    return path


def fails(done, *words) -> None:
    """Asserts that train.py ended with one line, which holds these words."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("train.py: ")]
    assert len(lines) == 1 and "Traceback" not in done.stderr, done.stderr
    for word in words:
        assert str(word) in lines[0], lines[0]

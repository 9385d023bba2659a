"""Compare the errors that mypy reports on standard input with a number that may only fall.

`mypy | python tools/ratchet.py .mypy-errors` fails if there are more errors than the file says.
"""

import re
import sys
from pathlib import Path


def num_errors(report: str) -> int | None:
    r"""Return the number of errors in a report of mypy, `None` if mypy did not finish.

    >>> num_errors("Success: no issues found in 3 source files")
    0
    >>> num_errors("a.py:1: error: Name is not defined\nFound 2 errors in 1 file (checked 3 files)")
    2
    >>> num_errors("Found 1 error in 1 file (errors prevented further checking)")
    """
    if re.search(r"^Success: no issues found", report, re.MULTILINE):
        return 0
    match = re.search(r"^Found (\d+) errors? in .*\(checked ", report, re.MULTILINE)
    return int(match.group(1)) if match else None


def main() -> int:
    """Print the report if there are too many errors, else one line; return the exit status."""
    allowed_file = Path(sys.argv[1])
    allowed = int(allowed_file.read_text())
    report = sys.stdin.read()
    errors = num_errors(report)
    if errors is None or errors > allowed:
        print(report, end="")
    if errors is None:
        print("mypy did not finish.")
        return 1
    print(f"mypy: {errors} errors, {allowed} allowed by {allowed_file}", end="")
    print(f"; write {errors} there, the number may only fall" if errors < allowed else "")
    return int(errors > allowed)


if __name__ == "__main__":
    sys.exit(main())

"""What the commands have to say to a person."""

import os
import sys
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

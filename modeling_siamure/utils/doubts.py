"""What makes a result doubtful: warned of once, and told again in the report and on the card."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


def warn_of_doubt(
    logger: logging.Logger, message: str, *values: object, is_minor: bool = False
) -> None:
    """Log a warning of something that makes a result doubtful.

    Args:
        logger: The logger of the module that noticed it.
        message: One line, with places for the values, as of `logging`.
        values: Counts and an example.
        is_minor: Whether a strict run accepts it.
    """
    logger.warning(message, *values, extra={"is_doubt": True, "is_minor": is_minor})


class DoubtRecorder(logging.Handler):
    """The doubts that this package warned of while they were recorded.

    Attributes:
        lines: One line per doubt, none twice.
        serious_lines: Those that a strict run refuses.
    """

    def __init__(self, is_alone: bool, lines: list[str]):
        super().__init__(logging.WARNING)
        self.lines = lines
        self.serious_lines: list[str] = []
        self._is_alone = is_alone

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a doubt; print the warning where Python would, if nobody else listened."""
        if getattr(record, "is_doubt", False):
            line = " ".join(record.getMessage().split())
            if line not in self.lines:
                self.lines.append(line)
                if not getattr(record, "is_minor", False):
                    self.serious_lines.append(line)
        if self._is_alone and logging.lastResort:
            logging.lastResort.handle(record)

    def refuse(self) -> None:
        """Raise a `ValueError` that names the first serious doubt, if there is one."""
        if self.serious_lines:
            first, *others = self.serious_lines
            more = f" (and {len(others)} more, see the warnings)" if others else ""
            raise ValueError(f"refused, because strict was asked for: {first}{more}")


@contextmanager
def record_doubts(lines: list[str] | None = None) -> Iterator[DoubtRecorder]:
    """Record the doubts that this package warns of.

    Args:
        lines: Doubts from before, which the new ones join in place; none by default.

    Yields:
        The recorder, which fills meanwhile.

    >>> with record_doubts() as recorder:
    ...     warn_of_doubt(logging.getLogger("modeling_siamure"), "%d rows are equal", 3)
    >>> recorder.lines
    ['3 rows are equal']
    """
    package = logging.getLogger(__name__.partition(".")[0])
    recorder = DoubtRecorder(not package.hasHandlers(), [] if lines is None else lines)
    package.addHandler(recorder)
    try:
        yield recorder
    finally:
        package.removeHandler(recorder)

"""The clock, passed in wherever time matters, so that tests can hold it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for people and rows, monotonic time for every timer."""

    def now(self) -> datetime:
        """The time in UTC, aware."""

    def monotonic(self) -> float:
        """Seconds that never jump."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time in UTC, aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()


def iso(at: datetime | None) -> str | None:
    """UTC ISO 8601 with milliseconds and ``Z``; None stays None."""
    if at is None:
        return None
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def phase(number: int) -> float:
    """A share of 0 to 1, another one for every *number*.

    A hundred rooms that have come at the same moment would do the same at the same moment for ever:
    what each does every so often, it does a share of that earlier.
    """
    return number * 0.6180339887 % 1.0

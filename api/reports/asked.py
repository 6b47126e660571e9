"""What the query of a report asks for: days and times. Raises `Invalid`, which names the field."""

from datetime import UTC, datetime, timedelta

from quart import request

from api.errors import Invalid
from api.http import int_query

_DATE_LENGTH = len("2026-11-21")


def days_query(default: int, most: int, least: int = 1) -> int:
    """How many days."""
    days = int_query("days", default)
    if not least <= days <= most:
        raise refuse("days", f"from {least} to {most}, not {days}")
    return days


def moment_query(name: str) -> datetime | None:
    """A time from the query, in UTC; None without one."""
    text = request.args.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))  # a "+" that nobody encoded
    except ValueError:
        raise refuse(name, f"a time in ISO 8601, not {text[:40]!r}") from None
    if not 1970 <= at.year <= 9900:
        raise refuse(name, "a year from 1970 to 9900")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def end_query(name: str) -> datetime | None:
    """As `moment_query`, of an end: a date without a time means the whole day."""
    at = moment_query(name)
    is_day = at is not None and len(request.args.get(name, "")) <= _DATE_LENGTH
    return at + timedelta(days=1) if at is not None and is_day else at


def refuse(name: str, text: str) -> Invalid:
    """That this name of the query wants something else."""
    return Invalid(f"{name}: {text}", code="validation_failed", field=name)

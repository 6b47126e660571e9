"""When reports are mailed, and what time they tell of (v1 contract, 2.11). Pure; times are UTC."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from api.jobs.work import Span

SENT_AT_HOUR = 7  # of the day after what they tell of, as the daily mails about alerts


class ReportType(StrEnum):
    """What a report tells."""

    JOBS = "jobs"
    CHARGEBACKS = "chargebacks"
    FAILURES = "failures"
    PRINTERS = "printers"


class Frequency(StrEnum):
    """How often one is mailed, and how much time it covers."""

    DAILY = "daily"
    WEEKLY = "weekly"  # on Mondays
    MONTHLY = "monthly"  # on the first


_BY_PERSON, _BY_PRINTER = "user_ids", "printer_ids"
#: What a report can be limited to.
FILTERS: Mapping[ReportType, str] = {
    ReportType.JOBS: _BY_PERSON,
    ReportType.CHARGEBACKS: _BY_PERSON,
    ReportType.FAILURES: _BY_PRINTER,
    ReportType.PRINTERS: _BY_PRINTER,
}


def next_at(frequency: Frequency, now: datetime) -> datetime:
    """The next time after *now* that a report is mailed."""
    at = _began(frequency, now).replace(hour=SENT_AT_HOUR)
    return at if now < at else _following(frequency, at)


def span_of(frequency: Frequency, now: datetime) -> Span:
    """What a report of *now* covers: the last whole day, week or month."""
    until = _began(frequency, now)
    return Span(since=_began(frequency, until - timedelta(days=1)), until=until)


def span_until(frequency: Frequency, now: datetime) -> Span:
    """What a report covers that somebody wants at once: a day, week or month up to *now*."""
    whole = span_of(frequency, now)
    return Span(since=now - (whole.until - whole.since), until=now)


def _began(frequency: Frequency, now: datetime) -> datetime:
    """When the day, week or month of *now* began."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if frequency is Frequency.WEEKLY:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if frequency is Frequency.MONTHLY else day


def _following(frequency: Frequency, at: datetime) -> datetime:
    if frequency is Frequency.MONTHLY:
        return (at.replace(day=28) + timedelta(days=4)).replace(day=1)
    return at + timedelta(days=7 if frequency is Frequency.WEEKLY else 1)

"""Periods of quotas, in whole days of UTC. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Period(StrEnum):
    """How often a quota begins anew."""

    DAILY = "daily"
    WEEKLY = "weekly"  # from Monday on
    MONTHLY = "monthly"
    YEARLY = "yearly"


@dataclass(frozen=True, slots=True)
class Span:
    """From the day *first* to before the day *end*; *key* names it, as in 2026-11."""

    first: date
    end: date
    key: str


def span_of(period: Period, today: date) -> Span:
    """The *period* in which *today* is."""
    if period is Period.DAILY:
        return Span(today, today + timedelta(days=1), today.isoformat())
    if period is Period.WEEKLY:
        first = today - timedelta(days=today.weekday())
        year, week, _ = today.isocalendar()
        return Span(first, first + timedelta(days=7), f"{year}-W{week:02}")
    if period is Period.MONTHLY:
        first = today.replace(day=1)
        end = (first + timedelta(days=31)).replace(day=1)
        return Span(first, end, f"{today:%Y-%m}")
    first = today.replace(month=1, day=1)
    return Span(first, first.replace(year=first.year + 1), f"{today:%Y}")

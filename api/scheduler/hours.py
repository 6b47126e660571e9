"""When the queue may start something: working hours and the blackout of an organization. Pure.

Like the contract's blackout (v1 4.3): nothing *starts* outside; what runs goes on. People who start
a job themselves are not held back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LOOK_AHEAD_DAYS = 8

Span = tuple[time, time]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """*working*: spans of each day in which something may start; {}: always. A span whose end is
    not after its begin runs into the next day. *blackout*: a daily span in which nothing may.
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    working: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    blackout: Span | None = None

    def opens_at(self, now: datetime) -> datetime | None:
        """When something may start again, in UTC; None: now.

        A farm that never opens (every day without spans) is said to open after the days that are
        looked at; by then somebody has changed it, or it is said again.
        """
        if self._is_open(now):
            return None
        for moment in self._edges(now):
            if moment > now and self._is_open(moment):
                return moment
        return now + timedelta(days=_LOOK_AHEAD_DAYS)

    @property
    def is_limited(self) -> bool:
        """Whether there are hours in which nothing may start."""
        return bool(self.working) or self.blackout is not None

    @property
    def key(self) -> str:
        """The same for hours that say the same."""
        days = [f"{day} {_said(self.working.get(day, ()))}" for day in DAYS] if self.working else []
        dark = () if self.blackout is None else (self.blackout,)
        return f"{self.zone.key}; {', '.join(days)}; not {_said(dark)}"

    def spans(self, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """When something may start from *begin* to *end*, in UTC and in order."""
        edges = sorted({begin, end, *(at for at in self._bounds_near(begin, end) if at < end)})
        found: list[tuple[datetime, datetime]] = []
        for since, until in pairwise(edge for edge in edges if edge >= begin):
            if not self._is_open(since):
                continue
            goes_on = bool(found) and found[-1][1] == since
            found.append((found.pop()[0] if goes_on else since, until))
        return found

    def _bounds_near(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        day = begin.astimezone(self.zone).date() - timedelta(days=1)
        while day <= end.astimezone(self.zone).date():
            dark = () if self.blackout is None else (self.blackout,)
            for span in (*self._spans(day), *dark):
                yield from self._bounds(day, span)
            day += timedelta(days=1)

    def _is_open(self, moment: datetime) -> bool:
        local = moment.astimezone(self.zone)
        days = (local.date() - timedelta(days=1), local.date())
        blackout = self.blackout
        if blackout is not None and any(self._within(moment, day, blackout) for day in days):
            return False
        if not self.working:
            return True
        return any(self._within(moment, day, span) for day in days for span in self._spans(day))

    def _spans(self, day: date) -> Sequence[Span]:
        return self.working.get(DAYS[day.weekday()], ())

    def _within(self, moment: datetime, day: date, span: Span) -> bool:
        begin, end = self._bounds(day, span)
        return begin <= moment < end

    def _bounds(self, day: date, span: Span) -> tuple[datetime, datetime]:
        begin, end = span
        last = day if end > begin else day + timedelta(days=1)
        return (
            datetime.combine(day, begin, self.zone).astimezone(UTC),
            datetime.combine(last, end, self.zone).astimezone(UTC),
        )

    def _edges(self, now: datetime) -> Sequence[datetime]:
        """Every moment near *now* at which it may open, in order."""
        today = now.astimezone(self.zone).date()
        found = []
        for ahead in range(-1, _LOOK_AHEAD_DAYS):
            day = today + timedelta(days=ahead)
            found += [self._bounds(day, span)[0] for span in self._spans(day)]
            if self.blackout is not None:
                found.append(self._bounds(day, self.blackout)[1])
        return sorted(found)


def _said(spans: Sequence[Span]) -> str:
    return " ".join(f"{begin.isoformat()}-{end.isoformat()}" for begin, end in spans)

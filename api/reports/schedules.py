"""Reports that are mailed by themselves, day by day, week by week or month by month (v1 2.11).

A step writes the mails of one schedule that is due to the outbox (`api.mail`) and says when the
next are, in one transaction: of several processes one does it, once. Nothing leaves in quiet hours,
but right after them. What a report says is counted when its mail is sent. Containers step by
themselves, functions with every tick.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tortoise.queryset import QuerySet

from api.bus.attendance import attend
from api.bus.local import Bus
from api.clock import Clock, iso
from api.errors import Forbidden, Invalid, NotFound
from api.events.service import Change, Ledger
from api.jobs.work import Span
from api.mail.letters import Mail
from api.mail.service import Post
from api.policies.quiet import QuietHours
from api.principal import Principal, system
from api.reports.models import ReportSchedule
from api.reports.timetable import FILTERS, Frequency, ReportType, next_at, span_of, span_until

__all__ = ["NewSchedule", "ReportSchedule", "ReportSchedules"]

REPORT = "report"  # kind of mail
MOST = 50  # schedules of one organization
MOST_AT_ONCE = 100  # schedules whose mails one `drain` writes
LOOK_EVERY_S = 60.0

#: The quiet hours of an organization.
QuietOf = Callable[[int], Awaitable[QuietHours]]


class ReportWriter(Protocol):
    """Who knows what reports say."""

    async def lines(
        self, by: Principal, report_type: ReportType, span: Span, filters: Mapping[str, Any]
    ) -> Sequence[str]:
        """The report of *span*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """What is to be mailed to whom, and how often."""

    name: str
    report_type: ReportType
    frequency: Frequency
    recipients: Sequence[str]
    filters: Mapping[str, Any] = field(default_factory=dict)
    is_active: bool = True


class ReportSchedules:
    """The schedules of everybody."""

    def __init__(
        self,
        post: Post,
        writer: ReportWriter,
        quiet_of: QuietOf,
        *,
        ledger: Ledger,
        clock: Clock,
        public_url: str,
    ) -> None:
        self._post = post
        self._writer = writer
        self._quiet_of = quiet_of
        self._ledger = ledger
        self._clock = clock
        self._public_url = public_url
        post.compose(REPORT, self._mail)

    # The clock.

    async def run(self, bus: Bus) -> None:
        """Write the mails that are due, until cancelled."""
        await attend(bus, "reports", self._round, "the reports")

    async def _round(self) -> float:
        await self.drain()
        return LOOK_EVERY_S

    async def drain(self) -> None:
        """Write every mail that is due."""
        for _ in range(MOST_AT_ONCE):
            if not await self.step():
                return

    async def step(self) -> bool:
        """Write the mails of the schedule that waits longest; False when none is due."""
        now = self._clock.now()
        due = ReportSchedule.filter(is_active=True, next_at__lte=now)
        first = await due.order_by("next_at", "id").first() if self._post.is_open else None
        if first is None:
            return False
        async with self._ledger.change(first.organization_id) as change:
            row = await due.filter(id=first.id).first()
            if row is not None:  # else another process was faster
                await self._send_if_loud(change, row, now)
        return True

    async def _send_if_loud(self, change: Change, row: ReportSchedule, now: datetime) -> None:
        ends = (await self._quiet_of(row.organization_id)).ends_at(now)
        if ends is None:
            frequency = Frequency(row.frequency)
            await self._put(change, row, span_of(frequency, now))
            row.last_run_at, row.next_at = now, next_at(frequency, now)
        else:
            row.next_at = ends
        await row.save(update_fields=["last_run_at", "next_at"])

    async def _put(self, change: Change, row: ReportSchedule, span: Span) -> None:
        for address in row.recipients:
            await self._post.put(
                change,
                REPORT,
                address,
                organization_id=row.organization_id,
                name=row.name,
                report_type=row.report_type,
                filters=row.filters,
                since=iso(span.since),
                until=iso(span.until),
            )

    async def _mail(self, address: str, facts: Mapping[str, Any]) -> Mail:
        del address
        since, until = (datetime.fromisoformat(facts[name]) for name in ("since", "until"))
        lines = await self._writer.lines(
            system(facts["organization_id"]),
            ReportType(facts["report_type"]),
            Span(since=since, until=until),
            facts["filters"],
        )
        between = f"{facts['report_type']} from {_day(since)} to {_day(until)}, UTC"
        text = "\n".join([between, "", *lines, "", f"The farm: {self._public_url}", "", _WHY, ""])
        return Mail(subject=" ".join(f"{facts['name']}: {between}".split()), text=text)

    # People ask.

    async def list(
        self, by: Principal, skip: int, limit: int
    ) -> tuple[Sequence[ReportSchedule], int]:
        """(a page, the oldest first, how many there are)."""
        by.require("reports.schedule")
        rows = _theirs(by)
        return await rows.order_by("id").offset(skip).limit(limit), await rows.count()

    async def create(self, by: Principal, new: NewSchedule) -> ReportSchedule:
        """A new schedule. Raises `Invalid` for filters that the report does not have."""
        by.require("reports.schedule")
        check_filters(new.report_type, new.filters)
        now = self._clock.now()
        async with self._ledger.change(by.organization_id) as change:
            if await _theirs(by).count() >= MOST:
                raise Invalid(f"There are {MOST} schedules already; delete one first.")
            row = await ReportSchedule.create(
                organization_id=by.organization_id,
                name=new.name,
                report_type=new.report_type,
                frequency=new.frequency,
                recipients=list(new.recipients),
                filters=dict(new.filters),
                is_active=new.is_active,
                next_at=next_at(new.frequency, now),
                created_by=by.user_id,
                created_at=now,
                updated_at=now,
            )
            _note(change, by, row, "created", recipients=len(row.recipients))
        return row

    async def update(
        self, by: Principal, schedule_id: int, values: Mapping[str, Any]
    ) -> ReportSchedule:
        """Change what *values* name. Raises `NotFound`, or `Invalid` as `create`."""
        by.require("reports.schedule")
        now = self._clock.now()
        async with self._ledger.change(by.organization_id) as change:
            row = await _one(by, schedule_id)
            row.update_from_dict({**values, "updated_at": now})
            check_filters(ReportType(row.report_type), row.filters)
            if {"frequency", "is_active"} & values.keys():
                row.next_at = next_at(Frequency(row.frequency), now)
            await row.save()
            _note(change, by, row, "updated", fields=sorted(values))
        return row

    async def delete(self, by: Principal, schedule_id: int) -> None:
        """Nobody is mailed it any more. Raises `NotFound`."""
        by.require("reports.schedule")
        async with self._ledger.change(by.organization_id) as change:
            row = await _one(by, schedule_id)
            await row.delete()
            _note(change, by, row, "deleted")

    async def send_now(self, by: Principal, schedule_id: int) -> ReportSchedule:
        """Mail the report of a day, week or month up to now; when it is due does not change.

        Raises `NotFound`, or `Forbidden` (feature_disabled) on a server without mail.
        """
        by.require("reports.schedule")
        async with self._ledger.change(by.organization_id) as change:
            row = await _one(by, schedule_id)
            if not self._post.is_open:
                raise Forbidden(
                    "This server sends no mail: GANTRY_SMTP_HOST is not set.",
                    code="feature_disabled",
                )
            now = self._clock.now()
            await self._put(change, row, span_until(Frequency(row.frequency), now))
            row.last_run_at = now
            await row.save(update_fields=["last_run_at"])
            _note(change, by, row, "run", recipients=len(row.recipients))
        return row


_WHY = "A superadmin of this farm chose to have you mailed this report."


def check_filters(report_type: ReportType, filters: Mapping[str, Any]) -> None:
    """Raises `Invalid` for names that mean nothing to a report of this type."""
    wrong = sorted(set(filters) - {FILTERS[report_type]})
    if wrong:
        raise Invalid(
            f"filters: a report of {report_type} takes {FILTERS[report_type]}, not {wrong[0]}",
            code="validation_failed",
            field="filters",
        )


def _theirs(by: Principal) -> QuerySet[ReportSchedule]:
    return ReportSchedule.filter(organization_id=by.organization_id)


async def _one(by: Principal, schedule_id: int) -> ReportSchedule:
    row = await _theirs(by).filter(id=schedule_id).first()
    if row is None:
        raise NotFound(
            f"There is no report schedule {schedule_id}.",
            code="report_schedule_not_found",
            schedule_id=schedule_id,
        )
    return row


def _note(change: Change, by: Principal, row: ReportSchedule, what: str, **facts: Any) -> None:
    target = ("report_schedule", row.id)
    change.note(by, f"report_schedule.{what}", target, name=row.name, **facts)


def _day(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M")

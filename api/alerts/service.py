"""Alerts: made by the farm out of what happens, read and dismissed by each person (v1 2.7).

An alert is written in the transaction of its event, one row for each person who is told, so none
is lost and none comes without its cause. The same type, printer and title within five minutes is
not repeated. How long alerts are kept is the farm's to say (`api.upkeep.retention`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from tortoise.functions import Count
from tortoise.queryset import QuerySet

from api.alerts.kinds import AlertType, Audience, Draft, Severity, draft_of
from api.alerts.models import Alert
from api.clock import Clock
from api.errors import NotFound
from api.events.rehearsal import would
from api.events.service import Change, Happened, Ledger
from api.principal import Principal, Role

__all__ = ["Alert", "AlertFilter", "AlertType", "Alerts", "Severity"]

NOT_AGAIN_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts; None: any."""

    severity: Severity | None = None
    alert_type: AlertType | None = None
    is_read: bool | None = None


class Person(Protocol):
    """What alerts need of a person."""

    id: Any
    role: Any


class PeopleRoom(Protocol):
    """What alerts need of the accounts."""

    async def members(self, organization_id: int) -> Sequence[Person]:
        """The active people of an organization."""


class Channel(Protocol):
    """Another way to people than the app."""

    async def tell(self, change: Change, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Take what is to be told of *alerts*, about to be written; those that people want."""


class JobsRoom(Protocol):
    """What alerts need of the jobs."""

    async def find(self, job_id: int) -> Any | None:
        """The job, None when there is none."""


class Alerts:
    """The alerts of everybody."""

    def __init__(self, people: PeopleRoom, jobs: JobsRoom, ledger: Ledger, clock: Clock) -> None:
        self._people = people
        self._jobs = jobs
        self._ledger = ledger
        self._clock = clock
        self._channels: list[Channel] = []
        ledger.follow(self.follow)

    def tell_by(self, channel: Channel) -> None:
        """From now on *channel*, too, hears of every alert before it is written."""
        self._channels.append(channel)

    # The farm tells.

    async def follow(self, change: Change, happened: Sequence[Happened]) -> None:
        """Alert whoever should know of what *happened*, in the same transaction."""
        for event in happened:
            draft = draft_of(event)
            if draft is not None and not await self._said_just_now(event, draft):
                await self._send(change, event, draft)

    async def _said_just_now(self, event: Happened, draft: Draft) -> bool:
        since = self._clock.now() - NOT_AGAIN_FOR
        same = Alert.filter(organization_id=event.organization_id, created_at__gt=since)
        return await same.filter(
            alert_type=draft.alert_type, printer_id=event.printer_id, title=draft.title[:200]
        ).exists()

    async def _send(self, change: Change, event: Happened, draft: Draft) -> None:
        told = await self._audience(event, draft.audience)
        if not told:
            return
        now = self._clock.now()
        rows: Sequence[Alert] = [
            Alert(
                organization_id=event.organization_id,
                user_id=user_id,
                alert_type=draft.alert_type,
                severity=draft.severity,
                title=draft.title[:200],
                message=draft.message[:500] if draft.message else None,
                printer_id=event.printer_id,
                job_id=event.job_id,
                spool_id=event.data.get("spool_id"),
                details=draft.details,
                created_at=now,
            )
            for user_id in told
        ]
        for channel in self._channels:
            rows = await channel.tell(change, rows) if rows else rows
        if not rows:
            return
        await Alert.bulk_create(rows)
        change.record(
            Happened(
                organization_id=event.organization_id,
                kind="alert.new",
                printer_id=event.printer_id,
                job_id=event.job_id,
                data={
                    "alert_type": draft.alert_type,
                    "severity": draft.severity,
                    "title": rows[0].title,
                    "message": rows[0].message,
                    "count": len(rows),
                },
            )
        )

    async def _audience(self, event: Happened, audience: Audience) -> list[int]:
        """The ids of the people to tell, each once."""
        people = await self._people.members(event.organization_id)
        told = set()
        if audience is not Audience.OWNER:
            told = {one.id for one in people if one.role != Role.VIEWER}
        if audience is not Audience.STAFF and event.job_id is not None:
            job = await self._jobs.find(event.job_id)
            told |= {one.id for one in people if job is not None and one.id == job.created_by}
        return sorted(told)

    # People read.

    async def list(
        self, by: Principal, which: AlertFilter, skip: int, limit: int
    ) -> tuple[Sequence[Alert], int]:
        """(a page of the caller's own, the newest first, how many there are)."""
        by.require("alerts.read")
        rows = _theirs(by)
        if which.severity is not None:
            rows = rows.filter(severity=which.severity)
        if which.alert_type is not None:
            rows = rows.filter(alert_type=which.alert_type)
        if which.is_read is not None:
            rows = rows.filter(is_read=which.is_read)
        return await rows.order_by("-id").offset(skip).limit(limit), await rows.count()

    async def unread(self, by: Principal) -> dict[AlertType, int]:
        """How many the caller has not read, by type; types without one are left out."""
        by.require("alerts.read")
        rows = _theirs(by).filter(is_read=False).annotate(many=Count("id"))
        found = await rows.group_by("alert_type").values("alert_type", "many")
        return {AlertType(row["alert_type"]): int(row["many"]) for row in found}

    async def unread_in(self, organization_id: int) -> int:
        """How many alerts in an organization are unread, of everybody. For the farm itself."""
        rows = Alert.filter(organization_id=organization_id, is_read=False, is_dismissed=False)
        return await rows.count()

    async def mark_read(self, by: Principal, alert_id: int) -> Alert:
        """The caller has read it. Raises `NotFound`."""
        by.require("alerts.write")
        async with self._ledger.change() as change:
            row = await _one(by, alert_id)
            would("mark_alert_read", alert_id=row.id, from_is_read=row.is_read, to_is_read=True)
            row.is_read = True
            await row.save(update_fields=["is_read"])
            change.note(by, "alert.read", ("alert", row.id))
        return row

    async def dismiss(self, by: Principal, alert_id: int) -> Alert:
        """The caller does not want to see it any more; it counts as read. Raises `NotFound`."""
        by.require("alerts.write")
        async with self._ledger.change() as change:
            row = await _one(by, alert_id)
            would(
                "dismiss_alert",
                alert_id=row.id,
                from_is_dismissed=row.is_dismissed,
                to_is_dismissed=True,
                also_marks_read=not row.is_read,
            )
            row.is_read = row.is_dismissed = True
            await row.save(update_fields=["is_read", "is_dismissed"])
            change.note(by, "alert.dismissed", ("alert", row.id))
        return row

    async def mark_all_read(self, by: Principal) -> int:
        """The caller has read all of them; how many were new."""
        by.require("alerts.write")
        async with self._ledger.change() as change:
            count = await _theirs(by).filter(is_read=False).update(is_read=True)
            change.note(by, "alerts.read", ("alert", ""), count=count)
        return int(count)


def _theirs(by: Principal) -> QuerySet[Alert]:
    return Alert.filter(user_id=by.user_id, organization_id=by.organization_id, is_dismissed=False)


async def _one(by: Principal, alert_id: int) -> Alert:
    """The alert, also when it was dismissed before: that is no secret to its owner."""
    rows = Alert.filter(id=alert_id, user_id=by.user_id, organization_id=by.organization_id)
    row = await rows.first()
    if row is None:
        raise NotFound(f"There is no alert {alert_id}.", code="alert_not_found", alert_id=alert_id)
    return row

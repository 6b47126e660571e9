"""What grows by itself, how long it may be kept, and how a batch of what is older goes.

Each shelf is emptied from its oldest end, some rows at a time, so that others can write in between.
What something else still needs stays: jobs of an order are the order's history, starts go with
their jobs, and of what rooms did alone the newest of each printer is asked for at its next start.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise.expressions import Q, Subquery
from tortoise.models import Model
from tortoise.queryset import QuerySet

from api.alerts.service import Alert
from api.archives.service import forget_prints
from api.commands.service import Command
from api.events.trail import AuditEntry
from api.jobs.lent import FOLLOWED, Lease, LeaseState
from api.jobs.service import Attempt, Job, Print
from api.orders.service import OrderJob
from api.scheduler.decisions import Decision
from api.telemetry.service import Sample
from schemas.commands import COMMAND_OVER, Verb
from schemas.jobs import JobState

_FINISHED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.REJECTED)

#: Removes some rows, within a change.
Clear = Callable[[list[Any]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Shelf:
    """One kind of rows. *setting*: its days in `/config/retention`; 0 of them: kept for ever.

    Without a setting (None) it is kept for *default_days*, until nothing asks for it any more.
    *older*: the rows from before a moment, oldest first; *clear* removes those whose *key* is
    among these.
    """

    name: str
    setting: str | None
    default_days: int
    older: Callable[[datetime], QuerySet[Any]]
    clear: Clear
    key: str = "id"


def _rows(model: type[Model], column: str) -> Callable[[datetime], QuerySet[Any]]:
    return lambda before: model.filter(**{f"{column}__lt": before}).order_by("id")


def _removing(model: type[Model]) -> Clear:
    return lambda ids: model.filter(id__in=ids).delete()


def _finished(before: datetime) -> QuerySet[Any]:
    """Jobs that are over since then and of no order."""
    rows = Job.filter(state__in=_FINISHED, updated_at__lt=before)
    return rows.filter(id__not_in=Subquery(OrderJob.all().values("job_id"))).order_by("id")


def _seen(before: datetime) -> QuerySet[Any]:
    """Prints of a printer's own files that ended since then."""
    return Print.filter(job_id__isnull=True, ended_at__lt=before).order_by("id")


async def _clear_prints(ids: list[Any]) -> None:
    await forget_prints(ids)
    await Print.filter(id__in=ids).delete()


def _told(before: datetime) -> QuerySet[Any]:
    """Commands that are over since then; a start is part of its job's history."""
    rows = Command.filter(state__in=tuple(COMMAND_OVER), ended_at__lt=before)
    return rows.exclude(verb=Verb.START).order_by("ended_at")


def _given_back(before: datetime) -> QuerySet[Any]:
    """Leases that are over since then; a bridge may tell of one that late, and its journal knows
    its grant for as long.
    """
    rows = Lease.filter(ended_at__lt=before).exclude(state=LeaseState.OUT)
    return rows.filter(Q(alone_turn__isnull=True) | Q(alone_turn=FOLLOWED)).order_by("ended_at")


async def _clear_leases(grants: list[Any]) -> None:
    await Lease.filter(grant__in=grants).delete()


async def _clear_jobs(ids: list[Any]) -> None:
    """Jobs with what was printed for them, and what was said of that."""
    await forget_prints([row.id for row in await Print.filter(job_id__in=ids).only("id")])
    starts = Attempt.filter(job_id__in=ids).values("command_id")
    await Command.filter(id__in=Subquery(starts)).delete()
    for model in (Attempt, Print, Decision):
        await model.filter(job_id__in=ids).delete()
    await Job.filter(id__in=ids).delete()


SHELVES = (
    Shelf("completed_jobs", "completed_jobs_days", 0, _finished, _clear_jobs),
    Shelf("prints_without_jobs", "completed_jobs_days", 0, _seen, _clear_prints),
    Shelf("audit_logs", "audit_logs_days", 0, _rows(AuditEntry, "at"), _removing(AuditEntry)),
    Shelf("alerts", "alert_history_days", 90, _rows(Alert, "created_at"), _removing(Alert)),
    Shelf("telemetry", "telemetry_days", 365, _rows(Sample, "at"), _removing(Sample)),
    Shelf("commands", None, 30, _told, _removing(Command)),
    Shelf("leases", None, 90, _given_back, _clear_leases, key="grant"),
)

"""What grows by itself, how long it may be kept, and how a batch of what is older goes.

Each shelf is emptied from its oldest end, some rows at a time, so that others can write in between.
What something else still needs stays: jobs of an order are the order's history.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise.expressions import Subquery
from tortoise.models import Model
from tortoise.queryset import QuerySet

from api.alerts.service import Alert
from api.archives.service import forget_prints
from api.events.trail import AuditEntry
from api.jobs.service import Attempt, Job, Print
from api.orders.service import OrderJob
from api.scheduler.decisions import Decision
from api.telemetry.service import Sample
from schemas.jobs import JobState

_FINISHED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.REJECTED)

#: Removes some rows, within a change.
Clear = Callable[[list[Any]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Shelf:
    """One kind of rows. *setting*: its days in `/config/retention`; 0 of them: kept for ever.

    *older*: the rows from before a moment, oldest first; *clear* removes those with these ids.
    """

    name: str
    setting: str
    default_days: int
    older: Callable[[datetime], QuerySet[Any]]
    clear: Clear


def _rows(model: type[Model], column: str) -> Callable[[datetime], QuerySet[Any]]:
    return lambda before: model.filter(**{f"{column}__lt": before}).order_by("id")


def _removing(model: type[Model]) -> Clear:
    return lambda ids: model.filter(id__in=ids).delete()


def _finished(before: datetime) -> QuerySet[Any]:
    """Jobs that are over since then and of no order."""
    rows = Job.filter(state__in=_FINISHED, updated_at__lt=before)
    return rows.filter(id__not_in=Subquery(OrderJob.all().values("job_id"))).order_by("id")


async def _clear_jobs(ids: list[Any]) -> None:
    """Jobs with what was printed for them, and what was said of that."""
    await forget_prints([row.id for row in await Print.filter(job_id__in=ids).only("id")])
    for model in (Attempt, Print, Decision):
        await model.filter(job_id__in=ids).delete()
    await Job.filter(id__in=ids).delete()


SHELVES = (
    Shelf("completed_jobs", "completed_jobs_days", 0, _finished, _clear_jobs),
    Shelf("audit_logs", "audit_logs_days", 0, _rows(AuditEntry, "at"), _removing(AuditEntry)),
    Shelf("alerts", "alert_history_days", 90, _rows(Alert, "created_at"), _removing(Alert)),
    Shelf("telemetry", "telemetry_days", 365, _rows(Sample, "at"), _removing(Sample)),
)

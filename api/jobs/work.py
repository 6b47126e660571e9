"""What people had made: counted by person and by printer, over a span of time (v1 contract, 2.11).

Deleted jobs count as well: they were made, and they took filament and time. Whoever asks has the
right to the reports; names of people are not known here.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise.functions import Count, Sum

from api.jobs.models import Job, Print
from api.principal import Principal
from schemas.jobs import JobState

_IDS_A_QUERY = 500
_ENDS = {
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


@dataclass(slots=True)
class Work:
    """What one person had made. *made*: jobs asked for, *rejected* of them refused; the others:
    jobs that ended so. *cost* is that of the completed ones, *unpriced* of which have none.
    """

    made: int = 0
    rejected: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    printed_s: float = 0.0
    grams: float = 0.0
    cost: float = 0.0
    unpriced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From *since* on, before *until*."""

    since: datetime
    until: datetime


async def work_of_people(by: Principal, span: Span) -> dict[int | None, Work]:
    """By the id of who asked for it (None: nobody, for example a printer's own card)."""
    by.require("reports.read")
    found: dict[int | None, Work] = {}
    jobs = Job.filter(organization_id=by.organization_id)
    asked = jobs.filter(created_at__gte=span.since, created_at__lt=span.until)
    counted = asked.annotate(many=Count("id")).group_by("created_by", "state")
    for row in await counted.values("created_by", "state", "many"):
        work = found.setdefault(row["created_by"], Work())
        work.made += int(row["many"])
        work.rejected += int(row["many"]) if row["state"] == JobState.REJECTED else 0
    ended = jobs.filter(
        actual_end__gte=span.since, actual_end__lt=span.until, state__in=tuple(_ENDS)
    )
    sums = ended.annotate(
        many=Count("id"), priced=Count("estimated_cost"), cost=Sum("estimated_cost")
    )
    rows = await sums.group_by("created_by", "state").values(
        "created_by", "state", "many", "priced", "cost"
    )
    for row in rows:
        _add_ended(found.setdefault(row["created_by"], Work()), row)
    for maker, seconds in (await _printed_by_maker(by, span)).items():
        found.setdefault(maker, Work()).printed_s += seconds
    return found


def _add_ended(work: Work, row: Mapping[str, Any]) -> None:
    state, many = JobState(row["state"]), int(row["many"])
    setattr(work, _ENDS[state], getattr(work, _ENDS[state]) + many)
    if state is JobState.COMPLETED:
        work.cost += float(row["cost"] or 0.0)
        work.unpriced += many - int(row["priced"])


async def _printed_by_maker(by: Principal, span: Span) -> dict[int | None, float]:
    """Seconds that runs which ended in *span* printed, by the id of who asked for their job."""
    runs = Print.filter(
        organization_id=by.organization_id,
        started_at__not_isnull=True,
        ended_at__gte=span.since,
        ended_at__lt=span.until,
    )
    summed = runs.annotate(seconds=Sum("printed_s")).group_by("job_id")
    rows = await summed.values("job_id", "seconds")
    by_job = {row["job_id"]: float(row["seconds"]) for row in rows}
    makers = await makers_of([job_id for job_id in by_job if job_id is not None])
    found: dict[int | None, float] = {}
    for job_id, seconds in by_job.items():
        maker = makers.get(job_id) if job_id is not None else None
        found[maker] = found.get(maker, 0.0) + seconds
    return found


async def makers_of(job_ids: Collection[int]) -> Mapping[int, int | None]:
    """Who asked for these jobs, whosever they are; the caller has been let see the ids."""
    found: dict[int, int | None] = {}
    for some in _pieces(sorted(set(job_ids))):
        rows = await Job.filter(id__in=some).values_list("id", "created_by")
        found.update({int(job_id): maker for job_id, maker in rows})
    return found


def _pieces(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for at in range(0, len(ids), _IDS_A_QUERY):
        yield ids[at : at + _IDS_A_QUERY]

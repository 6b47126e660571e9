"""What was printed: runs and their times, counted for lists and reports.

Runs that a printer never began are left out. Reports reach over all printers, so a key that is
bound to one has none of this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise.expressions import F, Q
from tortoise.functions import Count, Sum
from tortoise.queryset import QuerySet

from api.jobs.models import Attempt, Job, Print
from api.principal import Principal
from schemas.jobs import ATTEMPT_OVER, JOB_WAITING, AttemptState, JobState

_A = AttemptState
#: How a run is called in v1, by the state of its latest attempt.
OUTCOMES: dict[AttemptState, str] = {
    _A.GRANTED: "running",
    _A.STARTED: "running",
    _A.PAUSED: "running",
    _A.COMPLETED: "completed",
    _A.FAILED: "failed",
    _A.INTERRUPTED: "failed",
    _A.NOT_STARTED: "failed",
    _A.CANCELLED: "cancelled",
}


async def keep_run(attempt: Attempt) -> None:
    """Note on the run how its latest attempt stands; in the transaction that moved it.

    One that did not start changes nothing: the one before it, if any, stays the latest.
    """
    if attempt.state == AttemptState.NOT_STARTED:
        return
    rows = Print.filter(id=attempt.print_id)
    await rows.update(state=attempt.state, ended_at=attempt.ended_at)
    if attempt.started_at is None:
        return
    await rows.filter(started_at=None).update(started_at=attempt.started_at)
    if attempt.state in ATTEMPT_OVER and attempt.ended_at is not None:
        printed_s = (attempt.ended_at - attempt.started_at).total_seconds()
        await rows.update(printed_s=F("printed_s") + printed_s)


@dataclass(frozen=True, slots=True)
class Money:
    """What so many jobs cost, and what to ask for them, by the rates when they were made."""

    jobs: int
    cost: float
    price: float


@dataclass(frozen=True, slots=True)
class Run:
    """A run, the job that it belongs to (None: the printer ran a file of its own), and its latest
    attempt that began.
    """

    row: Print
    job: Job | None
    attempt: Attempt | None

    @property
    def outcome(self) -> str:
        """running, completed, failed or cancelled."""
        return OUTCOMES[AttemptState(self.row.state)]


@dataclass(slots=True)
class Tally:
    """How many runs ended how, and how long all of them printed, in seconds."""

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    running: int = 0
    printed_s: float = 0.0

    def add(self, outcome: str, many: int, printed_s: float) -> None:
        """Count *many* more runs of this outcome."""
        setattr(self, outcome, getattr(self, outcome) + many)
        self.printed_s += printed_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs; None: any. *since* and *until*: some of it falls in between. *unlinked*: only
    those without a job.
    """

    unlinked: bool = False
    printer_id: int | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Records:
    """The history of an organization."""

    async def runs(
        self, by: Principal, which: RunFilter, skip: int, limit: int
    ) -> tuple[Sequence[Run], int]:
        """(a page of runs, the newest first, how many there are)."""
        by.require("reports.read")
        rows = _runs(by)
        if which.unlinked:
            rows = rows.filter(job_id=None)
        if which.printer_id is not None:
            rows = rows.filter(printer_id=which.printer_id)
        if which.outcome is not None:
            states = [state for state, outcome in OUTCOMES.items() if outcome == which.outcome]
            rows = rows.filter(state__in=states)
        if which.since is not None:
            rows = rows.filter(Q(ended_at=None) | Q(ended_at__gte=which.since))
        if which.until is not None:
            rows = rows.filter(started_at__lt=which.until)
        page = await rows.order_by("-id").offset(skip).limit(limit)
        return await with_jobs(page), await rows.count()

    async def tallies(
        self, by: Principal, since: datetime | None = None, until: datetime | None = None
    ) -> Mapping[int, Tally]:
        """By printer; *since*: of runs that ended no earlier; *until*: before that."""
        by.require("reports.read")
        rows = _runs(by)
        if since is not None:
            rows = rows.filter(ended_at__gte=since)
        if until is not None:
            rows = rows.filter(ended_at__lt=until)
        counted = rows.annotate(many=Count("id"), seconds=Sum("printed_s"))
        grouped = counted.group_by("printer_id", "state")
        tallies: dict[int, Tally] = {}
        for found in await grouped.values("printer_id", "state", "many", "seconds"):
            tally = tallies.setdefault(int(found["printer_id"]), Tally())
            outcome = OUTCOMES[AttemptState(found["state"])]
            tally.add(outcome, int(found["many"]), float(found["seconds"] or 0.0))
        return tallies

    async def jobs_by_state(self, by: Principal) -> Mapping[JobState, int]:
        """How many jobs there are in each state; states without one are left out."""
        by.require("reports.read")
        counted = _jobs(by).annotate(many=Count("id")).group_by("state")
        rows: Sequence[dict[str, Any]] = await counted.values("state", "many")
        return {JobState(row["state"]): int(row["many"]) for row in rows}

    async def money_by_state(self, by: Principal) -> Mapping[JobState, Money]:
        """What the jobs in each state cost and are worth; those without a cost are left out."""
        by.require("reports.read")
        sums = {"many": Count("id"), "cost": Sum("estimated_cost"), "price": Sum("suggested_price")}
        rows = _jobs(by).filter(estimated_cost__not_isnull=True).annotate(**sums)
        found: Sequence[dict[str, Any]] = await rows.group_by("state").values("state", *sums)
        return {
            JobState(row["state"]): Money(int(row["many"]), row["cost"], row["price"] or 0.0)
            for row in found
        }

    async def over_since(
        self, by: Principal, state: JobState, since: datetime, limit: int = 5000
    ) -> Sequence[Job]:
        """The jobs that have ended in *state* since, the newest first."""
        by.require("reports.read")
        rows = _jobs(by).filter(state=state, actual_end__gte=since)
        return await rows.order_by("-actual_end", "-id").limit(limit)

    async def completed_since(self, by: Principal, since: datetime) -> int:
        """How many jobs have been completed since."""
        by.require("reports.read")
        return await _jobs(by).filter(state=JobState.COMPLETED, actual_end__gte=since).count()

    async def printed_s(self, by: Principal, jobs: Sequence[Job]) -> Mapping[int, float]:
        """How long all runs of these jobs printed, in seconds."""
        by.require("reports.read")
        rows = _runs(by).filter(job_id__in=[job.id for job in jobs])
        summed = rows.annotate(seconds=Sum("printed_s")).group_by("job_id")
        found: Sequence[dict[str, Any]] = await summed.values("job_id", "seconds")
        return {int(row["job_id"]): float(row["seconds"]) for row in found}

    async def planned(self, by: Principal, since: datetime, until: datetime) -> Sequence[Job]:
        """The jobs that wait for a time in between on a printer of their own, by time."""
        by.require("reports.read")
        rows = _jobs(by).filter(
            state__in=tuple(JOB_WAITING),
            pinned=True,
            scheduled_start__gte=since,
            scheduled_start__lt=until,
        )
        return await rows.order_by("scheduled_start", "id").limit(500)

    async def named(self, by: Principal, words: str, limit: int) -> Sequence[Job]:
        """Jobs whose name contains *words*, literally and in any case; the newest first."""
        by.require("reports.read")
        return await _jobs(by).filter(item_name__icontains=words).order_by("-id").limit(limit)

    async def after(
        self, by: Principal, states: frozenset[JobState] | None, last_id: int, limit: int
    ) -> Sequence[Job]:
        """Up to *limit* jobs with a higher id, for exports: a long list in pieces."""
        by.require("reports.export")
        rows = _jobs(by).filter(id__gt=last_id)
        if states is not None:
            rows = rows.filter(state__in=tuple(states))
        return await rows.order_by("id").limit(limit)


def _jobs(by: Principal) -> QuerySet[Job]:
    return Job.filter(organization_id=by.organization_id, deleted_at=None)


def _runs(by: Principal) -> QuerySet[Print]:
    return Print.filter(organization_id=by.organization_id, started_at__not_isnull=True)


async def with_jobs(rows: Sequence[Print]) -> Sequence[Run]:
    """These runs with their jobs and latest attempts."""
    ids = [row.job_id for row in rows if row.job_id is not None]
    jobs = {job.id: job for job in await Job.filter(id__in=ids)} if ids else {}
    latest: dict[int, Attempt] = {}
    attempts = Attempt.filter(print_id__in=[row.id for row in rows], started_at__not_isnull=True)
    async for attempt in attempts.order_by("number"):
        latest[attempt.print_id] = attempt
    return [Run(row, jobs.get(row.job_id or 0), latest.get(row.id)) for row in rows]

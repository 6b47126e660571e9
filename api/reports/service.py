"""What the farm has done: counted from its rows, never made up (v1 contract, 2.11 and 2.4).

What nothing here knows (money, as long as no job has a cost) is null, not zero.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from api.clock import Clock
from api.errors import Invalid
from api.jobs.records import Money, Run, RunFilter, Tally
from api.jobs.service import Job, Jobs
from api.jobs.times import expected_hours, planned_end
from api.models_library.service import Library
from api.orders.forms import OrderStatus
from api.principal import Principal, system
from api.printers.service import Printer, Printers
from api.spools import stock
from schemas.jobs import JobState

#: Utilization is the share of the last so many days in which a printer printed.
UTILIZATION = timedelta(days=7)
SEARCH_ROWS = 5
SHORTEST_SEARCH, LONGEST_SEARCH = 2, 200
MAX_TIMELINE_RUNS = 500
MAX_MODELS = 500


@dataclass(frozen=True, slots=True)
class Counts:
    """The farm in a few numbers."""

    printers: Sequence[Printer]
    jobs: dict[JobState, int]
    money: Mapping[JobState, Money]
    completed_today: int
    models: int
    stats: list[dict[str, Any]]
    spools: stock.Tally
    orders: dict[OrderStatus, int]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, a few of each."""

    models: Sequence[Any]
    jobs: Sequence[Job]
    spools: Sequence[tuple[Any, Any]]
    printers: Sequence[Printer]


@dataclass(frozen=True, slots=True)
class Span:
    """Something that takes a printer's time: a run (without *job*: of a file that the printer has,
    *file_name*), or a job that is planned.
    """

    printer_id: int
    start: datetime
    end: datetime
    job: Job | None
    run_id: int | None
    status: str
    file_name: str = ""


class OrdersRoom(Protocol):
    """What reports need of the orders."""

    async def by_status(self, organization_id: int) -> dict[OrderStatus, int]:
        """How many orders there are in each state."""


class Reports:
    """Asks the other rooms, and counts."""

    def __init__(
        self, printers: Printers, jobs: Jobs, library: Library, orders: OrdersRoom, clock: Clock
    ) -> None:
        self._printers = printers
        self._jobs = jobs
        self._library = library
        self._orders = orders
        self._clock = clock

    async def counts(self, by: Principal) -> Counts:
        """Printers, jobs and models now, and how each printer has done.

        Who may read reports need not be able to read what they are counted from.
        """
        by.require("reports.read")
        farm = system(by.organization_id)
        today = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        records = self._jobs.records
        printers = await self._printers.list(farm)
        return Counts(
            printers=printers,
            jobs=dict(await records.jobs_by_state(by)),
            money=await records.money_by_state(by),
            completed_today=await records.completed_since(by, today),
            models=(await self._library.list_models(farm, None, 0, 1))[1],
            stats=await self._printer_stats(by, printers),
            spools=await stock.tally(by.organization_id),
            orders=await self._orders.by_status(by.organization_id),
        )

    async def models(self, by: Principal) -> Sequence[Any]:
        """Rows of the library."""
        by.require("reports.read")
        farm = system(by.organization_id)
        return (await self._library.list_models(farm, None, 0, MAX_MODELS))[0]

    async def _printer_stats(
        self, by: Principal, printers: Sequence[Printer]
    ) -> list[dict[str, Any]]:
        now = self._clock.now()
        tallies = await self._jobs.records.tallies(by)
        recent = await self._jobs.records.tallies(by, now - UTILIZATION)
        return [
            printer_stats(row, tallies.get(row.id, Tally()), recent.get(row.id, Tally()), now)
            for row in printers
        ]

    async def failures(self, by: Principal, days: int) -> tuple[Sequence[Job], int]:
        """(the jobs that failed in the last *days*, how many were completed in them)."""
        since = self._clock.now() - timedelta(days=days)
        records = self._jobs.records
        failed = await records.over_since(by, JobState.FAILED, since)
        return failed, await records.completed_since(by, since)

    async def accuracy(self, by: Principal, days: int) -> list[dict[str, Any]]:
        """Of the jobs completed in the last *days* for which somebody had said how long they take:
        hours expected and hours printed, the newest first.
        """
        since = self._clock.now() - timedelta(days=days)
        jobs = await self._jobs.records.over_since(by, JobState.COMPLETED, since, limit=500)
        jobs = [job for job in jobs if job.duration_hours]
        printed_s = await self._jobs.records.printed_s(by, jobs)
        return [
            {
                "job_id": job.id,
                "item_name": job.item_name,
                "printer_id": job.printer_id,
                "estimated_hours": expected_hours(job),
                "actual_hours": round(printed_s[job.id] / 3600, 3),
                "accuracy_pct": round(100 * printed_s[job.id] / 3600 / expected_hours(job), 1),
            }
            for job in jobs
            if printed_s.get(job.id)
        ]

    async def runs(
        self, by: Principal, which: RunFilter, skip: int, limit: int
    ) -> tuple[Sequence[Run], int]:
        """(a page of runs, the newest first, how many there are)."""
        return await self._jobs.records.runs(by, which, skip, limit)

    async def tallies(self, by: Principal) -> list[tuple[Printer, Tally]]:
        """How the runs of each printer ended, in display order."""
        tallies = await self._jobs.records.tallies(by)
        printers = await self._printers.list(system(by.organization_id))
        return [(row, tallies.get(row.id, Tally())) for row in printers]

    async def timeline(
        self, by: Principal, start: datetime | None, days: int
    ) -> tuple[datetime, datetime, list[Span]]:
        """(start, end, what took or will take printers' time in between, by printer and time)."""
        now = self._clock.now()
        start = start or now.replace(hour=0, minute=0, second=0, microsecond=0)
        end = start + timedelta(days=days)
        which = RunFilter(since=start, until=end)
        runs, _ = await self._jobs.records.runs(by, which, 0, MAX_TIMELINE_RUNS)
        spans = [*_spans(runs, now)]
        for job in await self._jobs.records.planned(by, start, end):
            at = job.scheduled_start or start
            spans.append(Span(job.printer_id or 0, at, planned_end(at, job), job, None, job.state))
        return start, end, sorted(spans, key=lambda span: (span.printer_id, span.start))

    async def search(self, by: Principal, words: str) -> Found:
        """What has *words* in its name, in any case; wildcards mean themselves. Raises `Invalid`
        for less than 2 or more than 200 characters.
        """
        by.require("reports.read")
        words = words.strip()
        if not SHORTEST_SEARCH <= len(words) <= LONGEST_SEARCH:
            raise Invalid(
                f"q: from {SHORTEST_SEARCH} to {LONGEST_SEARCH} characters",
                code="validation_failed",
                field="q",
            )
        printers = [row for row in await self._printers.list(by) if _named(row, words)]
        return Found(
            models=await self._library.models_named(by, words, SEARCH_ROWS),
            jobs=await self._jobs.records.named(by, words, SEARCH_ROWS),
            spools=await stock.named(by, words, SEARCH_ROWS),
            printers=printers[:SEARCH_ROWS],
        )


def printer_stats(row: Printer, all_time: Tally, recent: Tally, now: datetime) -> dict[str, Any]:
    """How a printer has done. *recent*: in the span of `UTILIZATION`."""
    over = all_time.completed + all_time.failed + all_time.cancelled
    judged = all_time.completed + all_time.failed
    hours = all_time.printed_s / 3600
    there_s = min(now - row.created_at, UTILIZATION).total_seconds()
    share = min(1.0, recent.printed_s / there_s) if there_s > 0 else 0.0
    return {
        "id": row.id,
        "name": row.name,
        "completed_jobs": all_time.completed,
        "failed_jobs": all_time.failed,
        "total_hours": round(hours, 3),
        "utilization_pct": round(100 * share, 1),
        "success_rate": round(100 * all_time.completed / judged, 1) if judged else None,
        "avg_job_hours": round(hours / over, 3) if over else None,
    }


def _spans(runs: Sequence[Run], now: datetime) -> Iterator[Span]:
    for run in runs:
        start, end = run.row.started_at, run.row.ended_at or now
        if start is not None:
            row = run.row
            yield Span(row.printer_id, start, end, run.job, row.id, _status(run), row.file_name)


def _status(run: Run) -> str:
    return "printing" if run.outcome == "running" else run.outcome


def _named(row: Printer, words: str) -> bool:
    return any(words.casefold() in (name or "").casefold() for name in (row.name, row.nickname))

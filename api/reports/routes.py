"""v1 routes of reports (v1 contract, 2.11 and 2.4): parse, ask the service, answer."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime
from functools import partial
from typing import Annotated, Protocol

from pydantic import Field
from quart import Response, request

from api.clock import iso
from api.describe import Doc, Query
from api.http import RowId, id_query, json_answer, paging
from api.jobs.answers import StatusWord
from api.jobs.forms import parse_status
from api.jobs.records import OUTCOMES, Run, RunFilter
from api.jobs.service import Jobs
from api.principal import Principal, system
from api.printers.service import Printers
from api.reports import answers, csv, view
from api.reports.asked import days_query, moment_query, refuse
from api.reports.pages import AFTER, pages
from api.reports.service import LONGEST_SEARCH, SHORTEST_SEARCH, Reports
from api.v1 import V1, caller
from schemas.jobs import JobState
from schemas.printer import Live

MAX_DAYS = 365
MAX_TIMELINE_DAYS = 30
SLOT_MINUTES = 30


class TelemetryRoom(Protocol):
    """What is needed of telemetry."""

    def state_of(self, printer_id: int) -> Live | None:
        """The last picture of a printer."""


class ReportRoutes:
    """Stats, search, history, exports."""

    def __init__(
        self,
        reports: Reports,
        printers: Printers,
        jobs: Jobs,
        telemetry: TelemetryRoom,
    ) -> None:
        self._reports = reports
        self._printers = printers
        self._jobs = jobs
        self._telemetry = telemetry

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/stats", self.stats, _STATS)
        v1.add("GET", "/analytics", self.analytics, _ANALYTICS)
        v1.add("GET", "/analytics/failures", self.failures, _FAILURES)
        v1.add("GET", "/analytics/time-accuracy", self.accuracy, _ACCURACY)
        v1.add("GET", "/search", self.search, _SEARCH)
        v1.add("GET", "/timeline", self.timeline, _TIMELINE)
        v1.add("GET", "/print-jobs", self.runs, _RUNS)
        v1.add("GET", "/print-jobs/unlinked", self.unlinked, _UNLINKED)
        v1.add("GET", "/print-jobs/stats", self.run_stats, _RUN_STATS)
        v1.add("GET", "/export/jobs", self.export_jobs, _EXPORT_JOBS)

    async def stats(self) -> Response:
        """The farm in a few numbers."""
        return json_answer(view.stats_view(await self._reports.counts(caller())))

    async def analytics(self) -> Response:
        """The farm's work and its models' worth."""
        counts = await self._reports.counts(caller())
        return json_answer(view.analytics_view(counts, await self._reports.models(caller())))

    async def failures(self) -> Response:
        """What failed, and of what."""
        days = days_query(30, MAX_DAYS)
        failed, completed = await self._reports.failures(caller(), days)
        names = await self._names({job.printer_id for job in failed if job.printer_id})
        return json_answer(view.failures_view(days, failed, completed, names))

    async def accuracy(self) -> Response:
        """How good the estimates are."""
        days = days_query(30, MAX_DAYS)
        return json_answer(view.accuracy_view(days, await self._reports.accuracy(caller(), days)))

    async def search(self) -> Response:
        """What has these words in its name."""
        found = await self._reports.search(caller(), request.args.get("q", ""))
        return json_answer(view.search_view(found))

    async def timeline(self) -> Response:
        """What takes the printers' time."""
        days = days_query(7, MAX_TIMELINE_DAYS)
        start, end, spans = await self._reports.timeline(caller(), moment_query("start_date"), days)
        printers = await self._printers.list(system(caller().organization_id))
        names = await self._names({span.printer_id for span in spans})
        return json_answer(
            {
                "start_date": iso(start),
                "end_date": iso(end),
                "slot_duration_minutes": SLOT_MINUTES,
                "printers": [{"id": row.id, "name": row.name} for row in printers],
                "slots": [view.slot_view(span, names) for span in spans],
            }
        )

    async def runs(self) -> Response:
        """Prints, the newest first."""
        outcome = request.args.get("status")
        if outcome is not None and outcome not in OUTCOMES.values():
            words = ", ".join(sorted(set(OUTCOMES.values())))
            raise refuse("status", f"one of {words}, not {outcome[:40]!r}")
        return await self._page(RunFilter(printer_id=id_query("printer_id"), outcome=outcome))

    async def unlinked(self) -> Response:
        """Prints without a job."""
        return await self._page(RunFilter(printer_id=id_query("printer_id"), unlinked=True))

    async def _page(self, which: RunFilter) -> Response:
        skip, limit = paging()
        rows, total = await self._reports.runs(caller(), which, skip, limit)
        shown = [
            view.run_view(run, await self._printers.find(run.row.printer_id), self._live_of(run))
            for run in rows
        ]
        return json_answer(shown, headers={"X-Total-Count": str(total)})

    def _live_of(self, run: Run) -> Live | None:
        live = self._telemetry.state_of(run.row.printer_id)
        grant = run.attempt.grant if run.attempt is not None else None
        mine = live is not None and live.grant == grant and run.row.ended_at is None
        return live if mine else None

    async def run_stats(self) -> Response:
        """How the prints of each printer ended."""
        skip, limit = paging()
        rows = await self._reports.tallies(caller())
        shown = [view.run_stats_view(*row) for row in rows[skip : skip + limit]]
        return json_answer(shown, headers={"X-Total-Count": str(len(rows))})

    async def export_jobs(self) -> Response:
        """All jobs as CSV."""
        by = caller()
        by.require("reports.export")
        after = id_query("after") or 0
        body = self._job_lines(by, parse_status(request.args.get("status")), after)
        headers = {"Content-Disposition": 'attachment; filename="jobs.csv"'}
        return Response(body, 200, headers, content_type="text/csv; charset=utf-8")

    async def _job_lines(
        self, by: Principal, states: frozenset[JobState] | None, after: int
    ) -> AsyncIterator[bytes]:
        yield csv.lines([view.JOB_COLUMNS])
        read = partial(self._jobs.records.after, by, states)
        async for jobs in pages(read, after, lambda job: job.id):
            names = await self._names({job.printer_id for job in jobs if job.printer_id})
            yield csv.lines(view.job_cells(job, names) for job in jobs)

    async def _names(self, printer_ids: Collection[int]) -> dict[int, str]:
        found = [await self._printers.find(each) for each in printer_ids]
        return {row.id: row.name for row in found if row is not None}


_DAYS = Query(
    name="days",
    type=Annotated[int, Field(ge=1, le=MAX_DAYS)],
    description="Of the last so many days, default 30",
)
_STATS = Doc(summary="The farm in a few numbers", answer=answers.Stats, right="reports.read")
_ANALYTICS = Doc(
    summary="The farm's work, and what its models are worth",
    answer=answers.Analytics,
    right="reports.read",
)
_FAILURES = Doc(
    summary="What failed, and of what",
    answer=answers.Failures,
    right="reports.read",
    query=(_DAYS,),
)
_ACCURACY = Doc(
    summary="How long jobs took, beside how long they were said to take",
    answer=answers.TimeAccuracy,
    right="reports.read",
    query=(_DAYS,),
)
_SEARCH = Doc(
    summary="What has these words in its name: five models, jobs, spools and printers at most",
    answer=answers.SearchAnswer,
    right="reports.read",
    query=(
        Query(
            name="q",
            type=Annotated[str, Field(min_length=SHORTEST_SEARCH, max_length=LONGEST_SEARCH)],
            required=True,
            description="Taken literally, in any case",
        ),
    ),
)
_TIMELINE = Doc(
    summary="What took or will take the printers' time: prints, and jobs with a planned time",
    answer=answers.Timeline,
    right="reports.read",
    query=(
        Query(name="start_date", type=datetime, description="Default: today, 0:00 UTC"),
        Query(
            name="days",
            type=Annotated[int, Field(ge=1, le=MAX_TIMELINE_DAYS)],
            description="So many days from then, default 7",
        ),
    ),
)
_RUNS = Doc(
    summary="Prints as printers have run them, the newest first",
    answer=list[answers.PrintRun],
    right="reports.read",
    paged=True,
    query=(
        Query(name="printer_id", type=RowId, description="Only prints of this printer"),
        Query(name="status", type=answers.OutcomeWord, description="Only prints that are so"),
    ),
)
_UNLINKED = Doc(
    summary="Prints that printers ran from their own cards and that belong to no job, newest first",
    description="`POST /jobs/{id}/link-print` gives one to a waiting job.",
    answer=list[answers.PrintRun],
    right="reports.read",
    paged=True,
    query=(Query(name="printer_id", type=RowId, description="Only prints of this printer"),),
)
_RUN_STATS = Doc(
    summary="How the prints of each printer ended",
    answer=list[answers.RunStats],
    right="reports.read",
    paged=True,
)
_EXPORT_JOBS = Doc(
    summary="All jobs as CSV; what looks like a formula is text there",
    answer=str,
    media="text/csv",
    right="reports.export",
    query=(Query(name="status", type=StatusWord, description="Only jobs in this state"), AFTER),
)

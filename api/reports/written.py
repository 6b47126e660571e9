"""Reports as text that is mailed (v1 contract, 2.11): what was counted, in columns."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from api.jobs.forms import FAILURE_REASONS
from api.jobs.records import Records
from api.jobs.work import Span
from api.principal import Principal
from api.reports.people import People, Share, total_of
from api.reports.timetable import FILTERS, ReportType
from schemas.jobs import JobState

MOST_ROWS = 200  # of one table; the others are counted
_WIDEST = 40  # letters of a cell


class PrinterFacts(Protocol):
    """What is needed of a printer."""

    id: Any
    name: Any


class PrintersRoom(Protocol):
    """What is needed of the printers."""

    async def list(self, by: Principal) -> Sequence[PrinterFacts]:
        """All that the caller sees."""


class Writer:
    """Writes reports."""

    def __init__(self, people: People, printers: PrintersRoom, records: Records) -> None:
        self._people = people
        self._printers = printers
        self._records = records

    async def lines(
        self, by: Principal, report_type: ReportType, span: Span, filters: Mapping[str, Any]
    ) -> Sequence[str]:
        """The report of *span*, limited to the ids that *filters* name."""
        only = filters.get(FILTERS[report_type])
        makers = {
            ReportType.JOBS: self._jobs,
            ReportType.CHARGEBACKS: self._chargebacks,
            ReportType.FAILURES: self._failures,
            ReportType.PRINTERS: self._by_printer,
        }
        return await makers[report_type](by, span, only)

    async def _shares(self, by: Principal, span: Span, only: Sequence[int] | None) -> list[Share]:
        shares = await self._people.shares(by, span)
        wanted = [share for share in shares if only is None or share.user_id in only]
        return sorted(wanted, key=lambda share: (-share.work.made, -share.work.printed_s))

    async def _jobs(self, by: Principal, span: Span, only: Sequence[int] | None) -> Sequence[str]:
        shares = await self._shares(by, span, only)
        head = ("person", "submitted", "completed", "failed", "cancelled", "hours")
        total = Share(None, "all", total_of(shares))
        rows = [
            (
                _name(share),
                *(share.work.made, share.work.completed, share.work.failed, share.work.cancelled),
                _hours(share.work.printed_s),
            )
            for share in [*shares, total]
        ]
        return table(head, rows)

    async def _chargebacks(
        self, by: Principal, span: Span, only: Sequence[int] | None
    ) -> Sequence[str]:
        shares = await self._shares(by, span, only)
        head = ("person", "completed", "hours", "grams", "cost")
        total = Share(None, "all", total_of(shares))
        rows = [
            (
                _name(share),
                share.work.completed,
                _hours(share.work.printed_s),
                f"{share.work.grams:.1f}",
                f"{share.work.cost:.2f}",
            )
            for share in [*shares, total]
        ]
        return table(head, rows)

    async def _failures(
        self, by: Principal, span: Span, only: Sequence[int] | None
    ) -> Sequence[str]:
        found = await self._records.over_since(by, JobState.FAILED, span.since)
        jobs = [
            job
            for job in found
            if job.actual_end is not None
            and job.actual_end < span.until
            and (only is None or job.printer_id in only)
        ]
        names = await self._names(by)
        reasons = Counter(
            FAILURE_REASONS.get(job.fail_reason or "", "no reason given") for job in jobs
        )
        printers = Counter(names.get(job.printer_id or 0, "no printer") for job in jobs)
        return [
            *table(("reason", "failed"), reasons.most_common()),
            "",
            *table(("printer", "failed"), printers.most_common()),
        ]

    async def _by_printer(
        self, by: Principal, span: Span, only: Sequence[int] | None
    ) -> Sequence[str]:
        tallies = await self._records.tallies(by, span.since, span.until)
        span_s = (span.until - span.since).total_seconds()
        names = await self._names(by)
        rows = [
            (
                names.get(number, f"printer {number}, deleted"),
                *(tally.completed, tally.failed, tally.cancelled),
                _hours(tally.printed_s),
                f"{100 * min(1.0, tally.printed_s / span_s):.0f} %",
            )
            for number, tally in sorted(tallies.items())
            if only is None or number in only
        ]
        return table(("printer", "completed", "failed", "cancelled", "hours", "busy"), rows)

    async def _names(self, by: Principal) -> Mapping[int, str]:
        return {row.id: row.name for row in await self._printers.list(by)}


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Columns, the first to the left and the others to the right."""
    if not rows:
        return ["Nothing."]
    shown = [[_cell(value) for value in row] for row in (head, *rows[:MOST_ROWS])]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in shown
    ]
    left = len(rows) - MOST_ROWS
    return [*lines, f"… and {left} more."] if left > 0 else lines


def _cell(value: Any) -> str:
    """*value* on one line, whatever somebody typed, and no longer than a column is wide."""
    text = " ".join(str(value).split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _name(share: Share) -> str:
    if share.name is not None:
        return share.name
    return "nobody" if share.user_id is None else f"person {share.user_id}, gone"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f}"

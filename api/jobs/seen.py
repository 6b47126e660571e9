"""Prints that printers ran without a job, from their own cards: seen, kept, and given to a job.

What begins and ends such a print is the printer's reported state (v1 2.4: prints seen at the
printer, apart from queue jobs). Linked to a waiting job it is that job's print: the job takes the
steps that it would have taken, so filament, history and costs follow as for every other.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from ulid import ULID

from api.clock import Clock
from api.errors import Conflict, NotFound
from api.events.service import Change, Happened, Ledger
from api.jobs.attempts import Attempts
from api.jobs.models import Attempt, Job, Print
from api.jobs.moves import job_row, move_job, note, wrong_state
from api.principal import Principal
from api.printers.plate import from_card
from api.printers.service import Printer, Printers
from schemas.jobs import JOB_WAITING, AttemptEvent, AttemptState, JobEvent, JobState
from schemas.printer import ACTIVE, Live, PrinterState

_STATE = "printer.state"
#: Where a print ends without its printer's word for it.
_LOST = frozenset({PrinterState.ERROR, PrinterState.HALTED, PrinterState.OFFLINE})
_EVENT_OF = {
    AttemptState.COMPLETED: AttemptEvent.COMPLETED,
    AttemptState.CANCELLED: AttemptEvent.CANCELLED,
    AttemptState.INTERRUPTED: AttemptEvent.INTERRUPTED,
}


class TelemetryRoom(Protocol):
    """What is needed of telemetry."""

    def state_of(self, printer_id: int) -> Live | None:
        """The last picture of a printer."""


class SeenPrints:
    """Follows the states of printers, and links what they printed to jobs."""

    def __init__(
        self,
        printers: Printers,
        telemetry: TelemetryRoom,
        attempts: Attempts,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._printers = printers
        self._telemetry = telemetry
        self._attempts = attempts
        self._ledger = ledger
        self._clock = clock
        ledger.follow(self.follow)

    async def follow(self, change: Change, happened: Sequence[Happened]) -> None:
        """Printers moved; in the transaction that says so."""
        for event in happened:
            if event.kind == _STATE and event.printer_id is not None:
                await self._moved(change, event.organization_id, event.printer_id, event.data)

    async def _moved(
        self, change: Change, organization_id: int, printer_id: int, data: dict[str, Any]
    ) -> None:
        before, now = PrinterState(data["old_state"]), PrinterState(data["state"])
        if before not in ACTIVE and now not in ACTIVE:
            return
        printer = await self._printers.locked(change, printer_id)
        if from_card(before, now, printer.active_grant):
            await self._begin(organization_id, printer_id)
        elif before in ACTIVE and printer.active_grant is None:
            await self._goes_on(change, printer, before, now)

    async def _begin(self, organization_id: int, printer_id: int) -> None:
        now = self._clock.now()
        await Print.create(
            organization_id=organization_id,
            printer_id=printer_id,
            state=AttemptState.STARTED,
            file_name=self._file_name(printer_id),
            started_at=now,
            created_at=now,
        )

    async def _goes_on(
        self, change: Change, printer: Printer, before: PrinterState, now: PrinterState
    ) -> None:
        running = Print.filter(printer_id=printer.id, job_id=None, ended_at=None)
        row = await running.order_by("-id").first()
        if row is None:
            return
        row.file_name = row.file_name or self._file_name(printer.id)
        row.state = _state_in(before, now)
        if now not in ACTIVE:
            row.ended_at = self._clock.now()
            row.printed_s = (row.ended_at - (row.started_at or row.ended_at)).total_seconds()
            printer.print_count += 1
            printer.print_seconds += row.printed_s
            await self._printers.save(change, printer, "print_count", "print_seconds")
        await row.save()

    def _file_name(self, printer_id: int) -> str:
        live = self._telemetry.state_of(printer_id)
        return (live.file_name or "")[:300] if live is not None and live.grant is None else ""

    # Linking.

    async def link(self, by: Principal, job: Job, print_id: int) -> Job:
        """*print_id*, which is over and belongs to no job yet, is a print of waiting *job*.

        Raises `NotFound` (the print) or `Conflict`: it still runs, the job does not wait, or it
        belongs to another printer.
        """
        by.require("jobs.write")
        async with self._ledger.change() as change:
            job = await job_row(job.id)
            row = await _unlinked(by, print_id)
            _check(job, row)
            await self._give(change, job, row)
            note(change, by, "job.linked", job, print_job_id=row.id, printer_id=row.printer_id)
        return job

    async def _give(self, change: Change, job: Job, row: Print) -> None:
        """The steps of *job* with *row* as its print."""
        attempt = await Attempt.create(
            grant=str(ULID.from_datetime(self._clock.now())),
            organization_id=row.organization_id,
            print_id=row.id,
            job_id=job.id,
            printer_id=row.printer_id,
            number=1,
            command_id="",
            state=row.state,
            created_at=row.created_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
        )
        row.job_id = job.id
        await row.save(update_fields=["job_id"])
        job.printer_id, job.grant, job.reason = row.printer_id, attempt.grant, ""
        job.actual_start = job.actual_start or row.started_at
        now = self._clock.now()
        if job.state == JobState.WAITING_PLATE_CLEAR:
            await move_job(change, job, JobEvent.PLATE_CLEARED, now)
            job.printer_id = row.printer_id
        await move_job(change, job, JobEvent.STARTED, now, attempt)
        outcome = _EVENT_OF[AttemptState(row.state)]
        event = await self._attempts.job_event(job, attempt, outcome)
        await move_job(change, job, event, now, attempt)


async def _unlinked(by: Principal, print_id: int) -> Print:
    rows = Print.filter(id=print_id, organization_id=by.organization_id, job_id=None)
    if by.printer_id is not None:
        rows = rows.filter(printer_id=by.printer_id)
    row = await rows.first()
    if row is None:
        raise NotFound(f"There is no print {print_id} without a job.", print_job_id=print_id)
    return row


def _check(job: Job, row: Print) -> None:
    if JobState(job.state) not in JOB_WAITING:
        raise wrong_state(job, "only a waiting job can be given a print")
    if row.ended_at is None:
        raise Conflict(
            f"Print {row.id} is not over yet.",
            code="invalid_state_transition",
            print_job_id=row.id,
        )
    if job.pinned and job.printer_id != row.printer_id:
        raise Conflict(f"Job {job.id} belongs to another printer.", job_id=job.id)


def _state_in(before: PrinterState, now: PrinterState) -> AttemptState:
    """How a print stands whose printer was *before* and is *now*."""
    if now is PrinterState.PAUSED:
        return AttemptState.PAUSED
    if now in ACTIVE:
        return AttemptState.STARTED
    if now in _LOST:
        return AttemptState.INTERRUPTED
    cancelled = before is PrinterState.CANCELLING
    return AttemptState.CANCELLED if cancelled else AttemptState.COMPLETED

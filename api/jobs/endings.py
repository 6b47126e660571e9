"""How prints end by people: cancelled through their printer, or by hand without a bridge."""

from api.clock import Clock
from api.commands.control import check_outcome
from api.commands.service import Command, Commands
from api.errors import Conflict, Invalid
from api.events.rehearsal import would
from api.events.service import Change, Ledger
from api.jobs.attempts import Attempts
from api.jobs.leases import Leases
from api.jobs.models import Attempt, Job
from api.jobs.moves import job_row, move_job, note, wrong_state
from api.principal import Principal
from api.printers.sending import is_sending
from api.printers.service import Printer, Printers
from schemas.commands import CARD_PRINT, Verb
from schemas.jobs import JOB_OVER, JOB_RUNNING, AttemptEvent, JobEvent, JobState
from schemas.printer import ACTIVE

CANCEL_WAIT_S = 1.0


class Endings:
    """Cancels, stops and hand transitions; the caller has checked that the job is theirs."""

    def __init__(
        self,
        printers: Printers,
        commands: Commands,
        attempts: Attempts,
        leases: Leases,
        *,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._printers = printers
        self._commands = commands
        self._attempts = attempts
        self._leases = leases
        self._ledger = ledger
        self._clock = clock

    async def cancel(
        self, by: Principal, job_id: int, reason: str = "", *, force: bool = False
    ) -> Job:
        """End a job: at once while it waits, else by telling its printer and waiting up to 1 s.

        *reason* is kept with a job that waited; of a print the printer's own word is. Returns the
        job as it is then: the printer may still be cancelling, or a room that may start it alone
        has not answered yet (`api.jobs.leases`). *force* gives up on what the
        printer says: for a bridge that will never come back. Raises `Conflict` when it is over or
        the printer refuses, `Unavailable` when the room does not answer.
        """
        by.require("jobs.write")
        async with self._ledger.change() as change:
            job = await job_row(job_id)
            if JobState(job.state) not in JOB_RUNNING:
                job.reason = reason[:300]
            before = job.state
            command = await self._cancel_in(change, by, job, force=force)
            would(
                "cancel_job",
                job_id=job.id,
                item_name=job.item_name,
                from_status=before,
                to_status=JobState.CANCELLED,
                would_lock=True,
            )
            note(change, by, "job.cancelled", job, reason=reason, forced=force)
        return await self._settle_cancel(by, job_id, command)

    async def stop(self, by: Principal, printer_id: int) -> Printer:
        """End the print of this printer with its cancel script; the printer as it then reports.

        Raises as `cancel`.
        """
        by.require("printers.control")
        await self._printers.get(by, printer_id)
        async with self._ledger.change() as change:
            printer = await self._printers.locked(change, printer_id)
            attempt = await _attempt_of(printer.active_grant)
            command: Command | None
            if attempt is None:
                command = await self._cancel_card(change, by, printer)
            else:
                job = await job_row(attempt.job_id)
                command = await self._cancel_in(change, by, job, force=False)
                change.note(by, "printer.stop", ("printer", printer_id), job_id=job.id)
        if attempt is not None:
            await self._settle_cancel(by, attempt.job_id, command)
        elif command is not None:
            check_outcome(await self._commands.wait(command.id, CANCEL_WAIT_S), printer.name)
        return await self._printers.get(by, printer_id)

    async def _cancel_card(self, change: Change, by: Principal, printer: Printer) -> Command:
        """End what the printer prints from its own card, or what goes to it."""
        busy = printer.state in ACTIVE or is_sending(printer)
        if printer.bridge_id is None or not busy:
            raise Conflict(
                f"Nothing is printing on {printer.name}, so there is nothing to stop.",
                code="invalid_state_transition",
            )
        change.note(by, "printer.stop", ("printer", printer.id))
        return await self._commands.issue_in(change, by, printer, Verb.CANCEL, grant=CARD_PRINT)

    async def _cancel_in(
        self, change: Change, by: Principal, job: Job, *, force: bool
    ) -> Command | None:
        if JobState(job.state) not in JOB_RUNNING:
            if await self._leases.cancel(change, by, job, force=force):
                await move_job(change, job, JobEvent.CANCELLED, self._clock.now())
            return None
        attempt = await _attempt_of(job.grant)
        assert attempt is not None, "a running job has an attempt"
        if force or not attempt.command_id:
            reason = f"Ended by {by.username} without asking the printer."
            await self._attempts.step(change, attempt, AttemptEvent.CANCELLED, reason)
            return None
        return await self._attempts.ask_cancel(change, by, attempt)

    async def _settle_cancel(self, by: Principal, job_id: int, command: Command | None) -> Job:
        if command is None:
            await self._leases.settled([job_id], CANCEL_WAIT_S)
            return await job_row(job_id)

        async def over() -> bool:
            return JobState((await job_row(job_id)).state) in JOB_OVER

        command = await self._commands.settle(command, over, CANCEL_WAIT_S)
        job = await job_row(job_id)
        if JobState(job.state) not in JOB_OVER:
            printer = await self._printers.get(by, command.printer_id)
            check_outcome(command, printer.name)
        return job

    async def by_hand(
        self, by: Principal, job_id: int, event: AttemptEvent, notes: str = ""
    ) -> Job:
        """Start, complete or fail a job on a printer without a bridge; completing twice is once.

        Raises `Conflict` when the printer has a bridge: then only it says what happened.
        """
        by.require("jobs.write")
        job = await job_row(job_id)
        if job.printer_id is None:
            raise Invalid(f"Job {job_id} has no printer. Give it one first (printer_id).")
        async with self._ledger.change() as change:
            job = await job_row(job_id)
            printer = await self._printers.locked(change, job.printer_id or 0)
            if printer.bridge_id is not None:
                raise Conflict(
                    f"{printer.name} hangs on a bridge: only it says what happened to a print.",
                    printer_id=printer.id,
                )
            if event is AttemptEvent.STARTED:
                await self._attempts.start_by_hand(change, job, printer)
            else:
                await self._end_by_hand(change, job, event, notes)
            note(change, by, f"job.{event}", job, printer_id=printer.id, notes=notes[:300])
        return await job_row(job_id)

    async def _end_by_hand(self, change: Change, job: Job, event: AttemptEvent, notes: str) -> None:
        if event is AttemptEvent.COMPLETED and job.state == JobState.COMPLETED:
            return
        attempt = await _attempt_of(job.grant)
        if attempt is None or not await self._attempts.step(change, attempt, event, notes):
            raise wrong_state(job, "it is not being printed")


async def _attempt_of(grant: str | None) -> Attempt | None:
    return None if grant is None else await Attempt.filter(grant=grant).first()

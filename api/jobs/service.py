"""Jobs: made, listed, started, ended (DESIGN section 7, Job, print, attempt).

A job asks for prints of a file. What a bridge reports moves it (`api.jobs.attempts`); people may
only ask, except on printers without a bridge, where their word is all there is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from api.clock import Clock
from api.commands.control import Control
from api.commands.service import Command, Commands, Row
from api.errors import Conflict, Invalid, NotFound, Unavailable
from api.events.service import Change, Ledger
from api.jobs.attempts import Attempts, Checked, FileRoom, happened, job_row
from api.jobs.endings import Endings
from api.jobs.file_use import FileUse
from api.jobs.forms import JobFilter, NewJob, within_reach
from api.jobs.models import Attempt, Job
from api.principal import Principal
from api.printers.service import Printer, Printers
from schemas.jobs import (
    JOB_WAITING,
    AttemptEvent,
    JobEvent,
    JobState,
)
from schemas.link import AttemptFact

__all__ = ["Attempt", "Job", "JobFilter", "Jobs", "NewJob"]

#: What people may change while a job waits.
SETTABLE = frozenset(
    {
        "item_name",
        "quantity",
        "priority",
        "notes",
        "hold",
        "due_date",
        "duration_hours",
        "colors_required",
        "filament_type",
    }
)


class SlicedFile(Protocol):
    """What jobs need of a print file."""

    id: Any
    model_id: Any
    blob_id: Any
    original_filename: Any


class LibraryRoom(Protocol):
    """What jobs need of the library."""

    async def get_file(self, by: Principal, file_id: int) -> SlicedFile:
        """One print file. Raises `NotFound`."""

    def ask_jobs(self, jobs: FileUse) -> None:
        """From now on *jobs* says which files are in use."""

    async def newest_file(self, by: Principal, model_id: int) -> SlicedFile | None:
        """The newest print file of a model, None without one. Raises `NotFound` (the model)."""


class Jobs:
    """The jobs of the farm."""

    def __init__(
        self,
        printers: Printers,
        commands: Commands,
        files: FileRoom,
        library: LibraryRoom,
        *,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._printers = printers
        self._commands = commands
        self._library = library
        self._ledger = ledger
        self._clock = clock
        self.attempts = Attempts(printers, commands, files, clock)
        self.control = Control(printers, commands)
        self.endings = Endings(printers, commands, self.attempts, ledger)
        library.ask_jobs(FileUse())
        printers.when_deleted(self._unassign)
        commands.when_over(self.attempts.command_over)

    # Reading.

    async def list(
        self, by: Principal, which: JobFilter, skip: int, limit: int
    ) -> tuple[Sequence[Job], int]:
        """(a page of jobs, how many there are): lowest priority number first, then oldest."""
        by.require("jobs.read")
        rows = self._theirs(by, which.organization_id)
        if which.states is not None:
            rows = rows.filter(state__in=tuple(which.states))
        if which.printer_id is not None:
            rows = rows.filter(printer_id=which.printer_id)
        page = rows.order_by("priority", "position", "id").offset(skip).limit(limit)
        return await page, await rows.count()

    async def get(self, by: Principal, job_id: int) -> Job:
        """One job. Raises `NotFound`."""
        by.require("jobs.read")
        job = await self._theirs(by).filter(id=job_id).first()
        if job is None:
            raise NotFound(f"There is no job {job_id}.", code="job_not_found")
        return job

    async def running_on(self, printer_id: int) -> tuple[Job, Attempt] | None:
        """The job that holds this printer and its attempt; None when it is free."""
        printer = await self._printers.find(printer_id)
        if printer is None or printer.active_grant is None:
            return None
        return await _with_job(await Attempt.filter(grant=printer.active_grant).first())

    async def last_on(self, printer_id: int) -> tuple[Job, Attempt] | None:
        """The newest attempt on this printer, running or over, and its job; None: none yet."""
        running = await self.running_on(printer_id)
        if running is not None:
            return running
        rows = Attempt.filter(printer_id=printer_id)
        return await _with_job(await rows.order_by("-created_at", "-print_id", "-number").first())

    async def current_attempts(self, jobs: Sequence[Job]) -> Mapping[str, Attempt]:
        """The latest attempts of these jobs by grant."""
        grants = [job.grant for job in jobs if job.grant is not None]
        return {row.grant: row for row in await Attempt.filter(grant__in=grants)} if grants else {}

    async def waiting(self) -> Sequence[Job]:
        """Every job that waits for a printer, in the order of the queue, for the scheduler."""
        states = tuple(JOB_WAITING)
        rows = Job.filter(state__in=states, hold=False, blob_id__not_isnull=True)
        return await rows.order_by("priority", "position", "id")

    @staticmethod
    def _theirs(by: Principal, organization_id: int | None = None) -> QuerySet[Job]:
        other = organization_id if by.is_superadmin else None
        rows = Job.filter(organization_id=other or by.organization_id)
        return rows if by.printer_id is None else rows.filter(printer_id=by.printer_id)

    # Making and changing.

    async def create(self, by: Principal, new: NewJob) -> Job:
        """Queue a job. Raises `NotFound` (printer, file, model) or `Invalid` (the preflight)."""
        by.require("jobs.submit")
        return await self._create(by, new)

    async def schedule(self, by: Principal, new: NewJob, printer_id: int | None) -> Job:
        """Queue a job named after its file. Raises as `create`, and `Invalid` without a file."""
        by.require("jobs.submit")
        new = await self._with_file(by, new)
        if new.blob_id is None:
            raise Invalid("This model has no print file yet. Upload one first.")
        name = new.file_name.rpartition(".")[0] or new.file_name
        return await self._create(by, replace(new, item_name=name[:200], printer_id=printer_id))

    async def _create(self, by: Principal, new: NewJob) -> Job:
        new = within_reach(await self._with_file(by, new), by)
        now = self._clock.now()
        job = Job(
            organization_id=by.organization_id,
            item_name=new.item_name,
            state=JobState.SUBMITTED if new.submitted else JobState.PENDING,
            printer_id=new.printer_id,
            pinned=new.printer_id is not None,
            model_id=new.model_id,
            print_file_id=new.print_file_id,
            blob_id=new.blob_id,
            file_name=new.file_name,
            file_path=new.file_path,
            quantity=new.quantity,
            priority=new.priority,
            hold=new.hold,
            duration_hours=new.duration_hours,
            filament_type=new.filament_type,
            colors_required=new.colors_required,
            notes=new.notes,
            due_date=new.due_date,
            details=dict(new.details),
            source=new.source,
            created_by=by.user_id,
            created_at=now,
            updated_at=now,
        )
        if new.printer_id is not None:
            printer = await self._printers.get(by, new.printer_id)
            if job.blob_id is not None:
                await self.attempts.check(job, Printers.profile(printer))
        async with self._ledger.change() as change:
            if new.printer_id is not None:
                await self._printers.locked(change, new.printer_id)
            await job.save()
            change.record(happened(job, "job.created", by.user_id))
            change.wake("scheduler")
        return job

    async def _with_file(self, by: Principal, new: NewJob) -> NewJob:
        if new.blob_id is not None:
            return new
        found: SlicedFile | None = None
        if new.print_file_id is not None:
            found = await self._library.get_file(by, new.print_file_id)
        elif new.model_id is not None:
            found = await self._library.newest_file(by, new.model_id)
        if found is None:
            return new
        return replace(
            new,
            print_file_id=found.id,
            model_id=found.model_id,
            blob_id=found.blob_id,
            file_name=found.original_filename,
        )

    async def update(self, by: Principal, job_id: int, values: Mapping[str, Any]) -> Job:
        """Change a waiting job; ``printer_id`` pins it, None there lets the queue choose."""
        by.require("jobs.write")
        job = await self.get(by, job_id)
        if values.get("printer_id") is not None:
            printer = await self._printers.get(by, values["printer_id"])
            if job.blob_id is not None:
                await self.attempts.check(job, Printers.profile(printer))
        async with self._ledger.change() as change:
            job = await self._waiting_job(job_id)
            job.update_from_dict({k: v for k, v in values.items() if k in SETTABLE})
            if "printer_id" in values:
                job.printer_id = values["printer_id"] or by.printer_id
                job.pinned = job.printer_id is not None
                if job.state == JobState.WAITING_PLATE_CLEAR:
                    job.state = JobState.PENDING
            job.updated_at = self._clock.now()
            await job.save()
            change.record(happened(job, "job.updated", by.user_id))
            change.wake("scheduler")
        return job

    async def _waiting_job(self, job_id: int) -> Job:
        job = await job_row(job_id)
        if JobState(job.state) not in JOB_WAITING | {JobState.SUBMITTED}:
            raise Conflict(
                f"Job {job_id} is {job.state}; only a waiting job can be changed.",
                code="invalid_state_transition",
            )
        return job

    async def repeat(self, by: Principal, job_id: int) -> Job:
        """A new job with the settings of this one."""
        by.require("jobs.write")
        old = await self.get(by, job_id)
        return await self.create(
            by,
            NewJob(
                item_name=old.item_name,
                printer_id=old.printer_id if old.pinned else None,
                print_file_id=old.print_file_id,
                model_id=old.model_id,
                blob_id=old.blob_id,
                file_name=old.file_name,
                file_path=old.file_path,
                quantity=old.quantity,
                priority=old.priority,
                duration_hours=old.duration_hours,
                filament_type=old.filament_type,
                colors_required=old.colors_required,
                notes=old.notes,
                details=old.details,
                source=old.source,
            ),
        )

    async def step(self, by: Principal, job_id: int, event: JobEvent, reason: str = "") -> Job:
        """Approve, reject, resubmit or reset. Raises `Conflict` ``invalid_state_transition``."""
        by.require("jobs.submit" if event is JobEvent.RESUBMIT else "jobs.write")
        job = await self.get(by, job_id)
        if event is JobEvent.RESUBMIT and job.created_by != by.user_id:
            raise Conflict("Only who submitted a job can submit it again.")
        async with self._ledger.change() as change:
            job = await job_row(job_id)
            job.reason = reason[:300]
            if event is JobEvent.RESET:
                job.actual_start = job.actual_end = None
            await self.attempts.move(change, job, event)
        return job

    async def _unassign(self, change: Change, printer_id: int) -> None:
        waits = Q(state__in=(*JOB_WAITING, JobState.SUBMITTED), printer_id=printer_id)
        for job in await Job.filter(waits):
            job.printer_id, job.pinned = None, False
            job.updated_at = self._clock.now()
            if job.state == JobState.WAITING_PLATE_CLEAR:
                job.state = JobState.PENDING
            await job.save()
            change.record(happened(job, "job.unassigned"))

    # Starting.

    async def start_explicit(
        self, by: Principal, job: Job, printer_id: int | None = None
    ) -> Attempt:
        """A person starts *job* on its printer, or on the one named here.

        Raises `Conflict` (busy, not operational, plate, stopped, not waiting), `Invalid` (no
        printer, the file) or `Unavailable` (the room is offline); nothing has changed then.
        """
        by.require("jobs.write")
        target = printer_id if printer_id is not None else job.printer_id
        if target is None:
            raise Invalid(f"Job {job.id} has no printer. Name one, or leave it to the queue.")
        printer = await self._printers.get(by, target)
        checked = await self.attempts.check(job, Printers.profile(printer))
        return await self.start(by, job.id, printer.id, checked, explicit=True)

    async def start(
        self, by: Principal, job_id: int, printer_id: int, checked: Checked, *, explicit: bool
    ) -> Attempt:
        """One grant, one transaction. Raises as `start_explicit`."""
        async with self._ledger.change() as change:
            job = await job_row(job_id)
            printer = await self._printers.locked(change, printer_id)
            return await self.attempts.grant(change, by, job, printer, checked, explicit=explicit)

    async def print_file_on(self, by: Principal, printer: Printer, new: NewJob) -> Job:
        """OctoPrint's ``print=true``: a job on *printer*, started if it may start now.

        It waits in the queue when the printer is busy or its plate not clear, and for approval
        when the caller may only upload. Raises `Unavailable` when the room is offline (no job is
        made), `Invalid` when the file is refused.
        """
        if not by.may("jobs.submit"):
            by.require("files.write")
        if not self._printers.reachable(printer):
            raise Unavailable(f"The room of {printer.name} is offline; nothing was queued.")
        may_start = by.may("jobs.write")
        job = await self._create(by, replace(new, printer_id=printer.id, submitted=not may_start))
        if may_start:
            try:
                await self.start_explicit(by, job)
            except (Conflict, Unavailable):
                return await job_row(job.id)
        return await job_row(job.id)

    async def queue_step(self, job: Job, event: JobEvent, reason: str = "") -> None:
        """The queue marks, unmarks or fails a waiting job; one that moved on meanwhile is left."""
        async with self._ledger.change() as change:
            row = await job_row(job.id)
            if row.state == job.state and row.grant == job.grant:
                row.reason = reason[:300]
                await self.attempts.move(change, row, event)
                job.state = row.state

    # Ending (`api.jobs.endings`).

    async def cancel(self, by: Principal, job_id: int, *, force: bool = False) -> Job:
        """End a job; see `Endings.cancel`."""
        await self.get(by, job_id)
        return await self.endings.cancel(by, job_id, force=force)

    async def stop(self, by: Principal, printer_id: int) -> Printer:
        """End the print of this printer; see `Endings.stop`."""
        return await self.endings.stop(by, printer_id)

    async def by_hand(
        self, by: Principal, job_id: int, event: AttemptEvent, notes: str = ""
    ) -> Job:
        """Start, complete or fail a job on a printer without a bridge; see `Endings.by_hand`."""
        await self.get(by, job_id)
        return await self.endings.by_hand(by, job_id, event, notes)

    # Inside somebody's transaction.

    async def record_attempt(
        self, change: Change, bridge: Row, fact: AttemptFact
    ) -> Attempt | None:
        """A bridge reported a step of an attempt. None when it changes nothing."""
        return await self.attempts.record(change, bridge, fact)

    async def command_over(self, change: Change, command: Command) -> None:
        """A command ended (also called by the commands themselves): safe to say twice."""
        await self.attempts.command_over(change, command)


async def _with_job(attempt: Attempt | None) -> tuple[Job, Attempt] | None:
    job = await Job.filter(id=attempt.job_id).first() if attempt is not None else None
    return (job, attempt) if job is not None and attempt is not None else None

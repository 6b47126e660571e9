"""Jobs: made, listed, started, ended (DESIGN section 7, Job, print, attempt).

A job asks for prints of a file. What a bridge reports moves it (`api.jobs.attempts`); people may
only ask, except on printers without a bridge, where their word is all there is.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tortoise.queryset import QuerySet

from api.clock import Clock
from api.commands.control import Control
from api.commands.service import Command, Commands, Row
from api.errors import Conflict, Invalid, Unavailable
from api.events.service import Change, Ledger
from api.jobs.approval import Approval
from api.jobs.attempts import Attempts, Checked, FileRoom
from api.jobs.changes import MOVING, Changes
from api.jobs.costs import Costs
from api.jobs.endings import Endings
from api.jobs.file_use import FileUse
from api.jobs.file_wait import FileWait
from api.jobs.forms import BulkAction, JobFilter, NewJob
from api.jobs.intake import Intake, LibraryRoom
from api.jobs.leases import Leases
from api.jobs.lent import check_not_alone, elsewhere
from api.jobs.line import WaitingLine
from api.jobs.models import Attempt, Job, Print
from api.jobs.moves import job_row, job_to_start, missing
from api.jobs.presets import Presets
from api.jobs.queue import Queue
from api.jobs.records import Records
from api.jobs.wishes import BY_HAND, DECISIONS, step_to
from api.pools.service import Pool, Pools
from api.principal import Principal
from api.printers.service import Printer, Printers
from schemas.facts import AttemptFact
from schemas.jobs import AttemptEvent, JobEvent, JobState

__all__ = ["Attempt", "Job", "JobFilter", "Jobs", "NewJob", "Print"]


class Jobs:
    """The jobs of the farm."""

    def __init__(
        self,
        printers: Printers,
        commands: Commands,
        files: FileRoom,
        library: LibraryRoom,
        *,
        pools: Pools,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._printers = printers
        self._ledger = ledger
        self.attempts = Attempts(printers, commands, files, clock)
        self.control = Control(printers, commands)
        self.records = Records()
        self.line = WaitingLine(clock)
        self.file_wait = FileWait(files, ledger, clock)
        self._approval: Approval | None = None
        self.leases = Leases(
            printers, commands, self.attempts, self.file_wait, ledger=ledger, clock=clock
        )
        self._endings = Endings(
            printers, commands, self.attempts, self.leases, ledger=ledger, clock=clock
        )
        self._intake = Intake(printers, pools, self.attempts, library, ledger=ledger, clock=clock)
        self._changes = Changes(
            printers, pools, self.attempts, self._intake, ledger=ledger, clock=clock
        )
        self._queue = Queue(ledger, clock)
        self.presets = Presets(self.create, library, ledger, clock)
        library.ask_jobs(FileUse())
        printers.clear_check = check_not_alone
        printers.when_deleted(self._queue.printer_gone)
        printers.when_deleted(self.leases.printer_gone)
        pools.when_deleted(self._queue.pool_gone)
        commands.when_over(self.attempts.command_over)

    def ask_for_approval(self, approval: Approval) -> None:
        """From now on *approval* says whose jobs wait for it; nobody's without one."""
        self._approval = approval

    def price_with(self, costs: Costs) -> None:
        """From now on *costs* says what jobs cost; nobody does without."""
        self._intake.price_with(costs)

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
        if which.pool_id is not None:
            rows = rows.filter(pool_id=which.pool_id)
        # Numbers first: far down the list only the index is read, not the rows in front.
        numbers = rows.order_by("priority", "position", "id").offset(skip).limit(limit)
        ids = [job.id for job in await numbers.only("id")]
        page = {job.id: job for job in await Job.filter(id__in=ids)} if ids else {}
        return [page[each] for each in ids if each in page], await rows.count()

    async def get(self, by: Principal, job_id: int) -> Job:
        """One job. Raises `NotFound`."""
        by.require("jobs.read")
        job = await self._theirs(by).filter(id=job_id).first()
        if job is None:
            raise missing(job_id)
        return job

    async def submitted_by(self, by: Principal, user_id: int) -> Sequence[Job]:
        """All jobs that a person made where *by* may look, oldest first."""
        by.require("jobs.read")
        return await self._theirs(by).filter(created_by=user_id).order_by("id")

    async def find(self, job_id: int) -> Job | None:
        """The job, whosever it is; None when there is none. For the farm itself."""
        return await Job.filter(id=job_id, deleted_at=None).first()

    async def printer_of(self, by: Principal, job_id: int) -> int | None:
        """The printer of this job; None without one, and for a job that is not the caller's."""
        job = await self.find(job_id)
        return job.printer_id if job and job.organization_id == by.organization_id else None

    async def of_source(self, source: str, job_ids: Collection[int]) -> Sequence[Job]:
        """Those of these jobs that came from *source*. For the farm itself."""
        return await Job.filter(id__in=sorted(job_ids), source=source) if job_ids else []

    async def states(self, job_ids: Collection[int]) -> Mapping[int, JobState]:
        """How these jobs stand, whosever they are; deleted ones are left out."""
        if not job_ids:
            return {}
        rows = Job.filter(id__in=sorted(job_ids), deleted_at=None).only("id", "state")
        return {job.id: JobState(job.state) for job in await rows}

    async def costs(self, job_ids: Collection[int]) -> Mapping[int, float]:
        """What these jobs cost, whosever they are; those that nobody can tell are left out."""
        if not job_ids:
            return {}
        rows = Job.filter(id__in=sorted(job_ids), deleted_at=None, estimated_cost__not_isnull=True)
        return dict(await rows.values_list("id", "estimated_cost"))

    async def names(self, job_ids: Collection[int]) -> Mapping[int, str]:
        """The names of these jobs, whosever they are; the caller has been let see the ids."""
        if not job_ids:
            return {}
        rows = Job.filter(id__in=sorted(job_ids), deleted_at=None).only("id", "item_name")
        return {job.id: job.item_name for job in await rows}

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

    @staticmethod
    def _theirs(by: Principal, organization_id: int | None = None) -> QuerySet[Job]:
        other = organization_id if by.is_superadmin else None
        rows = Job.filter(organization_id=other or by.organization_id, deleted_at=None)
        return rows if by.printer_id is None else rows.filter(printer_id=by.printer_id)

    # Making (`api.jobs.intake`) and arranging (`api.jobs.queue`).

    async def create(self, by: Principal, new: NewJob) -> Job:
        """Queue a job, or submit it for approval; see `Intake.create`."""
        by = await self._intake.acting(by, new.printer_id, new.pool_id)
        by.require("jobs.submit")
        return await self._intake.create(by, await self._for_approval(by, new))

    async def create_many(self, by: Principal, wanted: Sequence[NewJob]) -> Sequence[Job]:
        """Queue all of these or none; see `Intake.create_many`."""
        by.require("jobs.write")
        return await self._intake.create_many(by, wanted)

    async def schedule(self, by: Principal, new: NewJob, printer_id: int | None) -> Job:
        """Queue a job named after its file; see `Intake.schedule`."""
        by = await self._intake.acting(by, printer_id, new.pool_id)
        by.require("jobs.submit")
        return await self._intake.schedule(by, await self._for_approval(by, new), printer_id)

    async def _for_approval(self, by: Principal, new: NewJob) -> NewJob:
        if self._approval is not None and await self._approval.applies_to(by):
            return replace(new, submitted=True)
        return new

    async def repeat(self, by: Principal, job_id: int) -> Job:
        """A new job with the settings of this one."""
        by.require("jobs.write")
        return await self._intake.again(by, await self.get(by, job_id))

    async def update(self, by: Principal, job_id: int, values: Mapping[str, Any]) -> Job:
        """Change a waiting job; see `Changes.update`. *status*: a state that the life cycle lets
        people bring it to; by hand, or by telling its printer, as their own calls do. Raises
        `Conflict` ``invalid_state_transition`` for every other state, before anything changes.
        """
        by.require("jobs.write")
        job = await self.get(by, job_id)
        fields = {name: value for name, value in values.items() if name != "status"}
        wanted = values.get("status")
        event = None if wanted is None else step_to(job, JobState(wanted))
        decision = event if event in DECISIONS else None
        if fields.keys() & MOVING:
            await self.leases.bring_home([job_id])
        if fields or decision is not None or wanted is None:
            job = await self._changes.update(by, job, fields, decision)
        if event is None or event in DECISIONS:
            return job
        if event is JobEvent.CANCELLED:
            return await self.cancel(by, job_id)
        return await self.by_hand(by, job_id, BY_HAND[event])

    async def move(self, by: Principal, job_id: int, printer_id: int, start: datetime) -> Job:
        """Give a waiting job a printer and a time; see `Changes.move`."""
        by.require("jobs.write")
        job = await self.get(by, job_id)
        await self.leases.bring_home([job_id])
        return await self._changes.move(by, job, printer_id, start)

    async def step(self, by: Principal, job_id: int, event: JobEvent, reason: str = "") -> Job:
        """Approve, reject, resubmit or reset; see `Queue.decide`."""
        by.require("jobs.submit" if event is JobEvent.RESUBMIT else "jobs.write")
        return await self._queue.decide(by, await self.get(by, job_id), event, reason)

    async def explain_failure(
        self, by: Principal, job_id: int, fail_reason: str, fail_notes: str | None
    ) -> Job:
        """Say why a failed job failed; see `Queue.explain_failure`."""
        by.require("jobs.write")
        job = await self.get(by, job_id)
        return await self._queue.explain_failure(by, job, fail_reason, fail_notes)

    async def delete(self, by: Principal, job_id: int) -> None:
        """Take a job out of every list; see `Queue.delete`."""
        by.require("jobs.write")
        job = await self.get(by, job_id)
        await self.leases.bring_home([job_id])
        await self._queue.delete(by, job)

    async def reorder(self, by: Principal, job_ids: Sequence[int]) -> int:
        """Put waiting jobs into this order; see `Queue.reorder`."""
        by.require("jobs.write")
        return await self._queue.reorder(by, job_ids)

    async def bulk(
        self, by: Principal, job_ids: Sequence[int], action: BulkAction, priority: int | None
    ) -> int:
        """Do the same to many jobs; see `Queue.bulk`."""
        by.require("jobs.write")
        if action in (BulkAction.CANCEL, BulkAction.DELETE, BulkAction.HOLD):
            await self.leases.bring_home(await self._queue.theirs(by, job_ids))
        return await self._queue.bulk(by, job_ids, action, priority)

    # Starting.

    async def start_explicit(
        self, by: Principal, job: Job, printer_id: int | None = None
    ) -> Attempt:
        """A person starts *job* on its printer, or on the one named here.

        Raises `Conflict` (busy, not operational, plate, stopped, not waiting), `Invalid` (no
        printer, the file) or `Unavailable` (room offline, file away); nothing has changed then.
        """
        by.require("jobs.write")
        target = printer_id if printer_id is not None else job.printer_id
        if target is None:
            raise Invalid(f"Job {job.id} has no printer. Name one, or leave it to the queue.")
        printer = await self._printers.get(by, target)
        if await elsewhere(job, printer):
            await self.leases.bring_home([job.id])
        checked = await self.attempts.check(job, Printers.profile(printer))
        await self.file_wait.check(job)
        return await self.start(by, job.id, printer.id, checked, explicit=True)

    async def start(
        self,
        by: Principal,
        job_id: int,
        printer_id: int,
        checked: Checked,
        *,
        explicit: bool,
        also: Callable[[Change, Attempt], Awaitable[object]] | None = None,
    ) -> Attempt:
        """One grant, one transaction; what *also* does belongs to it, and what it raises undoes
        the grant. Raises as `start_explicit`.
        """
        async with self._ledger.change() as change:
            job = await job_to_start(job_id)
            printer = await self._printers.locked(change, printer_id)
            grant = await self.attempts.grant(change, by, job, printer, checked, explicit=explicit)
            if also is not None:
                await also(change, grant)
            return grant

    async def print_file_on(self, by: Principal, printer: Printer, new: NewJob) -> Job:
        """OctoPrint's ``print=true``: a job on *printer*, started if it may start now.

        It waits in the queue when the printer is busy or its plate not clear, and for approval
        when the caller may only upload. Raises `Unavailable` when the room is offline (no job is
        made), `Invalid` when the file is refused.
        """
        may_start = self._may_start(by)
        if not self._printers.reachable(printer):
            raise Unavailable(f"The room of {printer.name} is offline; nothing was queued.")
        new = replace(new, printer_id=printer.id, pool_id=None, submitted=not may_start)
        job = await self._intake.create(by, new)
        if may_start:
            try:
                await self.start_explicit(by, job)
            except (Conflict, Unavailable):
                return await job_row(job.id)
        return await job_row(job.id)

    async def queue_on_pool(self, by: Principal, pool: Pool, new: NewJob) -> Job:
        """OctoPrint's ``print=true`` at a pool: a job for the first of its printers that is free,
        fits and has a clear plate; for approval when the caller may only upload.

        Raises `NotFound` (the pool) or `Invalid` when none of its printers may print the file.
        """
        may_start = self._may_start(by)
        new = replace(new, printer_id=None, pool_id=pool.id, submitted=not may_start)
        return await self._intake.create(by, new)

    @staticmethod
    def _may_start(by: Principal) -> bool:
        """Whether the caller's job needs no approval. Raises `Forbidden` for who may not upload."""
        if not by.may("jobs.submit"):
            by.require("files.write")
        return by.may("jobs.write")

    async def queue_step(self, job: Job, event: JobEvent, reason: str = "") -> None:
        """The queue marks, unmarks or fails a waiting job; see `Queue.mark`."""
        await self._queue.mark(job, event, reason)

    # Ending (`api.jobs.endings`).

    async def cancel(
        self, by: Principal, job_id: int, reason: str = "", *, force: bool = False
    ) -> Job:
        """End a job; see `Endings.cancel`."""
        await self.get(by, job_id)
        return await self._endings.cancel(by, job_id, reason, force=force)

    async def stop(self, by: Principal, printer_id: int) -> Printer:
        """End the print of this printer; see `Endings.stop`."""
        return await self._endings.stop(by, printer_id)

    async def by_hand(
        self, by: Principal, job_id: int, event: AttemptEvent, notes: str = ""
    ) -> Job:
        """Start, complete or fail a job on a printer without a bridge; see `Endings.by_hand`."""
        await self.get(by, job_id)
        return await self._endings.by_hand(by, job_id, event, notes)

    # Inside somebody's transaction.

    async def record_attempt(
        self, change: Change, bridge: Row, fact: AttemptFact, age_s: float = 0.0
    ) -> Attempt | None:
        """A bridge reported a step of an attempt, *age_s* old. None when it changes nothing."""
        return await self.attempts.record(change, bridge, fact, age_s)

    async def command_over(self, change: Change, command: Command) -> None:
        """A command ended (also called by the commands themselves): safe to say twice."""
        await self.attempts.command_over(change, command)


async def _with_job(attempt: Attempt | None) -> tuple[Job, Attempt] | None:
    job = await Job.filter(id=attempt.job_id).first() if attempt is not None else None
    return (job, attempt) if job is not None and attempt is not None else None

"""Attempts: a job gets a printer, and what the bridge reports about it moves everything along.

A grant writes print, attempt, start command, printer and job in one transaction, so a crash finds
all of it or nothing. Facts step `ATTEMPT_TRANSITIONS`; what comes twice, late or of another bridge
is logged and changes nothing.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
from ulid import ULID

from api.clock import Clock
from api.commands.carrying import Named
from api.commands.service import Command, Commands, Row
from api.errors import Conflict, Invalid, Unavailable
from api.events.service import Change
from api.jobs import fitness, lent
from api.jobs.models import Attempt, Job, Lease, Print
from api.jobs.moves import move_job, note, wrong_state
from api.jobs.records import keep_run
from api.principal import Principal, system
from api.printers.service import Printer, Printers
from schemas.commands import CommandState, StartArgs, Verb
from schemas.facts import AttemptFact
from schemas.gcode.survey import Survey
from schemas.jobs import (
    ATTEMPT_OVER,
    ATTEMPT_TRANSITIONS,
    JOB_EVENT_OF_ATTEMPT,
    JOB_TRANSITIONS,
    JOB_WAITING,
    AttemptEvent,
    AttemptState,
    JobEvent,
    JobState,
)
from schemas.printer import Profile
from schemas.transitions import can

_log = logging.getLogger("gantry.jobs")

#: So many starts in a row may come to nothing before the printer's queue waits for a person.
TRIES = 2
#: Codes of a refused start that say that the file itself is the reason: trying again is pointless.
FILE_CODES = frozenset({"limit_exceeded", "not_allowed"})
#: Codes of a start that was taken back before anything was printed.
_TAKEN_BACK = frozenset({"cancelled", "withdrawn"})
_UNTOUCHED = (CommandState.REJECTED, CommandState.EXPIRED, CommandState.SUPERSEDED)


class FileFacts(Protocol):
    """What attempts need to know of a file."""

    id: Any
    sha256: Any
    size_bytes: Any
    facts: Any


class FileRoom(Protocol):
    """What attempts need of the files."""

    async def blob(self, organization_id: int, blob_id: int) -> FileFacts:
        """The bytes of a job. Raises `NotFound`."""

    async def has_bytes(self, blob: Any) -> bool:
        """Whether the bytes can be read; False: they are gone. Raises `Unavailable`."""

    def check_against(self, blob: Any, profile: Profile) -> None:
        """Raises `Invalid` ``limit_exceeded`` when the file asks for more than is allowed."""

    async def survey(self, blob: Any) -> Survey | None:
        """What the file asks of a printer, line by line; None: nobody has looked yet."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that was read and found harmless for *profile*: what a grant needs beforehand."""

    sha256: str
    size_bytes: int
    profile: Profile
    survey: Survey | None = None
    material: str | None = None


class Attempts:
    """Starts of prints, from grant to end. Every method takes part in the caller's transaction."""

    def __init__(
        self, printers: Printers, commands: Commands, files: FileRoom, clock: Clock
    ) -> None:
        self._printers = printers
        self._commands = commands
        self._files = files
        self._clock = clock

    # Giving a job to a printer.

    async def check(self, job: Job, profile: Profile) -> Checked:
        """Read the file of *job* for a printer of *profile*, before the transaction of the grant.

        Raises `Invalid`: it has none, it is empty, or it asks for more than is allowed.
        """
        if job.blob_id is None:
            raise Invalid(f"{job.item_name} has no file to print.")
        blob = await self._files.blob(job.organization_id, job.blob_id)
        if not blob.size_bytes:
            raise Invalid(f"The file of {job.item_name} is empty.", code="not_gcode")
        self._files.check_against(blob, profile)
        survey = await self._files.survey(blob)
        fitness.check(survey, profile)
        material = fitness.job_material(job, blob.facts)
        return Checked(blob.sha256, blob.size_bytes, profile, survey, material)

    async def grant(
        self,
        change: Change,
        by: Principal,
        job: Job,
        printer: Printer,
        checked: Checked,
        *,
        explicit: bool,
    ) -> Attempt:
        """Start *job* on *printer*. Raises `Conflict` or `Unavailable`, as `take` and a command do;
        nothing has changed then, if the caller rolls back.
        """
        self._check_job(job, printer, explicit=explicit)
        if Printers.profile(printer) != checked.profile:
            raise Conflict(f"The profile of {printer.name} has just changed; start again.")
        attempt = await self._new_attempt(change, job, printer, explicit=explicit)
        args = StartArgs(
            grant=attempt.grant,
            job=job.id,
            print=attempt.print_id,
            attempt=attempt.number,
            file_name=job.file_name,
            sha256=checked.sha256,
            size_bytes=checked.size_bytes,
            plate_claim=attempt.plate_claim,
            last_alone=await lent.last_alone(printer.id),
        )
        name = Named(attempt.command_id, is_told=True) if attempt.command_id else None
        command = await self._commands.issue_in(
            change, by, printer, Verb.START, args, grant=attempt.grant, name=name
        )
        attempt.command_id = command.id
        machine = fitness.machine_of(printer, checked.material)
        attempt.preflight = fitness.verdict(checked.survey, machine, self._clock.now())
        await attempt.save()
        await self._move(change, job, JobEvent.GRANT, attempt)
        note(change, by, "job.dispatched", job, printer_id=printer.id, attempt=attempt.number)
        return attempt

    async def start_by_hand(self, change: Change, job: Job, printer: Printer) -> Attempt:
        """A person started *job* on a printer without a bridge. Raises `Conflict`."""
        self._check_job(job, printer, explicit=True)
        attempt = await self._new_attempt(change, job, printer, explicit=True)
        attempt.state = AttemptState.STARTED
        attempt.started_at = self._clock.now()
        await attempt.save()
        await keep_run(attempt)
        if job.state == JobState.WAITING_PLATE_CLEAR:
            await self._move(change, job, JobEvent.PLATE_CLEARED)
        await self._move(change, job, JobEvent.STARTED, attempt)
        return attempt

    @staticmethod
    def _check_job(job: Job, printer: Printer, *, explicit: bool) -> None:
        if JobState(job.state) not in JOB_WAITING:
            raise wrong_state(job, "only a waiting job can be started")
        if job.hold and not explicit:
            raise Conflict(f"Job {job.id} has just been put on hold.", job_id=job.id)
        if job.pinned and job.printer_id != printer.id:
            raise Conflict(f"Job {job.id} belongs to another printer.")

    async def _new_attempt(
        self, change: Change, job: Job, printer: Printer, *, explicit: bool
    ) -> Attempt:
        now = self._clock.now()
        lease = await lent.lent(job)
        if lease is not None:
            lent.check_place(lease, printer)
            lease.state, lease.ended_at = lent.LeaseState.USED, now
            await lease.save(update_fields=["state", "ended_at"])
        grant = lease.grant if lease is not None else str(ULID.from_datetime(now))
        claim = await self._printers.take(change, printer, grant, explicit=explicit)
        job.printer_id, job.grant, job.reason = printer.id, grant, ""
        command_id = lease.command_id if lease is not None else ""
        return await self._attempt(job, printer, grant, command_id=command_id, claim=claim)

    async def of_lease(self, job: Job, printer: Printer, lease: Lease) -> Attempt:
        """The attempt that the room of *printer* has started by itself; the caller saves it."""
        claim = printer.plate_claim
        command_id, asked_at = lease.command_id, lease.cancel_asked_at
        attempt = await self._attempt(job, printer, lease.grant, command_id=command_id, claim=claim)
        attempt.cancel_asked_at = asked_at
        return attempt

    async def _attempt(
        self, job: Job, printer: Printer, grant: str, *, command_id: str, claim: str
    ) -> Attempt:
        print_id, number = await self._next_number(job, printer)
        return Attempt(
            grant=grant,
            organization_id=job.organization_id,
            print_id=print_id,
            job_id=job.id,
            printer_id=printer.id,
            number=number,
            command_id=command_id,
            plate_claim=claim,
            plate_before=printer.plate_state,
            created_at=self._clock.now(),
        )

    async def _next_number(self, job: Job, printer: Printer) -> tuple[int, int]:
        """(print, attempt): the next attempt of the last print, or the first of a new one."""
        last = await Attempt.filter(job_id=job.id).order_by("-print_id", "-number").first()
        same_printer = last is not None and last.printer_id == printer.id
        if last is not None and same_printer and last.state != AttemptState.COMPLETED:
            return last.print_id, last.number + 1
        run = await Print.create(
            organization_id=job.organization_id,
            job_id=job.id,
            printer_id=printer.id,
            created_at=self._clock.now(),
        )
        return run.id, 1

    # What bridges report.

    async def record(
        self, change: Change, bridge: Row, fact: AttemptFact, age_s: float = 0.0
    ) -> Attempt | None:
        """A bridge reported a step that it made *age_s* ago. None when it changes nothing:
        foreign, late or repeated.
        """
        attempt = await Attempt.filter(grant=fact.grant).first()
        if attempt is None or not await self._is_of(attempt, bridge):
            _log.warning("bridge %s reports %s of unknown %s", bridge.id, fact.event, fact.grant)
            return None
        progress = msgspec.to_builtins(fact.progress) if fact.progress is not None else None
        if fact.quality is not None:
            attempt.quality = msgspec.to_builtins(fact.quality)
        at = self._clock.now() - timedelta(seconds=age_s)
        stepped = await self.step(
            change, attempt, fact.event, fact.reason, progress=progress, at=at
        )
        return attempt if stepped else None

    async def _is_of(self, attempt: Attempt, bridge: Row) -> bool:
        if not attempt.command_id:
            return False
        return (await self._commands.get(attempt.command_id)).bridge_id == bridge.id

    async def step(
        self,
        change: Change,
        attempt: Attempt,
        event: AttemptEvent,
        reason: str = "",
        *,
        progress: dict[str, Any] | None = None,
        untouched: bool = False,
        at: datetime | None = None,
    ) -> bool:
        """Move *attempt*, its job and its printer, *at* a moment in the past or now; False when the
        table has no such step.
        """
        if not can(ATTEMPT_TRANSITIONS, AttemptState(attempt.state), event):
            _log.info("attempt %s is %s; %s is ignored", attempt.grant, attempt.state, event)
            return False
        now = at or self._clock.now()
        attempt.state = ATTEMPT_TRANSITIONS[AttemptState(attempt.state)][event]
        attempt.reason = reason[:300]
        attempt.progress = progress or attempt.progress
        if event is AttemptEvent.STARTED:
            attempt.started_at = now
        if attempt.state in ATTEMPT_OVER:
            attempt.ended_at = now
        await attempt.save()
        await keep_run(attempt)
        await self._follow(change, attempt, event, untouched=untouched)
        if event is AttemptEvent.STARTED and attempt.cancel_asked_at is not None:
            await self._cancel_after_all(change, attempt)
        return True

    async def _follow(
        self, change: Change, attempt: Attempt, event: AttemptEvent, *, untouched: bool
    ) -> None:
        """What the step means for the printer and, if it still is its attempt, for the job."""
        state = AttemptState(attempt.state)
        if state in ATTEMPT_OVER:
            started, ended = attempt.started_at, attempt.ended_at or self._clock.now()
            printed_s = (ended - started).total_seconds() if started else 0.0
            await self._printers.give_back(
                change,
                attempt.printer_id,
                attempt.grant,
                state,
                untouched=untouched,
                printed_s=printed_s,
            )
        change.wake(f"printer:{attempt.printer_id}")
        job = await Job.filter(id=attempt.job_id).first()
        if job is None or job.grant != attempt.grant:
            return
        job_event = await self.job_event(job, attempt, event)
        if not can(JOB_TRANSITIONS, JobState(job.state), job_event):
            _log.info("job %s is %s; %s is ignored", job.id, job.state, job_event)
            return
        job.reason = attempt.reason
        await self._move(change, job, job_event, attempt)
        if job_event is JobEvent.NOT_STARTED:
            await self._hold_after_tries(change, job, attempt)

    async def job_event(self, job: Job, attempt: Attempt, event: AttemptEvent) -> JobEvent:
        """What a step of *attempt* means for its job, which may ask for more prints."""
        if event is AttemptEvent.COMPLETED:
            done = await Attempt.filter(job_id=job.id, state=AttemptState.COMPLETED).count()
            return JobEvent.COMPLETED if done >= job.quantity else JobEvent.PRINTED_ONE
        if event is AttemptEvent.NOT_STARTED:
            if attempt.cancel_asked_at is not None:
                return JobEvent.CANCELLED
            if (await self._commands.get(attempt.command_id)).code in FILE_CODES:
                return JobEvent.FAILED
        return JOB_EVENT_OF_ATTEMPT[event]

    async def _hold_after_tries(self, change: Change, job: Job, attempt: Attempt) -> None:
        tries = 0
        async for each in Attempt.filter(job_id=job.id).order_by("-print_id", "-number"):
            if each.state != AttemptState.NOT_STARTED or each.printer_id != attempt.printer_id:
                break
            tries += 1
        if tries >= TRIES:
            reason = f"{job.item_name} did not start {tries} times: {attempt.reason}"
            await self._printers.hold_in(change, attempt.printer_id, reason)

    async def command_over(self, change: Change, command: Command) -> None:
        """A command ended: what that means for its attempt or its printer's queue. Repeatable."""
        state = CommandState(command.state)
        if command.verb == Verb.START and command.grant is not None:
            attempt = await Attempt.filter(grant=command.grant).first()
            if attempt is not None:
                await self._start_over(change, attempt, command)
        elif command.verb == Verb.DISCONNECT and state is CommandState.DONE:
            reason = f"Disconnected by {command.actor}."
            await self._printers.hold_in(change, command.printer_id, reason)

    async def _start_over(self, change: Change, attempt: Attempt, command: Command) -> None:
        if attempt.state == AttemptState.GRANTED and command.state in _UNTOUCHED:
            taken_back = command.code in _TAKEN_BACK
            event = AttemptEvent.CANCELLED if taken_back else AttemptEvent.NOT_STARTED
            await self.step(change, attempt, event, command.reason, untouched=True)
        elif attempt.state == AttemptState.NOT_STARTED and command.code in FILE_CODES:
            job = await Job.filter(id=attempt.job_id, grant=attempt.grant).first()
            if job is not None and JobState(job.state) in JOB_WAITING:
                job.reason = command.reason
                await self._move(change, job, JobEvent.FAILED)

    # Ending by people.

    async def ask_cancel(self, change: Change, by: Principal, attempt: Attempt) -> Command | None:
        """Somebody wants *attempt* to end. None: it had not left the API and is taken back.

        Raises `Conflict` (``stopped``) or `Unavailable` (no bridge).
        """
        printer = await self._printers.locked(change, attempt.printer_id)
        attempt.cancel_asked_at = attempt.cancel_asked_at or self._clock.now()
        await attempt.save(update_fields=["cancel_asked_at"])
        if await self._commands.withdraw(change, attempt.command_id):
            return None
        underway = await self._commands.underway(printer.id, attempt.grant, Verb.CANCEL)
        if underway is not None:
            return underway
        return await self._commands.issue_in(change, by, printer, Verb.CANCEL, grant=attempt.grant)

    async def _cancel_after_all(self, change: Change, attempt: Attempt) -> None:
        """It was cancelled while it waited, and started nevertheless."""
        printer = await self._printers.locked(change, attempt.printer_id)
        by = system(attempt.organization_id)
        with suppress(Conflict, Unavailable):
            await self._commands.issue_in(change, by, printer, Verb.CANCEL, grant=attempt.grant)

    async def _move(
        self, change: Change, job: Job, event: JobEvent, attempt: Attempt | None = None
    ) -> None:
        await move_job(change, job, event, self._clock.now(), attempt)

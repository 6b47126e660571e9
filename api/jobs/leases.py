"""Leases: the next jobs of a printer are with its room, which may start them while it is cut off.

Room link contract, "Assignments are leases". A lease holds the grant and the command of the job's
next start: whoever starts it, the API or the room alone, uses these, and the room's journal takes
a grant once. Nobody else gets the job before the room has given the lease back. What becomes of a
job that somebody cancels here while its room is cut off is for the room to tell:

| the room says | the job then is |
|---|---|
| it never starts it now | cancelled |
| it has started it | told to cancel; cancelled or failed when its printer says so |
| it has completed it | completed: the cancel came too late |
| nothing, and somebody cancels by force | cancelled, "its room may have printed it" |
| after that: it had started it | still cancelled; the print is kept and told to cancel |
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from ulid import ULID

from api.clock import Clock
from api.commands.rooms import keep_lone_start
from api.commands.service import Commands
from api.errors import Problem
from api.events.rehearsal import is_rehearsed
from api.events.service import Change, Ledger, with_commit
from api.jobs.attempts import Attempts, Checked
from api.jobs.file_wait import FileWait
from api.jobs.lent import FOLLOWED, LeaseState, OpenHours, away, kept_hours, opens_s, out
from api.jobs.line import Waiting, asks_the_same, waiting_of
from api.jobs.models import Attempt, Job, Lease
from api.jobs.moves import happened, move_job, note
from api.principal import Principal, system
from api.printers.service import Printer, Printers
from api.spelled import Rows
from schemas import leases as link
from schemas.commands import StartArgs
from schemas.facts import AttemptFact, CommandFact
from schemas.jobs import JOB_WAITING, AttemptEvent, AttemptState, JobEvent, JobState

_log = logging.getLogger("gantry.jobs")

#: So long a change of a job waits for its room to give the job back, in seconds.
RECALL_S = 2.0
_LOOK_S = 0.05
_OUT = Rows(Lease, f"bridge_id = $1 AND state = '{LeaseState.OUT}' ORDER BY place")
_WENT_ON = "Its room has gone on without it."
_MAYBE = "Cancel asked; its room may start it by itself until it hears of that."
_FORCED = "Taken back without its room's word: the room may have printed it."
_MOVED = (
    "Its printer left the room that had this job and may have printed it. Look, then release it."
)
_LOST = (
    "Its room has lost its journal, so nobody can say whether it printed this job. Look, then "
    "release it."
)


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a room may start what it has, and after which silence. Hours 0: nothing is lent."""

    hours: float
    silence_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """*job* should be with the room of *printer*, as its *place*-th one, to be started alone in
    *hours* (None: at any time).
    """

    printer: Printer
    job: Waiting
    place: int
    clears_itself: bool
    hours: OpenHours | None = None


class Leases:
    """What is lent to rooms."""

    def __init__(
        self,
        printers: Printers,
        commands: Commands,
        attempts: Attempts,
        file_wait: FileWait,
        *,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._printers = printers
        self._commands = commands
        self._attempts = attempts
        self._file_wait = file_wait
        self._ledger = ledger
        self._clock = clock
        self.terms = Terms(0.0, 0.0)

    # Lending, by the queue.

    async def arrange(
        self, wishes: Sequence[Wish], journals: Mapping[int, str], known: Mapping[int, int | None]
    ) -> bool:
        """Lend what is wished for and ask the rest back, as far as the printers *known* go (those
        whose rooms answer, and these rooms). *journals*: by room. Whether anything is lent then.
        """
        leases = {row.job_id: row for row in await Lease.filter(state=LeaseState.OUT)}
        wished = {wish.job.id: wish for wish in wishes}
        stale = [
            row
            for row in leases.values()
            if row.job_id not in wished and row.recalled_at is None and row.printer_id in known
        ]
        moved = [
            row
            for row in leases.values()
            if known.get(row.printer_id, row.bridge_id) != row.bridge_id
        ]
        worn = [row for row in leases.values() if self._is_worn(row, wished.get(row.job_id))]
        fresh = [
            (wish, checked)
            for wish in wishes
            if wish.job.id not in leases and (checked := await self._check(wish)) is not None
        ]
        if not (stale or worn or fresh or moved):
            return bool(leases)
        async with self._ledger.change() as change:
            told: set[int] = set()
            for wish, checked in fresh:
                told |= await self._lend(wish, checked, journals)
            for row in worn:
                told |= await self._renew(row, wished[row.job_id])
            told |= await self._recall_in(stale)
            await self._give_up(change, moved)
            await self._announce(change, told)
        return True

    def _is_worn(self, row: Lease, wish: Wish | None) -> bool:
        if wish is None or row.recalled_at is not None:
            return False
        half = timedelta(hours=self.terms.hours / 2)
        hours = (row.hours or {}).get("key"), wish.hours and wish.hours.key
        moved = (row.place, row.clears_itself) != (wish.place, wish.clears_itself)
        return moved or hours[0] != hours[1] or row.expires_at - self._clock.now() < half

    async def _check(self, wish: Wish) -> Checked | None:
        job = await Job.filter(id=wish.job.id).first()
        if job is None:
            return None
        try:
            await self._file_wait.check(job)
            return await self._attempts.check(job, Printers.profile(wish.printer))
        except Problem as problem:
            _log.info("job %d is not lent: %s", job.id, problem.detail)
            return None

    async def _lend(self, wish: Wish, checked: Checked, journals: Mapping[int, str]) -> set[int]:
        job = await Job.filter(id=wish.job.id, deleted_at=None).first()
        printer = wish.printer
        if job is None or job.hold or JobState(job.state) not in JOB_WAITING:
            return set()
        if not asks_the_same(waiting_of(job), wish.job):
            return set()  # it was changed since the queue looked
        if await out([job.id]):
            return set()  # another process was quicker
        now = self._clock.now()
        bridge_id, expires_at = printer.bridge_id or 0, now + timedelta(hours=self.terms.hours)
        await Lease.create(
            grant=str(ULID.from_datetime(now)),
            command_id=str(ULID.from_datetime(now)),
            organization_id=job.organization_id,
            bridge_id=bridge_id,
            printer_id=printer.id,
            job_id=job.id,
            place=wish.place,
            clears_itself=wish.clears_itself,
            sha256=checked.sha256,
            size_bytes=checked.size_bytes,
            journal=journals[bridge_id],
            created_at=now,
            expires_at=expires_at,
            hours=kept_hours(wish.hours, now, expires_at),
        )
        return {printer.id}

    async def _renew(self, row: Lease, wish: Wish) -> set[int]:
        now = self._clock.now()
        expires_at = now + timedelta(hours=self.terms.hours)
        changed = await Lease.filter(grant=row.grant, state=LeaseState.OUT).update(
            place=wish.place,
            clears_itself=wish.clears_itself,
            expires_at=expires_at,
            hours=kept_hours(wish.hours, now, expires_at),
        )
        return {row.printer_id} if changed else set()

    async def printer_gone(self, change: Change, printer_id: int) -> None:
        """A printer is deleted: its room is not asked for what it has of it any more."""
        await self._give_up(change, await Lease.filter(printer_id=printer_id, state=LeaseState.OUT))

    async def _give_up(self, change: Change, rows: Collection[Lease]) -> None:
        """Their printers have left their rooms, so no word will come: people look."""
        for row in rows:
            row.state, row.ended_at = LeaseState.ABANDONED, self._clock.now()
            await row.save(update_fields=["state", "ended_at"])
            job = await Job.filter(id=row.job_id, deleted_at=None).first()
            if job is not None and JobState(job.state) in JOB_WAITING:
                job.hold, job.reason = True, _MOVED
                await job.save(update_fields=["hold", "reason"])
                change.record(happened(job, "job.updated"))

    async def _recall_in(self, rows: Collection[Lease]) -> set[int]:
        """Ask these back; the printers whose rooms have to be told."""
        now = self._clock.now()
        for row in rows:
            still = Lease.filter(grant=row.grant, state=LeaseState.OUT, recalled_at=None)
            await still.update(recalled_at=now)
        return {row.printer_id for row in rows}

    async def _announce(self, change: Change, printer_ids: Collection[int]) -> None:
        rows = {row.bridge_id: row for row in await self._rows(printer_ids)}
        for row in rows.values():
            await self._printers.announce(change, row, structure=False, desired=True)

    async def _rows(self, printer_ids: Collection[int]) -> list[Printer]:
        found = [await self._printers.find(each) for each in sorted(printer_ids)]
        return [row for row in found if row is not None]

    # The link.

    async def of_room(self, bridge_id: int) -> link.Lent:
        """What its agent is told of leases."""
        rows = await _OUT.of(bridge_id)
        if not rows:
            return link.NOTHING_LENT
        jobs = {job.id: job for job in await Job.filter(id__in=[row.job_id for row in rows])}
        standing = [row for row in rows if row.recalled_at is None and row.job_id in jobs]
        return link.Lent(
            leases=[self._told(row, jobs[row.job_id]) for row in standing],
            recalled={row.grant: row.printer_id for row in rows if row.recalled_at is not None},
        )

    def _told(self, row: Lease, job: Job) -> link.Lease:
        left_s = (row.expires_at - self._clock.now()).total_seconds()
        return link.Lease(
            grant=row.grant,
            command=row.command_id,
            printer=row.printer_id,
            job=job.id,
            file_name=job.file_name,
            sha256=row.sha256,
            size_bytes=row.size_bytes,
            clears_itself=row.clears_itself,
            left_s=min(max(left_s, 0.0), self.terms.hours * 3600),
            silence_s=self.terms.silence_s,
            opens_s=opens_s(row, self._clock.now()),
        )

    async def went_on(self, change: Change, bridge_id: int, fact: CommandFact) -> None:
        """Its room has made a start by itself, before it tells anything else of it."""
        if fact.code != link.ALONE:
            return
        row = await Lease.filter(command_id=fact.id, bridge_id=bridge_id).first()
        if row is None or row.alone_turn is not None:
            return
        rows = Lease.filter(printer_id=row.printer_id, alone_turn__isnull=False)
        newest = await rows.order_by("-alone_turn").first()
        row.alone_turn = 1 if newest is None else (newest.alone_turn or 0) + 1
        await rows.update(alone_turn=FOLLOWED)
        if row.state != LeaseState.USED:
            await self._take_over(change, row)
            row.state, row.ended_at = LeaseState.USED, self._clock.now()
        await row.save(update_fields=["alone_turn", "state", "ended_at"])

    async def _take_over(self, change: Change, row: Lease) -> None:
        """The attempt, the command and the states that the API would have made at its own start."""
        printer = await self._printers.locked(change, row.printer_id)
        holder = await Attempt.filter(grant=printer.active_grant).first()
        if holder is not None:
            waits = holder.state == AttemptState.GRANTED
            event = AttemptEvent.NOT_STARTED if waits else AttemptEvent.INTERRUPTED
            await self._attempts.step(change, holder, event, _WENT_ON)
        job = await Job.get(id=row.job_id)
        printer = await self._printers.taken(change, printer.id, row.grant)
        attempt = await self._attempts.of_lease(job, printer, row)
        if JobState(job.state) in JOB_WAITING:
            job.printer_id, job.grant, job.reason = printer.id, row.grant, ""
            await move_job(change, job, JobEvent.GRANT, self._clock.now(), attempt)
        else:
            attempt.cancel_asked_at = attempt.cancel_asked_at or self._clock.now()
        await attempt.save()
        args = StartArgs(
            grant=row.grant,
            job=job.id,
            print=attempt.print_id,
            attempt=attempt.number,
            file_name=job.file_name,
            sha256=row.sha256,
            size_bytes=row.size_bytes,
        )
        await keep_lone_start(
            printer,
            row.bridge_id,
            row.command_id,
            seq=await self._commands.next_seq(change, row.bridge_id),
            args=msgspec.to_builtins(args),
            at=self._clock.now(),
        )
        told = {"printer_id": printer.id, "attempt": attempt.number, "alone": True}
        note(change, system(job.organization_id), "job.dispatched", job, **told)
        change.record(happened(job, "job.started_alone"))

    async def given_back(
        self, change: Change, bridge_id: int, journal: str, fact: AttemptFact
    ) -> bool:
        """Whether *fact* is its room's word that it never starts what it had."""
        if fact.event is not AttemptEvent.NOT_STARTED:
            return False
        row = await Lease.filter(
            grant=fact.grant, bridge_id=bridge_id, state=LeaseState.OUT
        ).first()
        if row is None or row.recalled_at is None:
            return False
        row.state, row.ended_at = LeaseState.RETURNED, self._clock.now()
        await row.save(update_fields=["state", "ended_at"])
        job = await Job.filter(id=row.job_id, deleted_at=None).first()
        if job is None or JobState(job.state) not in JOB_WAITING:
            return True
        if row.journal != journal:
            job.hold, job.reason = True, _LOST
            await job.save(update_fields=["hold", "reason"])
            change.record(happened(job, "job.updated"))
        elif row.cancel_asked_at is not None:
            job.reason = "Cancelled before its room began it."
            await move_job(change, job, JobEvent.CANCELLED, self._clock.now())
        change.wake("scheduler")
        return True

    # People.

    async def bring_home(self, job_ids: Collection[int]) -> None:
        """Before these jobs change: have them back from their rooms.

        Raises `Unavailable` ``job_lent`` when a room does not answer in time; it is asked
        nevertheless.
        """
        rows = await out(job_ids)
        if not rows or is_rehearsed():
            return
        token = with_commit.set(None)  # asking back is not yet what the request wants
        try:
            async with self._ledger.change() as change:
                await self._announce(change, await self._recall_in(rows))
        finally:
            with_commit.reset(token)
        if not await self.settled([row.job_id for row in rows], RECALL_S):
            raise away(rows[0].job_id)

    async def settled(self, job_ids: Collection[int], timeout_s: float) -> bool:
        """Whether the rooms of these jobs have given their word within *timeout_s*."""
        ends = self._clock.monotonic() + timeout_s
        while await out(job_ids):
            if self._clock.monotonic() >= ends:
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    async def cancel(self, change: Change, by: Principal, job: Job, *, force: bool) -> bool:
        """Somebody cancels a waiting job; False when that is for its room to answer.

        *force*: nobody waits for that.
        """
        rows = await out([job.id])
        if not rows:
            return True
        (row,) = rows
        row.cancel_asked_at = self._clock.now()
        row.recalled_at = row.recalled_at or row.cancel_asked_at
        names = ["cancel_asked_at", "recalled_at"]
        if force:
            row.state, row.ended_at = LeaseState.ABANDONED, row.cancel_asked_at
            names += ["state", "ended_at"]
        await row.save(update_fields=names)
        job.reason = _FORCED if force else _MAYBE
        job.updated_at = self._clock.now()
        await job.save(update_fields=["reason", "updated_at"])
        change.record(happened(job, "job.updated", by.user_id))
        await self._announce(change, {row.printer_id})
        return force

"""The queue as people arrange it: order, hold, time, approval, deletion (v1 contract, 2.4, 4.1).

The order is priority (1 first), then position. Everything that takes many jobs does all of it or
nothing, in one transaction, and a refusal names the job that stood in the way.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tortoise.expressions import Q

from api.clock import Clock
from api.errors import Conflict
from api.events.rehearsal import would
from api.events.service import Change, Ledger
from api.jobs.forms import BulkAction, refuse
from api.jobs.lent import check_home
from api.jobs.models import Job
from api.jobs.moves import (
    CHANGEABLE,
    LOCKED,
    check_changeable,
    check_unlocked,
    happened,
    job_row,
    missing,
    move_job,
    note,
    save_changed,
    wrong_state,
)
from api.principal import Principal
from schemas.jobs import JOB_RUNNING, JobEvent, JobState

#: What the audit calls a decision.
DECIDED = {
    JobEvent.APPROVE: "job.approved",
    JobEvent.REJECT: "job.rejected",
    JobEvent.RESUBMIT: "job.resubmitted",
    JobEvent.RESET: "job.reset",
}

_Action = Callable[[Change, Principal, Job, int | None], Awaitable[None]]


class Queue:
    """What people do with jobs that do not print. Callers have checked the right."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._actions: dict[BulkAction, _Action] = {
            BulkAction.CANCEL: self._cancel,
            BulkAction.SET_PRIORITY: self._set_priority,
            BulkAction.DELETE: self._delete,
            BulkAction.HOLD: self._hold,
            BulkAction.UNHOLD: self._unhold,
        }

    # One job.

    async def decide(self, by: Principal, job: Job, event: JobEvent, reason: str = "") -> Job:
        """Approve, reject, resubmit or reset. Raises `Conflict` ``invalid_state_transition``."""
        async with self._ledger.change() as change:
            job = await job_row(job.id)
            await decide_in(change, by, job, event, now=self._clock.now(), reason=reason)
        return job

    async def explain_failure(
        self, by: Principal, job: Job, fail_reason: str, fail_notes: str | None
    ) -> Job:
        """Say why a failed job failed. Raises `Conflict` for one that has not."""
        async with self._ledger.change() as change:
            job = await job_row(job.id)
            if job.state != JobState.FAILED:
                raise wrong_state(job, "only a failed job has a reason for it")
            job.fail_reason, job.fail_notes = fail_reason, fail_notes
            await self._save(change, by, job)
            note(change, by, "job.failure_explained", job, fail_reason=fail_reason)
        return job

    async def delete(self, by: Principal, job: Job) -> None:
        """Take a job out of every list; what it printed stays in the history.

        Raises `Conflict` while a printer has it.
        """
        async with self._ledger.change() as change:
            await check_home([job.id])
            await self._delete(change, by, await job_row(job.id), None)

    # Many jobs.

    async def reorder(self, by: Principal, job_ids: Sequence[int]) -> int:
        """Put waiting jobs into this order, among the places that they have together; how many.

        Within one priority: a more urgent job stays in front. Raises `NotFound` or `Conflict`.
        """
        wanted = [*dict.fromkeys(job_ids)]
        async with self._ledger.change() as change:
            listed = await self._theirs(by, wanted)
            for job in listed.values():
                if JobState(job.state) not in CHANGEABLE:
                    raise wrong_state(job, "only a waiting job has a place in the queue")
                check_unlocked(job)
            for job in await self._places(by, listed):
                await job.save(update_fields=["position"])
            change.note(by, "jobs.reordered", ("job", ""), job_ids=wanted)
            change.wake("scheduler")
            for job in listed.values():
                change.record(happened(job, "job.updated", by.user_id))
        return len(listed)

    async def _places(self, by: Principal, listed: Mapping[int, Job]) -> Sequence[Job]:
        """Give *listed*, in its order, the places that they have together; returns what changed.

        Where jobs share a place (those of a farm from before places did), all get one first.
        """
        waits = Job.filter(
            organization_id=by.organization_id, state__in=tuple(CHANGEABLE), deleted_at=None
        )
        rows = await waits.order_by("priority", "position", "id")
        before = {row.id: row.position for row in rows}
        if len({row.position for row in rows}) < len(rows):
            for position, row in enumerate(rows, start=1):
                row.position = position
        free: dict[int, list[int]] = {}
        for row in rows:
            if row.id in listed:
                free.setdefault(row.priority, []).append(row.position)
        by_id = {row.id: row for row in rows}
        for job_id in listed:
            by_id[job_id].position = free[by_id[job_id].priority].pop(0)
        return [row for row in rows if row.position != before[row.id]]

    async def bulk(
        self, by: Principal, job_ids: Sequence[int], action: BulkAction, priority: int | None
    ) -> int:
        """Do *action* to all of these jobs, or to none; how many. Raises `NotFound`, `Conflict`
        (a job that it does not go with) or `Invalid` (no *priority* to set).
        """
        if action is BulkAction.SET_PRIORITY and priority is None:
            raise refuse("priority", "set_priority needs one")
        async with self._ledger.change() as change:
            jobs = await self._theirs(by, [*dict.fromkeys(job_ids)])
            if action in (BulkAction.CANCEL, BulkAction.DELETE, BulkAction.HOLD):
                await check_home(jobs)
            for job in jobs.values():
                await self._actions[action](change, by, job, priority)
            would(f"{action}_jobs", job_ids=[*jobs], priority=priority)
        return len(jobs)

    async def theirs(self, by: Principal, job_ids: Sequence[int]) -> Sequence[int]:
        """These jobs, once each. Raises `NotFound` for the first that is not the caller's."""
        return [*await self._theirs(by, [*dict.fromkeys(job_ids)])]

    async def _theirs(self, by: Principal, job_ids: Sequence[int]) -> dict[int, Job]:
        """These jobs in this order. Raises `NotFound` for the first that is not the caller's."""
        rows = Job.filter(organization_id=by.organization_id, id__in=job_ids, deleted_at=None)
        if by.printer_id is not None:
            rows = rows.filter(printer_id=by.printer_id)
        found = {job.id: job for job in await rows}
        for job_id in job_ids:
            if job_id not in found:
                raise missing(job_id)
        return {job_id: found[job_id] for job_id in job_ids}

    async def _cancel(
        self, change: Change, by: Principal, job: Job, priority: int | None = None
    ) -> None:
        if JobState(job.state) in JOB_RUNNING:
            raise wrong_state(job, "a print is cancelled one by one, so that its printer answers")
        await move_job(change, job, JobEvent.CANCELLED, self._clock.now())
        note(change, by, "job.cancelled", job)

    async def _set_priority(
        self, change: Change, by: Principal, job: Job, priority: int | None
    ) -> None:
        check_changeable(job)
        check_unlocked(job)
        job.priority = priority if priority is not None else job.priority
        await self._save(change, by, job)
        note(change, by, "job.updated", job, fields=["priority"])

    async def _delete(
        self, change: Change, by: Principal, job: Job, priority: int | None = None
    ) -> None:
        if JobState(job.state) in JOB_RUNNING:
            raise wrong_state(job, "cancel it first")
        job.deleted_at = job.updated_at = self._clock.now()
        await job.save(update_fields=["deleted_at", "updated_at"])
        change.record(happened(job, "job.deleted", by.user_id))
        note(change, by, "job.deleted", job, status=job.state)

    async def _hold(
        self, change: Change, by: Principal, job: Job, priority: int | None = None
    ) -> None:
        await self._set_hold(change, by, job, held=True)

    async def _unhold(
        self, change: Change, by: Principal, job: Job, priority: int | None = None
    ) -> None:
        await self._set_hold(change, by, job, held=False)

    async def _set_hold(self, change: Change, by: Principal, job: Job, *, held: bool) -> None:
        check_changeable(job)
        job.hold = held
        await self._save(change, by, job)
        note(change, by, "job.held" if held else "job.released", job)

    # The farm itself.

    async def mark(self, job: Job, event: JobEvent, reason: str = "") -> None:
        """The queue marks, unmarks or fails a waiting job; one that moved on meanwhile is left."""
        async with self._ledger.change() as change:
            row = await Job.filter(id=job.id, deleted_at=None).first()
            if row is not None and row.state == job.state and row.grant == job.grant:
                row.reason = reason[:300]
                await move_job(change, row, event, self._clock.now())
                job.state = row.state

    async def printer_gone(self, change: Change, printer_id: int) -> None:
        """The jobs that wait for a printer that is deleted may go to any other; those that somebody
        locked there wait for a person.
        """
        waits = Q(state__in=tuple(CHANGEABLE), printer_id=printer_id, deleted_at=None)
        for job in await Job.filter(waits):
            job.printer_id, job.pinned = None, False
            job.hold = job.hold or bool(job.details.get(LOCKED))
            if job.state == JobState.WAITING_PLATE_CLEAR:
                job.state = JobState.PENDING
            await self._unassigned(change, job)

    async def pool_gone(self, change: Change, pool_id: int) -> None:
        """The jobs that wait for a pool that is deleted wait for a person instead."""
        waits = Q(state__in=tuple(CHANGEABLE), pool_id=pool_id, deleted_at=None)
        for job in await Job.filter(waits):
            job.pool_id, job.hold = None, True
            await self._unassigned(change, job)

    async def _unassigned(self, change: Change, job: Job) -> None:
        job.updated_at = self._clock.now()
        await job.save()
        change.record(happened(job, "job.unassigned"))

    async def _save(self, change: Change, by: Principal, job: Job) -> None:
        await save_changed(change, by, job, self._clock.now())


async def decide_in(
    change: Change, by: Principal, job: Job, event: JobEvent, *, now: datetime, reason: str = ""
) -> None:
    """`Queue.decide` inside the caller's transaction, of which *job* is a row."""
    if event is JobEvent.RESUBMIT and job.created_by != by.user_id:
        raise Conflict("Only who submitted a job can submit it again.", job_id=job.id)
    job.reason = reason[:300] if event is JobEvent.REJECT else ""
    if event is JobEvent.RESET:
        job.actual_start = job.actual_end = job.fail_reason = job.fail_notes = None
        job.details = {name: said for name, said in job.details.items() if name != LOCKED}
    before = job.state
    await move_job(change, job, event, now)
    would(f"{event}_job", **_decided(by, job, event, before), reason=reason or None)
    note(change, by, DECIDED[event], job, reason=reason)


#: Who decided, as a dry run calls it (v1 contract, 1.7).
_DECIDER = {JobEvent.APPROVE: "approver_id", JobEvent.REJECT: "rejector_id"}


def _decided(by: Principal, job: Job, event: JobEvent, before: str) -> dict[str, Any]:
    """What a decision about *job* does, as a dry run shows it."""
    facts = {
        "job_id": job.id,
        "item_name": job.item_name,
        "from_status": before,
        "to_status": job.state,
    }
    if event in _DECIDER:
        facts[_DECIDER[event]] = by.user_id
        facts["would_notify_submitter"] = job.created_by is not None
    return facts

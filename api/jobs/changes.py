"""What people change of one waiting job: what it asks for, its place, its time (v1 2.4).

A change and a decision about the job (approve, resubmit, reset) that come together are one
transaction.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.clock import Clock
from api.errors import Conflict
from api.events.service import Ledger
from api.jobs.attempts import Attempts
from api.jobs.forms import NewJob, refuse
from api.jobs.intake import Intake
from api.jobs.lent import check_home
from api.jobs.models import Job
from api.jobs.moves import LOCKED, check_changeable, check_unlocked, job_row, note, save_changed
from api.jobs.queue import decide_in
from api.jobs.times import LONGEST_H, planned_end
from api.pools.service import Pools
from api.principal import Principal
from api.printers.service import Printers
from schemas.jobs import JOB_WAITING, JobEvent, JobState

#: What people may change while a job waits.
SETTABLE = frozenset(
    {
        "item_name",
        "quantity",
        "priority",
        "notes",
        "hold",
        "due_date",
        "scheduled_start",
        "duration_hours",
        "colors_required",
        "filament_type",
    }
)
#: Changes of a job for which it must not be with the room of its printer.
MOVING = frozenset({"printer_id", "pool_id", "model_id", "hold", "scheduled_start"})
#: What a lock keeps as it is.
_PLACED = frozenset({"printer_id", "pool_id", "priority", "scheduled_start", "scheduled_end"})
_SAME_END_H = 1 / 60


class Changes:
    """Changes of single jobs. Callers have checked the right."""

    def __init__(
        self,
        printers: Printers,
        pools: Pools,
        attempts: Attempts,
        intake: Intake,
        *,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._printers = printers
        self._pools = pools
        self._attempts = attempts
        self._intake = intake
        self._ledger = ledger
        self._clock = clock

    async def update(
        self, by: Principal, job: Job, values: Mapping[str, Any], decision: JobEvent | None = None
    ) -> Job:
        """Change a job that waits, or does so after *decision*. ``printer_id`` pins it and
        ``pool_id`` gives it to a pool, the one instead of the other; None lets the queue choose.
        ``model_id``: print its newest file. ``is_locked``: its place and time stay as they are.

        Raises `NotFound` (printer, pool, model), `Invalid` (a field, the preflight) or `Conflict`.
        """
        file = await self._other_file(by, values)
        place = _place(by, values)
        await self._check_place(by, job, file, place)
        async with self._ledger.change() as change:
            job = await job_row(job.id)
            if decision is not None:
                await decide_in(change, by, job, decision, now=self._clock.now())
            check_changeable(job)
            if values.keys() & MOVING:
                await check_home([job.id])
            columns = _columns(job, values)
            job.update_from_dict(columns | file | place)
            if job.state == JobState.WAITING_PLATE_CLEAR and place:
                job.state = JobState.PENDING
            await self._intake.put_cost(job)
            await save_changed(change, by, job, self._clock.now())
            note(change, by, "job.updated", job, fields=sorted(values))
        return job

    async def _other_file(self, by: Principal, values: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of the file of another model, if one is asked for."""
        if values.get("model_id") is None:
            return {}
        wanted = NewJob(item_name="", model_id=values["model_id"])
        new = await self._intake.with_file(by, wanted)
        names = ("model_id", "print_file_id", "blob_id", "file_name", "file_path")
        return {name: getattr(new, name) for name in names}

    async def _check_place(
        self, by: Principal, job: Job, file: Mapping[str, Any], place: Mapping[str, Any]
    ) -> None:
        """The file that it will have is fit for where it will go."""
        there = Job(
            item_name=job.item_name,
            organization_id=job.organization_id,
            blob_id=file.get("blob_id", job.blob_id),
        )
        printer_id = place.get("printer_id", job.printer_id if job.pinned else None)
        pool_id = place.get("pool_id", job.pool_id)
        if printer_id is not None:
            printer = await self._printers.get(by, printer_id)
            if there.blob_id is not None:
                await self._attempts.check(there, Printers.profile(printer))
        elif pool_id is not None:
            await self._intake.check_pool(by, there, await self._pools.get(by, pool_id))

    async def move(self, by: Principal, job: Job, printer_id: int, start: datetime) -> Job:
        """Pin a waiting job to a printer, not before *start*. Raises as `update`, and `Conflict`
        when another job of that printer is planned for the same time.
        """
        end = planned_end(start, job)
        planned = Job.filter(
            printer_id=printer_id, pinned=True, state__in=tuple(JOB_WAITING), deleted_at=None
        )
        for other in await planned.filter(scheduled_start__lt=end).exclude(id=job.id):
            if (
                other.scheduled_start is not None
                and planned_end(other.scheduled_start, other) > start
            ):
                raise Conflict(
                    f"Job {other.id} ({other.item_name}) is planned there for that time.",
                    code="invalid_state_transition",
                    job_id=other.id,
                )
        return await self.update(by, job, {"printer_id": printer_id, "scheduled_start": start})


def _columns(job: Job, values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of what *values* say of *job*, but for its place. Raises `Invalid`, `Conflict`.

    What unlocks a job may move it at the same time.
    """
    locked = values.get("is_locked")
    if locked is not False and values.keys() & _PLACED:
        check_unlocked(job)
    columns = {name: value for name, value in values.items() if name in SETTABLE}
    if values.get("scheduled_end") is not None:
        columns["duration_hours"] = _hours_until(job, values)
    if locked is not None:
        columns["details"] = {**job.details, LOCKED: locked}
    return columns


def _hours_until(job: Job, values: Mapping[str, Any]) -> float:
    """How long one print takes when all of them end at ``scheduled_end``. Raises `Invalid`."""
    start: datetime | None = values.get("scheduled_start", job.scheduled_start)
    if start is None:
        raise refuse("scheduled_end", "a job without a scheduled_start has no end")
    hours = (values["scheduled_end"] - start).total_seconds() / 3600
    if not 0 < hours <= LONGEST_H:
        raise refuse("scheduled_end", "after scheduled_start, by a year at most")
    each: float = hours / int(values.get("quantity", job.quantity))
    said = values.get("duration_hours")
    if said is not None and abs(said - each) > _SAME_END_H:
        raise refuse("scheduled_end", f"with duration_hours {said:g} it ends at another time")
    return each


def _place(by: Principal, values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of where *values* send a job; empty when they do not say."""
    if values.get("printer_id") is not None and values.get("pool_id") is not None:
        raise refuse("pool_id", "a job has a printer or a pool, not both")
    if "printer_id" not in values and "pool_id" not in values:
        return {}
    if values.get("pool_id") is not None:
        return {"printer_id": None, "pinned": False, "pool_id": values["pool_id"]}
    printer_id = values.get("printer_id") or by.printer_id
    place = {"printer_id": printer_id, "pinned": printer_id is not None}
    if printer_id is not None or "pool_id" in values:
        place["pool_id"] = None
    return place

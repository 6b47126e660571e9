"""How jobs come into being: one, many at once, on many printers, once more (v1 contract, 2.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from api.clock import Clock, iso
from api.errors import Conflict, Invalid, NotFound, Problem
from api.events.rehearsal import would
from api.events.service import Change, Ledger
from api.jobs.attempts import Attempts
from api.jobs.costs import Costs
from api.jobs.file_use import FileUse
from api.jobs.forms import NewJob, refuse, within_reach
from api.jobs.models import Job
from api.jobs.moves import happened, note
from api.pools.service import Pool, Pools
from api.principal import Principal
from api.printers.service import Printers
from schemas.jobs import JOB_WAITING, JobState

#: Of a job's details what also goes for the same job again; what it was made for does not.
_REPEATED = ("required_tags", "target_type", "target_filter", "model_revision_id")


class SlicedFile(Protocol):
    """What jobs need of a print file."""

    id: Any
    model_id: Any
    blob_id: Any
    original_filename: Any


class NamedModel(Protocol):
    """What jobs need of a model. *build_time_hours* None: nobody has said."""

    name: Any
    build_time_hours: Any


class LibraryRoom(Protocol):
    """What jobs need of the library."""

    async def get_model(self, by: Principal, model_id: int) -> NamedModel:
        """One model. Raises `NotFound`."""

    async def get_file(self, by: Principal, file_id: int) -> SlicedFile:
        """One print file. Raises `NotFound`."""

    def ask_jobs(self, jobs: FileUse) -> None:
        """From now on *jobs* says which files are in use."""

    async def newest_file(self, by: Principal, model_id: int) -> SlicedFile | None:
        """The newest print file of a model, None without one. Raises `NotFound` (the model)."""


class Intake:
    """Makes jobs. Files are looked up and checked first, then all rows are written at once."""

    def __init__(
        self,
        printers: Printers,
        pools: Pools,
        attempts: Attempts,
        library: LibraryRoom,
        *,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._printers = printers
        self._pools = pools
        self._attempts = attempts
        self._library = library
        self._ledger = ledger
        self._clock = clock
        self._costs: Costs | None = None

    def price_with(self, costs: Costs) -> None:
        """From now on *costs* says what jobs cost; nobody does without."""
        self._costs = costs

    async def acting(self, by: Principal, printer_id: int | None, pool_id: int | None) -> Principal:
        """*by* with what was granted at the printer, or at all of the pool, that a job is for."""
        if not by.grants or (printer_id is None and pool_id is None):
            return by
        if printer_id is not None:
            return by.at(printer_id)
        pool = await self._pools.get(by, pool_id or 0)
        return by.at_all([row.id for row in await self._pools.printers_of(by, pool)])

    async def create(self, by: Principal, new: NewJob, **noted: Any) -> Job:
        """One job; the caller has checked the right. *noted* goes to the audit entry.

        Raises `NotFound` (printer, pool, file, model) or `Invalid` (the preflight).
        """
        job = await self._prepared(by, new)
        would("queue_job", **_planned(job))
        await self._write(by, [job], noted)
        return job

    async def create_many(self, by: Principal, wanted: Sequence[NewJob]) -> Sequence[Job]:
        """All of them or none: a refusal names the first one that cannot be made (``index``, from
        0). Raises as `create`.
        """
        ready = []
        for index, new in enumerate(wanted):
            try:
                ready.append(await self._prepared(by, new))
            except (Invalid, NotFound, Conflict) as refused:
                raise _of_item(refused, index) from None
        would("queue_jobs", jobs=[_planned(job) for job in ready])
        return await self._write(by, ready, {})

    async def schedule(self, by: Principal, new: NewJob, printer_id: int | None) -> Job:
        """A job named after its file; after its model while that has none. Raises as `create`."""
        new = await self.with_file(by, new)
        name = new.file_name.rpartition(".")[0] or new.file_name
        if new.blob_id is None and new.model_id is not None:
            model = await self._library.get_model(replace(by, scopes=frozenset()), new.model_id)
            name, new = model.name, replace(new, duration_hours=model.build_time_hours)
        return await self.create(by, replace(new, item_name=name[:200], printer_id=printer_id))

    async def again(self, by: Principal, old: Job) -> Job:
        """A new job with the settings of *old*."""
        new = NewJob(
            item_name=old.item_name,
            printer_id=old.printer_id if old.pinned else None,
            pool_id=old.pool_id,
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
            details={k: v for k, v in old.details.items() if k in _REPEATED},
            source=old.source,
        )
        return await self.create(by, new, repeats=old.id)

    async def with_file(self, by: Principal, new: NewJob) -> NewJob:
        """*new* with the file that it names: its own, a revision of its model, or the newest of it.
        Raises `NotFound`.

        Who may make jobs may name any file of the organization, whatever their token may read.
        """
        by = replace(by, scopes=frozenset())
        if new.blob_id is not None:
            return new
        found: SlicedFile | None = None
        file_id = new.print_file_id or new.details.get("model_revision_id")
        if file_id is not None:
            found = await self._library.get_file(by, file_id)
            if new.print_file_id is None and new.model_id not in (None, found.model_id):
                raise NotFound(
                    f"Model {new.model_id} has no revision {file_id}.", code="file_not_found"
                )
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

    async def _prepared(self, by: Principal, new: NewJob) -> Job:
        """The row of *new*, checked against its printer or against the printers of its pool."""
        if new.pool_id is not None and new.printer_id is not None:
            raise refuse("pool_id", "a job has a printer or a pool, not both")
        pool = None if new.pool_id is None else await self._pools.get(by, new.pool_id)
        job = self._row(by, within_reach(await self.with_file(by, new), by))
        if job.printer_id is not None:
            printer = await self._printers.get(by, job.printer_id)
            if job.blob_id is not None:
                await self._attempts.check(job, Printers.profile(printer))
        elif pool is not None:
            await self.check_pool(by, job, pool)
        await self.put_cost(job)
        return job

    async def put_cost(self, job: Job) -> None:
        """Set what *job* costs, where somebody knows."""
        if self._costs is not None:
            await self._costs.put(job)

    async def check_pool(self, by: Principal, job: Job, pool: Pool) -> None:
        """Some printer of *pool* may print the file. Raises `Invalid`: what the last one says
        against it, when all refuse. A pool without printers takes everything; it waits.
        """
        if job.blob_id is None:
            return
        refusal: Invalid | None = None
        for printer in await self._pools.printers_of(by, pool):
            try:
                await self._attempts.check(job, Printers.profile(printer))
            except Invalid as refused:
                refusal = refused
            else:
                return
        if refusal is not None:
            raise refusal

    def _row(self, by: Principal, new: NewJob) -> Job:
        now = self._clock.now()
        return Job(
            organization_id=by.organization_id,
            item_name=new.item_name,
            state=JobState.SUBMITTED if new.submitted else JobState.PENDING,
            printer_id=new.printer_id,
            pinned=new.printer_id is not None,
            pool_id=new.pool_id,
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
            scheduled_start=new.scheduled_start,
            details=dict(new.details),
            source=new.source,
            created_by=by.user_id,
            created_at=now,
            updated_at=now,
        )

    async def _write(
        self, by: Principal, jobs: Sequence[Job], noted: Mapping[str, Any]
    ) -> Sequence[Job]:
        async with self._ledger.change() as change:
            position = await _last_position(by.organization_id)
            for job in jobs:
                await self._still_there(change, by, job)
                job.position = position = position + 1
                await job.save()
                change.record(happened(job, "job.created", by.user_id))
                note(change, by, "job.created", job, status=job.state, **noted)
            change.wake("scheduler")
        return jobs

    async def _still_there(self, change: Change, by: Principal, job: Job) -> None:
        if job.printer_id is not None:
            await self._printers.locked(change, job.printer_id)
        elif job.pool_id is not None:
            await self._pools.get(by, job.pool_id)


def _planned(job: Job) -> dict[str, Any]:
    """A job that is not there yet, as a dry run shows it (v1 contract, 1.7)."""
    details: Mapping[str, Any] = job.details
    return {
        "item_name": job.item_name,
        "model_id": job.model_id,
        "model_revision_id": details.get("model_revision_id"),
        "print_file_id": job.print_file_id,
        "printer_id": job.printer_id,
        "pool_id": job.pool_id,
        "quantity": job.quantity,
        "priority": job.priority,
        "duration_hours": job.duration_hours,
        "effective_filament_type": job.filament_type,
        "effective_colors": job.colors_required,
        "initial_status": job.state,
        "requires_approval": job.state == JobState.SUBMITTED,
        "estimated_cost": job.estimated_cost,
        "suggested_price": job.suggested_price,
        "target_type": details.get("target_type", "specific"),
        "due_date": iso(job.due_date),
    }


async def _last_position(organization_id: int) -> int:
    """Of the queue's end: whoever comes later stands behind everybody of the same priority."""
    states = (*JOB_WAITING, JobState.SUBMITTED)
    waits = Job.filter(organization_id=organization_id, state__in=states, deleted_at=None)
    last = await waits.order_by("-position").first()
    return last.position if last is not None else 0


def _of_item(refused: Problem, index: int) -> Problem:
    extra = {**refused.extra, "index": index}
    return type(refused)(f"jobs[{index}]: {refused.detail}", code=refused.code, **extra)

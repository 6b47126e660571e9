"""The queue as people arrange it: pools, order, many at once, hold, time, deletion."""

from dataclasses import replace
from datetime import timedelta

import pytest

from api.errors import Conflict, Forbidden, Invalid, NotFound
from api.events.models import AuditEntry
from api.jobs.forms import BulkAction, JobFilter, NewJob
from api.jobs.models import Job
from api.pools.models import Pool
from api.pools.service import NewPool
from api.principal import Role
from api.printers.models import Printer
from schemas.jobs import AttemptEvent, JobEvent
from schemas.printer import PrinterState
from tests.fakes.farm import Farm

E = AttemptEvent


async def new(farm: Farm, **fields: object) -> NewJob:
    blob = await farm.blob()
    return NewJob(item_name="Cube", blob_id=blob.id, file_name="cube.gcode", **fields)  # type: ignore[arg-type]


async def pool_of(farm: Farm, *printers: Printer, **more: object) -> Pool:
    wanted = NewPool(name="Pool", printer_ids=[row.id for row in printers], **more)  # type: ignore[arg-type]
    return await farm.pools.create(farm.admin, wanted)


async def order(farm: Farm) -> list[int]:
    rows, _ = await farm.jobs.list(farm.admin, JobFilter(), 0, 100)
    return [job.id for job in rows]


async def test_a_pools_job_goes_to_its_first_free_printer(farm: Farm) -> None:
    """Never to a printer beside the pool, however free; to the second when the first is busy."""
    one, two = await farm.printer("One", "virtual:one"), await farm.printer("Two", "virtual:two")
    await farm.printer("Other", "usb:1")
    pool = await pool_of(farm, one, two)
    first = await farm.jobs.queue_on_pool(farm.admin, pool, await new(farm))
    second = await farm.jobs.queue_on_pool(farm.admin, pool, await new(farm))
    third = await farm.jobs.queue_on_pool(farm.admin, pool, await new(farm))
    assert await farm.scheduler.step() == 2
    assert [(await farm.job_now(job)).printer_id for job in (first, second, third)] == [
        one.id,
        two.id,
        None,
    ]
    await farm.run(two, E.STARTED, E.COMPLETED)
    assert await farm.scheduler.step() == 1
    assert (await farm.job_now(third)).printer_id == two.id


async def test_a_pools_job_waits_for_a_clear_plate(farm: Farm) -> None:
    """M15: neither an occupied plate nor a held queue nor a printer that is off gets it."""
    one, two = await farm.printer("One", "usb:1"), await farm.printer("Two", "usb:2")
    job = await farm.jobs.queue_on_pool(farm.admin, await pool_of(farm, one, two), await new(farm))
    assert await farm.scheduler.step() == 0
    await farm.printers.plate_cleared(farm.admin, one.id)
    await farm.printers.hold_queue(farm.admin, one.id)
    assert await farm.scheduler.step() == 0
    await farm.printers.plate_cleared(farm.admin, two.id)
    await farm.report(two.id, PrinterState.OFFLINE)
    assert await farm.scheduler.step() == 0
    await farm.report(two.id, PrinterState.OPERATIONAL)
    assert await farm.scheduler.step() == 1
    assert (await farm.job_now(job)).printer_id == two.id


async def test_a_file_that_no_printer_of_the_pool_may_print_is_refused(farm: Farm) -> None:
    """M19: too hot for all of them; fit for one is enough, and that one gets it."""
    one, two = await farm.printer("One", "virtual:one"), await farm.printer("Two", "virtual:two")
    pool = await pool_of(farm, one, two)
    hot = await farm.blob(max_nozzle_c=290.0)
    wanted = replace(await new(farm), blob_id=hot.id)
    with pytest.raises(Invalid) as refused:
        await farm.jobs.queue_on_pool(farm.admin, pool, wanted)
    assert refused.value.code == "limit_exceeded"
    await farm.printers.update(farm.admin, two.id, {"profile": {"max_nozzle_c": 300.0}})
    job = await farm.jobs.queue_on_pool(farm.admin, pool, wanted)
    assert await farm.scheduler.step() == 1
    assert (await farm.job_now(job)).printer_id == two.id


async def test_whoever_may_only_upload_asks_the_pool_for_approval(farm: Farm) -> None:
    """DESIGN 5: an upload-only key's print becomes a job that waits for approval."""
    pool = await pool_of(farm, await farm.printer())
    uploader = replace(farm.admin, scopes=frozenset({"write:models"}))
    job = await farm.jobs.queue_on_pool(uploader, pool, await new(farm))
    assert job.state == "submitted"
    assert await farm.scheduler.step() == 0
    await farm.jobs.step(farm.admin, job.id, JobEvent.APPROVE)
    assert await farm.scheduler.step() == 1
    reader = replace(farm.admin, role=Role.VIEWER, scopes=frozenset({"read"}))
    with pytest.raises(Forbidden):
        await farm.jobs.queue_on_pool(reader, pool, await new(farm))


async def test_jobs_of_a_deleted_pool_wait_for_a_person(farm: Farm) -> None:
    """They do not wander to whichever printer is free."""
    printer = await farm.printer()
    pool = await pool_of(farm, printer)
    job = await farm.jobs.queue_on_pool(farm.admin, pool, await new(farm))
    await farm.pools.delete(farm.admin, pool.id)
    job = await farm.job_now(job)
    assert (job.pool_id, job.hold, await farm.scheduler.step()) == (None, True, 0)


async def test_a_job_has_a_printer_or_a_pool(farm: Farm) -> None:
    """Not both; PATCH changes from one to the other, and null leaves it to the queue."""
    printer = await farm.printer()
    pool = await pool_of(farm, printer)
    with pytest.raises(Invalid):
        await farm.jobs.create(farm.admin, await new(farm, printer_id=printer.id, pool_id=pool.id))
    with pytest.raises(NotFound):
        await farm.jobs.create(farm.admin, await new(farm, pool_id=99))
    job = await farm.jobs.create(farm.admin, await new(farm, printer_id=printer.id))
    job = await farm.jobs.update(farm.admin, job.id, {"pool_id": pool.id})
    assert (job.printer_id, job.pinned, job.pool_id) == (None, False, pool.id)
    job = await farm.jobs.update(farm.admin, job.id, {"printer_id": printer.id})
    assert (job.printer_id, job.pinned, job.pool_id) == (printer.id, True, None)
    job = await farm.jobs.update(farm.admin, job.id, {"printer_id": None})
    assert (job.printer_id, job.pinned, job.pool_id) == (None, False, None)


async def test_many_are_made_together_or_not_at_all(farm: Farm) -> None:
    """A refusal names the one that stood in the way (v1 2.4, /jobs/bulk)."""
    wanted = [await new(farm), await new(farm), await new(farm, printer_id=77), await new(farm)]
    with pytest.raises(NotFound) as refused:
        await farm.jobs.create_many(farm.admin, wanted)
    assert refused.value.extra["index"] == 2
    assert refused.value.detail.startswith("jobs[2]: ")
    assert await Job.all().count() == 0
    made = await farm.jobs.create_many(farm.admin, [*wanted[:2], wanted[3]])
    assert await order(farm) == [job.id for job in made]


async def test_the_order_of_waiting_jobs_is_changed(farm: Farm) -> None:
    """They change places among themselves; priorities stay in front; later ones come behind."""
    ids = [(await farm.jobs.create(farm.admin, await new(farm))).id for _ in range(4)]
    urgent = (await farm.jobs.create(farm.admin, await new(farm, priority=1))).id
    assert await farm.jobs.reorder(farm.admin, [ids[3], ids[0]]) == 2
    assert await order(farm) == [urgent, ids[3], ids[1], ids[2], ids[0]]
    last = (await farm.jobs.create(farm.admin, await new(farm))).id
    await farm.jobs.reorder(farm.admin, [last, ids[3]])
    assert await order(farm) == [urgent, last, ids[1], ids[2], ids[0], ids[3]]
    with pytest.raises(NotFound):
        await farm.jobs.reorder(farm.admin, [ids[1], 99])
    await farm.jobs.cancel(farm.admin, ids[1])
    with pytest.raises(Conflict):
        await farm.jobs.reorder(farm.admin, [ids[1], ids[2]])


async def test_bulk_changes_are_all_or_nothing(farm: Farm) -> None:
    """One that does not go along leaves the others as they were (v1 2.4, /jobs/bulk-update)."""
    printer = await farm.printer()
    ids = [(await farm.jobs.create(farm.admin, await new(farm))).id for _ in range(3)]
    running = await farm.job(printer)
    await farm.jobs.start_explicit(farm.admin, running)
    for action in BulkAction:
        with pytest.raises(Conflict) as refused:
            await farm.jobs.bulk(farm.admin, [*ids, running.id], action, 1)
        assert refused.value.extra["job_id"] == running.id
    with pytest.raises(Invalid):
        await farm.jobs.bulk(farm.admin, ids, BulkAction.SET_PRIORITY, None)
    with pytest.raises(NotFound):
        await farm.jobs.bulk(farm.admin, [*ids, 99], BulkAction.DELETE, None)
    assert {job.state for job in await Job.filter(id__in=ids)} == {"pending"}
    assert await farm.jobs.bulk(farm.admin, [*ids, ids[0]], BulkAction.SET_PRIORITY, 7) == 3
    assert await farm.jobs.bulk(farm.admin, ids, BulkAction.HOLD, None) == 3
    assert {(job.hold, job.priority) for job in await Job.filter(id__in=ids)} == {(True, 7)}
    await farm.jobs.bulk(farm.admin, ids, BulkAction.UNHOLD, None)
    await farm.jobs.bulk(farm.admin, ids[:1], BulkAction.CANCEL, None)
    await farm.jobs.bulk(farm.admin, ids, BulkAction.DELETE, None)
    assert await order(farm) == [running.id]


async def test_a_deleted_job_is_nowhere_but_in_the_history(farm: Farm) -> None:
    """Not listed, not found, not started; a job that prints cannot be deleted."""
    printer = await farm.printer()
    job = await farm.job(printer)
    await farm.jobs.start_explicit(farm.admin, job)
    with pytest.raises(Conflict):
        await farm.jobs.delete(farm.admin, job.id)
    await farm.run(printer, E.STARTED, E.COMPLETED)
    await farm.jobs.delete(farm.admin, job.id)
    waiting = await farm.job(printer)
    await farm.jobs.delete(farm.admin, waiting.id)
    assert await farm.scheduler.step() == 0
    for gone in (job.id, waiting.id):
        with pytest.raises(NotFound):
            await farm.jobs.get(farm.admin, gone)
    assert (await Job.get(id=job.id)).actual_end is not None
    entries = AuditEntry.filter(entity_type="job", entity_id=str(job.id))
    noted = [row.action for row in await entries.order_by("id")]
    assert noted == ["job.created", "job.dispatched", "job.deleted"]


async def test_a_planned_job_waits_for_its_time(farm: Farm) -> None:
    """Moved to a printer and a time: not started before, and not beside another one there."""
    printer = await farm.printer()
    job = await farm.job(None, duration_hours=2.0)
    start = farm.clock.now() + timedelta(hours=1)
    job = await farm.jobs.move(farm.admin, job.id, printer.id, start)
    assert (job.printer_id, job.pinned, job.scheduled_start) == (printer.id, True, start)
    other = await farm.job(None)
    with pytest.raises(Conflict) as refused:
        await farm.jobs.move(farm.admin, other.id, printer.id, start + timedelta(minutes=90))
    assert refused.value.extra["job_id"] == job.id
    await farm.jobs.move(farm.admin, other.id, printer.id, start + timedelta(hours=2))
    assert await farm.scheduler.step() == 0
    farm.clock.advance(3600)
    assert await farm.scheduler.step() == 1
    assert (await farm.job_now(job)).state == "scheduled"


async def test_why_a_job_failed_is_kept(farm: Farm) -> None:
    """Only for a failed job; a reset forgets it."""
    printer = await farm.printer()
    job = await farm.job(printer)
    with pytest.raises(Conflict):
        await farm.jobs.explain_failure(farm.admin, job.id, "clog", None)
    await farm.jobs.start_explicit(farm.admin, job)
    await farm.run(printer, E.STARTED, E.FAILED)
    job = await farm.jobs.explain_failure(farm.admin, job.id, "clog", "again")
    assert (job.fail_reason, job.fail_notes) == ("clog", "again")
    job = await farm.jobs.step(farm.admin, job.id, JobEvent.RESET)
    assert (job.fail_reason, job.fail_notes) == (None, None)


# A state that somebody wishes for (PATCH with status), a lock, an end.


@pytest.mark.parametrize(
    ("start", "wanted", "becomes"),
    [
        ("submitted", "pending", "pending"),
        ("submitted", "cancelled", "cancelled"),
        ("pending", "pending", "pending"),
        ("pending", "cancelled", "cancelled"),
        ("cancelled", "pending", "pending"),
        ("failed", "pending", "pending"),
        ("rejected", "submitted", "submitted"),
    ],
)
async def test_people_bring_a_job_where_the_life_cycle_lets_them(
    farm: Farm, start: str, wanted: str, becomes: str
) -> None:
    """v1 4.1: the step that leads there is taken, and other fields are changed with it."""
    job = await farm.job(await farm.printer())
    await Job.filter(id=job.id).update(state=start)
    await farm.jobs.update(farm.admin, job.id, {"status": wanted})
    assert (await farm.job_now(job)).state == becomes


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        *(("pending", "scheduled"), ("pending", "paused"), ("pending", "completed")),
        *(("completed", "pending"), ("completed", "failed"), ("cancelled", "completed")),
        *(("printing", "paused"), ("paused", "printing"), ("submitted", "printing")),
        *(("submitted", "rejected"), ("printing", "pending"), ("rejected", "pending")),
    ],
)
async def test_what_the_life_cycle_does_not_have_is_refused_and_changes_nothing(
    farm: Farm, start: str, wanted: str
) -> None:
    """400 invalid_state_transition (v1 2.4, ours), whatever else was sent along."""
    job = await farm.job()
    await Job.filter(id=job.id).update(state=start)
    with pytest.raises(Conflict) as refused:
        await farm.jobs.update(farm.admin, job.id, {"status": wanted, "item_name": "Other"})
    assert refused.value.code == "invalid_state_transition"
    row = await farm.job_now(job)
    assert (row.state, row.item_name) == (start, "Cube")


async def test_by_hand_a_state_can_be_set_step_by_step(farm: Farm) -> None:
    """Printing, then completed, on a printer without a bridge; one with a bridge has the say."""
    printer = await farm.printer("By hand", None)
    job = await farm.job(printer)
    for state in ("printing", "completed"):
        row = await farm.jobs.update(farm.admin, job.id, {"status": state})
        assert row.state == state
    other = await farm.job(await farm.printer())
    with pytest.raises(Conflict, match="only it says"):
        await farm.jobs.update(farm.admin, other.id, {"status": "printing"})
    assert (await farm.job_now(other)).state == "pending"


async def test_a_decision_and_a_change_come_together_or_not_at_all(farm: Farm) -> None:
    """A failed job is queued again with another priority; a wrong field undoes the decision."""
    job = await farm.job()
    await Job.filter(id=job.id).update(state="failed", fail_reason="clog")
    with pytest.raises(Invalid, match="scheduled_end"):
        end = {"scheduled_end": farm.clock.now()}
        await farm.jobs.update(farm.admin, job.id, {"status": "pending", **end})
    assert (await farm.job_now(job)).state == "failed"
    row = await farm.jobs.update(farm.admin, job.id, {"status": "pending", "priority": 1})
    assert (row.state, row.priority, row.fail_reason) == ("pending", 1, None)


async def test_an_end_says_how_long_a_job_takes(farm: Farm) -> None:
    """scheduled_end with scheduled_start is the duration of all prints; odd ends are refused."""
    job = await farm.job(quantity=2)
    start = farm.clock.now()
    times = {"scheduled_start": start, "scheduled_end": start + timedelta(hours=3)}
    row = await farm.jobs.update(farm.admin, job.id, times)
    assert row.duration_hours == 1.5
    for odd in (
        {"scheduled_end": start},
        {"scheduled_end": start + timedelta(days=400)},
        {"scheduled_end": start + timedelta(hours=3), "duration_hours": 2.0},
        {"scheduled_end": start + timedelta(hours=3), "scheduled_start": None},
    ):
        with pytest.raises(Invalid, match="scheduled_end"):
            await farm.jobs.update(farm.admin, job.id, odd)
    assert (await farm.job_now(job)).duration_hours == 1.5


async def test_a_locked_job_stays_where_and_when_it_is(farm: Farm) -> None:
    """is_locked: no move, order or other printer until it is unlocked; its notes may change."""
    one, two = await farm.printer("One"), await farm.printer("Two", "usb:2")
    job = await farm.job(one)
    await farm.jobs.update(farm.admin, job.id, {"is_locked": True})
    for act in (
        farm.jobs.update(farm.admin, job.id, {"printer_id": two.id}),
        farm.jobs.update(farm.admin, job.id, {"priority": 1}),
        farm.jobs.move(farm.admin, job.id, two.id, farm.clock.now()),
        farm.jobs.reorder(farm.admin, [job.id]),
        farm.jobs.bulk(farm.admin, [job.id], BulkAction.SET_PRIORITY, 1),
    ):
        with pytest.raises(Conflict, match="unlock it first"):
            await act
    await farm.jobs.update(farm.admin, job.id, {"notes": "careful"})
    await farm.printers.delete(farm.admin, one.id)
    row = await farm.job_now(job)
    assert (row.hold, row.printer_id, row.notes) == (True, None, "careful")
    row = await farm.jobs.update(farm.admin, job.id, {"is_locked": False, "printer_id": two.id})
    assert row.printer_id == two.id

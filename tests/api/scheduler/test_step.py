"""The queue: who gets which job, when it waits, and what stops it."""

import asyncio

from api.jobs.models import Attempt
from api.jobs.service import Jobs
from api.printers.models import Printer
from schemas.commands import CommandState, Verb
from schemas.jobs import AttemptEvent
from schemas.printer import PrinterState
from tests.fakes.farm import Farm

E = AttemptEvent


async def test_free_printers_take_jobs_by_priority_then_age(farm: Farm) -> None:
    """Pinned jobs go to their printer, the others to whichever is free; held ones wait."""
    one, two = await farm.printer(), await farm.printer("Two", "virtual:two")
    late = await farm.job(two, priority=3)
    urgent = await farm.job(priority=1)
    held = await farm.job(priority=0, hold=True)
    rest = await farm.job(priority=3)
    assert await farm.scheduler.step() == 2
    assert (await farm.job_now(urgent)).printer_id == one.id
    assert (await farm.job_now(late)).printer_id == two.id
    assert [(await farm.job_now(each)).state for each in (held, rest)] == ["pending", "pending"]
    assert await farm.scheduler.step() == 0


async def test_job_waits_for_the_plate_and_starts_when_it_is_clear(farm: Farm) -> None:
    """M15: after a print the next job waits; one claim, one start."""
    printer = await farm.printer("One", "usb:1")
    first, second = await farm.job(printer), await farm.job(printer)
    assert await farm.scheduler.step() == 0
    assert (await farm.job_now(first)).state == "waiting_plate_clear"
    assert (await farm.job_now(second)).state == "pending"
    await farm.printers.plate_cleared(farm.admin, printer.id)
    assert await farm.scheduler.step() == 1
    await farm.run(printer, E.STARTED, E.COMPLETED)
    assert await farm.scheduler.step() == 0
    assert (await farm.job_now(second)).state == "waiting_plate_clear"
    farm.restart()
    assert await farm.scheduler.step() == 0


async def test_plate_mark_goes_when_the_printer_does(farm: Farm) -> None:
    """A job waits for the plate only while nothing else is in the way."""
    printer = await farm.printer("One", "usb:1")
    job = await farm.job(printer)
    await farm.scheduler.step()
    await farm.report(printer.id, PrinterState.OFFLINE)
    await farm.scheduler.step()
    assert (await farm.job_now(job)).state == "pending"


async def test_nothing_starts_on_a_printer_that_is_not_ready(farm: Farm) -> None:
    """Held, offline, inactive, in error or by hand: the queue leaves it alone."""
    printer = await farm.printer()
    await farm.printer("Hand", None)
    await farm.job()
    await farm.printers.hold_queue(farm.admin, printer.id)
    assert await farm.scheduler.step() == 0
    await farm.printers.release_queue(farm.admin, printer.id)
    farm.bridges.is_online = False
    assert await farm.scheduler.step() == 0
    farm.bridges.is_online = True
    for state in (PrinterState.ERROR, PrinterState.HALTED, PrinterState.OFFLINE):
        await farm.report(printer.id, state)
        assert await farm.scheduler.step() == 0
    await farm.report(printer.id, PrinterState.OPERATIONAL)
    assert await farm.scheduler.step() == 1


async def test_job_goes_only_where_it_fits(farm: Farm) -> None:
    """Tags, model and limits choose the printer of an unpinned job."""
    await farm.printer()
    two = await farm.printer("Two", "virtual:two")
    changes = {"tags": ["pla"], "model": "MK3", "profile": {"max_nozzle_c": 300}}
    await farm.printers.update(farm.admin, two.id, changes)
    hot = await farm.blob(max_nozzle_c=290)
    jobs = [
        await farm.job(blob_id=hot.id),
        await farm.job(details={"required_tags": ["pla"]}),
        await farm.job(details={"target_type": "model", "target_filter": "mk3"}),
    ]
    for job in jobs:
        assert await farm.scheduler.step() == 1
        assert (await farm.job_now(job)).printer_id == two.id
        await farm.run(two, E.STARTED, E.COMPLETED)


async def test_pinned_job_that_became_forbidden_fails_with_the_reason(farm: Farm) -> None:
    """The profile was lowered after the job was queued: no grant, a clear failure."""
    printer = await farm.printer()
    job = await farm.job(printer)
    await farm.printers.update(farm.admin, printer.id, {"profile": {"max_nozzle_c": 200}})
    assert await farm.scheduler.step() == 0
    job = await farm.job_now(job)
    assert (job.state, "200 °C are allowed" in job.reason) == ("failed", True)


async def test_second_start_that_comes_to_nothing_holds_the_queue(farm: Farm) -> None:
    """One retry, then a person looks; after the release it goes on."""
    printer = await farm.printer()
    job = await farm.job(printer)
    for _ in range(2):
        assert await farm.scheduler.step() == 1
        command = await farm.last(Verb.START)
        await farm.answer(command, CommandState.REJECTED, "busy")
        await farm.tell(command.grant or "", E.NOT_STARTED)
    assert await farm.scheduler.step() == 0
    row = await farm.row(printer)
    assert "did not start 2 times: busy" in row.queue_hold
    assert (await farm.job_now(job)).state == "pending"
    assert [each.number for each in await Attempt.all().order_by("number")] == [1, 2]
    await farm.printers.release_queue(farm.admin, printer.id)
    assert await farm.scheduler.step() == 1


async def test_file_that_the_room_refuses_fails_its_job(farm: Farm) -> None:
    """The file is the reason: no second try, the printer goes on with others. Either fact first."""
    printer = await farm.printer()
    for command_first in (True, False):
        job = await farm.job(printer)
        await farm.scheduler.step()
        command = await farm.last(Verb.START)
        if command_first:
            await farm.answer(command, CommandState.REJECTED, "limit_exceeded")
        await farm.tell(command.grant or "", E.NOT_STARTED, "line 3 is too hot")
        await farm.answer(command, CommandState.REJECTED, "limit_exceeded")
        assert (await farm.job_now(job)).state == "failed"
        assert (await farm.row(printer)).active_grant is None


async def test_expired_start_goes_back_to_the_queue(farm: Farm) -> None:
    """Nobody carried it in two minutes: it did not start, and is tried again."""
    printer = await farm.printer()
    job = await farm.job(printer)
    await farm.scheduler.step()
    farm.bridges.is_online = False
    farm.clock.advance(121)
    assert await farm.scheduler.step() == 0
    job = await farm.job_now(job)
    assert job.state == "pending"
    assert "before the deadline" in job.reason
    assert (await farm.row(printer)).active_grant is None
    farm.bridges.is_online = True
    assert await farm.scheduler.step() == 1


async def test_sent_start_is_never_given_up_by_the_clock(farm: Farm) -> None:
    """M11, I6: it may have come; the printer stays taken until the bridge says otherwise."""
    printer = await farm.printer()
    await farm.job(printer)
    await farm.scheduler.step()
    await farm.commands.mark_sent(await farm.commands.pending(7, epoch=1), epoch=1)
    farm.clock.advance(10_000)
    farm.restart()
    assert await farm.scheduler.step() == 0
    assert (await farm.row(printer)).active_grant is not None


async def test_one_broken_job_does_not_stop_the_others(farm: Farm) -> None:
    """A defect at one printer is logged; the next printer gets its job."""
    one, two = await farm.printer(), await farm.printer("Two", "virtual:two")
    await farm.job(one)
    good = await farm.job(two)
    await Printer.filter(id=one.id).update(profile={"width_mm": "broken"})
    farm.restart()
    assert await farm.scheduler.step() == 1
    assert (await farm.job_now(good)).state == "scheduled"


async def test_crash_between_check_and_commit_loses_nothing(farm: Farm) -> None:
    """A grant that dies midway leaves no trace; the next process starts the job once."""
    printer = await farm.printer()
    job = await farm.job(printer)
    checked = await farm.jobs.attempts.check(job, farm.printers.profile(printer))

    async def dies(jobs: Jobs) -> None:
        async with farm.ledger.change() as change:
            row = await farm.printers.locked(change, printer.id)
            await jobs.attempts.grant(change, farm.admin, job, row, checked, explicit=False)
            raise RuntimeError("power cut")

    try:
        await dies(farm.jobs)
    except RuntimeError:
        farm.restart()
    assert await Attempt.all().count() == 0
    assert await farm.scheduler.step() == 1
    assert await farm.scheduler.step() == 0
    assert await Attempt.all().count() == 1


async def test_run_steps_when_it_is_woken(farm: Farm) -> None:
    """A new job is granted at once, without waiting for the tick."""
    printer = await farm.printer()
    running = asyncio.create_task(farm.scheduler.run())
    try:
        await asyncio.sleep(0)
        await farm.job(printer)
        async with asyncio.timeout(1.5):
            while (await farm.row(printer)).active_grant is None:
                await asyncio.sleep(0.001)
        assert await Attempt.all().count() == 1
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

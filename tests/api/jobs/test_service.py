"""Jobs and attempts: what people ask, what bridges report, what becomes of it."""

import asyncio
from dataclasses import replace

import pytest

from api.commands.models import Command
from api.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from api.jobs import endings
from api.jobs.forms import JobFilter, NewJob, parse_priority, parse_status
from api.jobs.models import Attempt, Job, Print
from api.models_library.models import PrintFile
from api.principal import Role
from api.printers.models import Printer
from schemas.commands import CommandState, Verb
from schemas.jobs import AttemptEvent, JobEvent, JobState
from tests.fakes.farm import Farm

E = AttemptEvent


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits a second for an answer that it does not give."""
    monkeypatch.setattr(endings, "CANCEL_WAIT_S", 0.05)


async def started(farm: Farm, **fields: object) -> tuple[Printer, Job]:
    printer = await farm.printer()
    job = await farm.job(printer, **fields)
    await farm.jobs.start_explicit(farm.admin, job)
    await farm.run(printer, E.STARTED)
    return printer, job


async def test_grant_writes_everything_at_once(farm: Farm) -> None:
    """Print, attempt, start command, printer and job belong together."""
    printer = await farm.printer()
    job = await farm.job(printer)
    attempt = await farm.jobs.start_explicit(farm.admin, job)
    command = await farm.last(Verb.START)
    row = await farm.row(printer)
    job = await farm.job_now(job)
    assert row.active_grant == attempt.grant == job.grant == command.grant
    assert (job.state, attempt.number, attempt.command_id) == ("scheduled", 1, command.id)
    assert command.args["sha256"] == "1".zfill(64)
    assert command.args["plate_claim"] == attempt.plate_claim != ""


async def test_refused_start_changes_nothing(farm: Farm) -> None:
    """A room that is offline: no print, no attempt, the printer stays free."""
    printer = await farm.printer()
    job = await farm.job(printer)
    farm.bridges.is_online = False
    with pytest.raises(Unavailable):
        await farm.jobs.start_explicit(farm.admin, job)
    assert await Attempt.all().count() == await Print.all().count() == 0
    assert (await farm.row(printer)).active_grant is None
    assert (await farm.job_now(job)).state == "pending"


async def test_completed_print_ends_job_and_occupies_the_plate(farm: Farm) -> None:
    """The whole way of a job, on a printer that asks for its plate."""
    printer = await farm.printer("One", "usb:1")
    job = await farm.job(printer)
    await farm.jobs.start_explicit(farm.admin, job)
    farm.clock.advance(60)
    await farm.run(printer, E.STARTED)
    assert (await farm.job_now(job)).state == "printing"
    farm.clock.advance(3600)
    await farm.run(printer, E.PAUSED, E.RESUMED, E.COMPLETED)
    job, row = await farm.job_now(job), await farm.row(printer)
    assert job.state == "completed"
    assert job.actual_end is not None
    assert (row.plate_state, row.active_grant, row.queue_hold) == ("occupied", None, "")
    assert (row.print_count, row.print_seconds) == (1, 3600)


async def test_facts_of_the_past_change_nothing(farm: Farm) -> None:
    """I5: late, doubled and foreign facts are ignored, the end is final."""
    printer, job = await started(farm)
    grant = (await farm.row(printer)).active_grant or ""
    assert await farm.tell(grant, E.COMPLETED, bridge=8) is None
    assert await farm.tell("01UNKNOWN00000000000000000", E.STARTED) is None
    assert await farm.tell(grant, E.STARTED) is None
    assert await farm.tell(grant, E.COMPLETED) is not None
    for late in (E.STARTED, E.FAILED, E.CANCELLED, E.NOT_STARTED, E.COMPLETED):
        assert await farm.tell(grant, late) is None
    assert (await farm.job_now(job)).state == "completed"
    assert (await farm.kinds()).count("job.completed") == 1


async def test_quantity_makes_further_prints(farm: Farm) -> None:
    """Two of them are two prints, one after the other, of one job."""
    printer, job = await started(farm, quantity=2)
    await farm.run(printer, E.COMPLETED)
    assert (await farm.job_now(job)).state == "pending"
    await farm.jobs.start_explicit(farm.admin, await farm.job_now(job))
    await farm.run(printer, E.STARTED, E.COMPLETED)
    assert (await farm.job_now(job)).state == "completed"
    assert await Print.all().count() == 2


async def test_reset_job_is_another_attempt_of_the_print(farm: Farm) -> None:
    """DESIGN 7: reset makes attempt + 1."""
    printer, job = await started(farm)
    await farm.run(printer, E.FAILED)
    assert (await farm.job_now(job)).state == "failed"
    await farm.jobs.step(farm.admin, job.id, JobEvent.RESET)
    attempt = await farm.jobs.start_explicit(farm.admin, job)
    assert (attempt.number, await Print.all().count()) == (2, 1)


@pytest.mark.parametrize("fields", [{"max_nozzle_c": 400}, {"size_bytes": 0}])
async def test_file_that_the_printer_must_not_run_makes_no_job(
    farm: Farm, fields: dict[str, float]
) -> None:
    """M19: too hot or empty is refused at once, with line, asked and allowed."""
    printer = await farm.printer()
    blob = await farm.blob(**fields)  # type: ignore[arg-type]
    with pytest.raises(Invalid) as refused:
        await farm.job(printer, blob_id=blob.id)
    if "max_nozzle_c" in fields:
        facts = refused.value.extra
        assert (facts["line"], facts["asked_c"], facts["allowed_c"]) == (3, 400, 275)
    assert await Job.all().count() == 0


async def test_waiting_job_is_cancelled_at_once(farm: Farm) -> None:
    """Cancelled is final until a reset; a second cancel is a conflict."""
    job = await farm.job(await farm.printer())
    assert (await farm.jobs.cancel(farm.admin, job.id)).state == "cancelled"
    with pytest.raises(Conflict) as refused:
        await farm.jobs.cancel(farm.admin, job.id)
    assert refused.value.code == "invalid_state_transition"


async def test_start_that_has_not_left_is_taken_back(farm: Farm) -> None:
    """Cancelled before any link carried it: no command reaches the room, the plate is as before."""
    printer = await farm.printer("One", "usb:1")
    job = await farm.job(printer)
    await farm.jobs.start_explicit(farm.admin, job)
    assert (await farm.jobs.cancel(farm.admin, job.id)).state == "cancelled"
    assert [each.state for each in await Command.all()] == ["superseded"]
    row = await farm.row(printer)
    assert (row.active_grant, row.plate_state) == (None, "unknown")


async def test_cancel_of_a_print_answers_what_the_printer_reports(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled when the room says so."""
    monkeypatch.setattr(endings, "CANCEL_WAIT_S", 60.0)
    printer, job = await started(farm)
    await farm.commands.mark_sent(await Command.all(), epoch=1)
    task = asyncio.create_task(farm.jobs.stop(farm.admin, printer.id))
    async with asyncio.timeout(60):
        while not await Command.filter(verb="cancel").exists():
            await asyncio.sleep(0)
    await farm.answer(await farm.last(Verb.CANCEL), CommandState.DONE)
    await farm.run(printer, E.CANCELLED)
    assert (await task).queue_hold == "The last print was cancelled."
    assert (await farm.job_now(job)).state == "cancelled"


async def test_unanswered_cancel_is_no_success_and_stays_one_command(farm: Farm) -> None:
    """A silent room: 503 each time, and still one cancel on its way."""
    _, job = await started(farm)
    await farm.commands.mark_sent(await Command.all(), epoch=1)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await farm.jobs.cancel(farm.admin, job.id)
    assert await Command.filter(verb="cancel").count() == 1
    assert (await farm.job_now(job)).state == "printing"


async def test_cancelled_start_that_starts_nevertheless_is_cancelled_again(farm: Farm) -> None:
    """The cancel found nothing to cancel, then the print began: it is ended."""
    printer = await farm.printer()
    job = await farm.job(printer)
    attempt = await farm.jobs.start_explicit(farm.admin, job)
    await farm.commands.mark_sent(await Command.all(), epoch=1)
    with pytest.raises(Unavailable):
        await farm.jobs.cancel(farm.admin, job.id)
    await farm.answer(await farm.last(Verb.CANCEL), CommandState.REJECTED, "wrong_job")
    await farm.tell(attempt.grant, E.STARTED)
    again = await farm.last(Verb.CANCEL)
    assert (again.state, again.grant) == ("queued", attempt.grant)


async def test_cancelled_start_that_does_not_start_cancels_its_job(farm: Farm) -> None:
    """Not started after a cancel: cancelled, not queued again."""
    printer = await farm.printer()
    job = await farm.job(printer)
    attempt = await farm.jobs.start_explicit(farm.admin, job)
    await farm.commands.mark_sent(await Command.all(), epoch=1)
    with pytest.raises(Unavailable):
        await farm.jobs.cancel(farm.admin, job.id)
    await farm.answer(await farm.last(Verb.START), CommandState.REJECTED, "cancelled")
    await farm.tell(attempt.grant, E.CANCELLED)
    assert (await farm.job_now(job)).state == "cancelled"
    assert (await farm.row(printer)).active_grant is None


async def test_forced_cancel_gives_up_on_a_lost_room(farm: Farm) -> None:
    """A person overrides: the job ends, the plate counts as occupied, late facts do nothing."""
    printer, job = await started(farm)
    grant = (await farm.row(printer)).active_grant or ""
    assert (await farm.jobs.cancel(farm.admin, job.id, force=True)).state == "cancelled"
    assert (await farm.row(printer)).active_grant is None
    assert await farm.tell(grant, E.COMPLETED) is None


async def test_hand_transitions_exist_only_without_a_bridge(farm: Farm) -> None:
    """DESIGN 7: with a bridge only the bridge says what happened."""
    wired = await farm.job(await farm.printer())
    with pytest.raises(Conflict):
        await farm.jobs.by_hand(farm.admin, wired.id, E.STARTED)
    hand = await farm.printer("Hand", None)
    job = await farm.jobs.create(farm.admin, NewJob(item_name="By hand", printer_id=hand.id))
    assert (await farm.jobs.by_hand(farm.admin, job.id, E.STARTED)).state == "printing"
    with pytest.raises(Conflict):
        await farm.jobs.by_hand(farm.admin, job.id, E.STARTED)
    for _ in range(2):
        assert (await farm.jobs.by_hand(farm.admin, job.id, E.COMPLETED)).state == "completed"
    with pytest.raises(Conflict):
        await farm.jobs.by_hand(farm.admin, job.id, E.FAILED)
    repeated = await farm.jobs.repeat(farm.admin, job.id)
    await farm.jobs.by_hand(farm.admin, repeated.id, E.STARTED)
    assert (await farm.jobs.by_hand(farm.admin, repeated.id, E.FAILED, "spaghetti")).reason


async def test_octoprints_print_starts_or_queues(farm: Farm) -> None:
    """DESIGN 7, Queue: busy means queued, offline means no job, upload-only waits for approval."""
    printer = await farm.printer("One", "usb:1")
    blob = await farm.blob()
    new = NewJob(item_name="Cube", blob_id=blob.id, file_name="cube.gcode", source="octoprint")
    first = await farm.jobs.print_file_on(farm.admin, printer, new)
    assert (first.state, first.printer_id) == ("scheduled", printer.id)
    second = await farm.jobs.print_file_on(farm.admin, printer, new)
    assert second.state == "pending"
    uploader = replace(farm.admin, scopes=frozenset({"write:models"}))
    third = await farm.jobs.print_file_on(uploader, printer, new)
    assert third.state == "submitted"
    farm.bridges.is_online = False
    with pytest.raises(Unavailable):
        await farm.jobs.print_file_on(farm.admin, printer, new)
    assert await Job.all().count() == 3


async def test_approval_by_the_table(farm: Farm) -> None:
    """Submitted, rejected, submitted again by its author, approved."""
    job = await farm.job(await farm.printer(), submitted=True)
    step = farm.jobs.step
    assert (await step(farm.admin, job.id, JobEvent.REJECT, "too big")).reason == "too big"
    with pytest.raises(Conflict):
        await step(replace(farm.admin, user_id=9), job.id, JobEvent.RESUBMIT)
    await step(farm.admin, job.id, JobEvent.RESUBMIT)
    assert (await step(farm.admin, job.id, JobEvent.APPROVE)).state == "pending"
    with pytest.raises(Conflict):
        await step(farm.admin, job.id, JobEvent.APPROVE)
    with pytest.raises(Forbidden):
        await step(replace(farm.admin, role=Role.VIEWER), job.id, JobEvent.RESET)


async def test_job_takes_the_newest_file_of_its_model(farm: Farm) -> None:
    """`model_id` alone is enough; a model without a file makes a job that waits for one."""
    blob, now = await farm.blob(), farm.clock.now()
    for name in ("old.gcode", "new.gcode"):
        await PrintFile.create(
            organization_id=1,
            model_id=4,
            blob_id=blob.id,
            filename=name,
            original_filename=name,
            uploaded_at=now,
        )
    job = await farm.jobs.create(farm.admin, NewJob(item_name="A", model_id=4))
    assert (job.file_name, job.blob_id) == ("new.gcode", blob.id)
    scheduled = await farm.jobs.schedule(farm.admin, NewJob(item_name="", model_id=4), None)
    assert scheduled.item_name == "new"
    assert (await farm.jobs.create(farm.admin, NewJob(item_name="B", model_id=5))).blob_id is None
    by_hand = await farm.jobs.schedule(farm.admin, NewJob(item_name="", model_id=5), None)
    assert (by_hand.item_name, by_hand.blob_id) == ("Model 5", None)


async def test_list_is_ordered_filtered_and_paged(farm: Farm) -> None:
    """v1 2.4: priority first, then age; foreign jobs are not there."""
    for priority in (3, 1, 2):
        await farm.job(priority=priority)
    everything = JobFilter()
    rows, total = await farm.jobs.list(farm.admin, everything, 1, 1)
    assert ([row.priority for row in rows], total) == ([2], 3)
    stranger = replace(farm.admin, organization_id=2, is_superadmin=False)
    assert await farm.jobs.list(stranger, JobFilter(organization_id=1), 0, 9) == ([], 0)
    with pytest.raises(NotFound):
        await farm.jobs.get(stranger, rows[0].id)
    done = JobFilter(states=parse_status("completed"))
    assert (await farm.jobs.list(farm.admin, done, 0, 9))[1] == 0


def test_words_for_priority_and_status() -> None:
    """Text priorities, synonyms of states, and what is neither."""
    assert [parse_priority(each) for each in ("urgent", "Lowest", "7", 0)] == [1, 5, 7, 0]
    assert JobState.WAITING_PLATE_CLEAR in (parse_status("queued") or ())
    assert parse_status(None) is None
    for bad in ("soon", 11, -1):
        with pytest.raises(Invalid):
            parse_priority(bad)
    with pytest.raises(Invalid):
        parse_status("lost")


async def test_waiting_job_may_be_changed_and_moved(farm: Farm) -> None:
    """Priority, hold and printer of a waiting job; not of a running one."""
    printer = await farm.printer()
    job = await farm.job()
    await farm.jobs.update(farm.admin, job.id, {"printer_id": printer.id, "hold": True, "id": 9})
    job = await farm.job_now(job)
    assert (job.printer_id, job.pinned, job.hold) == (printer.id, True, True)
    await farm.jobs.start_explicit(farm.admin, job)
    with pytest.raises(Conflict):
        await farm.jobs.update(farm.admin, job.id, {"hold": False})

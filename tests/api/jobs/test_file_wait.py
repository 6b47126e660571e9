"""A job whose file cannot be read waits, says so, and starts when the file is back (R26, R28)."""

import asyncio

import pytest

from api.files.models import Blob
from api.jobs import file_wait
from api.jobs.models import Attempt
from schemas.commands import Verb
from schemas.jobs import AttemptEvent
from tests.fakes.farm import Farm
from tests.fakes.farm_app import FarmApp


@pytest.fixture
def app(farm: Farm) -> FarmApp:
    return FarmApp(farm)


async def test_while_the_storage_is_away_jobs_wait_and_say_so(app: FarmApp, farm: Farm) -> None:
    """No start, no held queue; one event a job; the start comes by itself once it is back."""
    printer = await farm.printer()
    other = await farm.printer("Two", "virtual:two")
    pinned, free = await farm.job(printer), await farm.job()
    farm.files.is_down = True
    for _ in range(3):
        assert await farm.scheduler.step() == 0
    shown = await app.ask("GET", f"/jobs/{pinned.id}")
    assert shown["waiting_for"] == "its file: the file storage does not answer"
    assert (await farm.kinds()).count("job.file_pending") == 1
    assert await Attempt.all().count() == 0
    farm.files.is_down = False
    assert await farm.scheduler.step() == 2
    assert {(await farm.job_now(each)).printer_id for each in (pinned, free)} == {
        printer.id,
        other.id,
    }
    assert (await farm.job_now(pinned)).reason == ""


async def test_a_job_whose_bytes_are_gone_does_not_stand_in_the_way(
    app: FarmApp, farm: Farm
) -> None:
    """The next job of the queue is started; the other one asks for its file."""
    printer = await farm.printer()
    lost, next_one = await farm.job(priority=1), await farm.job(printer, priority=2)
    farm.files.gone = {lost.blob_id}
    assert await farm.scheduler.step() == 1
    assert (await farm.row(printer)).active_grant == (await farm.job_now(next_one)).grant
    shown = await app.ask("GET", f"/jobs/{lost.id}")
    assert "upload it again" in shown["waiting_for"]


async def test_an_explicit_start_without_the_file_is_refused(app: FarmApp, farm: Farm) -> None:
    """503: nothing has changed, and the person hears why."""
    printer = await farm.printer()
    job = await farm.job(printer)
    farm.files.is_down = True
    refused = await app.ask("POST", f"/jobs/{job.id}/dispatch", {}, 503)
    assert refused["error"]["code"] == "storage_unavailable"
    assert (await farm.row(printer)).active_grant is None


async def test_a_storage_that_does_not_answer_holds_the_queue_for_a_moment_only(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hanging store counts as one that is away (R27)."""
    monkeypatch.setattr(file_wait, "LOOK_S", 0.01)

    async def hangs(blob: Blob) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(farm.files, "has_bytes", hangs)
    await farm.job(await farm.printer())
    async with asyncio.timeout(1):
        assert await farm.scheduler.step() == 0
    assert (await farm.kinds())[-1] == "job.file_pending"


async def test_a_started_job_is_not_troubled(farm: Farm) -> None:
    """What has been handed out prints from the room's own copy."""
    printer = await farm.printer()
    job = await farm.job(printer)
    assert await farm.scheduler.step() == 1
    farm.files.is_down = True
    await farm.run(printer, AttemptEvent.STARTED, AttemptEvent.COMPLETED)
    assert (await farm.job_now(job)).state == "completed"
    assert (await farm.last(Verb.START)).printer_id == printer.id

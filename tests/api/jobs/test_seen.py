"""Prints that printers ran from their own cards: seen, listed, and given to jobs (v1 2.4)."""

from typing import Any

import pytest

from api.errors import Conflict, NotFound
from api.jobs.models import Attempt, Job, Print
from api.jobs.records import RunFilter
from api.jobs.seen import SeenPrints
from api.printers.models import Printer
from schemas.jobs import AttemptEvent
from schemas.printer import Live, PrinterState
from tests.fakes.farm import Farm

_S = PrinterState


class Pictures:
    """What printers show."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}

    def state_of(self, printer_id: int) -> Live | None:
        name = self.names.get(printer_id)
        return None if name is None else Live(printer=printer_id, state=_S.PRINTING, file_name=name)


@pytest.fixture
def pictures() -> Pictures:
    return Pictures()


@pytest.fixture
def seen(farm: Farm, pictures: Pictures) -> SeenPrints:
    return SeenPrints(farm.printers, pictures, farm.jobs.attempts, farm.ledger, farm.clock)


async def printed(farm: Farm, printer: Printer, *states: PrinterState) -> Print:
    """What *printer* printed by itself while it went through *states*, a minute in each."""
    for state in states:
        await farm.report(printer.id, state)
        farm.clock.advance(60)
    row = await Print.filter(printer_id=printer.id).order_by("-id").first()
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ((_S.PRINTING, _S.OPERATIONAL), "completed"),
        ((_S.PRINTING, _S.PAUSED, _S.PRINTING, _S.OPERATIONAL), "completed"),
        ((_S.PRINTING, _S.CANCELLING, _S.OPERATIONAL), "cancelled"),
        ((_S.PRINTING, _S.ERROR), "failed"),
        ((_S.PRINTING, _S.HALTED), "failed"),
        ((_S.PRINTING,), "running"),
    ],
)
async def test_a_print_without_a_job_is_kept_as_its_printer_told_it(
    farm: Farm, seen: SeenPrints, pictures: Pictures, states: tuple[PrinterState, ...], outcome: str
) -> None:
    """One row from its first state to its last, with the file's name and its time."""
    printer = await farm.printer()
    pictures.names[printer.id] = "CUBE.GCO"
    await printed(farm, printer, *states)
    records = farm.jobs.records
    [run], total = await records.runs(farm.admin, RunFilter(unlinked=True), 0, 10)
    assert (run.outcome, run.job, run.row.file_name, total) == (outcome, None, "CUBE.GCO", 1)
    printed_s = 60.0 * (len(states) - 1) if outcome != "running" else 0.0
    shown = await farm.row(printer)
    assert (run.row.printed_s, shown.print_seconds) == (printed_s, printed_s)
    assert shown.print_count == (outcome != "running")


async def test_the_print_of_a_job_is_no_print_without_one(farm: Farm, seen: SeenPrints) -> None:
    """What an attempt holds is the queue's own."""
    printer = await farm.printer()
    job = await farm.job(printer)
    await farm.scheduler.step()
    await farm.report(printer.id, _S.STARTING)
    await farm.report(printer.id, _S.PRINTING)
    await farm.run(printer, AttemptEvent.STARTED, AttemptEvent.COMPLETED)
    await farm.report(printer.id, _S.OPERATIONAL)
    assert [row.job_id for row in await Print.all()] == [job.id]


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ((_S.PRINTING, _S.OPERATIONAL), "completed"),
        ((_S.PRINTING, _S.CANCELLING, _S.OPERATIONAL), "cancelled"),
        ((_S.PRINTING, _S.ERROR), "failed"),
    ],
)
async def test_a_linked_print_ends_the_job_as_it_ended(
    farm: Farm, seen: SeenPrints, states: tuple[PrinterState, ...], state: str
) -> None:
    """link-print: the job takes its steps, with the print's printer and its beginning."""
    printer = await farm.printer(port_id="usb:1")
    row = await printed(farm, printer, *states)
    job = await seen.link(farm.admin, await farm.job(), row.id)
    assert (job.state, job.printer_id, job.actual_start) == (state, printer.id, row.started_at)
    [attempt] = await Attempt.filter(job_id=job.id)
    assert (attempt.print_id, attempt.grant) == (row.id, job.grant)
    _, unlinked = await farm.jobs.records.runs(farm.admin, RunFilter(unlinked=True), 0, 10)
    assert unlinked == 0
    assert "job.started" in await farm.kinds()


async def test_a_job_for_two_waits_on_for_the_other(farm: Farm, seen: SeenPrints) -> None:
    """quantity 2: one linked print leaves one to print; two are enough."""
    printer = await farm.printer(port_id="usb:1")
    job = await farm.job(quantity=2)
    for state in ("pending", "completed"):
        row = await printed(farm, printer, _S.PRINTING, _S.OPERATIONAL)
        job = await seen.link(farm.admin, await farm.job_now(job), row.id)
        assert job.state == state


async def test_what_does_not_fit_is_not_linked(farm: Farm, seen: SeenPrints) -> None:
    """A running print, a job that is over or of another printer, a print of others or of a job."""
    one, two = await farm.printer("One", "usb:1"), await farm.printer("Two", "usb:2")
    over = await printed(farm, one, _S.PRINTING, _S.OPERATIONAL)
    running = await printed(farm, two, _S.PRINTING)
    job, elsewhere = await farm.job(), await farm.job(two)
    done = await farm.job()
    await Job.filter(id=done.id).update(state="completed")
    wrong: list[tuple[Job, int, Any]] = [
        (job, running.id, "invalid_state_transition"),
        (done, over.id, "invalid_state_transition"),
        (elsewhere, over.id, "conflict"),
    ]
    for which, print_id, code in wrong:
        with pytest.raises(Conflict) as refused:
            await seen.link(farm.admin, which, print_id)
        assert refused.value.code == code
    await Print.filter(id=over.id).update(organization_id=2)
    with pytest.raises(NotFound):
        await seen.link(farm.admin, job, over.id)
    await Print.filter(id=over.id).update(organization_id=1)
    await seen.link(farm.admin, job, over.id)
    with pytest.raises(NotFound, match="without a job"):
        await seen.link(farm.admin, await farm.job(), over.id)

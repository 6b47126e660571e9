"""Control: the answer is what the printer reported, within its time."""

import asyncio

import pytest

from api.commands import control
from api.commands.control import Aim
from api.errors import Conflict, Unavailable
from api.printers.models import Printer
from schemas.commands import CommandState, Verb
from schemas.jobs import AttemptEvent
from schemas.printer import PrinterState
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm


async def printing(farm: Farm) -> Printer:
    printer = await farm.printer()
    await farm.job(printer)
    assert await farm.scheduler.step() == 1
    await farm.run(printer, AttemptEvent.STARTED)
    await farm.report(printer.id, PrinterState.PRINTING)
    return printer


WAIT_S = 30.0


def wait(monkeypatch: pytest.MonkeyPatch, wait_s: float) -> None:
    """Every verb waits so long for what it aims at."""
    for verb, aim in control.AIMS.items():
        monkeypatch.setitem(control.AIMS, verb, Aim(aim.states, wait_s))


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that comes is never missed; who gives none says so."""
    wait(monkeypatch, WAIT_S)


async def told(farm: Farm, printer: Printer, verb: Verb) -> "asyncio.Task[Printer]":
    task = asyncio.create_task(farm.jobs.control.tell(farm.admin, printer.id, verb))
    async with asyncio.timeout(5):
        while await farm.commands.underway(printer.id, None, verb) is None:
            grant = (await farm.row(printer)).active_grant
            if await farm.commands.underway(printer.id, grant, verb) is not None:
                break
            await asyncio.sleep(0)
    return task


async def test_pause_answers_with_the_reported_state(farm: Farm) -> None:
    """DESIGN 7: paused is said when the printer says so."""
    printer = await printing(farm)
    task = await told(farm, printer, Verb.PAUSE)
    await farm.answer(await farm.last(Verb.PAUSE), CommandState.DONE)
    await farm.report(printer.id, PrinterState.PAUSING)
    await farm.report(printer.id, PrinterState.PAUSED)
    assert (await task).state == "paused"
    assert (await farm.jobs.control.tell(farm.admin, printer.id, Verb.PAUSE)).state == "paused"


async def test_slow_pause_answers_pausing(farm: Farm, clock: FakeClock) -> None:
    """`pausing` is an honest answer when the head is still on its way."""
    printer = await printing(farm)
    task = await told(farm, printer, Verb.PAUSE)
    await farm.answer(await farm.last(Verb.PAUSE), CommandState.STARTED)
    await farm.report(printer.id, PrinterState.PAUSING)
    clock.advance(WAIT_S)
    farm.bus.wake([f"printer:{printer.id}"])
    assert (await task).state == "pausing"


async def test_refused_command_is_a_conflict(farm: Farm) -> None:
    """The room's reason reaches the caller."""
    printer = await printing(farm)
    task = await told(farm, printer, Verb.PAUSE)
    await farm.answer(await farm.last(Verb.PAUSE), CommandState.REJECTED, "wrong_job")
    with pytest.raises(Conflict, match="wrong_job"):
        await task


async def test_silence_is_no_success(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody took the stop over: 503 and what to do, never a success (M09: one M112)."""
    wait(monkeypatch, 0.05)
    printer = await printing(farm)
    for _ in range(3):
        with pytest.raises(Unavailable, match="has not confirmed the stop"):
            await farm.jobs.control.tell(farm.admin, printer.id, Verb.REMOTE_STOP)
    assert (await farm.kinds()).count("command.issued") == 2  # the start, and one stop


async def test_stop_and_reset_by_report(farm: Farm) -> None:
    """Halted is what the printer says; so is its end."""
    printer = await printing(farm)
    task = await told(farm, printer, Verb.REMOTE_STOP)
    await farm.answer(await farm.last(Verb.REMOTE_STOP), CommandState.DONE)
    await farm.report(printer.id, PrinterState.HALTED, "stopped")
    assert (await task).state == "halted"
    task = await told(farm, printer, Verb.RESET_STOP)
    await farm.answer(await farm.last(Verb.RESET_STOP), CommandState.DONE)
    await farm.report(printer.id, PrinterState.OFFLINE)
    assert (await task).state == "offline"


async def test_a_stop_against_a_reset_on_its_way_is_a_stop_of_its_own(farm: Farm) -> None:
    """M10: the printer still shows the stop before, which is what the reset is about to end."""
    printer = await farm.printer()
    await farm.report(printer.id, PrinterState.HALTED, "stopped")
    reset = asyncio.create_task(farm.jobs.control.tell(farm.admin, printer.id, Verb.RESET_STOP))
    async with asyncio.timeout(5):
        while await farm.commands.underway(printer.id, None, Verb.RESET_STOP) is None:
            await asyncio.sleep(0)
    halted = await farm.jobs.control.tell(farm.admin, printer.id, Verb.REMOTE_STOP)
    assert halted.state == "halted"
    assert await farm.commands.underway(printer.id, None, Verb.REMOTE_STOP) is not None
    await farm.answer(await farm.last(Verb.RESET_STOP), CommandState.REJECTED, "stopped")
    with pytest.raises(Conflict, match="stopped"):
        await reset


async def test_disconnect_holds_the_queue(farm: Farm) -> None:
    """DESIGN 7, Queue: after a disconnect the queue waits for a person."""
    printer = await farm.printer()
    task = await told(farm, printer, Verb.DISCONNECT)
    await farm.answer(await farm.last(Verb.DISCONNECT), CommandState.DONE)
    await farm.report(printer.id, PrinterState.OFFLINE)
    assert (await task).queue_hold == "Disconnected by admin."

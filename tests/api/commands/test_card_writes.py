"""Orders to write a file to a printer's own card: given once, and every end of one frees it."""

from dataclasses import replace

import pytest

from api.commands import card_writes
from api.commands.card_writes import CardFile, CardWrites
from api.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from api.events.models import Event
from api.principal import Role
from api.printers.models import Printer
from api.printers.sending import Sending, sending_of
from schemas.commands import CardAction, CommandState, Verb
from schemas.printer import PrinterState
from tests.fakes.farm import Farm

FILE = CardFile(file_name="cube.gcode", path="cube.gcode", sha256="a" * 64, size_bytes=90)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_writes, "REFUSAL_WAIT_S", 0.0)


async def ready(farm: Farm) -> tuple[CardWrites, Printer]:
    """A printer that waits, with a card in it."""
    printer = await farm.printer()
    await Printer.filter(id=printer.id).update(card={"present": True, "files": []})
    farm.restart()
    return CardWrites(farm.printers, farm.commands, farm.ledger), printer


async def sent(farm: Farm, then: CardAction | None = None) -> tuple[Printer, Sending]:
    writes, printer = await ready(farm)
    return printer, await writes.send(farm.admin, printer.id, FILE, then)


async def failures() -> list[str]:
    rows = await Event.filter(kind="printer.card_write_failed").order_by("number")
    return [str(row.data["reason"]) for row in rows]


async def is_free(printer: Printer) -> bool:
    return sending_of(await Printer.get(id=printer.id)) is None


async def test_an_order_holds_the_printer_until_it_ends(farm: Farm) -> None:
    """Only one file at a time; its room may take as long as it wants to fetch it."""
    writes, printer = await ready(farm)
    first = await writes.send(farm.admin, printer.id, FILE)
    assert (first.name, first.path, first.user) == ("cube.gco", "cube.gcode", "admin")
    with pytest.raises(Conflict, match=r"cube\.gco"):
        await writes.send(farm.admin, printer.id, FILE)
    farm.restart()
    assert not await is_free(printer)


@pytest.mark.parametrize("state", [CommandState.REJECTED, CommandState.FAILED])
async def test_a_refusal_frees_the_printer(farm: Farm, state: CommandState) -> None:
    """Told with its reason, once."""
    printer, _ = await sent(farm)
    await farm.answer(await farm.last(Verb.CARD_WRITE), state, "no room on the card")
    assert await is_free(printer)
    assert len(await failures()) == 1


async def test_a_file_that_was_opened_still_holds_it(farm: Farm) -> None:
    """The order is done then; the file is not there yet."""
    printer, _ = await sent(farm)
    await farm.answer(await farm.last(Verb.CARD_WRITE), CommandState.DONE)
    assert not await is_free(printer)
    assert await failures() == []


async def test_an_order_that_no_room_has_taken_dies(farm: Farm) -> None:
    """Two minutes, as the command's own life; the queue goes on then."""
    printer, _ = await sent(farm)
    farm.clock.advance(119)
    assert await farm.commands.expire_due() == 0
    farm.clock.advance(2)
    assert await farm.commands.expire_due() == 1
    assert await is_free(printer)
    assert len(await failures()) == 1


async def test_a_stop_takes_back_what_would_print_later(farm: Farm) -> None:
    """Safety M07: a printer that somebody stopped starts nothing that its room does not have, and
    what would be started from its card when it is there is such a thing."""
    printer, sending = await sent(farm, CardAction.START)
    row = await farm.printers.get(farm.admin, printer.id)
    await farm.commands.issue(farm.admin, row, Verb.REMOTE_STOP)
    command = await farm.commands.get(sending.command_id)
    assert (command.state, command.code) == (CommandState.SUPERSEDED, "stopped")
    assert await is_free(printer)


async def test_who_may_send_where(farm: Farm) -> None:
    """Rights, and organizations: 404 for a printer of others."""
    writes, printer = await ready(farm)
    viewer = replace(farm.admin, role=Role.VIEWER)
    stranger = replace(farm.admin, organization_id=2)
    with pytest.raises(Forbidden):
        await writes.send(viewer, printer.id, FILE)
    with pytest.raises(NotFound):
        await writes.send(stranger, printer.id, FILE)
    with pytest.raises(Invalid):
        await writes.send(farm.admin, printer.id, replace(FILE, size_bytes=0))
    assert await is_free(printer)


async def test_when_no_file_can_go(farm: Farm) -> None:
    """A room that is away, a printer that prints or was stopped, a plate that is not clear."""
    writes, printer = await ready(farm)
    farm.bridges.is_online = False
    with pytest.raises((Conflict, Unavailable)):
        await writes.send(farm.admin, printer.id, FILE)
    farm.bridges.is_online = True
    for state in (PrinterState.PRINTING, PrinterState.HALTED, PrinterState.TRANSFERRING):
        await Printer.filter(id=printer.id).update(state=state)
        with pytest.raises(Conflict):
            await writes.send(farm.admin, printer.id, FILE)
    await Printer.filter(id=printer.id).update(
        state=PrinterState.OPERATIONAL, plate_policy="confirm", plate_state="unknown"
    )
    with pytest.raises(Conflict) as refused:
        await writes.send(farm.admin, printer.id, FILE, CardAction.START)
    assert refused.value.code == "plate_not_clear"
    assert (await writes.send(farm.admin, printer.id, FILE)).name == "cube.gco"

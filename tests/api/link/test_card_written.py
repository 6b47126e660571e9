"""What bridges report of files that go to printers' own cards."""

import pytest

from api.events.models import Event
from api.printers.models import Printer
from api.printers.sending import Sending, card_with, sending_of
from schemas.commands import CardAction
from schemas.facts import CardFact, CardWrittenFact, FactBody, PrinterFact
from schemas.link import FactAck, Nak
from schemas.printer import CardFile, PrinterState
from tests.api.link.conftest import Farm, batch
from tests.fakes.rooms import printer_row

S = PrinterState
STARTED, WRITTEN, FAILED = (
    "printer.card_write_started",
    "printer.card_written",
    "printer.card_write_failed",
)


async def ordered(farm: Farm, then: CardAction | None = None) -> None:
    """A file is on its way to the card of the printer."""
    row = farm.printer
    row.card = {"present": True, "files": [], "unlisted": 0}
    row.card = card_with(
        row,
        Sending(
            command_id="01J",
            name="cube.gco",
            path="cube.gcode",
            size_bytes=9,
            bridge_id=farm.bridge.id,
            then=then,
            selection={"path": "cube.gco", "after": None, "origin": "sdcard"} if then else None,
        ),
    )
    await row.save()


async def told(farm: Farm, *bodies: FactBody) -> list[tuple[str, str]]:
    """The events of the card after these facts: kinds, and the names on the card."""
    answers = await farm.handler.incoming(farm.bridge, farm.epoch, batch(*bodies))
    assert answers == [FactAck(journal_id="J1", seq=len(bodies))]
    rows = await Event.filter(kind__in=[STARTED, WRITTEN, FAILED]).order_by("number")
    return [(row.kind, row.data["file"]) for row in rows]


def state(farm: Farm, now: PrinterState) -> PrinterFact:
    return PrinterFact(printer=farm.printer.id, state=now)


def written(farm: Farm, reason: str = "", name: str = "cube.gco") -> CardWrittenFact:
    return CardWrittenFact(printer=farm.printer.id, name=name, time_s=4.5, reason=reason)


def listed(farm: Farm) -> CardFact:
    return CardFact(printer=farm.printer.id, present=True, files=[CardFile("CUBE.GCO", 9)])


@pytest.mark.parametrize("state_first", [False, True])
async def test_a_file_that_is_there_is_told_once(farm: Farm, state_first: bool) -> None:
    """Whichever comes first, the state or the word of the file; the list does not end it."""
    await farm.greet()
    await ordered(farm, CardAction.SELECT)
    end: list[FactBody] = [state(farm, S.OPERATIONAL), written(farm)]
    bodies: list[FactBody] = [
        state(farm, S.TRANSFERRING),
        listed(farm),
        *(end if state_first else end[::-1]),
    ]
    for _ in range(3):
        seen = await told(farm, state(farm, S.OPERATIONAL), *bodies)
        assert seen == [(STARTED, "cube.gco"), (WRITTEN, "cube.gco")]
    row = await Printer.get(id=farm.printer.id)
    assert sending_of(row) is None
    assert [name for name, *_ in row.card["files"]] == ["CUBE.GCO"]
    assert row.selected_file == {"path": "cube.gco", "after": None, "origin": "sdcard"}
    assert (row.plate_state, row.active_grant, row.print_count) == ("unknown", None, 0)


async def test_a_failure_has_its_reason(farm: Farm) -> None:
    """Nothing is selected then."""
    await farm.greet()
    await ordered(farm, CardAction.SELECT)
    facts = (state(farm, S.OPERATIONAL), state(farm, S.TRANSFERRING), written(farm, "It is full."))
    assert (await told(farm, *facts))[-1] == (FAILED, "cube.gco")
    event = await Event.get(kind=FAILED)
    assert (event.data["reason"], event.data["time_s"]) == ("It is full.", 4.5)
    row = await Printer.get(id=farm.printer.id)
    assert (sending_of(row), row.selected_file) == (None, None)


@pytest.mark.parametrize("lost", [S.OFFLINE, S.ERROR, S.HALTED])
async def test_a_lost_printer_tells_it_once(farm: Farm, lost: PrinterState) -> None:
    """The state says it first; the word of the file behind it is no second failure."""
    await farm.greet()
    await ordered(farm)
    facts = [state(farm, S.OPERATIONAL), state(farm, S.TRANSFERRING), state(farm, lost)]
    assert await told(farm, *facts, written(farm, "The printer is gone.")) == [
        (STARTED, "cube.gco"),
        (FAILED, "cube.gco"),
    ]


async def test_a_file_that_nobody_here_sent(farm: Farm) -> None:
    """A whole one is told under its name there; one that failed is nobody's loss."""
    await farm.greet()
    whole, broken = written(farm, name="other.gco"), written(farm, "It is full.", "third.gco")
    assert await told(farm, whole, broken) == [(WRITTEN, "other.gco")]


async def test_another_rooms_printer(farm: Farm) -> None:
    """R14: it is refused, and told, as every report about somebody else's printer."""
    await farm.greet()
    other = await printer_row(farm.clock, None)
    fact = CardWrittenFact(printer=other.id, name="cube.gco", time_s=1.0)
    answers = await farm.handler.incoming(farm.bridge, farm.epoch, batch(fact))
    assert any(isinstance(answer, Nak) for answer in answers)
    assert not await Event.filter(kind=WRITTEN).exists()

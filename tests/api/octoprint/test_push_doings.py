"""What a printer does by itself, as push events (OctoPrint contract, 8)."""

from typing import Any

import pytest

from api.octoprint import push_client
from schemas.facts import FirmwareFact
from schemas.printer import Doing, DoingKind, Place, PrinterState
from tests.api.octoprint.conftest import Farm
from tests.api.octoprint.test_push import RAW, App, printing
from tests.api.octoprint.test_push_company import watching
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")

_K = DoingKind
PLACE = Place(1.5, 2.0, 0.3, 12.0, 0, 1800.0)
AT = {"x": 1.5, "y": 2.0, "z": 0.3, "e": 12.0, "t": 0, "f": 1800.0}
FIELDS = {"FIRMWARE_NAME": "Marlin 2.1", "PROTOCOL_VERSION": "1.0", "UUID": "11-22"}
MARLIN = FirmwareFact(printer=1, name="Marlin 2.1", uuid="11-22", fields=FIELDS)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is long for a test."""
    monkeypatch.setattr(push_client, "THROTTLE_S", 0.02)


async def does(farm: Farm, *doings: Doing) -> None:
    """The printer's picture comes with these."""
    farm.machine.doings = doings
    await farm.room.show(farm.machine)


async def told(farm: Farm, app: App, name: str) -> list[tuple[str, Any]]:
    """The events up to a file *name* that is uploaded now."""
    await farm.upload(name)
    return (await app.events("FileAdded"))[:-1]


async def test_homing_dwelling_and_the_place_are_told_in_order(farm: Farm) -> None:
    """octoprint 8 Home, 8 Dwelling, 8 PositionUpdate: the first two without payload; each once,
    though the next picture shows it again; a word of a newer bridge is passed over."""
    first = (Doing(7, _K.DWELL), Doing(8, _K.HOME))
    async with LiveSocket(farm.application, RAW) as socket:
        await does(farm, *first[:1])
        app = await watching(farm, socket)
        await does(farm, *first)
        place = Doing(9, _K.PLACE, PLACE, "pause")
        await does(farm, *first, place, Doing(10, _K.DWELL), Doing(11, "dances"))
        assert await app.events("Dwelling") == [
            ("Home", None),
            ("PositionUpdate", {"reason": "pause", **AT}),
            ("Dwelling", None),
        ]
        await does(farm, place, Doing(10, _K.DWELL), Doing(11, "dances"), Doing(12, _K.HOME))
        assert await app.events("Home") == [("Home", None)]
        assert await told(farm, app, "one.gcode") == []


async def test_a_new_life_of_the_sender_counts_from_one(farm: Farm) -> None:
    """What it shows is new, whatever the numbers of the life before were."""
    async with LiveSocket(farm.application, RAW) as socket:
        await does(farm, Doing(50, _K.HOME))
        app = await watching(farm, socket)
        await does(farm, Doing(1, _K.HOME), Doing(2, _K.DWELL))
        assert await app.events("Dwelling") == [("Home", None), ("Dwelling", None)]


async def test_what_it_did_while_nobody_could_see_it_is_no_news(farm: Farm) -> None:
    """A room that comes back shows old doings."""
    farm.machine.state = PrinterState.OFFLINE
    await farm.room.report(farm.machine)
    async with LiveSocket(farm.application, RAW) as socket:
        app = await watching(farm, socket)
        farm.machine.state = PrinterState.OPERATIONAL
        farm.machine.doings = (Doing(3, _K.HOME),)
        await farm.room.report(farm.machine)
        names = [name for name, _ in await app.events("Connected")]
    assert "Home" not in names


async def test_a_print_begins_before_it_homes(farm: Farm) -> None:
    """octoprint 8 order of success: `Home` follows PrintStarted, though one picture shows both; the
    place of a pause comes before PrintPaused."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await watching(farm, socket)
        farm.machine.doings = (Doing(1, _K.HOME),)
        await printing(farm)
        begun = [name for name, _ in await app.events("Home")]
        assert "PrintStarted" in begun
        place = Doing(2, _K.PLACE, PLACE, "pause")
        farm.machine.doings, farm.machine.state = (place, Doing(3, _K.HOME)), PrinterState.PAUSED
        await farm.room.report(farm.machine)
        paused = [name for name, _ in await app.events("Home")]
    assert paused.index("PositionUpdate") < paused.index("PrintPaused")


async def test_a_connection_is_told_once(farm: Farm) -> None:
    """octoprint 8 Connected: the fact of it comes before the picture that shows it; until then
    there is neither port nor rate to tell, and nothing is taken back."""
    farm.machine.state = PrinterState.OFFLINE
    await farm.room.report(farm.machine)
    async with LiveSocket(farm.application, RAW) as socket:
        app = await watching(farm, socket)
        for state in (PrinterState.CONNECTING, PrinterState.OPERATIONAL):
            farm.machine.state = state
            await farm.room.fact(farm.machine)
        assert "Connected" not in dict(await told(farm, app, "one.gcode"))
        await farm.room.show(farm.machine)
        names = [name for name, _ in await told(farm, app, "two.gcode")]
    assert [name for name in names if "onnected" in name] == ["Connected"]


async def test_a_pause_tells_where_the_head_is(farm: Farm) -> None:
    """octoprint 8 PrintPaused: the last place that the printer has told."""
    await printing(farm)
    async with LiveSocket(farm.application, RAW) as socket:
        app = await watching(farm, socket)
        await does(farm, Doing(1, _K.PLACE, PLACE, "pause"), Doing(2, _K.DWELL))
        farm.machine.state = PrinterState.PAUSED
        await farm.room.report(farm.machine)
        events = dict(await app.events("PrintPaused"))
    assert events["PrintPaused"]["position"] == AT


@pytest.mark.parametrize(
    ("fact", "data"),
    [
        (MARLIN, FIELDS),
        (
            FirmwareFact(printer=1, name="Marlin 2.1", machine="i3"),
            {"FIRMWARE_NAME": "Marlin 2.1", "MACHINE_TYPE": "i3"},
        ),
    ],
)
async def test_who_the_firmware_is_follows_the_connection(
    farm: Farm, fact: FirmwareFact, data: dict[str, str]
) -> None:
    """octoprint 8 FirmwareData: all that M115 said, behind `Connected`, and again when somebody
    asks; of an older bridge the few fields that it tells."""
    farm.machine.state = PrinterState.CONNECTING
    await farm.room.report(farm.machine)
    async with LiveSocket(farm.application, RAW) as socket:
        app = await watching(farm, socket)
        farm.machine.state = PrinterState.OPERATIONAL
        await farm.room.report(farm.machine, fact)
        events = await app.events("FirmwareData")
        assert [name for name, _ in events][-3:] == ["Connected", "ChartMarked", "FirmwareData"]
        assert events[-1][1] == {"name": "Marlin 2.1", "data": data}
        await does(farm, Doing(1, _K.FIRMWARE))
        assert await app.events("FirmwareData") == [events[-1]]


async def test_a_printer_that_names_no_firmware_has_none(farm: Farm) -> None:
    """No event without an answer to M115."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await watching(farm, socket)
        await does(farm, Doing(1, _K.FIRMWARE), Doing(2, _K.HOME))
        assert await app.events("Home") == [("Home", None)]

"""What feeds a printer is switched by its room, or by its own firmware (v1 2.3, safety M27)."""

from typing import Any

import pytest

from api.bridges.greetings import columns, reaches_plugs
from api.bridges.models import Bridge
from api.commands import control
from api.errors import Forbidden
from api.principal import Principal
from api.printers.drafts import config
from api.printers.models import Printer
from api.printers.power import Plugs
from api.printers.power_routes import PowerRoutes
from schemas import plugs
from schemas.commands import CommandState, Verb
from schemas.facts import PlugFact
from schemas.link import Hello
from schemas.printer import Live, PlugConfig, PrinterState, Temperature
from tests.fakes.farm import BRIDGE, Farm
from tests.fakes.farm_app import FarmApp

_S = PrinterState
TASMOTA = {"type": "tasmota", "host": "192.168.1.30"}


class People:
    """Whether whoever asks has shown the password lately."""

    is_fresh = True

    async def require_fresh(self, by: Principal) -> None:
        if not self.is_fresh:
            raise Forbidden("again", code="reauth_required")


class Room:
    """The room's agent: what it can, and how it answers what it is told."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self.has_plugs = True
        self.issue = farm.commands.issue

    async def reaches(self, bridge_id: int) -> bool:
        return self.has_plugs and bridge_id == BRIDGE

    async def says(self, printer_id: int, **said: Any) -> None:
        async with self._farm.ledger.change() as change:
            fact = PlugFact(printer=printer_id, **said)
            await self._farm.printers.reported.plug(change, fact)

    def obeys(self, state: CommandState = CommandState.DONE, why: str = "", **said: Any) -> None:
        """From now on every command is answered like this, after what the plug says."""

        async def answered(*given: Any, **more: Any) -> Any:
            command = await self.issue(*given, **more)
            if said:
                await self.says(command.printer_id, **said)
            await self._farm.answer(command, state, why)
            return await self._farm.commands.get(command.id)

        self._farm.commands.issue = answered  # type: ignore[method-assign]


@pytest.fixture
def room(farm: Farm) -> Room:
    return Room(farm)


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def app(farm: Farm, room: Room, people: People, monkeypatch: pytest.MonkeyPatch) -> FarmApp:
    monkeypatch.setattr(control, "SEND_WAIT_S", 0.05)
    monkeypatch.setattr(control, "PLUG_WAIT_S", 0.05)
    app = FarmApp(farm)
    switches = Plugs(farm.printers, farm.jobs.control, room.reaches, app.telemetry, farm.ledger)
    PowerRoutes(switches, people).register(app.v1)
    return app


async def fed(app: FarmApp, farm: Farm, **more: Any) -> tuple[Printer, str]:
    """A printer with a Tasmota, and where that is."""
    printer = await farm.printer(port_id="usb:1")
    path = f"/printers/{printer.id}/plug"
    await app.ask("PUT", path, TASMOTA | more)
    return printer, path


async def told(farm: Farm) -> dict[str, Any]:
    """What the room was told to do with the plug last."""
    return dict((await farm.last(Verb.PLUG)).args)


async def can(farm: Farm, printer: Printer, *capabilities: str) -> None:
    """The firmware of *printer* says that it can these."""
    async with farm.ledger.change() as change:
        said = {"name": "Marlin", "capabilities": dict.fromkeys(capabilities, True)}
        await farm.printers.record_firmware(change, printer.id, said)


async def done_lines(farm: Farm) -> list[str]:
    """The lines of the newest command."""
    return [str(line) for line in (await farm.last(Verb.GCODE)).args["lines"]]


# A plug in the network of the room.


async def test_a_plug_is_kept_and_told_to_its_room(app: FarmApp, farm: Farm) -> None:
    """PUT, GET, DELETE; the room's configuration has it, with a new version each time."""
    before = farm.bridges.desired
    printer, path = await fed(app, farm, off_on_stop=True)
    shown = await app.ask("GET", path)
    assert (shown["configured"], shown["type"], shown["host"]) == (True, "tasmota", "192.168.1.30")
    assert (shown["is_on"], shown["said_at"], shown["off_on_stop"]) == (None, None, True)
    assert shown["message"] == "The plug of One has not said how it stands yet."
    wanted = PlugConfig(kind="tasmota", host="192.168.1.30", off_on_stop=True)
    assert config(await farm.row(printer)).plug == wanted
    raised = farm.bridges.desired
    assert raised > before
    assert (await app.ask("DELETE", path))["configured"] is False
    assert config(await farm.row(printer)).plug is None
    assert farm.bridges.desired > raised
    for method, what in (
        *(("POST", "/on"), ("POST", "/off?force=1"), ("POST", "/toggle")),
        *(("GET", "/state"), ("GET", "/energy"), ("DELETE", "")),
    ):
        await app.ask(method, f"{path}{what}", expect=404)


async def test_a_plug_is_switched_and_shown_as_it_says(
    app: FarmApp, farm: Farm, room: Room
) -> None:
    """On, off, toggle: the room is told, and the answer is what the plug reported then."""
    printer, path = await fed(app, farm)
    for verb, is_on in (("on", True), ("toggle", False), ("toggle", True), ("off", False)):
        room.obeys(is_on=is_on, power_w=3.5 if is_on else 0.0, energy_kwh=1.25)
        answer = await app.ask("POST", f"{path}/{verb}", {})
        assert (answer["success"], answer["is_on"]) == (True, is_on)
        assert await told(farm) == {"action": "on" if is_on else "off", "force": False}
        state = await app.ask("GET", f"{path}/state")
        assert (state["is_on"], state["said_at"] is not None) == (is_on, True)
    energy = await app.ask("GET", f"{path}/energy")
    assert (energy["power_w"], energy["energy_kwh"]) == (0.0, 1.25)
    await farm.report(printer.id, _S.OFFLINE)  # a printer that is off says nothing; its plug does
    assert (await app.ask("GET", path))["is_on"] is False
    kinds = await farm.kinds()
    assert kinds.count("printer.power") == 4


async def test_a_plug_that_is_not_there_is_unknown(app: FarmApp, farm: Farm, room: Room) -> None:
    """It failed, it refused, nobody answers: an honest refusal each; what it said stays shown."""
    printer, path = await fed(app, farm)
    why = "the plug does not answer: is it plugged in?"
    room.obeys(CommandState.FAILED, why, is_on=None, error=why)
    failed = await app.ask("POST", f"{path}/on", {}, 409)
    assert failed["detail"] == f"The plug of One could not go on: {why}"
    shown = await app.ask("GET", path)
    assert (shown["is_on"], shown["message"]) == (None, f"The plug of One: {why}.")
    room.obeys(CommandState.REJECTED, "it prints")
    refused = await app.ask("POST", f"{path}/off", {}, 400)
    assert refused["detail"] == "The plug of One refused to go off: it prints"
    farm.commands.issue = room.issue  # type: ignore[method-assign]
    silent = await app.ask("POST", f"{path}/on", {}, 503)
    assert "has not answered yet" in silent["detail"]
    farm.bridges.is_online = False
    assert "offline" in (await app.ask("POST", f"{path}/on", {}, 503))["detail"]
    await app.ask("GET", f"{path}/energy", expect=404)
    assert printer.id


@pytest.mark.parametrize("state", [_S.PRINTING, _S.PAUSED, _S.OPERATIONAL])
async def test_power_is_cut_only_by_who_insists(
    app: FarmApp, farm: Farm, room: Room, people: People, state: PrinterState
) -> None:
    """safety M27: 409 in a print or with a hot nozzle; force asks for the password lately."""
    printer, path = await fed(app, farm)
    room.obeys(is_on=True)
    await app.ask("POST", f"{path}/on", {})
    await farm.report(printer.id, state)
    if state is _S.OPERATIONAL:
        await app.show(Live(printer=printer.id, state=state, temps={"tool0": Temperature(180.0)}))
    for verb in ("off", "toggle"):
        refused = await app.ask("POST", f"{path}/{verb}", {}, 409)
        hot = state is _S.OPERATIONAL
        assert refused["error"]["code"] == ("conflict" if hot else "printer_busy")
        assert ("180 °C" in refused["detail"]) is hot
    people.is_fresh = False
    stale = await app.ask("POST", f"{path}/off?force=true", {}, 403)
    assert stale["error"]["code"] == "reauth_required"
    assert (await told(farm))["action"] == "on"
    people.is_fresh = True
    room.obeys(is_on=False)
    assert (await app.ask("POST", f"{path}/off?force=true", {}))["is_on"] is False
    assert await told(farm) == {"action": "off", "force": True}


async def test_a_stopped_printer_may_lose_its_power(app: FarmApp, farm: Farm, room: Room) -> None:
    """After a remote stop all is latched but its plug, which moves nothing."""
    printer, path = await fed(app, farm)
    await farm.report(printer.id, _S.HALTED)
    room.obeys(is_on=False)
    assert (await app.ask("POST", f"{path}/off", {}))["is_on"] is False


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "type"),
        ({"type": "x" * 33}, 422, "type"),
        ({"type": "tasmota"}, 422, "host"),
        ({"type": "tasmota", "host": "plug.local"}, 422, "is no address"),
        ({"type": "shelly", "host": "127.0.0.1"}, 422, "own network"),
        ({"type": "shelly", "host": "169.254.169.254"}, 422, "own network"),
        ({"type": "tasmota", "host": "192.168.1.30:22"}, 422, "Port 22"),
        ({"type": "mqtt", "host": "192.168.1.30"}, 403, "answer HTTP, too"),
        ({"type": "homeassistant"}, 403, "Home Assistant"),
        ({"type": "kasa", "host": "192.168.1.30"}, 403, "there are: psu, tasmota, shelly"),
        ({"type": "psu"}, 403, "cannot switch its power supply"),
    ],
)
async def test_what_no_bridge_reaches_is_refused_with_the_way_out(
    app: FarmApp, farm: Farm, body: dict[str, Any], status: int, says: str
) -> None:
    """safety S50: addresses of a room only; other kinds say what to do instead."""
    printer = await farm.printer()
    refused = await app.ask("PUT", f"/printers/{printer.id}/plug", body, status)
    assert says in str(refused["detail"])
    assert (await app.ask("GET", f"/printers/{printer.id}/plug"))["configured"] is False


async def test_a_room_that_knows_no_plugs_gets_none(app: FarmApp, farm: Farm, room: Room) -> None:
    """An older agent, and a printer without one: 403, and what to do."""
    printer = await farm.printer()
    room.has_plugs = False
    refused = await app.ask("PUT", f"/printers/{printer.id}/plug", TASMOTA, 403)
    assert "install its newest version" in refused["detail"]
    by_hand = await farm.printer("Two", port_id=None)
    refused = await app.ask("PUT", f"/printers/{by_hand.id}/plug", TASMOTA, 403)
    assert "hangs on no bridge" in refused["detail"]


async def test_an_agent_says_that_it_reaches_plugs(app: FarmApp, farm: Farm) -> None:
    """What its hello says is kept with its room."""
    hello = Hello(protocols=(1, 1), bridge_id="b", boot_id="x", boot_count=1, agent_version="1")
    assert columns(hello)["reaches_plugs"] is False
    assert not await reaches_plugs(BRIDGE)
    newer = Hello(
        protocols=(1, 1),
        bridge_id="b",
        boot_id="x",
        boot_count=1,
        agent_version="1",
        capabilities=[plugs.CAPABILITY],
    )
    row = await Bridge.create(
        organization_id=1,
        uid="b",
        name="b",
        public_key="k",
        created_at=farm.clock.now(),
        **columns(newer),
    )
    assert await reaches_plugs(row.id)


async def test_what_a_plug_says_after_it_was_removed_is_dropped(
    app: FarmApp, farm: Farm, room: Room
) -> None:
    """A late fact makes no plug; one of a supply or of nobody neither."""
    printer, path = await fed(app, farm)
    await app.ask("DELETE", path)
    await room.says(printer.id, is_on=True)
    await room.says(987654, is_on=True)
    assert (await app.ask("GET", path))["configured"] is False


async def test_a_plug_stays_in_its_room(app: FarmApp, farm: Farm) -> None:
    """A printer that leaves its room has no plug: at its address there may be anything."""
    printer, path = await fed(app, farm)
    await app.ask("PATCH", f"/printers/{printer.id}", {"bridge_id": None, "port_id": None})
    assert (await app.ask("GET", path))["configured"] is False
    assert config(await farm.row(printer)).plug is None


# The printer's own supply.


async def obeyed(app: FarmApp, room: Room, path: str) -> Any:
    """The answer to POST *path* while the room carries out what it is told."""
    room.obeys()
    return await app.ask("POST", path, {})


async def test_the_power_supply_is_switched_as_a_plug(app: FarmApp, farm: Farm, room: Room) -> None:
    """PUT plug {type: psu} where M115 says SOFTWARE_POWER: M80, M81; toggle; forgotten offline."""
    printer = await farm.printer()
    path = f"/printers/{printer.id}/plug"
    assert (await app.ask("PUT", path, {"type": "psu"}, 403))["error"]["code"] == "feature_disabled"
    await can(farm, printer, "SOFTWARE_POWER")
    assert (await app.ask("PUT", path, {"type": "psu"}))["is_on"] is None
    for verb, line, is_on in (("toggle", "M80", True), ("off", "M81", False), ("on", "M80", True)):
        assert (await obeyed(app, room, f"{path}/{verb}"))["is_on"] is is_on
        assert await done_lines(farm) == [line]
        assert (await app.ask("GET", f"{path}/state"))["is_on"] is is_on
    await app.ask("GET", f"{path}/energy", expect=404)
    await farm.report(printer.id, _S.OFFLINE)
    shown = await app.ask("GET", path)
    assert (shown["configured"], shown["type"], shown["is_on"]) == (True, "psu", None)
    assert (await app.ask("DELETE", path))["configured"] is False
    await app.ask("DELETE", path, expect=404)


async def test_no_print_loses_its_power_unless_somebody_insists(
    app: FarmApp, farm: Farm, room: Room
) -> None:
    """off and toggle in a print: 409 printer_busy; with force it goes out; on is no danger."""
    printer = await farm.printer(port_id="usb:1")
    path = f"/printers/{printer.id}/plug"
    await can(farm, printer, "SOFTWARE_POWER")
    await app.ask("PUT", path, {"type": "psu"})
    await obeyed(app, room, f"{path}/on")
    await farm.report(printer.id, _S.PRINTING)
    for verb in ("off", "toggle"):
        refused = await app.ask("POST", f"{path}/{verb}", {}, 409)
        assert refused["error"]["code"] == "printer_busy"
    assert await done_lines(farm) == ["M80"]
    assert (await obeyed(app, room, f"{path}/off?force=true"))["is_on"] is False
    assert await done_lines(farm) == ["M81"]

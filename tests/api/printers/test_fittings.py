"""What printers have beside their axes, and what there is to see of them (v1 2.3)."""

from datetime import timedelta
from typing import Any

import pytest

from api.commands import control
from api.printers.connection_test import ConnectionTest
from api.printers.fitting_routes import FittingRoutes
from api.printers.fittings import Fittings
from api.printers.look_routes import LookRoutes
from api.printers.models import Printer
from api.printers.nozzle_routes import NozzleRoutes, nozzle_status
from api.printers.nozzles import Nozzles
from api.printers.trouble import Troubles
from api.scheduler.filament_check import warnings
from api.scheduler.spots import spot_of
from api.telemetry.service import LiveView
from schemas.commands import CommandState, Verb
from schemas.printer import Live, PrinterState, Temperature
from tests.fakes.farm import BRIDGE, Farm
from tests.fakes.farm_app import FarmApp

_S = PrinterState


class Rooms:
    """The bridges that the caller has: the farm's one."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    async def list(self, by: object) -> list[Any]:
        class Row:
            id, name = BRIDGE, "The room"

        return [Row()]

    async def ports(self, by: Any, bridge_id: int) -> Any:
        return await self._farm.bridges.ports(by, bridge_id)

    def online(self, bridge_id: int) -> bool:
        return self._farm.bridges.online(bridge_id)


@pytest.fixture
def app(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> FarmApp:
    monkeypatch.setattr(control, "SEND_WAIT_S", 0.05)
    app = FarmApp(farm)
    printers, seen = farm.printers, app.telemetry
    test = ConnectionTest(Rooms(farm), printers, seen)
    LookRoutes(printers, seen, farm.jobs, test, Troubles(printers)).register(app.v1)
    NozzleRoutes(Nozzles(printers, farm.ledger), printers, seen).register(app.v1)
    fittings = Fittings(printers, farm.jobs.control, farm.ledger)
    FittingRoutes(fittings, printers).register(app.v1)
    return app


async def can(farm: Farm, printer: Printer, *capabilities: str) -> None:
    """The firmware of *printer* says that it can these."""
    async with farm.ledger.change() as change:
        said = {"name": "Marlin", "capabilities": dict.fromkeys(capabilities, True)}
        await farm.printers.record_firmware(change, printer.id, said)


# Nozzles.


async def test_a_nozzle_that_is_installed_is_the_one_that_the_queue_knows(
    app: FarmApp, farm: Farm
) -> None:
    """POST nozzle changes the profile and tells the bridge; the one before it is retired."""
    printer = await farm.printer()
    path = f"/printers/{printer.id}/nozzle"
    before = await app.ask("GET", path)
    assert (before["id"], before["nozzle_diameter"], before["installed_at"]) == (None, 0.4, None)
    desired = farm.bridges.desired
    first = await app.ask("POST", path, {"nozzle_type": "brass", "nozzle_diameter": 0.6})
    assert farm.bridges.desired == desired + 1
    row = await farm.row(printer)
    assert (row.profile["nozzle_mm"], spot_of(row, reachable=True).profile.nozzle_mm) == (0.6, 0.6)
    await Printer.filter(id=printer.id).update(print_seconds=7200.0)
    second = await app.ask("POST", path, {"notes": "same kind"})
    assert (second["nozzle_type"], second["nozzle_diameter"]) == ("brass", 0.6)
    newest, oldest = await app.ask("GET", f"{path}/history")
    assert (newest["id"], newest["is_active"], newest["print_hours"]) == (second["id"], True, 0.0)
    assert (oldest["id"], oldest["is_active"], oldest["print_hours"]) == (first["id"], False, 2.0)


async def test_a_nozzle_follows_what_the_settings_say(app: FarmApp, farm: Farm) -> None:
    """One truth: a diameter changed in the printer's settings is the installed nozzle's."""
    printer = await farm.printer()
    path = f"/printers/{printer.id}/nozzle"
    made = await app.ask("POST", path, {"nozzle_diameter": 0.6})
    await app.ask("PATCH", f"/printers/{printer.id}", {"nozzle_diameter": 0.8})
    assert (await app.ask("GET", path))["nozzle_diameter"] == 0.8
    gone = await app.ask("PATCH", f"{path}/{made['id']}/retire")
    assert (gone["nozzle_diameter"], gone["is_active"]) == (0.8, False)
    again = await app.ask("PATCH", f"{path}/{made['id']}/retire")
    assert again == gone
    await app.ask("PATCH", f"{path}/987654/retire", expect=404)


async def test_no_nozzle_is_changed_under_a_print_or_against_a_shared_profile(
    app: FarmApp, farm: Farm
) -> None:
    """409 printer_busy; 422 names the profile that says another width; a width has limits."""
    printer = await farm.printer()
    path = f"/printers/{printer.id}/nozzle"
    await app.ask("POST", path, {"nozzle_diameter": 9}, 422)
    profile = await app.ask("POST", "/printer-profiles", {"name": "Kind"}, 201)
    await app.ask("PATCH", f"/printers/{printer.id}", {"profile_id": profile["id"]})
    refused = await app.ask("POST", path, {"nozzle_diameter": 0.6}, 422)
    assert "printer profile says 0.4 mm" in refused["detail"]
    await app.ask("POST", path, {"nozzle_diameter": 0.4})
    await farm.report(printer.id, _S.PRINTING)
    busy = await app.ask("POST", path, {"nozzle_diameter": 0.4}, 409)
    assert busy["error"]["code"] == "printer_busy"


async def test_each_extruder_has_its_nozzle_and_its_temperature(farm: Farm) -> None:
    """nozzle-status: from what was heard; nothing where nothing fresh is known."""
    printer = await farm.printer()
    row = await farm.row(printer)
    row.profile = {**row.profile, "extruders": 2}
    live = Live(printer=row.id, state=_S.OPERATIONAL, temps={"tool1": Temperature(210.0, 215.0)})
    found = nozzle_status(row, LiveView(live=live, online=True, age_s=0.0))["nozzles"]
    assert [(each["index"], each["temp"], each["target"]) for each in found] == [
        (0, None, None),
        (1, 210.0, 215.0),
    ]
    away = nozzle_status(row, LiveView(live=live, online=False, age_s=90.0))["nozzles"]
    assert [each["temp"] for each in away] == [None, None]


# Light and objects.


async def test_a_light_is_switched_where_the_firmware_has_one(app: FarmApp, farm: Farm) -> None:
    """TOGGLE_LIGHTS of M115: M355; what it was told last is shown, and forgotten when it is off."""
    printer = await farm.printer()
    path = f"/printers/{printer.id}/lights"
    refused = await app.ask("POST", path, {}, 403)
    assert refused["error"]["code"] == "feature_disabled"
    await can(farm, printer, "TOGGLE_LIGHTS")
    await app.ask("POST", path, {}, 503)  # the room has not answered: nobody knows
    assert (await app.ask("GET", f"/printers/{printer.id}"))["lights_on"] is None
    assert [await lit(app, farm, path) for _ in range(2)] == [True, False]
    assert (await app.ask("GET", f"/printers/{printer.id}"))["lights_on"] is False
    await farm.report(printer.id, _S.OFFLINE)
    assert (await app.ask("GET", f"/printers/{printer.id}"))["lights_on"] is None


async def lit(app: FarmApp, farm: Farm, path: str) -> bool:
    """Toggle the light while the room answers."""
    answer = await obeyed(app, farm, path)
    assert await done_lines(farm) == [f"M355 S{int(answer['lights_on'])}"]
    return bool(answer["lights_on"])


async def obeyed(app: FarmApp, farm: Farm, path: str) -> Any:
    """The answer to POST *path* while the room carries out what it is told."""
    issue = farm.commands.issue

    async def answered(*given: Any, **more: Any) -> Any:
        command = await issue(*given, **more)
        await farm.answer(command, CommandState.DONE)
        return await farm.commands.get(command.id)

    farm.commands.issue = answered  # type: ignore[method-assign]
    try:
        return await app.ask("POST", path, {})
    finally:
        farm.commands.issue = issue  # type: ignore[method-assign]


async def done_lines(farm: Farm) -> list[str]:
    """The lines of the newest command."""
    return [str(line) for line in (await farm.last(Verb.GCODE)).args["lines"]]


async def test_objects_are_skipped_in_a_print_by_a_firmware_that_can(
    app: FarmApp, farm: Farm
) -> None:
    """M486 P: 403 without the capability, 400 without a print, 422 for odd objects."""
    printer = await farm.printer(port_id="usb:1")
    path = f"/printers/{printer.id}/skip-objects"
    body = {"object_ids": [0, 3]}
    assert (await app.ask("POST", path, body, 403))["error"]["code"] == "feature_disabled"
    await can(farm, printer, "CANCEL_OBJECTS")
    refused = await app.ask("POST", path, body, 400)
    assert refused["error"]["code"] == "invalid_state_transition"
    odd: list[list[int]] = [[], [-1], [1] * 51]
    for objects in odd:
        await app.ask("POST", path, {"object_ids": objects}, 422)
    await app.ask("POST", path, {}, 422)
    await farm.report(printer.id, _S.PRINTING)
    await app.ask("POST", path, body, 503)  # nobody answers here
    assert await done_lines(farm) == ["M486 P0", "M486 P3"]


# Eye, AMS.


async def test_what_a_usb_printer_does_not_have_is_said_so(app: FarmApp, farm: Farm) -> None:
    """Empty lists, 400 without an AMS; the settings of an eye stay."""
    printer = await farm.printer()
    path = f"/printers/{printer.id}"
    for what in ("ams/environment", "ams/environment?hours=168", "ams/current"):
        assert await app.ask("GET", f"{path}/{what}") == []
    await app.ask("GET", f"{path}/ams/environment?hours=169", expect=422)
    for what in ("sync-ams", "bambu/sync-ams", "ams/refresh"):
        assert "has no AMS" in (await app.ask("POST", f"{path}/{what}", {}, 400))["detail"]
    before = await app.ask("GET", f"{path}/vision")
    assert (before["enabled"], before["active"]) == (False, False)
    kept = await app.ask("PATCH", f"{path}/vision", {"enabled": True, "auto_pause": True})
    assert (kept["enabled"], kept["auto_pause"], kept["active"]) == (True, True, False)
    assert await app.ask("GET", f"{path}/vision") == kept
    assert kept["inactive_reason"] == "It has no camera."
    await app.ask("PATCH", f"{path}/vision", {"spaghetti_threshold": 1.5}, 422)


# Looking.


async def test_errors_and_alarms_are_the_history_of_troubles(app: FarmApp, farm: Farm) -> None:
    """hms-history: the newest first, of the days asked for; other states are no trouble."""
    printer, other = await farm.printer(), await farm.printer("Two", "usb:2")
    await farm.report(printer.id, _S.ERROR, "thermal runaway")
    farm.clock.advance(timedelta(days=20).total_seconds())
    await farm.report(printer.id, _S.OPERATIONAL)
    await farm.report(printer.id, _S.HALTED, "stopped remotely")
    await farm.report(other.id, _S.ERROR, "not here")
    path = f"/printers/{printer.id}/hms-history"
    rows = await app.ask("GET", path)
    assert [(row["code"], row["message"], row["severity"]) for row in rows] == [
        ("halted", "stopped remotely", "fatal"),
        ("error", "thermal runaway", "error"),
    ]
    assert [row["code"] for row in await app.ask("GET", f"{path}?days=10")] == ["halted"]
    for odd in ("days=0", "days=91", "days=x"):
        await app.ask("GET", f"{path}?{odd}", expect=422)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"api_host": "usb:2"}, {"success": True, "port_there": True, "answers": None}),
        ({"api_host": "usb:1"}, {"success": True, "answers": True, "printer_id": 1}),
        ({"api_host": "usb:9"}, {"success": False, "port_there": False, "bridge_id": None}),
        ({"api_host": "usb:9", "bridge_id": BRIDGE}, {"success": False, "bridge_online": True}),
        ({"api_host": "10.0.0.9", "api_type": "bambu"}, {"success": False, "bridge_id": None}),
    ],
)
async def test_a_connection_is_tested_by_what_is_known(
    app: FarmApp, farm: Farm, body: dict[str, object], wanted: dict[str, object]
) -> None:
    """Bridge there, port there, printer answers: each its own answer; nothing is opened."""
    printer = await farm.printer(port_id="usb:1")
    await app.show(Live(printer=printer.id, state=_S.OPERATIONAL))
    found = await app.ask("POST", "/printers/test-connection", {"api_type": "serial", **body})
    assert {name: found[name] for name in wanted} == wanted
    assert found["message"]


async def test_a_bridge_that_is_away_is_said_to_be(app: FarmApp, farm: Farm) -> None:
    """Neither the port nor the printer can be asked then; a foreign bridge is 404."""
    await farm.printer(port_id="usb:1")
    farm.bridges.is_online = False
    body = {"api_type": "serial", "api_host": "usb:1"}
    found = await app.ask("POST", "/printers/test-connection", body)
    assert (found["success"], found["bridge_online"]) == (False, False)
    await app.ask("POST", "/printers/test-connection", {**body, "bridge_id": 99}, 404)
    await app.ask("POST", "/printers/test-connection", {"api_type": "serial"}, 422)


async def test_an_overlay_is_for_everybody_where_somebody_says_so(app: FarmApp, farm: Farm) -> None:
    """v1 2.3: public; as a page to a browser; no password of a camera; on by `overlay: true`."""
    printer = await farm.printer("<One>")
    camera = {"camera_url": "http://me:secret@cam.local/stream?token=1"}
    await app.ask("PATCH", f"/printers/{printer.id}", camera)
    path = f"/api/v1/overlay/{printer.id}"
    assert (await app.client.get(path)).status_code == 404
    await app.ask("PATCH", f"/printers/{printer.id}", {"overlay": True})
    answer = await app.client.get(path)
    shown = await answer.get_json()
    assert (shown["gcode_state"], shown["camera_url"]) == ("IDLE", "http://cam.local/stream")
    page = await app.client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    text = await page.get_data(as_text=True)
    assert "<h1>&lt;One&gt;</h1>" in text
    assert "<script" not in text and "style" not in text
    assert 'http-equiv="refresh"' in text
    await app.ask("PATCH", f"/printers/{printer.id}", {"overlay": False})
    assert (await app.client.get(path)).status_code == 404
    assert (await app.client.get("/api/v1/overlay/987654")).status_code == 404


async def test_a_filament_check_warns_of_what_is_not_loaded(farm: Farm) -> None:
    """The queue's own rules, as advice; nothing is wrong with what nobody asks for."""
    printer = await farm.printer()
    assert warnings(spot_of(await farm.row(printer), reachable=True), "", "") == []
    said = warnings(spot_of(await farm.row(printer), reachable=True), "PETG", "")
    assert said == ["Nobody has said what is loaded in One"]
    slot = {"filament_type": "PLA", "color": "red"}
    await farm.printers.upkeep.load_slot(farm.admin, printer.id, 1, slot)
    spot = spot_of(await farm.row(printer), reachable=True)
    assert warnings(spot, "PETG", "red, blue") == [
        "PETG is not loaded",
        "The colour blue is not loaded",
    ]
    assert warnings(spot, "pla", "Red") == []


async def test_a_key_of_the_printers_own_api_is_kept_secret(app: FarmApp, farm: Farm) -> None:
    """v1 2.3: api_key is write-only; has_api_key tells that there is one. Only its hash is kept."""
    made = await app.ask("POST", "/printers", {"name": "Key", "api_key": "s3cret-key"}, 201)
    assert made["has_api_key"] is True
    assert "s3cret" not in str(made)
    assert "s3cret" not in str((await Printer.get(id=made["id"])).details)
    path = f"/printers/{made['id']}"
    assert (await app.ask("PATCH", path, {"nickname": "K"}))["has_api_key"] is True
    assert (await app.ask("PATCH", path, {"api_key": None}))["has_api_key"] is False
    await app.ask("PATCH", path, {"api_key": "x" * 501}, 422)

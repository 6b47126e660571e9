"""`/api/printer` and `/api/connection` against a room that obeys (octoprint 4)."""

from typing import Any

import httpx
import pytest

from api.bridges.models import Bridge
from schemas.commands import Verb
from schemas.printer import PrinterState
from tests.api.octoprint.conftest import Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOOL, BED, HEAD = "/api/printer/tool", "/api/printer/bed", "/api/printer/printhead"


async def post(farm: Farm, path: str, command: str | None = None, **body: Any) -> httpx.Response:
    return await farm.post(path, json={"command": command, **body} if command else body)


async def test_temperatures_are_set_and_shown(farm: Farm) -> None:
    """A target goes to the printer; what is shown is what it reported."""
    assert (await post(farm, TOOL, "target", targets={"tool0": 210})).status_code == 204
    assert (await post(farm, BED, "target", target=60)).status_code == 204
    assert farm.room.orders == [
        (Verb.TEMPERATURE, {"targets_c": {"tool0": 210.0}}),
        (Verb.TEMPERATURE, {"targets_c": {"bed": 60.0}}),
    ]
    shown = (await farm.get("/api/printer")).json()["temperature"]
    assert shown["tool0"] == {"actual": 21.5, "target": 210.0, "offset": 0}
    assert (await farm.get(TOOL)).json() == {"tool0": shown["tool0"]}
    assert (await farm.get(BED)).json() == {"bed": shown["bed"]}


async def test_a_target_above_the_limit_reaches_no_heater(farm: Farm) -> None:
    """M19: 400 with asked and allowed, through every door."""
    for path, body in (
        (TOOL, {"command": "target", "targets": {"tool0": 300}}),
        (BED, {"command": "target", "target": 150}),
        ("/api/printer/command", {"command": "M104 S300"}),
        ("/api/printer/command", {"commands": ["G28", "M140 S215.0e1"]}),
    ):
        answer = await farm.post(path, json=body)
        assert answer.status_code == 400, body
        assert "°C" in answer.json()["error"]
    assert farm.room.orders == []


async def test_moves_become_lines(farm: Farm) -> None:
    """Jog, home, factors, tools and extrusion as the printer gets them."""
    for path, command, body in (
        (HEAD, "jog", {"x": 10}),
        (HEAD, "home", {"axes": ["x", "y"]}),
        (HEAD, "feedrate", {"factor": 1.1}),
        (TOOL, "flowrate", {"factor": 95}),
        (TOOL, "select", {"tool": "tool0"}),
        (TOOL, "extrude", {"amount": 3}),
    ):
        answer = await post(farm, path, command, **body)
        assert answer.status_code == 204, (command, answer.text)
    lines = [args["lines"] for _, args in farm.room.orders]
    assert lines[:2] == [["G91", "G1 X10 F6000", "G90"], ["G28 X Y"]]
    assert lines[2:5] == [["M220 S110"], ["M221 S95"], ["T0"]]


async def test_while_printing_only_some_commands_work(farm: Farm) -> None:
    """Jog, home and extrude 409; feed rate, flow, targets and terminal lines work."""
    farm.machine.state = PrinterState.PRINTING
    await farm.room.report(farm.machine)
    for path, command, body, status in (
        (HEAD, "jog", {"x": 1}, 409),
        (HEAD, "home", {"axes": ["x"]}, 409),
        (HEAD, "dance", {}, 400),
        (HEAD, "feedrate", {"factor": 80}, 204),
        (TOOL, "extrude", {"amount": 1}, 409),
        (TOOL, "flowrate", {"factor": 101}, 204),
        (TOOL, "target", {"targets": {"tool0": 200}}, 204),
        ("/api/printer/command", "M117 hi", {}, 204),
    ):
        answer = await post(farm, path, command, **body)
        assert answer.status_code == status, (command, answer.text)
    farm.machine.state = PrinterState.PAUSED
    await farm.room.report(farm.machine)
    assert (await post(farm, HEAD, "jog", x=1)).status_code == 204


async def test_offline_is_409(farm: Farm) -> None:
    """Every look and every order; the state of the card is told all the same."""
    farm.machine.state = PrinterState.OFFLINE
    await farm.room.report(farm.machine)
    for path in ("/api/printer", TOOL, BED, "/api/printer?exclude=sd"):
        assert (await farm.get(path)).status_code == 409, path
    for path, command, body in (
        (HEAD, "jog", {"x": 1}),
        (TOOL, "target", {"targets": {"tool0": 1}}),
        (TOOL, "dance", {}),
        (BED, "target", {"target": 1}),
        ("/api/printer/command", "G28", {}),
    ):
        assert (await post(farm, path, command, **body)).status_code == 409, command
    assert (await post(farm, HEAD, "jog", x="far")).status_code == 400
    assert (await farm.get("/api/printer/error")).json() == {"error": "", "reason": ""}


async def test_a_heater_that_is_not_there_is_409(farm: Farm) -> None:
    """The default profile has no chamber."""
    assert (await farm.get("/api/printer/chamber")).status_code == 409
    answer = await post(farm, "/api/printer/chamber", "target", target=40)
    assert answer.status_code == 409


async def test_parts_can_be_left_out(farm: Farm) -> None:
    """exclude leaves the parts out that it names."""
    assert set((await farm.get("/api/printer?exclude=temperature,sd")).json()) == {"state"}


async def test_history_comes_when_it_is_asked_for(farm: Farm) -> None:
    """octoprint 4: items of time and heaters without offset, as many as limit says, newest last."""
    for target in (180, 190, 200):
        assert (await post(farm, TOOL, "target", targets={"tool0": target})).status_code == 204
    whole = (await farm.get("/api/printer?history=true")).json()["temperature"]["history"]
    assert set(whole[-1]) == {"time", "tool0", "bed"}
    assert whole[-1]["tool0"] == {"actual": 21.5, "target": 200.0}
    last = (await farm.get("/api/printer?history=yes&limit=2")).json()["temperature"]["history"]
    assert last == whole[-2:]
    tools = (await farm.get(f"{TOOL}?history=true&limit=1")).json()
    assert (set(tools), set(tools["history"][0])) == ({"tool0", "history"}, {"time", "tool0"})
    bed = (await farm.get(f"{BED}?history=1&limit=0")).json()
    assert bed["history"] == []
    assert "history" not in (await farm.get("/api/printer?limit=2")).json()["temperature"]


async def test_an_offset_shifts_what_is_set_now_and_later(farm: Farm) -> None:
    """octoprint 4: offset of tool and bed, -50..50; shown beside the temperatures."""
    assert (await post(farm, TOOL, "target", targets={"tool0": 200})).status_code == 204
    assert (await post(farm, TOOL, "offset", offsets={"tool0": 5})).status_code == 204
    assert (await post(farm, BED, "offset", offset=-10)).status_code == 204
    assert (await post(farm, TOOL, "target", targets={"tool0": 210})).status_code == 204
    asked = [args["targets_c"] for _, args in farm.room.orders]
    assert asked == [{"tool0": 200.0}, {"tool0": 205.0}, {"tool0": 215.0}]
    shown = (await farm.get("/api/printer")).json()["temperature"]
    assert (shown["tool0"]["offset"], shown["bed"]["offset"]) == (5.0, -10.0)
    assert (await post(farm, TOOL, "offset", offsets={"tool0": 51})).status_code == 400
    assert (await post(farm, TOOL, "offset", offsets={"bed": 1})).status_code == 400
    assert (await post(farm, "/api/printer/chamber", "offset", offset=1)).status_code == 409


async def test_the_bridge_is_told_the_offsets_for_printed_files(farm: Farm) -> None:
    """octoprint 4: a new desired configuration; 0 is no offset; the other printer has none."""
    room = (await farm.printer()).bridge_id
    assert room is not None
    before = (await Bridge.get(id=room)).desired_version
    for offsets in ({"tool0": 5}, {"tool0": 7.5}):
        assert (await post(farm, TOOL, "offset", offsets=offsets)).status_code == 204
    assert (await post(farm, BED, "offset", offset=-10)).status_code == 204
    assert (await post(farm, BED, "offset", offset=-51)).status_code == 400
    assert (await Bridge.get(id=room)).desired_version == before + 3
    told = {one.id: one.offsets_c for one in await farm.application.rooms.printers.desired(room)}
    assert told == {1: {"tool0": 7.5, "bed": -10.0}, 2: {}}
    assert (await post(farm, TOOL, "offset", offsets={"tool0": 0})).status_code == 204
    told = {one.id: one.offsets_c for one in await farm.application.rooms.printers.desired(room)}
    assert told[1] == {"bed": -10.0}
    assert await farm.application.rooms.printers.desired(room + 1) == []


async def test_a_script_of_the_printer_can_be_run(farm: Farm) -> None:
    """octoprint 4: exactly one of command, commands, script; an unknown script is 404."""
    scripts = {"gcode": {"afterPrintCancelled": "M104 S0\nM140 S0"}}
    assert (await farm.post("/api/settings", json={"scripts": scripts})).status_code == 200
    path = "/api/printer/command"
    assert (await farm.post(path, json={"script": "afterPrintCancelled"})).status_code == 204
    assert farm.room.orders[-1] == (Verb.GCODE, {"lines": ["M104 S0", "M140 S0"]})
    assert (await farm.post(path, json={"script": "x"})).status_code == 404
    assert (await farm.post(path, json={"script": "x", "command": "M105"})).status_code == 400


async def test_an_emergency_stop_from_a_terminal_is_a_stop(farm: Farm) -> None:
    """M112 in any spelling takes the stop's own way, and the printer stays stopped."""
    answer = await post(farm, "/api/printer/command", " m112 ; now")
    assert answer.status_code == 204
    assert answer.headers["X-Gantry-Obeys-At-Once"] == "unknown"  # this room does not say
    assert farm.room.orders == [(Verb.REMOTE_STOP, None)]
    assert (await farm.job())["state"] == "Offline after error"
    assert (await farm.get("/api/connection")).json()["current"]["port"] is None


async def test_lines_that_nobody_should_send_are_refused(farm: Farm) -> None:
    """The gate's policy holds here as at the port; scripts are unknown."""
    for line in ("M997", "M500", "M110 N0", "@pause", "M302 S0"):
        answer = await post(farm, "/api/printer/command", line)
        assert answer.status_code == 400, line
    assert farm.room.orders == []
    assert (await farm.post("/api/printer/command", json={"script": "x"})).status_code == 404
    assert (await farm.post("/api/printer/command", json={})).status_code == 400


async def test_connect_and_disconnect(farm: Farm) -> None:
    """204 when the printer has reported it; the port is the printer's own or AUTO."""
    path = "/api/connection"
    assert (await post(farm, path, "disconnect")).status_code == 204
    assert (await farm.get(path)).json()["current"]["state"] == "Closed"
    for body in (
        {"port": "/dev/ttyUSB9"},
        {"baudrate": 12345},
        {"baudrate": "fast"},
        {"printerProfile": "other"},
    ):
        assert (await post(farm, path, "connect", **body)).status_code == 400, body
    chosen: dict[str, Any] = {"port": "AUTO", "baudrate": 0, "save": True, "autoconnect": True}
    assert (await post(farm, path, "connect", **chosen)).status_code == 204
    current = (await farm.get(path)).json()["current"]
    assert (current["state"], current["port"]) == ("Operational", "virtual:a")
    assert (await post(farm, path, "fake_ack")).status_code == 204
    assert (await post(farm, path, "dance")).status_code == 400
    assert (await post(farm, path)).status_code == 400


async def test_a_chosen_baud_rate_becomes_the_printers(farm: Farm) -> None:
    """The rate is part of the configuration that the room works by."""
    await post(farm, "/api/connection", "disconnect")
    answer = await post(farm, "/api/connection", "connect", baudrate=250000)
    assert answer.status_code == 204
    assert (await farm.printer()).baud == 250000


async def test_a_key_of_one_printer_may_name_the_baud_rate_that_it_sees(farm: Farm) -> None:
    """Clients send the rate along: where it is detected that changes nothing, a set one stays."""
    key = await farm.application.rooms.accounts.create_octoprint_key(farm.admin, 1, "bound")
    headers = {"X-Api-Key": key}
    body = {"command": "connect", "port": "virtual:a", "baudrate": 115200}
    for baud, rate, status in ((0, 115200, 204), (250000, 250000, 204), (250000, 115200, 403)):
        await farm.application.rooms.printers.update(farm.admin, 1, {"baud": baud})
        await post(farm, "/api/connection", "disconnect")
        asked = {**body, "baudrate": rate}
        answer = await farm.http.post("/api/connection", json=asked, headers=headers)
        assert answer.status_code == status, (baud, rate, answer.text)
        assert (await farm.printer()).baud == baud


async def test_there_are_no_controls_of_ones_own(farm: Farm) -> None:
    """None can be made."""
    assert (await farm.get("/api/printer/command/custom")).json() == {"controls": []}

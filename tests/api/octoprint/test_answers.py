"""Answers in all their parts, where a row of data tells only some (octoprint 4)."""

from typing import Any

import httpx
import pytest

from schemas.printer import Temperature
from tests.api.octoprint.conftest import PASSWORD, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOCAL = "/api/files/local"


async def test_a_connection_in_all_its_parts(farm: Farm) -> None:
    """octoprint 4: current and options of GET /api/connection, and of a closed one."""
    body = {"command": "connect", "port": "AUTO", "save": True, "autoconnect": True}
    assert (await farm.post("/api/connection", json=body)).status_code == 204
    shown = (await farm.get("/api/connection")).json()
    assert set(shown["current"]) == {"state", "port", "baudrate", "printerProfile"}
    options = shown["options"]
    assert set(options) == {
        *("ports", "baudrates", "printerProfiles"),
        *("portPreference", "baudratePreference", "printerProfilePreference"),
    }
    assert shown["current"]["port"] in options["ports"]
    assert shown["current"]["baudrate"] in options["baudrates"]
    assert options["printerProfiles"] == [{"id": "_default", "name": "Alpha"}]
    listed = options["ports"][0]
    for port, status in ((listed, 204), ("COM9", 400)):
        body = {"command": "connect", "port": port, "baudrate": options["baudrates"][0]}
        assert (await farm.post("/api/connection", json=body)).status_code == status, port


async def test_a_profile_in_all_its_parts(farm: Farm) -> None:
    """octoprint 4: volume (a box or none), axes and extruder of a printer profile."""
    profile = (await farm.get("/api/printerprofiles/_default")).json()
    volume = {"width", "depth", "height", "formFactor", "origin", "custom_box"}
    assert set(profile["volume"]) == volume
    assert {axis: set(one) for axis, one in profile["axes"].items()} == {
        axis: {"speed", "inverted"} for axis in ("x", "y", "z", "e")
    }
    extruder = profile["extruder"]
    assert set(extruder) == {
        *("count", "offsets", "nozzleDiameter", "defaultExtrusionLength", "sharedNozzle")
    }
    assert extruder["offsets"] == [[0.0, 0.0]]
    assert profile["volume"]["custom_box"] is False
    box = dict.fromkeys(("x_min", "y_min", "z_min", "x_max", "y_max", "z_max"), 0.0)
    boxed = await farm.http.patch(
        "/api/printerprofiles/_default",
        json={"profile": {"volume": {"custom_box": box}}},
        headers={"X-Api-Key": farm.key},
    )
    assert boxed.json()["profile"]["volume"]["custom_box"] == box


async def test_a_history_has_three_hundred_items_at_most(farm: Farm) -> None:
    """octoprint 4: the default limit of `history`, and another one."""
    for target in range(320):
        farm.machine.temps = {"tool0": Temperature(200.0, float(target))}
        await farm.room.report(farm.machine)
    path = "/api/printer?history=true"
    for query, count in (("", 300), ("&limit=310", 310), ("&limit=2", 2)):
        history = (await farm.get(path + query)).json()["temperature"]["history"]
        assert len(history) == count
        assert history[-1]["tool0"] == {"actual": 200.0, "target": 319.0}


@pytest.mark.parametrize("part", ["temperature", "sd", "state"])
async def test_each_part_of_a_printer_can_be_left_out(farm: Farm, part: str) -> None:
    """octoprint 4: `exclude` of GET /api/printer."""
    shown = (await farm.get(f"/api/printer?exclude={part}")).json()
    assert set(shown) == {"temperature", "sd", "state"} - {part}


async def test_who_is_no_admin_reads_nothing_of_automatic_logins(farm: Farm) -> None:
    """octoprint 4: the settings of others have the same keys without `accessControl.autologin…`."""
    own = (await farm.get("/api/settings")).json()
    theirs = (await farm.get("/api/settings", farm.viewer_key)).json()
    assert set(own) == set(theirs)
    assert [key for key in own["accessControl"] if key.startswith("autologin")]
    assert not [key for key in theirs["accessControl"] if key.startswith("autologin")]


async def member(farm: Farm, *permissions: str) -> dict[str, str]:
    """The header of a person with these permissions and no others."""
    group: dict[str, Any] = {"key": "one", "name": "One", "permissions": permissions}
    made = await farm.post("/api/access/groups", json={**group, "subgroups": []})
    assert made.status_code == 200, made.text
    person = {"name": "mara", "password": PASSWORD, "active": True, "groups": ["one"]}
    assert (await farm.post("/api/access/users", json=person)).status_code == 200
    key = (await farm.post("/api/access/users/mara/apikey")).json()["apikey"]
    return {"X-Api-Key": key}


async def order(farm: Farm, headers: dict[str, str], **body: Any) -> httpx.Response:
    return await farm.http.post(f"{LOCAL}/a.gcode", json=body, headers=headers)


async def test_printing_what_is_selected_needs_more_than_selecting(farm: Farm) -> None:
    """octoprint 4: `print: true` needs PRINT beside FILES_SELECT; nothing is selected either."""
    await farm.upload("a.gcode")
    headers = await member(farm, "FILES_LIST", "FILES_SELECT")
    assert (await order(farm, headers, command="select", print=True)).status_code == 403
    assert (await farm.job())["job"]["file"]["name"] is None
    assert (await order(farm, headers, command="select")).status_code == 204
    assert (await farm.job())["job"]["file"]["name"] == "a.gcode"


async def test_moving_needs_more_than_copying(farm: Farm) -> None:
    """octoprint 4: FILES_DELETE beside FILES_UPLOAD."""
    await farm.upload("a.gcode")
    headers = await member(farm, "FILES_LIST", "FILES_UPLOAD")
    move = {"command": "move", "destination": "b.gcode"}
    assert (await order(farm, headers, **move)).status_code == 403
    assert (await order(farm, headers, **{**move, "command": "copy"})).status_code == 201
    assert (await farm.get(f"{LOCAL}/a.gcode")).status_code == 200


async def test_a_name_that_exists_is_told_of(farm: Farm) -> None:
    """octoprint 4: `exists` of POST /api/files/test has suggestion, size and date."""
    await farm.upload("a.gcode")
    entry = (await farm.get(f"{LOCAL}/a.gcode")).json()
    body = {"command": "exists", "storage": "local", "path": "", "filename": "a.gcode"}
    found = (await farm.post("/api/files/test", json=body)).json()
    assert found == {
        **{"exists": True, "suggestion": "a_1.gcode"},
        **{"size": entry["size"], "date": entry["date"]},
    }

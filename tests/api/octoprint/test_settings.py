"""Settings and printer profiles: read, changed, and what they change (octoprint 4)."""

from typing import Any

import httpx
import pytest

from api.accounts.models import Organization
from api.octoprint.settings_defaults import FEATURES
from tests.api.octoprint.conftest import Farm
from tests.api.octoprint.rows import at
from tests.api.octoprint.test_pools import pool_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

SETTINGS, PROFILES = "/api/settings", "/api/printerprofiles"


async def ask(farm: Farm, method: str, path: str, **more: Any) -> httpx.Response:
    return await farm.http.request(method, path, headers={"X-Api-Key": farm.key}, **more)


async def test_what_is_set_reaches_the_printer(farm: Farm) -> None:
    """Name, camera and scripts are the printer's own in Gantry; the whole document comes back."""
    body = {
        "appearance": {"name": "Renamed", "color": "red"},
        "webcam": {"streamUrl": "http://cam.local/stream", "flipH": True},
        "scripts": {"gcode": {"afterPrintDone": "M84"}},
        "nonsense": {"x": 1},
    }
    changed = await farm.post(SETTINGS, json=body)
    assert changed.status_code == 200
    document = changed.json()
    assert document["appearance"]["name"] == "Renamed"
    assert document["appearance"]["color"] == "red"
    assert document["webcam"]["flipH"] is True
    assert "nonsense" not in document
    printer = await farm.printer()
    assert (printer.name, printer.camera_url) == ("Renamed", "http://cam.local/stream")
    assert printer.scripts["after_print"] == "M84"
    again = (await farm.get(SETTINGS)).json()
    assert again == document
    assert (await farm.get("/octoprint/beta/api/settings")).json()["appearance"]["name"] == "Beta"


async def test_temperature_presets_are_kept(farm: Farm) -> None:
    """octoprint 4: apps read temperature.profiles."""
    presets = [{"name": "PLA", "extruder": 210, "bed": 60, "chamber": None}]
    await farm.post(SETTINGS, json={"temperature": {"profiles": presets}})
    assert (await farm.get(SETTINGS)).json()["temperature"]["profiles"] == presets


#: Another value than the default of everything that can be written, but for lists and names.
WRITTEN: list[tuple[str, Any]] = [
    ("appearance.color", "orange"),
    *((f"appearance.{name}", True) for name in ("colorTransparent", "showFahrenheitAlso")),
    *((f"appearance.{name}", False) for name in ("colorIcon", "fuzzyTimes")),
    ("appearance.defaultLanguage", "de"),
    ("temperature.cutoff", 45),
    ("temperature.sendAutomatically", True),
    ("temperature.sendAutomaticallyAfter", 2),
    ("temperature.profiles", [{"name": "PLA", "extruder": 210, "bed": 60, "chamber": None}]),
    ("terminalFilters", [{"name": "Temperatures", "regex": "M105"}]),
    ("webcam.snapshotUrl", "http://cam.local/shot.jpg"),
    ("webcam.streamRatio", "4:3"),
    ("webcam.streamTimeout", 9),
    *((f"webcam.{name}", True) for name in ("flipH", "flipV", "rotate90")),
    *((f"feature.{name}", True) for name in FEATURES),
    *((f"feature.{name}", False) for name in FEATURES),
]


@pytest.mark.parametrize("root", ["/octoprint/alpha", "pool"])
async def test_everything_that_can_be_written_is_read_back(farm: Farm, root: str) -> None:
    """octoprint 4: one key at a time, by what has just been written and by who comes later; what
    lies beside it stays."""
    if root == "pool":
        root = await pool_of(farm, 1)
    path = f"{root}{SETTINGS}"
    for dotted, value in WRITTEN:
        body = value
        for key in reversed(dotted.split(".")):
            body = {key: body}
        before = (await farm.get(path)).json()
        answer = await farm.post(path, json=body)
        assert answer.status_code == 200, (dotted, answer.text)
        after = (await farm.get(path)).json()
        assert at(answer.json(), dotted) == at(after, dotted) == value
        assert {**after, dotted.partition(".")[0]: None} == {
            **before,
            dotted.partition(".")[0]: None,
        }


async def test_what_settings_refuse(farm: Farm) -> None:
    """octoprint 4: wrong type 415, broken 400, a list 400, viewers 403; S37: only web addresses."""
    assert (await farm.post(SETTINGS, data={"appearance": "x"})).status_code == 415
    assert (await farm.post(SETTINGS, json=[])).status_code == 400
    before = (await farm.get(SETTINGS)).json()
    for body in (
        {"webcam": {"streamUrl": "javascript:alert(1)"}},
        {"webcam": {"snapshotUrl": "file:///etc/passwd"}},
        {"appearance": {"name": " "}},
        {"appearance": {"name": 5}},
    ):
        assert (await farm.post(SETTINGS, json=body)).status_code == 400, body
    headers = {"X-Api-Key": farm.viewer_key}
    assert (await farm.http.post(SETTINGS, json={}, headers=headers)).status_code == 403
    assert (await farm.get(SETTINGS)).json() == before


async def test_the_id_is_stable_and_of_one_printer(farm: Farm) -> None:
    """Home Assistant knows a printer by plugins.discovery.upnpUuid."""

    async def uuid(root: str) -> str:
        found = (await farm.get(f"{root}{SETTINGS}")).json()["plugins"]["discovery"]["upnpUuid"]
        return str(found)

    alpha = await uuid("/octoprint/alpha")
    await farm.post(SETTINGS, json={"appearance": {"name": "Other"}})
    assert await uuid("/octoprint/alpha") == alpha == await uuid("")
    assert await uuid("/octoprint/beta") != alpha


async def test_settings_and_profiles_can_be_revalidated(farm: Farm) -> None:
    """octoprint 1 revalidation: ETag, 304, and 200 again after a change."""
    for path in (SETTINGS, PROFILES):
        first = await farm.get(path)
        headers = {"X-Api-Key": farm.key, "If-None-Match": first.headers["etag"]}
        assert (await farm.http.get(path, headers=headers)).status_code == 304
        await farm.post(SETTINGS, json={"appearance": {"name": f"New {path[5:]}"}})
        assert (await farm.http.get(path, headers=headers)).status_code == 200


async def test_allow_cross_origin_is_the_organizations(farm: Farm) -> None:
    """octoprint 2 CORS off: off by default; set at one printer it holds for all."""
    assert (await farm.get(SETTINGS)).json()["api"]["allowCrossOrigin"] is False
    await farm.post(SETTINGS, json={"api": {"allowCrossOrigin": True}})
    beta = await farm.get("/octoprint/beta/api/settings")
    assert beta.json()["api"]["allowCrossOrigin"] is True
    await farm.post(SETTINGS, json={"api": {"allowCrossOrigin": False}})
    assert (await Organization.get(id=1)).settings.get("allow_cross_origin") is None


async def test_the_profile_is_the_printers(farm: Farm) -> None:
    """GET has it whole; PATCH changes what the gate checks; 404 for another."""
    profile = (await farm.get(f"{PROFILES}/_default")).json()
    assert set(profile) == {
        *("id", "name", "model", "color", "default", "current", "resource", "heatedBed"),
        *("heatedChamber", "volume", "axes", "extruder"),
    }
    body = {"profile": {"volume": {"width": 333}, "heatedChamber": True, "name": "Big"}}
    changed = await ask(farm, "PATCH", f"{PROFILES}/_default", json=body)
    assert changed.status_code == 200
    assert changed.json()["profile"]["name"] == "Big"
    assert (await farm.printer()).profile["width_mm"] == 333
    assert (await farm.get("/api/printer/chamber")).status_code == 200
    assert (await farm.get(f"{PROFILES}/none")).status_code == 404
    for wrong in (
        {"volume": {"width": -1}},
        {"volume": {"width": "x"}},
        {"extruder": {"count": 99}},
    ):
        answer = await ask(farm, "PATCH", f"{PROFILES}/_default", json={"profile": wrong})
        assert answer.status_code == 400, wrong


async def test_other_profiles_are_kept_and_chosen(farm: Farm) -> None:
    """octoprint 4: POST merges, connect takes one that exists, DELETE 204 or 409."""
    new = {"id": "big", "name": "Big", "volume": {"width": 400}}
    made = await farm.post(PROFILES, json={"profile": new, "basedOn": "_default"})
    assert made.status_code == 200
    shown = made.json()["profile"]
    assert (shown["volume"]["width"], shown["volume"]["depth"]) == (400, 210.0)
    assert (shown["current"], shown["default"]) == (False, False)
    for body, status in (
        ({"profile": new}, 409),
        ({"profile": {"id": "x"}}, 400),
        ({"profile": {"name": "x"}}, 400),
        ({"profile": {"id": "../x", "name": "x"}}, 400),
        ({}, 400),
    ):
        assert (await farm.post(PROFILES, json=body)).status_code == status, body
    await farm.post("/api/connection", json={"command": "disconnect"})
    wrong = {"command": "connect", "printerProfile": "none"}
    assert (await farm.post("/api/connection", json=wrong)).status_code == 400
    chosen = {"command": "connect", "printerProfile": "big"}
    assert (await farm.post("/api/connection", json=chosen)).status_code == 204
    assert (await farm.printer()).profile["width_mm"] == 400
    connection = (await farm.get("/api/connection")).json()
    assert connection["current"]["printerProfile"] == "big"
    assert {"id": "big", "name": "Big"} in connection["options"]["printerProfiles"]
    for profile, status in (("big", 409), ("_default", 409), ("unknown", 204)):
        answer = await ask(farm, "DELETE", f"{PROFILES}/{profile}")
        assert answer.status_code == status, profile
    await farm.post("/api/connection", json={"command": "disconnect"})
    await farm.post("/api/connection", json={"command": "connect", "printerProfile": "_default"})
    assert (await farm.printer()).profile["width_mm"] == 250.0
    assert (await ask(farm, "DELETE", f"{PROFILES}/big")).status_code == 204
    assert set((await farm.get(PROFILES)).json()["profiles"]) == {"_default"}


async def test_scripts_do_not_change_under_a_print(farm: Farm) -> None:
    """What the printer works by stays while it prints: 409."""
    assert (await farm.upload(print="true")).json()["effectivePrint"] is True
    body = {"scripts": {"gcode": {"afterPrintDone": "M84 X"}}}
    assert (await farm.post(SETTINGS, json=body)).status_code == 409

"""What Gantry has not answers as an OctoPrint without it (octoprint 4), row by row."""

from typing import Any

import pytest

from tests.api.octoprint.conftest import Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

OFF = {"config": {"type": "off"}, "enabled": False, "files": []}
NO_COMMANDS: dict[str, Any] = {"core": [], "plugin": [], "custom": []}

#: (method, path, JSON body, status, answer; None: any)
ROWS: list[tuple[str, str, Any, int, Any]] = [
    ("GET", "/api/slicing", None, 200, {}),
    ("GET", "/api/slicing/cura/profiles", None, 404, None),
    ("GET", "/api/slicing/cura/profiles/fine", None, 404, None),
    ("GET", "/api/timelapse", None, 200, OFF),
    ("POST", "/api/timelapse", {"type": "timed", "interval": 5}, 200, OFF),
    ("POST", "/api/timelapse", {"type": "timed", "interval": "often"}, 400, None),
    ("DELETE", "/api/timelapse/a.mp4", None, 200, OFF),
    ("GET", "/api/system/commands", None, 200, NO_COMMANDS),
    ("GET", "/api/system/commands/core", None, 200, []),
    ("GET", "/api/system/commands/none", None, 404, None),
    ("POST", "/api/system/commands/core/reboot", None, 404, None),
    ("POST", "/api/system", {"action": "reboot"}, 404, None),
    ("POST", "/api/system", {}, 400, None),
    ("GET", "/api/system/startup", None, 200, {"startup": {}}),
    ("GET", "/api/languages", None, 200, {"language_packs": {}}),
    ("GET", "/api/setup/wizard", None, 200, {}),
    ("POST", "/api/setup/wizard", {"handled": []}, 204, None),
    ("POST", "/api/setup/wizard", {}, 400, None),
    ("POST", "/api/util/test", {"command": "dance"}, 400, None),
    ("POST", "/api/util/test", {"command": "path", "path": "/etc/passwd"}, 200, None),
    ("GET", "/api/plugin/psucontrol", None, 404, None),
    ("POST", "/api/plugin/psucontrol", {"command": "on"}, 400, None),
    ("GET", "/api/settings/templates", None, 200, None),
    ("GET", "/api/files/sdcard", None, 200, {"files": []}),
    ("GET", "/api/files/sdcard/a.gcode", None, 404, None),
    ("DELETE", "/api/files/sdcard/a.gcode", None, 404, None),
    ("POST", "/api/files/sdcard/a.gcode", {"command": "select"}, 404, None),
    ("POST", "/api/files/local/a.gcode", {"command": "slice", "slicer": "cura"}, 404, None),
    ("POST", "/api/files/local/a.gcode", {"command": "uploadSd"}, 404, None),
    ("GET", "/api/printer/command/custom", None, 200, {"controls": []}),
]


@pytest.mark.parametrize("root", ["", "/octoprint/alpha"])
async def test_each_row(farm: Farm, root: str) -> None:
    """Status and body as recorded, for an admin; errors in OctoPrint's form."""
    await farm.upload("a.gcode")
    headers = {"X-Api-Key": farm.key}
    for method, path, body, status, wanted in ROWS:
        more = {} if body is None else {"json": body}
        answer = await farm.http.request(method, root + path, headers=headers, **more)
        assert answer.status_code == status, (method, path, answer.text)
        if status >= 400:
            assert set(answer.json()) == {"error"}, path
        elif wanted is not None:
            assert answer.json() == wanted, path


async def test_disks_and_logs(farm: Farm) -> None:
    """usage {folder {free, total}}; no log is told; the old address of logs leads on."""
    usage = (await farm.get("/api/system/usage")).json()["usage"]["uploads"]
    assert 0 < usage["free"] <= usage["total"]
    logs = (await farm.get("/plugin/logging/logs")).json()
    assert (logs["files"], set(logs)) == ([], {"files", "free", "total"})
    moved = await farm.get("/api/logs")
    assert (moved.status_code, moved.headers["location"]) == (301, "/plugin/logging/logs")
    assert (await farm.http.get("/online.txt")).headers["content-type"].startswith("text/plain")


async def test_a_url_is_looked_at_but_never_fetched(farm: Farm) -> None:
    """S37: a scheme but http and https is no camera; nothing is asked over the network."""
    for url, result in (("http://cam.local/x", True), ("javascript:alert(1)", False)):
        body = {"command": "url", "url": url}
        assert (await farm.post("/api/util/test", json=body)).json()["result"] is result

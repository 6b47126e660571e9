"""What clients that we cannot run here are known to ask, and what they need to find.

Cura's plug-in, OctoApp, OctoPod, Printoid, OctoDash, OctoScreen, OctoFarm, FDM Monster, Home
Assistant, OrcaSlicer, PrusaSlicer, ideaMaker, and whoever looks which kind of server this is: each
request as they send it, at the server's root and at a printer's.
"""

from typing import Any

import pytest

from tests.api.octoprint.conftest import GCODE, Farm
from tests.api.octoprint.rows import at

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: (who asks, method, path, body as JSON, status, dotted paths that the answer must have)
ASKED: list[tuple[str, str, str, Any, int, tuple[str, ...]]] = [
    ("Cura", "GET", "/api/settings", None, 200, ("webcam.streamUrl", "webcam.flipH", "plugins")),
    ("Cura", "GET", "/api/printer", None, 200, ("state.flags.operational", "temperature.tool0")),
    ("Cura", "GET", "/api/job", None, 200, ("job.file.name", "progress.completion")),
    ("Cura", "POST", "/api/connection", {"command": "connect"}, 204, ()),
    ("Cura", "POST", "/api/plugin/psucontrol", {"command": "getPSUState"}, 400, ("error",)),
    ("Cura", "GET", "/plugin/appkeys/probe", None, 204, ()),
    ("OctoApp", "POST", "/api/login", {"passive": True}, 200, ("session", "name", "permissions")),
    ("OctoApp", "GET", "/api/files/local?recursive=true", None, 200, ("files.0.refs.download",)),
    ("OctoApp", "GET", "/api/files/local/a.gcode", None, 200, ("refs.resource", "size", "date")),
    ("OctoApp", "GET", "/downloads/files/local/a.gcode", None, 200, ()),
    ("OctoApp", "GET", "/api/printerprofiles", None, 200, ("profiles._default.volume.width",)),
    ("OctoApp", "GET", "/api/system/commands", None, 200, ("core",)),
    ("OctoApp", "GET", "/api/timelapse?unrendered=true", None, 200, ("files",)),
    ("OctoApp", "GET", "/plugin/pluginmanager/plugins", None, 404, ("error",)),
    ("OctoApp", "POST", "/api/plugin/octoapp", {"command": "registerForNotifications"}, 400, ()),
    ("OctoPod", "GET", "/api/printer?exclude=temperature", None, 200, ("state.text",)),
    ("OctoPod", "GET", "/api/printer?history=true&limit=60", None, 200, ("temperature.history",)),
    ("OctoPod", "GET", "/api/settings", None, 200, ("appearance.name", "feature.sdSupport")),
    ("OctoPod", "GET", "/api/connection", None, 200, ("options.ports.0", "current.state")),
    ("OctoPod", "GET", "/plugin/DisplayLayerProgress/values", None, 404, ("error",)),
    ("Printoid", "GET", "/api/languages", None, 200, ("language_packs",)),
    ("Printoid", "GET", "/api/printer/command/custom", None, 200, ("controls",)),
    ("Home Assistant", "GET", "/api/server", None, 200, ("version",)),
    ("Home Assistant", "GET", "/api/settings", None, 200, ("plugins.discovery.upnpUuid",)),
    ("Home Assistant", "POST", "/api/system/commands/core/reboot", None, 404, ("error",)),
    ("OrcaSlicer", "GET", "/api/version", None, 200, ("api", "text")),
    ("ideaMaker", "GET", "/api/files", None, 200, ("free", "total", "files")),
    ("OctoDash", "POST", "/api/login", {"passive": True}, 200, ("name", "session")),
    ("OctoDash", "GET", "/api/files/local", None, 200, ("files.0.typePath", "files.0.refs")),
    ("OctoDash", "POST", "/api/system/commands/core/shutdown", None, 404, ("error",)),
    ("OctoDash", "POST", "/api/printer/command", {"commands": ["M106 S128"]}, 204, ()),
    ("OctoDash", "POST", "/api/plugin/action_command_prompt", {"command": "select"}, 400, ()),
    ("OctoScreen", "GET", "/api/printer?exclude=temperature,sd", None, 200, ("state.flags",)),
    ("OctoScreen", "POST", "/api/connection", {"command": "connect", "port": "AUTO"}, 204, ()),
    ("OctoScreen", "GET", "/api/plugin/zbolt_octoscreen?command=get_settings", None, 404, ()),
    ("OctoScreen", "GET", "/plugin/pluginmanager/plugins", None, 404, ("error",)),
    ("OctoScreen", "POST", "/api/printer/printhead", {"command": "home", "axes": ["x"]}, 204, ()),
    ("OctoScreen", "GET", "/api/printer/tool?history=true&limit=1", None, 200, ("history",)),
    ("OctoFarm", "POST", "/api/login?passive=true", {}, 200, ("session", "name")),
    ("OctoFarm", "GET", "/api/users", None, 307, ()),
    ("OctoFarm", "GET", "/api/access/users", None, 200, ("users.0.admin", "users.0.name")),
    ("OctoFarm", "GET", "/api/system/info", None, 200, ("systeminfo",)),
    ("OctoFarm", "GET", "/api/plugin/pi_support", None, 404, ("error",)),
    ("OctoFarm", "GET", "/plugin/softwareupdate/check", None, 404, ("error",)),
    ("OctoFarm", "PATCH", "/api/printerprofiles/_default", {"profile": {"name": "Mk"}}, 200, ()),
    ("FDM Monster", "GET", "/api/currentuser", None, 200, ("name", "groups.0", "permissions.0")),
    ("FDM Monster", "GET", "/api/printer?history=true", None, 200, ("state.flags.operational",)),
    ("FDM Monster", "GET", "/api/settings", None, 200, ("feature", "serial.portOptions")),
    ("FDM Monster", "POST", "/api/settings", {"gcodeAnalysis": {"runAt": "never"}}, 200, ()),
    ("Obico", "GET", "/api/settings", None, 200, ("webcam.webcams", "webcam.snapshotUrl")),
    ("a typed client", "GET", "/api/settings", None, 200, ("serial.baudrate", "server.diskspace")),
    ("a page", "GET", "/online.gif", None, 200, ()),
    ("SockJS", "GET", "/sockjs/info?t=1700000000000", None, 200, ("websocket", "entropy")),
    ("who looks for Moonraker", "GET", "/server/info", None, 404, ("error",)),
    ("who looks for Moonraker", "GET", "/printer/info", None, 404, ("error",)),
    ("who looks for PrusaLink", "GET", "/api/v1/storage", None, 404, ("error",)),
    ("who looks for PrusaLink", "GET", "/api/v1/info", None, 404, ("error",)),
]


@pytest.mark.parametrize("root", ["", "/octoprint/alpha"])
async def test_each_finds_what_it_needs(farm: Farm, root: str) -> None:
    """The status that they take for yes or no, and the fields that they read."""
    await farm.upload("a.gcode")
    for who, method, path, body, status, needed in ASKED:
        more = {} if body is None else {"json": body}
        headers = {"X-Api-Key": farm.key, "User-Agent": who}
        answer = await farm.http.request(method, root + path, headers=headers, **more)
        assert answer.status_code == status, (who, path, answer.text)
        document = answer.json() if needed else None
        for dotted in needed:
            at(document, dotted)


async def test_a_key_by_basic_auth_beside_it_is_no_harm(farm: Farm) -> None:
    """A proxy's own password in the address: the key counts, Basic means nothing here."""
    for key, status in (({"X-Api-Key": farm.key}, 200), ({}, 403)):
        headers = {"Authorization": "Basic cHJveHk6c2VjcmV0", **key}
        answer = await farm.http.get("/octoprint/alpha/api/version", headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize("path", [None, "", "/", "parts", "/parts/", "parts/sub"])
async def test_slicers_send_a_path_or_none(farm: Farm, path: str | None) -> None:
    """PrusaSlicer and OrcaSlicer: with and without a folder, with slashes around it."""
    fields = {"print": "false", **({} if path is None else {"path": path})}
    files = {"file": ("a.gcode", GCODE)}
    answer = await farm.post("/octoprint/alpha/api/files/local", files=files, data=fields)
    assert answer.status_code == 201, answer.text
    folder = (path or "").strip("/")
    local = answer.json()["files"]["local"]
    assert local["path"] == (f"{folder}/a.gcode" if folder else "a.gcode")


async def test_a_phone_asks_for_a_key(farm: Farm) -> None:
    """The way of OctoApp, OctoPod, Cura and Home Assistant: probe, request with a user, poll."""
    root = "/octoprint/alpha/plugin/appkeys"
    assert (await farm.http.get(f"{root}/probe")).status_code == 204
    asked = await farm.http.post(f"{root}/request", json={"app": "OctoApp", "user": "admin"})
    place = asked.headers["location"].removeprefix("http://farm.local:5000")
    assert (await farm.http.get(place)).status_code == 202
    pending = (await farm.get("/octoprint/alpha/api/plugin/appkeys")).json()["pending"]
    [token] = pending
    body = {"decision": True}
    assert (await farm.post(f"{root}/decision/{token}", json=body)).status_code == 204
    key = (await farm.http.get(place)).json()["api_key"]
    login = await farm.http.post(
        "/octoprint/alpha/api/login", json={"passive": "true"}, headers={"X-Api-Key": key}
    )
    assert (login.json()["name"], bool(login.json()["session"])) == ("admin", True)


@pytest.mark.parametrize(
    ("query", "more"),
    [
        ("?passive=true", {"json": {}}),
        ("?passive=true", {}),
        ("", {"data": {"passive": "true"}}),
        ("", {"json": {"passive": False}}),
        ("", {"content": b'{"passive": 1}', "headers": {"Content-Type": "application/x+json"}}),
    ],
)
async def test_a_passive_login_is_asked_for_in_many_ways(
    farm: Farm, query: str, more: dict[str, Any]
) -> None:
    """octoprint 2 login: passive in the query, a form or JSON, whatever it says; a key's is always
    fresh.
    """
    headers = {"X-Api-Key": farm.key, **more.pop("headers", {})}
    answer = await farm.http.post(f"/octoprint/alpha/api/login{query}", headers=headers, **more)
    record = answer.json()
    assert (answer.status_code, record["name"], bool(record["session"])) == (200, "admin", True)
    assert isinstance(record["_credentials_seen"], str)


async def test_newer_clients_find_the_camera_in_the_list(farm: Farm) -> None:
    """octoprint 4: `webcam.webcams` says what the older keys say; empty without a camera."""
    path = "/octoprint/alpha/api/settings"
    assert (await farm.get(path)).json()["webcam"]["webcams"] == []
    urls = {"streamUrl": "/webcam/?action=stream", "snapshotUrl": "http://10.0.0.7/shot.jpg"}
    webcam = (await farm.post(path, json={"webcam": {**urls, "flipH": True}})).json()["webcam"]
    [camera] = webcam["webcams"]
    assert camera["compat"]["stream"] == camera["extras"]["stream"] == webcam["streamUrl"]
    assert (camera["flipH"], camera["canSnapshot"]) == (True, True)
    assert camera["compat"]["snapshot"] == webcam["snapshotUrl"]
    assert webcam["defaultWebcam"] == camera["name"] == "classic"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
async def test_scripts_of_windows_write_json_in_encodings_of_their_own(
    farm: Farm, encoding: str
) -> None:
    """PowerShell and .NET: a byte order mark, UTF-16; OctoPrint reads every one of them."""
    content = '{"command": "M117 für dich"}'.encode(encoding)
    answer = await farm.http.post(
        "/octoprint/alpha/api/printer/command",
        content=content,
        headers={"X-Api-Key": farm.key, "Content-Type": "application/json; charset=utf-8"},
    )
    assert answer.status_code == 204, answer.text


@pytest.mark.parametrize("content", [b"\xff\xfe{", b"\x00\x01\xff", b"\xef\xbb\xbf"])
async def test_what_is_json_in_no_encoding_is_refused(farm: Farm, content: bytes) -> None:
    """Nor is half a character of one."""
    answer = await farm.http.post(
        "/octoprint/alpha/api/printer/command",
        content=content,
        headers={"X-Api-Key": farm.key, "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "Malformed JSON body in request")


@pytest.mark.parametrize(
    ("filename", "path", "lands"),
    [
        ("parts/a.gcode", "", "parts/a.gcode"),
        ("/home/me/a.gcode", "", "home/me/a.gcode"),
        ("sub/a.gcode", "parts", "parts/sub/a.gcode"),
    ],
)
async def test_scripts_send_the_name_of_a_file_with_its_folders(
    farm: Farm, filename: str, path: str, lands: str
) -> None:
    """OctoRest's and curl's users: as OctoPrint 1.11.8, they are folders below `path`."""
    answer = await farm.upload(filename, path=path)
    assert answer.status_code == 201, answer.text
    local = answer.json()["files"]["local"]
    assert (local["name"], local["path"]) == ("a.gcode", lands)
    entry = (await farm.get(f"/api/files/local/{lands}")).json()
    assert entry["display"] == "a.gcode"


async def test_a_file_sent_again_keeps_what_a_client_noted_of_it(farm: Farm) -> None:
    """`userdata` of one client outlives the upload of another, that knows nothing of it."""
    await farm.upload("a.gcode", userdata='{"layer": 0.2}')
    await farm.upload("a.gcode", b"G28\nG1 X1\n")
    entry = (await farm.get("/api/files/local/a.gcode")).json()
    assert (entry["userdata"], entry["size"]) == ({"layer": 0.2}, 10)
    await farm.upload("a.gcode", userdata='{"layer": 0.3}')
    assert (await farm.get("/api/files/local/a.gcode")).json()["userdata"] == {"layer": 0.3}


@pytest.mark.parametrize("look", ["/api/job", "/api/printer"])
async def test_whoever_looks_right_after_an_upload_that_prints_finds_it_printing(
    farm: Farm, look: str
) -> None:
    """FDM Monster, OctoFarm and scripts with OctoRest take an idle printer for a print that is
    over; OctoPrint answers the upload when the print has begun.
    """
    root = "/octoprint/alpha"
    answer = await farm.post(
        f"{root}/api/files/local", files={"file": ("a.gcode", GCODE)}, data={"print": "true"}
    )
    assert answer.json()["effectivePrint"] is True
    seen = (await farm.get(f"{root}{look}")).json()
    if look == "/api/job":
        assert (seen["state"], seen["job"]["file"]["path"]) == ("Printing", "a.gcode")
    else:
        flags = seen["state"]["flags"]
        assert (flags["printing"], flags["operational"], flags["ready"]) == (True, True, False)


@pytest.mark.parametrize("root", ["", "/octoprint/alpha"])
@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("PATCH", 405)])
async def test_a_generic_client_learns_which_methods_there_are(
    farm: Farm, root: str, method: str, status: int
) -> None:
    """RFC 9110: `Allow`, as OctoPrint's OPTIONS has it; for what asks before it sends."""
    answer = await farm.http.request(method, f"{root}/api/job", headers={"X-Api-Key": farm.key})
    assert answer.status_code == status
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}

"""Published OctoPrint clients drive a running farm with their whole core: OctoRest, pyoctoprintapi.

Each at the server's root, where its key's printer answers, and at the printer's own address.
OctoRest drops the path of its URL: below a prefix it is used through something that puts the
prefix in front, as people do with a proxy.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from octorest import OctoRest
from pyoctoprintapi import OctoprintClient
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

from tests.flows.conftest import DATA, Faces, eventually

pytestmark = [pytest.mark.flow, pytest.mark.timeout(180)]

CUBE = DATA / "cube_small.gcode"


ROOTS = ("server", "printer")


class Below(HTTPAdapter):
    """Puts *prefix* in front of every path."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def send(self, request: PreparedRequest, *args: Any, **more: Any) -> Response:
        parts = urlsplit(request.url or "")
        if not parts.path.startswith(f"{self._prefix}/"):  # a link of an answer has it already
            request.url = parts._replace(path=self._prefix + parts.path).geturl()
        return super().send(request, *args, **more)


@pytest.fixture(params=ROOTS)
def client(request: pytest.FixtureRequest, faces: Faces) -> Iterator[OctoRest]:
    url = faces.farm.ready["url"]
    session = Session()
    if request.param == "printer":
        session.mount(url, Below(urlsplit(faces.printer["octoprint_url"]).path))
    made = OctoRest(url=url, apikey=faces.printer["octoprint_key"], session=session)
    yield made
    made.session.close()


def idle(faces: Faces) -> None:
    eventually(
        lambda: faces.get_octoprint("/api/job")["state"] == "Operational", 60.0, "operational"
    )


def test_octorest_reads_what_there_is(client: OctoRest) -> None:
    """Version, connection, profiles, settings, files, job, printer: as OctoRest decodes them."""
    assert client.version["text"].startswith("OctoPrint")
    assert client.get_version()["api"] == "0.1"
    assert client.connection_info()["current"]["state"] == "Operational"
    assert client.state() == "Operational"
    assert "_default" in client.printer_profiles()["profiles"]
    assert client.settings()["feature"]
    assert "files" in client.files()
    assert "files" in client.files(recursive=True)
    assert client.job_info()["state"] == "Operational"
    printer = client.printer()
    assert printer["state"]["flags"]["ready"] is True
    assert printer["temperature"]["tool0"].keys() >= {"actual", "target", "offset"}
    eventually(lambda: client.tool()["tool0"]["actual"] is not None, 10.0, "a temperature")
    assert client.tool()["tool0"]["actual"] > 0
    assert client.bed()["bed"]["actual"] > 0
    assert len(client.tool(history=True, limit=2)["history"]) <= 2


def test_octorest_keeps_files_in_order(client: OctoRest) -> None:
    """Upload, info, folder, copy, move, select, delete."""
    uploaded = client.upload(str(CUBE))
    assert uploaded["files"]["local"]["path"] == CUBE.name
    assert client.files_info("local", CUBE.name)["size"] == CUBE.stat().st_size
    folder = {"foldername": "cubes"}  # its own new_folder() sends JSON, which no OctoPrint takes
    client.session.post(f"{client.url}/api/files/local", data=folder).raise_for_status()
    client.copy(f"local/{CUBE.name}", "cubes")
    client.move(f"local/cubes/{CUBE.name}", "moved.gcode")
    client.select("local/moved.gcode")
    assert client.job_info()["job"]["file"]["path"] == "moved.gcode"
    for path in ("moved.gcode", "cubes", CUBE.name):
        client.delete(f"local/{path}")
    names = {one["path"] for one in client.files(recursive=True)["files"]}
    assert not names & {"moved.gcode", "cubes", CUBE.name}


def test_octorest_moves_and_heats(client: OctoRest, faces: Faces) -> None:
    """Home, jog, extrude, factors, targets, a terminal line: the firmware ran them."""
    before = len(faces.executed())
    client.home()
    client.jog(x=10, y=5)
    client.tool_target(205)
    client.bed_target(55)
    client.feedrate(110)
    client.flowrate(95)
    client.gcode("M117 from a client")

    def ran() -> bool:
        lines = faces.executed()[before:]
        wanted = ("G28", "M104", "M140", "M220", "M221", "M117")
        return all(any(line.startswith(code) for line in lines) for code in wanted)

    eventually(ran, 10.0, "what the client asked for")
    eventually(lambda: client.tool()["tool0"]["target"] == 205, 10.0, "the nozzle's target")
    client.tool_target(0)
    client.bed_target(0)
    eventually(lambda: client.bed()["bed"]["target"] == 0, 10.0, "the bed's target")


def test_octorest_prints_pauses_resumes_and_cancels(
    client: OctoRest, faces: Faces, vase: str, tmp_path: Path
) -> None:
    """Upload, select with print, then each command of a running job, as its states tell."""
    idle(faces)
    file = tmp_path / "by octorest.gcode"
    file.write_text(vase, encoding="utf-8")
    client.upload(str(file))  # it loses its own `print`: requests sends no JSON beside a file
    client.select(f"local/{file.name}", print=True)
    eventually(lambda: client.state() == "Printing", 30.0, "printing")
    client.pause()
    eventually(lambda: client.state() == "Paused", 30.0, "paused")
    client.resume()
    eventually(lambda: client.state() == "Printing", 30.0, "printing again")
    client.toggle()
    eventually(lambda: client.state() == "Paused", 30.0, "paused by toggle")
    client.cancel()
    idle(faces)
    assert client.job_info()["progress"]["completion"] is None


def test_octorest_closes_and_opens_the_connection(client: OctoRest, faces: Faces) -> None:
    """Disconnect and connect are the printer's, as the connection says."""
    idle(faces)
    client.disconnect()
    eventually(
        lambda: client.connection_info()["current"]["state"] == "Closed", 20.0, "disconnected"
    )
    client.connect()
    idle(faces)


def test_octorest_gets_a_key_when_a_person_grants_it(client: OctoRest, faces: Faces) -> None:
    """The application keys workflow: probe, request, decision, the key works."""
    assert client.probe_app_keys_workflow_support() is True
    asking = OctoRest(url=faces.farm.ready["url"])
    poll = asking.start_authorization_process("flow test")
    admin = {"X-Api-Key": faces.farm.ready["token"]}
    pending = faces.octoprint.get("/api/plugin/appkeys", headers=admin).json()["pending"]
    [token] = [key for key, one in _items(pending) if one["app_id"] == "flow test"]
    decided = faces.octoprint.post(
        f"/plugin/appkeys/decision/{token}", json={"decision": True}, headers=admin
    )
    assert decided.status_code == 204, decided.text
    result, key = asking.poll_auth_request_decision(poll)
    assert (result.name, bool(key)) == ("GRANTED", True)
    asking.load_api_key(key)
    assert asking.state() == "Operational"
    asking.session.close()


def _items(pending: Any) -> list[tuple[str, Any]]:
    if isinstance(pending, dict):
        return list(pending.items())
    return [(one["user_token"], one) for one in pending]


Act = Callable[[OctoprintClient], Awaitable[Any]]


def with_client(faces: Faces, root: str, act: Act) -> Any:
    """Run *act* with Home Assistant's client at one of `ROOTS`."""
    url = {"server": faces.farm.ready["url"], "printer": faces.printer["octoprint_url"]}[root]

    async def run() -> Any:
        parts = urlsplit(url)
        async with aiohttp.ClientSession() as session:
            client = OctoprintClient(
                parts.hostname or "", session, parts.port or 80, False, f"{parts.path}/"
            )
            client.set_api_key(faces.printer["octoprint_key"])
            return await act(client)

    return asyncio.run(run())


async def until(check: Callable[[], Awaitable[bool]], what: str) -> None:
    for _ in range(300):
        if await check():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(what)


@pytest.mark.parametrize("root", ROOTS)
def test_home_assistants_client_sees_the_printer(faces: Faces, root: str) -> None:
    """Server, printer, job, webcam, discovery and tracking: as pyoctoprintapi decodes them."""
    idle(faces)

    async def look(client: OctoprintClient) -> None:
        assert (await client.get_server_info()).version
        printer = await client.get_printer_info()
        assert printer.state.flags.operational
        assert printer.temperatures
        job = await client.get_job_info()
        assert job.state == "Operational"
        discovery = await client.get_discovery_info()
        assert discovery is None or discovery.upnp_uuid
        await client.get_webcam_info()
        tracking = await client.get_tracking_info()
        assert tracking is None or tracking.unique_id

    with_client(faces, root, look)


@pytest.mark.parametrize("root", ROOTS)
def test_home_assistants_client_controls_a_print(faces: Faces, vase: str, root: str) -> None:
    """Heat, pause, resume, cancel, as its buttons do."""
    idle(faces)
    files = {"file": ("by assistant.gcode", vase)}
    sent = faces.octoprint.post("/api/files/local", files=files, data={"print": "true"})
    assert sent.json()["effectivePrint"] is True

    async def drive(client: OctoprintClient) -> None:
        def flag(name: str) -> Callable[[], Awaitable[bool]]:
            async def check() -> bool:
                return bool(getattr((await client.get_printer_info()).state.flags, name))

            return check

        await until(flag("printing"), "printing")
        await client.pause_job()
        await until(flag("paused"), "paused")
        await client.resume_job()
        await until(flag("printing"), "printing again")
        await client.cancel_job()
        await until(flag("ready"), "ready again")
        await client.set_tool_temperature("tool0", 190)
        await client.set_bed_temperature(40)

        async def warm() -> bool:
            found = (await client.get_printer_info()).temperatures
            return {190.0, 40.0} <= {one.target_temp for one in found}

        await until(warm, "both targets")
        await client.turn_tool_off("tool0")
        await client.turn_bed_off()

    with_client(faces, root, drive)

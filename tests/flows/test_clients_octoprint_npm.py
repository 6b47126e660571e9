"""A published client of npm for OctoPrint drives a running farm with all that it can."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.fakes.npm import NPM
from tests.fakes.octoprint_npm import OctoprintNpm, installed
from tests.flows.conftest import Faces, eventually

pytestmark = [
    pytest.mark.flow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        NPM is None, reason="the published client runs on Node.js: install nodejs and npm"
    ),
]

ROOTS = ("printer", "server")


@pytest.fixture(params=ROOTS)
def client(request: pytest.FixtureRequest, faces: Faces) -> Iterator[OctoprintNpm]:
    """At the printer's own address, and at the server's root, where its key's printer answers."""
    try:
        installed()
    except (OSError, subprocess.SubprocessError):
        pytest.skip(
            "no package registry can be reached (npm install @jamesgopsill/octoprint-client): what "
            "that client does is not shown; it is kept once it was fetched"
        )
    at_printer = request.param == "printer"
    url = faces.printer["octoprint_url"] if at_printer else faces.farm.ready["url"]
    with OctoprintNpm(url, faces.printer["octoprint_key"]) as started:
        yield started
    faces.octoprint.post("/api/job", json={"command": "cancel"})
    reaches(faces, "Operational")


def reaches(faces: Faces, state: str) -> None:
    eventually(lambda: faces.get_octoprint("/api/job")["state"] == state, 60.0, state)


def test_it_reads_moves_and_connects(client: OctoprintNpm, faces: Faces) -> None:
    """Version, state, connection; a head that is moved; a connection that is closed and opened."""
    reaches(faces, "Operational")
    assert client.call("version")[1]["text"].startswith("OctoPrint ")
    assert client.call("server")[1]["version"] == client.call("version")[1]["server"]
    status, printer = client.call("status")
    assert (status, printer["state"]["flags"]["operational"]) == (200, True)
    assert client.call("languages") == (200, {"language_packs": {}})
    before = len(faces.executed())
    assert client.call("home", ["x", "y"])[0] == 204
    assert client.call("jog", 5, 0, 0, False, 3000)[0] == 204
    eventually(
        lambda: {line[:3] for line in faces.executed()[before:]} >= {"G28", "G1 ", "G91"},
        20.0,
        "what moves the head",
    )
    current = client.call("connection")[1]["current"]
    assert client.call("disconnectPrinter") == (204, None)
    reaches(faces, "Offline")
    assert client.call("connectPrinter", current["port"], current["baudrate"])[0] == 204
    reaches(faces, "Operational")


def test_it_keeps_files_and_prints(client: OctoprintNpm, faces: Faces, vase: str) -> None:
    """Upload, copy, move, print, pause, go on, cancel, delete."""
    reaches(faces, "Operational")
    status, made = client.call("uploadGcode", "local", "by node.gcode", vase)
    assert (status, made["files"]["local"]["path"]) == (201, "by node.gcode")
    assert client.call("copyFile", "local", "by node.gcode", "copied.gcode")[0] == 201
    assert client.call("moveFile", "local", "copied.gcode", "moved.gcode")[0] == 201
    names = {file["path"] for file in client.call("files")[1]["files"]}
    assert {"by node.gcode", "moved.gcode"} <= names
    assert client.call("deleteFile", "local", "moved.gcode")[0] == 204
    assert client.call("sliceFile", "local/by node.gcode", {"command": "slice"})[0] == 404
    assert client.call("print", "by node.gcode") == (204, None)
    reaches(faces, "Printing")
    assert client.call("jobInformation")[1]["job"]["file"]["name"] == "by node.gcode"
    for command, state in (("pause", "Paused"), ("pause", "Printing"), ("cancel", "Operational")):
        assert client.call("jobCommand", command)[0] == 204
        reaches(faces, state)
    assert client.call("jobCommand", "cancel")[0] == 409
    assert client.call("deleteFile", "local", "by node.gcode")[0] == 204

"""The published command line client octoprint-cli drives a running farm with all it can."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.octoprint_cli import OctoprintCli, package
from tests.flows.conftest import Faces, eventually

pytestmark = [pytest.mark.flow, pytest.mark.timeout(180)]

ROOTS = ("printer", "server")


@pytest.fixture(params=ROOTS)
def cli(request: pytest.FixtureRequest, faces: Faces, tmp_path: Path) -> Iterator[OctoprintCli]:
    """At the printer's own address, and at the server's root, where its key's printer answers."""
    try:
        package()
    except (OSError, subprocess.SubprocessError):
        pytest.skip(
            "no package registry can be reached (pip install octoprint-cli): what that client "
            "does is not shown; it is kept once it was fetched"
        )
    at_printer = request.param == "printer"
    url = faces.printer["octoprint_url"] if at_printer else faces.farm.ready["url"]
    yield OctoprintCli(tmp_path, url, faces.printer["octoprint_key"])
    faces.octoprint.post("/api/job", json={"command": "cancel"})
    idle(faces)


def idle(faces: Faces) -> None:
    eventually(
        lambda: faces.get_octoprint("/api/job")["state"] == "Operational", 60.0, "operational"
    )


def done(cli: OctoprintCli, *words: str) -> str:
    """What a command prints that must go well."""
    status, text = cli.run(*words)
    assert status == 0, text
    return text


def says(cli: OctoprintCli, wanted: str, *words: str) -> None:
    eventually(lambda: wanted in cli.run(*words)[1], 60.0, wanted)


def test_it_reads_connects_heats_and_sends(cli: OctoprintCli, faces: Faces) -> None:
    """Version, connection, temperatures, a terminal line, closing and opening the connection."""
    idle(faces)
    assert done(cli, "version").startswith("OctoPrint v")
    assert done(cli, "connection", "status").startswith("Operational\n")
    before = len(faces.executed())
    assert "205" in done(cli, "temp", "extruder", "205")
    assert "55" in done(cli, "temp", "bed", "55")
    done(cli, "gcode", "M117 typed by hand")
    eventually(
        lambda: {line[:4] for line in faces.executed()[before:]} >= {"M104", "M140", "M117"},
        20.0,
        "what was typed",
    )
    says(cli, "Extruder Target: 205", "temp", "status")
    assert cli.run("layers")[0] == 1  # a plug-in that no OctoPrint brings along
    done(cli, "temp", "extruder", "0")
    done(cli, "temp", "bed", "0")
    done(cli, "connection", "disconnect")
    says(cli, "Printer Disconnected", "connection", "status")
    done(cli, "connection", "connect")
    idle(faces)


def test_it_prints_pauses_resumes_and_cancels(
    cli: OctoprintCli, faces: Faces, vase: str, tmp_path: Path
) -> None:
    """Upload, list, info, select, start, then each command of a running job."""
    idle(faces)
    file = tmp_path / "typed.gcode"
    file.write_text(vase, encoding="utf-8")
    assert "File uploaded" in done(cli, "files", "upload", str(file))
    assert file.name in done(cli, "files", "list")
    assert f"Path: {file.name}" in done(cli, "files", "info", file.name)
    assert "has been loaded" in done(cli, "print", "select", file.name)
    done(cli, "print", "start")
    says(cli, "Printing", "print", "status")
    done(cli, "print", "pause")
    says(cli, "Paused", "print", "status")
    done(cli, "print", "resume")
    says(cli, "Printing", "print", "status")
    done(cli, "print", "cancel")
    idle(faces)
    assert cli.run("print", "cancel") == (1, "No print job is running\n")


def test_what_is_not_possible_is_told(cli: OctoprintCli, faces: Faces, tmp_path: Path) -> None:
    """An unknown file, another type, a wrong key: the client says which, and fails."""
    assert cli.run("print", "select", "missing.gcode") == (1, "File does not exist\n")
    assert cli.run("files", "info", "missing.gcode") == (1, "File or folder not found\n")
    note = tmp_path / "note.txt"
    note.write_text("no G-code", "utf-8")
    assert cli.run("files", "upload", str(note)) == (1, "Invalid file type\n")
    stranger = OctoprintCli(tmp_path, faces.printer["octoprint_url"], "no key of this farm")
    # its first request is `/api/version`, whose 403 it tells like this of every OctoPrint
    assert stranger.run("version") == (1, "OctoPrint server cannot be reached\n")

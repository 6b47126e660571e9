"""What slicers' print hosts send, byte for byte over a socket, to a running farm.

Each request is as the program writes it: its headers, their order, its boundary, the parts of its
form (`tests.fakes.slicers`).
"""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fakes.slicers import CURL_BOUNDARY, SLICERS, Slicer, form, upload
from tests.flows.conftest import ROOT, Faces

pytestmark = [pytest.mark.flow, pytest.mark.timeout(120)]

PAGE = ROOT / "docs" / "clients.md"
ON_THE_PAGE = ("PrusaSlicer", "SuperSlicer", "OrcaSlicer", "Cura", "Simplify3D")


def transcript(slicer: Slicer, status: int, body: Any) -> str:
    """What the page for users shows of an upload, at the printer `sim1`."""
    said = [line.partition(":")[0] for line in slicer.lines]
    agent = slicer.lines[said.index("User-Agent")]
    shown = ("done", "effectivePrint", "effectiveSelect")
    facts = [f'"path": "{body["files"]["local"]["path"]}"']
    facts += [f'"{key}": {json.dumps(body[key])}' for key in shown]
    return "\n".join(
        [
            "GET /octoprint/sim1/api/version HTTP/1.1",
            agent,
            "X-Api-Key: …",
            '→ 200 {"text": "OctoPrint 1.11.8 (Gantry 0.1.0)", …}',
            "",
            "POST /octoprint/sim1/api/files/local HTTP/1.1",
            agent,
            "X-Api-Key: …",
            f"Content-Type: multipart/form-data; boundary={slicer.boundary}",
            *(f"  {_told(head, value)}" for head, value in slicer.parts),
            f"→ {status} {{{', '.join(facts)}, …}}",
        ]
    )


def _told(head: bytes, value: bytes) -> str:
    """A part of a form: its field, and what it says or which file it is."""
    quoted = head.decode().split('"')
    name, filename = quoted[1], quoted[3] if len(quoted) > 3 else ""
    return f"{name}: {filename}, {len(value)} bytes" if filename else f"{name}: {value.decode()}"


class Wire:
    """One connection."""

    def __init__(self, url: str) -> None:
        self.parts = urlsplit(url)
        self._socket = socket.create_connection(
            (self.parts.hostname or "", self.parts.port or 80), 30.0
        )
        self._file = self._socket.makefile("rb")

    def say(self, data: bytes, at_a_time: int = 16_000) -> None:
        for start in range(0, len(data), at_a_time):
            self._socket.sendall(data[start : start + at_a_time])

    def hear(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        status = int(self._file.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self._file.read(int(headers.get("content-length", 0)))

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def request(wire: Wire, slicer: Slicer, method: str, path: str, key: str, *more: str) -> bytes:
    lines = [
        f"{method} {wire.parts.path}{path} HTTP/1.1",
        f"Host: {wire.parts.netloc}",
        *(line.format(key=key) for line in slicer.lines),
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def send(faces: Faces, slicer: Slicer, key: str, root: str = "") -> tuple[int, dict[str, str], Any]:
    """The upload, as *slicer* makes it: first its test of the connection, then the form."""
    wire = Wire(root or faces.printer["octoprint_url"])
    try:
        wire.say(request(wire, slicer, "GET", "/api/version", key))
        status, _, body = wire.hear()
        if status == 200:
            assert json.loads(body)["text"].startswith("OctoPrint")
        data = form(slicer)
        quote = '"' if slicer.is_boundary_quoted else ""
        more = [
            f"Content-Length: {len(data)}",
            *(["Expect: 100-continue"] if slicer.expects_continue else []),
            f"Content-Type: multipart/form-data; boundary={quote}{slicer.boundary}{quote}",
        ]
        wire.say(request(wire, slicer, "POST", "/api/files/local", key, *more))
        if slicer.expects_continue:
            status, headers, body = wire.hear()
            if status != 100:
                return status, headers, json.loads(body)
        wire.say(data)
        status, headers, body = wire.hear()
        return status, headers, json.loads(body)
    finally:
        wire.close()


@pytest.mark.parametrize("slicer", SLICERS, ids=lambda slicer: slicer.name)
def test_its_upload_arrives(faces: Faces, slicer: Slicer) -> None:
    """octoprint 6: 201, Location, the names; the file is there with what it told."""
    status, headers, body = send(faces, slicer, faces.printer["octoprint_key"])
    assert status == 201, body
    local = body["files"]["local"]
    assert local["path"] == slicer.filename
    if slicer.name in ON_THE_PAGE:
        assert transcript(slicer, status, body) in PAGE.read_text("utf-8")
    assert headers["location"] == local["refs"]["resource"]
    assert (body["done"], body["effectivePrint"], body["effectiveSelect"]) == (True, False, False)
    entry = faces.get_octoprint(f"/api/files/local/{slicer.filename}")
    assert entry["gcodeAnalysis"]["estimatedPrintTime"] in (352, 5062)
    assert entry["thumbnail"]


@pytest.mark.parametrize("slicer", SLICERS, ids=lambda slicer: slicer.name)
def test_its_user_reads_what_is_wrong(faces: Faces, slicer: Slicer) -> None:
    """octoprint 1: `error` for a wrong key and for an unknown printer."""
    status, _, body = send(faces, slicer, "x" * 43)
    assert (status, "not valid" in body["error"]) == (403, True)
    url = f"{faces.farm.ready['url']}/octoprint/nobody"
    status, _, body = send(faces, slicer, faces.farm.ready["token"], url)
    assert (status, "no printer or pool at /octoprint/nobody/" in body["error"]) == (404, True), (
        body
    )


def test_its_user_reads_that_a_type_is_not_printed(faces: Faces) -> None:
    """octoprint 6: 415 says what is taken."""
    slicer = Slicer(
        "PrusaSlicer", SLICERS[0].lines, CURL_BOUNDARY, (upload("part.stl", b"solid x\n"),), ""
    )
    status, _, body = send(faces, slicer, faces.printer["octoprint_key"])
    assert (status, ".gcode" in body["error"]) == (415, True)

"""Uploads byte by byte as clients send them (octoprint 6)."""

from pathlib import Path

import pytest

from tests.api.octoprint.conftest import GCODE, Farm
from tests.api.octoprint.test_upload import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

DATA = Path(__file__).parents[2] / "data"


def transcript(boundary: bytes, *parts: tuple[bytes, bytes]) -> bytes:
    joined = b"".join(
        b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"
        for head, content in parts
    )
    return joined + b"--" + boundary + b"--\r\n"


async def test_prusaslicer_sends_print_path_file(farm: Farm) -> None:
    """libcurl's form: print, path, then the file as application/octet-stream."""
    content = (DATA / "ps_gui_cube_thumbs.gcode").read_bytes()
    boundary = b"------------------------d74496d66958873e"
    raw = transcript(
        boundary,
        (b'Content-Disposition: form-data; name="print"', b"true"),
        (b'Content-Disposition: form-data; name="path"', b""),
        (
            b'Content-Disposition: form-data; name="file"; filename="cube_0.2mm_PLA.gcode"\r\n'
            b"Content-Type: application/octet-stream",
            content,
        ),
    )
    version = await farm.get("/octoprint/alpha/api/version")
    assert version.json()["text"].startswith("OctoPrint")
    answer = await farm.http.post(
        "/octoprint/alpha/api/files/local",
        content=raw,
        headers={
            "X-Api-Key": farm.key,
            "User-Agent": "PrusaSlicer/2.7.1",
            "Content-Type": "multipart/form-data; boundary=" + boundary.decode(),
        },
    )
    assert answer.status_code == 201
    assert answer.json()["effectivePrint"] is True
    entry = (await farm.get("/api/files/local/cube_0.2mm_PLA.gcode")).json()
    assert entry["size"] == len(content)
    assert entry["gcodeAnalysis"]["estimatedPrintTime"] > 0


async def test_cura_sends_quoted_fields_with_types(farm: Farm) -> None:
    """QHttpMultiPart: names with types, a folder, select and print, the file last."""
    boundary = b"boundary_.oOo._MTIzNDU2Nzg5MA=="
    raw = transcript(
        boundary,
        (b'Content-Disposition: form-data; name="path"\r\nContent-Type: text/plain', b"/cura"),
        (b'Content-Disposition: form-data; name="select"', b"true"),
        (b'Content-Disposition: form-data; name="print"', b"true"),
        (
            b'Content-Disposition: form-data; name="file"; filename="UM_B\xc3\xbcgel.gcode"\r\n'
            b"Content-Type: application/octet-stream",
            GCODE,
        ),
    )
    answer = await farm.http.post(
        "/octoprint/alpha/api/files/local",
        content=raw,
        headers={
            "X-Api-Key": farm.key,
            "Content-Type": f'multipart/form-data; boundary="{boundary.decode()}"',
        },
    )
    assert answer.status_code == 201, answer.text
    local = answer.json()["files"]["local"]
    assert (local["path"], local["name"]) == ("cura/UM_Bügel.gcode", "UM_Bügel.gcode")


async def test_octorest_sends_bytes_by_requests(farm: Farm) -> None:
    """python-requests: fields first, no part types, True as text; then it selects and prints."""
    boundary = b"0a1b2c3d4e5f60718293a4b5c6d7e8f9"
    raw = transcript(
        boundary,
        (b'Content-Disposition: form-data; name="select"', b"False"),
        (b'Content-Disposition: form-data; name="print"', b"False"),
        (b'Content-Disposition: form-data; name="file"; filename="rest.gcode"', GCODE),
    )
    headers = {
        "X-Api-Key": farm.key,
        "User-Agent": "python-requests/2.31.0",
        "Content-Type": "multipart/form-data; boundary=" + boundary.decode(),
    }
    answer = await farm.http.post("/octoprint/alpha/api/files/local", content=raw, headers=headers)
    assert (answer.status_code, answer.json()["effectivePrint"]) == (201, False)
    select = {"command": "select", "print": True}
    answer = await farm.post("/octoprint/alpha/api/files/local/rest.gcode", json=select)
    assert answer.status_code == 204
    await eventually(farm, "Printing")


async def test_a_name_sent_as_a_file_is_passed_over(farm: Farm) -> None:
    """octoprint-cli sends the path a second time, as a file in the field filename."""
    boundary = b"4f1e8c2b"
    raw = transcript(
        boundary,
        (b'Content-Disposition: form-data; name="file"; filename="cli.gcode"', GCODE),
        (
            b'Content-Disposition: form-data; name="filename"; filename="filename"',
            b"/home/me/cli.gcode",
        ),
    )
    headers = {
        "X-Api-Key": farm.key,
        "Content-Type": "multipart/form-data; boundary=" + boundary.decode(),
    }
    answer = await farm.http.post("/octoprint/alpha/api/files/local", content=raw, headers=headers)
    assert answer.status_code == 201
    assert answer.json()["files"]["local"]["path"] == "cli.gcode"

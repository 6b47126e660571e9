"""Uploads and texts of attackers, family by family (safety S21, S30 to S36, S45).

Whatever is tried: no 5xx, nothing outside the storage, nothing stored that was not a file of this
form, and nothing that a browser would run.
"""

import gzip
import io
import time
import zipfile
from pathlib import Path

import httpx
import pytest

from api.files.models import Blob, TreeName
from schemas.printer import Prompt
from tests.api.octoprint.conftest import GCODE, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOCAL = "/api/files/local"
FORM = "multipart/form-data; boundary=B"
SECRET = Path("/etc/hostname")


def part(head: bytes, content: bytes = GCODE) -> bytes:
    return b"--B\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--B--\r\n"


async def raw(
    farm: Farm, content: bytes, kind: str = FORM, query: str = "", **headers: str
) -> httpx.Response:
    sent = {"X-Api-Key": farm.key, "Content-Type": kind, **headers}
    return await farm.http.post(LOCAL + query, content=content, headers=sent)


async def nothing_stored(farm: Farm) -> None:
    assert await TreeName.all().count() == 0
    assert await Blob.all().count() == 0
    blobs = farm.application.settings.blobs_dir
    assert [path for path in blobs.rglob("*") if path.is_file()] == []


FILE = part(b'name="file"; filename="a.gcode"')
FORGED = part(b'name="file.path"', b"/etc/hostname"), part(b'name="file.name"', b"x.gcode")

#: What a proxy once wrote for itself, in every disguise that was tried on OctoPrint.
FORGERIES: dict[str, tuple[bytes, str, str]] = {
    "fields of the form": (form(*FORGED), FORM, ""),
    "beside a file": (form(FILE, *FORGED), FORM, ""),
    "in the query": (form(), FORM, "?file.path=/etc/hostname&file.name=x.gcode"),
    "url-encoded": (
        b"file.path=%2Fetc%2Fhostname&file.name=x.gcode",
        "application/x-www-form-urlencoded",
        "",
    ),
    "a type in odd case": (form(*FORGED), "MuLtIpArT/FoRm-DaTa; BoUnDaRy=B", ""),
    "injected through filename*": (
        form(part(b"name=\"file\"; filename*=UTF-8''a.gcode%0d%0a%0d%0a--B%0d%0aname=file.path")),
        FORM,
        "",
    ),
    "a folded header": (
        form(part(b'name="fil\r\n e.path"; filename="a.gcode"'), *FORGED),
        FORM,
        "",
    ),
    "an escaped quote": (
        form(part(b'name="file\\".path"; filename="a.gcode\\"; name=x"')),
        FORM,
        "",
    ),
    "an unquoted name": (form(part(b"name=file.path", b"/etc/hostname")), FORM, ""),
    "two file names": (
        form(part(b'name="file"; filename="a.gcode"; filename="../b.py"')),
        FORM,
        "",
    ),
    "traversal in filename*": (
        form(part(b"name=\"file\"; filename*=UTF-8''%2e%2e%2f%2e%2e%2fa.gcode")),
        FORM,
        "",
    ),
    "a boundary in the boundary": (form(FILE), "multipart/form-data; boundary=B; boundary=C", ""),
}


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_forged_file_is_refused(farm: Farm, how: str) -> None:
    """S30 (CVE-2025-48067, CVE-2026-54134): 4xx and no effect."""
    content, kind, query = FORGERIES[how]
    answer = await raw(farm, content, kind, query)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.text
    assert SECRET.read_text(encoding="utf-8").strip() not in answer.text
    await nothing_stored(farm)


async def test_a_compressed_form_is_not_opened(farm: Farm) -> None:
    """S30: gzip around a form is 4xx; nobody unpacks it."""
    answer = await raw(farm, gzip.compress(form(FILE)), **{"Content-Encoding": "gzip"})
    assert 400 <= answer.status_code < 500
    await nothing_stored(farm)


def _zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


BOMB = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>'
TYPES: dict[str, tuple[str, bytes]] = {
    **{name: (f"a.{name}", GCODE) for name in ("py", "html", "svg", "exe", "php", "sh")},
    "html in gcode's clothes": ("a.gcode", b"<html><script>alert(1)</script></html>"),
    "svg in gcode's clothes": ("a.gcode", b'<svg xmlns="x" onload="alert(1)"/>'),
    "3mf with an entity": ("a.3mf", _zip("3D/3dmodel.model", BOMB)),
    "3mf in gcode's clothes": ("a.gcode", _zip("../../evil.gcode", GCODE)),
    "a zip bomb": ("a.gcode", _zip("x", bytes(5_000_000))),
    "bgcode by name only": ("a.bgcode", b"GCDE" + bytes(60)),
    "two extensions": ("a.gcode.html", GCODE),
}


@pytest.mark.parametrize("what", TYPES)
async def test_what_is_no_machine_code_is_refused(farm: Farm, what: str) -> None:
    """S31, S34: 400 or 415, and nothing of it is kept or unpacked."""
    name, content = TYPES[what]
    answer = await farm.upload(name, content)
    assert answer.status_code in (400, 415), answer.text
    await nothing_stored(farm)


async def test_a_polyglot_is_served_inert(farm: Farm) -> None:
    """S31: G-code that is a page, too, is an attachment of plain text that nobody sniffs."""
    assert (await farm.upload("a.gcode", b"; <script>alert(1)</script>\n" + GCODE)).is_success
    answer = await farm.get("/downloads/files/local/a.gcode")
    headers = answer.headers
    assert headers["content-type"].startswith("text/plain")
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


NAMES = [
    *("$(id).gcode", ";reboot.gcode", "`id`.gcode", "-rf.gcode", "CON.gcode", "a|b&c.gcode"),
    *("a\u202eedocg.gcode", "e\u0301.gcode", "\N{PILE OF POO}.gcode", "{{7*7}}.gcode"),
    *('"quoted".gcode', "<img src=x onerror=alert(1)>.gcode", "%2e%2e%2fa.gcode", "a..gcode"),
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_a_label(farm: Farm, name: str) -> None:
    """S32, S33: refused or kept as text: the bytes lie under their hash, headers stay one line."""
    answer = await farm.upload(name)
    assert answer.status_code in (201, 400), answer.text
    if answer.status_code == 400:
        await nothing_stored(farm)
        return
    path = answer.json()["files"]["local"]["path"]
    assert "/" not in path and "\\" not in path
    blob = await Blob.all().get()
    assert blob.storage_key.endswith(blob.sha256)
    link = answer.json()["files"]["local"]["refs"]["download"]
    got = await farm.get(link.removeprefix("http://farm.local:5000"))
    assert got.content == GCODE
    assert "\n" not in got.headers["content-disposition"]


async def test_no_get_changes_anything(farm: Farm) -> None:
    """S21: an override of the method is nothing, in the query, the form or a header."""
    await farm.upload("a.gcode")
    for query, headers in (
        ("?_method=DELETE", {}),
        ("", {"X-HTTP-Method-Override": "DELETE"}),
        ("?command=select&print=true", {}),
    ):
        one = f"{LOCAL}/a.gcode{query}"
        answer = await farm.http.get(one, headers={"X-Api-Key": farm.key, **headers})
        assert answer.status_code == 200
    assert (await farm.job())["job"]["file"]["name"] is None
    assert farm.room.orders == []


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/json;", "application/jsonp", "application/x-json", "text/json", ""],
)
async def test_a_command_that_a_form_could_send_is_refused(farm: Farm, kind: str) -> None:
    """S21: JSON under another type is 415; with a stray semicolon it is still JSON."""
    content = b'{"command": "home", "axes": ["x"]}'
    headers = {"X-Api-Key": farm.key, **({"Content-Type": kind} if kind else {})}
    answer = await farm.http.post("/api/printer/printhead", content=content, headers=headers)
    assert answer.status_code == (204 if kind == "application/json;" else 415)


async def test_what_the_machine_says_is_text(farm: Farm) -> None:
    """S35 (CVE-2025-64187): JSON that no browser takes for a page, whatever the firmware asks."""
    evil = "<img src=x onerror=alert(1)>"
    farm.machine.prompt = Prompt(text=evil, buttons=[evil])
    farm.machine.error = evil
    await farm.room.report(farm.machine)
    for path in ("/api/printer", "/api/job", "/api/printer/error", "/api/plugin/none"):
        answer = await farm.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("root", ["", "/octoprint/alpha"])
async def test_errors_echo_nothing_as_html(farm: Farm, root: str) -> None:
    """S36 (CVE-2021-32561, CVE-2024-49377): input comes back in JSON only."""
    evil = "<script>alert(1)</script>"
    for path in (
        *(f"/api/plugin/{evil}", f"/api/timelapse/{evil}", f"/api/files/local/{evil}"),
        *(f"/api/{evil}", f"/plugin/{evil}", f"/downloads/files/local/{evil}"),
        *(f"/login/?redirect={evil}", f"/plugin/appkeys/auth/{evil}", f"/api/job?apikey={evil}"),
    ):
        answer = await farm.get(root + path)
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert evil not in answer.text, path


BROKEN: dict[str, bytes] = {
    "unterminated": FILE,
    "no part": b"--B--",
    "no boundary at all": GCODE,
    "ten thousand parts": form(*[part(b'name="x"', b"1")] * 10_000),
    "a header of a megabyte": form(part(b'name="x"; y="' + b"z" * 1_000_000 + b'"')),
    "twenty megabytes of carriage returns": b"\r" * 20_000_000,
    "a name without an end": b'--B\r\nContent-Disposition: form-data; name="file',
    "a part without a name": form(b"--B\r\nContent-Type: text/plain\r\n\r\nx\r\n"),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_form_costs_little(farm: Farm, how: str) -> None:
    """S45 (CVE-2025-48879, CVE-2023-46136): 400 or 413 for less than a second of CPU."""
    before = time.process_time()
    answer = await raw(farm, BROKEN[how])
    assert answer.status_code in (400, 413), answer.text
    assert time.process_time() - before < 1.0
    await nothing_stored(farm)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary="])
async def test_a_form_without_a_boundary_is_refused(farm: Farm, kind: str) -> None:
    """S45: 400."""
    assert (await raw(farm, form(FILE), kind)).status_code == 400
    await nothing_stored(farm)


@pytest.mark.parametrize("length", ["-1", "many", "1e9", "0x10"])
async def test_a_garbled_length_is_no_server_error(farm: Farm, length: str) -> None:
    """S45: the body counts, not what is said of it."""
    answer = await raw(farm, form(FILE), **{"Content-Length": length})
    assert answer.status_code in (201, 400, 411, 413)

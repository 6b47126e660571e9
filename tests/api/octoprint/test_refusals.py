"""What a slicer's user reads when something is wrong: what happened, and what to do about it.

Each text stands in `error`, with the status of the contract (OctoPrint contract, sections 0 to 6).
"""

import errno
import io
import tempfile

import httpx
import pytest

from api.storage.local_file import DurableFile
from schemas.printer import PrinterState
from tests.api.octoprint.conftest import GCODE, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOCAL = "/octoprint/alpha/api/files/local"


def said(answer: httpx.Response, status: int, *words: str) -> bool:
    """Whether the answer has *status* and its `error` all of *words*."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert all(word in error for word in words), error
    return True


async def sent(farm: Farm, path: str = LOCAL, key: str | None = "") -> httpx.Response:
    headers = {} if key is None else {"X-Api-Key": key or farm.key}
    return await farm.http.post(path, headers=headers, files={"file": ("a.gcode", GCODE)})


async def test_a_missing_key(farm: Farm) -> None:
    """403: where a key comes from, and where it goes."""
    assert said(await sent(farm, key=None), 403, "API key", "X-Api-Key", "Gantry")
    assert said(await farm.http.get("/octoprint/alpha/api/version"), 403, "X-Api-Key")


async def test_a_wrong_key(farm: Farm) -> None:
    """403: not copied whole, or revoked; the same words for both (S10)."""
    apps = "/api/plugin/appkeys"
    made = await farm.post(apps, json={"command": "generate", "app": "old"})
    revoked = made.json()["api_key"]
    ended = await farm.post(apps, json={"command": "revoke", "key": revoked})
    assert ended.status_code == 204
    texts = {(await sent(farm, key=key)).text for key in ("x" * 43, revoked[:-1], revoked)}
    assert len(texts) == 1
    assert said(await sent(farm, key="x" * 43), 403, "not valid", "revoked", "Make another")


async def test_a_key_of_another_printer(farm: Farm) -> None:
    """403: whose key it is, and where it works."""
    key = await farm.application.rooms.accounts.create_octoprint_key(farm.admin, 2, "beta's")
    assert said(await sent(farm, key=key), 403, "Beta", "/octoprint/beta/")


async def test_a_key_that_may_not(farm: Farm) -> None:
    """403: whom to ask."""
    assert said(await sent(farm, key=farm.viewer_key), 403, "permission", "admin")


async def test_an_unknown_printer(farm: Farm) -> None:
    """404: which address it was."""
    answer = await sent(farm, "/octoprint/gamma/api/files/local")
    assert said(answer, 404, "/octoprint/gamma/", "address")


async def test_an_unsupported_type(farm: Farm) -> None:
    """415: what it was and what is taken."""
    headers = {"X-Api-Key": farm.key}
    for name in ("part.stl", "part.3mf", "part"):
        files = {"file": (name, GCODE)}
        answer = await farm.http.post(LOCAL, headers=headers, files=files)
        assert said(answer, 415, name, ".gcode", ".bgcode")


async def test_a_full_disk(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with when to try again, and nothing is stored."""

    def full(file: DurableFile, *rest: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(DurableFile, "write", full)
    answer = await sent(farm)
    assert said(answer, 503, "full")
    assert int(answer.headers["retry-after"]) >= 1
    monkeypatch.undo()
    assert (await farm.get(LOCAL)).json()["files"] == []


async def test_a_full_disk_behind_which_the_key_comes(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with what to do: such a file waits among the temporary ones."""

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    form: list[tuple[str, tuple[str | None, bytes]]] = [
        ("file", ("a.gcode", GCODE)),
        ("apikey", (None, farm.key.encode())),
    ]
    answer = await farm.http.post(LOCAL, files=form)
    assert said(answer, 503, "full", "X-Api-Key")
    assert int(answer.headers["retry-after"]) >= 1
    monkeypatch.undo()
    assert (await farm.http.post(LOCAL, files=form)).status_code == 201


async def test_a_printers_own_card(farm: Farm) -> None:
    """404: that there is no slot, and where it goes; so for a place that nobody knows."""
    assert said(await sent(farm, LOCAL.replace("local", "sdcard")), 404, "SD card", "local")
    assert said(await sent(farm, LOCAL.replace("local", "cloud")), 404, "'cloud'", "local")


async def test_a_busy_printer(farm: Farm) -> None:
    """409: which printer, what it does, and what to do; an upload alone is taken."""
    assert (await farm.upload("a.gcode", print="true")).json()["effectivePrint"] is True
    assert said(await sent(farm), 409, "a.gcode", "is being printed")
    select = await farm.post("/api/files/local/a.gcode", json={"command": "select", "print": True})
    assert said(select, 409, "Alpha", "Printing", "idle")
    assert said(await farm.post("/api/job", json={"command": "start"}), 409, "Alpha", "cancel")
    assert (await farm.upload("b.gcode")).status_code == 201


async def test_a_printer_that_is_off(farm: Farm) -> None:
    """409 for what needs it; an upload is kept."""
    farm.machine.state = PrinterState.OFFLINE
    await farm.room.report(farm.machine)
    assert (await sent(farm)).status_code == 201
    assert said(await farm.get("/octoprint/alpha/api/printer"), 409, "not operational")


@pytest.mark.parametrize("path", ["//api/version", "/api//version", "///api/version"])
async def test_doubled_slashes_are_one(farm: Farm, path: str) -> None:
    """People end the address with a slash, clients begin with one; nobody is sent elsewhere."""
    answer = await farm.get(f"/octoprint/alpha{path}")
    assert (answer.status_code, answer.json()["api"]) == (200, "0.1")
    sent_there = await sent(farm, "/octoprint/alpha//api/files/local")
    assert sent_there.status_code == 201


async def test_an_address_without_its_last_slash_keeps_the_proxys_prefix(farm: Farm) -> None:
    """octoprint 1 script root: the redirect is a path of the same server, prefix included."""
    headers = {"X-Script-Name": "/shop"}
    for path, target in (("", "/"), ("/login", "/login/")):
        answer = await farm.http.get(f"/octoprint/alpha{path}", headers=headers)
        assert answer.status_code == 308
        assert answer.headers["location"] == f"/shop/octoprint/alpha{target}"


async def test_pictures_tell_that_the_server_is_there(farm: Farm) -> None:
    """`/online.gif`, for pages that can load pictures only."""
    for root in ("", "/octoprint/alpha"):
        answer = await farm.http.get(f"{root}/online.gif")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
        assert answer.content.startswith(b"GIF89a")


async def test_a_key_of_one_printer_is_no_admins(farm: Farm) -> None:
    """octoprint 3: whoever's it is, what it says of itself is what it may."""
    key = await farm.application.rooms.accounts.create_octoprint_key(farm.admin, 1, "slicer")
    record = (
        await farm.http.post("/api/login", json={"passive": True}, headers={"X-Api-Key": key})
    ).json()
    assert (record["admin"], record["groups"], "ADMIN" in record["permissions"]) == (
        False,
        ["users"],
        False,
    )
    assert record["needs"]["group"] == ["users"]
    current = (await farm.get("/api/currentuser", key)).json()
    assert current["groups"] == ["users"]


@pytest.mark.parametrize(
    "path",
    [
        *("/api/files", "/api/files/local", "/api/files/local/a.gcode", "/api/files/sdcard"),
        *("/api/settings", "/api/printerprofiles", "/api/slicing", "/api/timelapse"),
    ],
)
async def test_what_can_be_revalidated(farm: Farm, path: str) -> None:
    """octoprint 1 revalidation: strong ETag and Last-Modified; either of them gives an empty
    304.
    """
    await farm.upload("a.gcode")
    first = await farm.get(path)
    etag, modified = first.headers["etag"], first.headers["last-modified"]
    assert etag.startswith('"')
    for headers in ({"If-None-Match": etag}, {"If-Modified-Since": modified}):
        again = await farm.http.get(path, headers={"X-Api-Key": farm.key, **headers})
        assert (again.status_code, again.content) == (304, b"")
    other = {"X-Api-Key": farm.key, "If-None-Match": '"other"'}
    assert (await farm.http.get(path, headers=other)).status_code == 200


@pytest.mark.parametrize("path", ["/api/languages", "/api/printer", "/api/job"])
async def test_what_cannot(farm: Farm, path: str) -> None:
    """octoprint 1 revalidation: not languages, printer and job."""
    answer = await farm.get(path)
    assert answer.status_code == 200
    assert not {"etag", "last-modified"} & set(answer.headers)

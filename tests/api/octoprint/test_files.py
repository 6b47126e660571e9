"""Listing, selecting, copying, deleting, downloading (octoprint 4)."""

import asyncio

import pytest

from schemas.printer import PrinterState
from tests.api.octoprint.conftest import GCODE, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOCAL = "/api/files/local"


async def post(farm: Farm, path: str, command: str, **more: object) -> tuple[int, str]:
    answer = await farm.post(f"{LOCAL}/{path}", json={"command": command, **more})
    return answer.status_code, answer.headers.get("location", answer.text)


async def test_a_listing_can_be_revalidated(farm: Farm) -> None:
    """octoprint 1 revalidation: ETag and Last-Modified; 304 until something changes, never with
    force.
    """
    await farm.upload("a.gcode")
    first = await farm.get(LOCAL)
    headers = {"X-Api-Key": farm.key, "If-None-Match": first.headers["etag"]}
    same = await farm.http.get(LOCAL, headers=headers)
    assert (same.status_code, same.content) == (304, b"")
    assert (await farm.http.get(f"{LOCAL}?force=true", headers=headers)).status_code == 200
    since = {"X-Api-Key": farm.key, "If-Modified-Since": first.headers["last-modified"]}
    assert (await farm.http.get(LOCAL, headers=since)).status_code == 304
    broken = {"X-Api-Key": farm.key, "If-Modified-Since": "yesterday"}
    assert (await farm.http.get(LOCAL, headers=broken)).status_code == 200
    await farm.upload("b.gcode")
    assert (await farm.http.get(LOCAL, headers=headers)).status_code == 200


async def test_each_printer_has_its_own_names(farm: Farm) -> None:
    """A name of one printer is 404 at another."""
    await farm.upload("a.gcode")
    assert (await farm.get("/octoprint/beta/api/files/local/a.gcode")).status_code == 404
    assert (await farm.get("/octoprint/beta/api/files")).json()["files"] == []
    base = "http://farm.local:5000/octoprint/alpha/api/files/local"
    entry = (await farm.get("/octoprint/alpha/api/files/local/a.gcode")).json()
    assert entry["refs"]["resource"] == f"{base}/a.gcode"


async def test_what_cannot_be_a_name_is_404(farm: Farm) -> None:
    """S33: unknown, unsanitised or traversing names; other places."""
    for path in (
        *("missing.gcode", "..%2f..%2fetc%2fpasswd", "%2e%2e/x", "a%5Cb", "%00", "~root"),
        *("..%252fx", "C:%5Cx.gcode", "a" * 600),
    ):
        answer = await farm.get(f"{LOCAL}/{path}")
        assert answer.status_code == 404, path
        assert answer.json()["error"]
    assert (await farm.get("/api/files/cloud")).status_code == 404
    assert (await farm.get("/api/files/cloud/a.gcode")).status_code == 404


async def test_select_and_unselect(farm: Farm) -> None:
    """204; 404 missing and for a folder, 400 another file (as text), 409 nothing selected."""
    await farm.upload("a.gcode", path="sub")
    assert (await post(farm, "sub/a.gcode", "select"))[0] == 204
    assert (await farm.job())["job"]["file"]["path"] == "sub/a.gcode"
    assert (await post(farm, "none.gcode", "select"))[0] == 404
    assert (await post(farm, "sub", "select"))[0] == 404
    other = await farm.post(f"{LOCAL}/b.gcode", json={"command": "unselect"})
    assert (other.status_code, other.headers["content-type"][:9]) == (400, "text/html")
    assert (await post(farm, "current", "unselect"))[0] == 204
    assert (await farm.job())["job"]["file"] == dict.fromkeys(
        ("name", "path", "display", "origin", "size", "date")
    )
    assert (await post(farm, "current", "unselect"))[0] == 409


async def test_nothing_is_selected_on_a_printer_that_is_not_ready(farm: Farm) -> None:
    """409 while offline and while printing."""
    await farm.upload("a.gcode")
    for state in (PrinterState.OFFLINE, PrinterState.PRINTING):
        farm.machine.state = state
        await farm.room.report(farm.machine)
        assert (await post(farm, "a.gcode", "select"))[0] == 409
        assert (await post(farm, "a.gcode", "unselect"))[0] == 409


async def test_select_with_print_starts(farm: Farm) -> None:
    """A file above the limits of the printer is 400, and nothing starts."""
    await farm.upload("hot.gcode", b"G28\nM104 S300\n")
    status, text = await post(farm, "hot.gcode", "select", print=True)
    assert (status, "300" in text) == (400, True)
    assert farm.room.orders == []
    await farm.upload("a.gcode")
    assert (await post(farm, "a.gcode", "select", print=True))[0] == 204
    async with asyncio.timeout(15):
        while (state := (await farm.job())["state"]) != "Printing":
            assert state in ("Operational", "Starting")
            await asyncio.sleep(0.01)


async def test_copy_and_move(farm: Farm) -> None:
    """201, Location, the old name; into a folder that exists, else under the new name."""
    await farm.upload("a.gcode", path="sub")
    url = "http://farm.local:5000/api/files/local"
    assert await post(farm, "sub/a.gcode", "copy", destination="b.gcode") == (201, f"{url}/b.gcode")
    assert (await farm.get(f"{LOCAL}/b.gcode")).json()["display"] == "b.gcode"
    answer = await farm.post(
        f"{LOCAL}/b.gcode", json={"command": "move", "destination": "/other/c.gcode"}
    )
    assert answer.json() == {
        "name": "b.gcode",
        "origin": "local",
        "path": "other/c.gcode",
        "refs": {
            "resource": f"{url}/other/c.gcode",
            "download": "http://farm.local:5000/downloads/files/local/other/c.gcode",
        },
    }
    assert (await farm.get(f"{LOCAL}/b.gcode")).status_code == 404
    assert (await post(farm, "sub", "copy", destination="other"))[0] == 201
    assert (await farm.get(f"{LOCAL}/other/sub/a.gcode")).json()["size"] == len(GCODE)
    for path, command, more, status in (
        ("sub/a.gcode", "copy", {"destination": "other/c.gcode"}, 409),
        ("sub/a.gcode", "copy", {"destination": "../up.gcode"}, 409),
        ("sub", "move", {"destination": "sub/deeper"}, 409),
        ("sub/a.gcode", "copy", {}, 400),
        ("sub/a.gcode", "dance", {}, 400),
        ("none.gcode", "move", {"destination": "x.gcode"}, 404),
        ("sub/a.gcode", "analyse", {}, 204),
    ):
        assert (await post(farm, path, command, **more))[0] == status, (path, command, more)


async def test_delete(farm: Farm) -> None:
    """204, folders with all in them, 404 afterwards; what was selected no longer is."""
    await farm.upload("a.gcode", path="sub/deep", select="true")
    headers = {"X-Api-Key": farm.key}
    assert (await farm.http.delete(f"{LOCAL}/sub", headers=headers)).status_code == 204
    assert (await farm.get(f"{LOCAL}/sub/deep/a.gcode")).status_code == 404
    assert (await farm.http.delete(f"{LOCAL}/sub", headers=headers)).status_code == 404
    assert (await farm.job())["job"]["file"]["name"] is None


async def test_what_is_printed_is_not_deleted_or_moved(farm: Farm) -> None:
    """409 while printing or paused, for the folder around it too; afterwards 204."""
    await farm.upload("a.gcode", path="sub", print="true")
    headers = {"X-Api-Key": farm.key}
    for path in ("sub", "sub/a.gcode"):
        assert (await farm.http.delete(f"{LOCAL}/{path}", headers=headers)).status_code == 409
        assert (await post(farm, path, "move", destination="x.gcode"))[0] == 409
    for _ in range(100):
        if farm.machine.grant:
            break
        await asyncio.sleep(0.01)
    await farm.room.finish(farm.machine)
    assert (await farm.http.delete(f"{LOCAL}/sub/a.gcode", headers=headers)).status_code == 204
    assert (await farm.job())["job"]["file"]["name"] is None


RANGES = [
    (None, 200, GCODE),
    ("bytes=0-3", 206, GCODE[:4]),
    ("bytes=-4", 206, GCODE[-4:]),
    ("bytes=10-", 206, GCODE[10:]),
    ("bytes=0-1,4-5", 200, GCODE),
    ("lines=0-1", 200, GCODE),
    ("bytes=9999-", 416, None),
]


async def test_download(farm: Farm) -> None:
    """S31: text/plain as an attachment, never sniffed; Range, HEAD, ETag, 403 and 404."""
    await farm.upload("naïve.gcode")
    path = "/downloads/files/local/na%C3%AFve.gcode"
    for asked, status, content in RANGES:
        headers = {"X-Api-Key": farm.key, **({"Range": asked} if asked else {})}
        answer = await farm.http.get(path, headers=headers)
        assert answer.status_code == status, asked
        if content is not None:
            assert answer.content == content
            assert answer.headers["content-length"] == str(len(content))
    whole = await farm.get(path)
    assert whole.headers["content-type"].startswith("text/plain")
    assert whole.headers["content-disposition"].startswith("attachment; ")
    assert "filename*=UTF-8''na%C3%AFve.gcode" in whole.headers["content-disposition"]
    assert whole.headers["x-content-type-options"] == "nosniff"
    etag = {"X-Api-Key": farm.key, "If-None-Match": whole.headers["etag"]}
    assert (await farm.http.get(path, headers=etag)).status_code == 304
    head = await farm.http.head(path, headers={"X-Api-Key": farm.key})
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(GCODE)))
    for key, url, status in (("x" * 43, path, 403), (farm.key, path + "x", 404)):
        refused = await farm.get(url, key=key)
        assert refused.status_code == status
        assert refused.headers["content-type"].startswith("text/html")


async def test_a_part_is_of_the_file_that_the_rest_is_held_of(farm: Farm) -> None:
    """octoprint 4: a download goes on only where the file is the same; else it comes whole."""
    path = "/downloads/files/local/a.gcode"
    await farm.upload("a.gcode")
    first = await farm.get(path)
    old = [first.headers["etag"], first.headers["last-modified"]]
    part = {"X-Api-Key": farm.key, "Range": "bytes=4-"}
    for held in old:
        answer = await farm.http.get(path, headers={**part, "If-Range": held})
        assert (answer.status_code, answer.content) == (206, GCODE[4:])
    await farm.upload("a.gcode", GCODE + b"G28\n")
    for held in (old[0], "Mon, 01 Jan 2024 00:00:00 GMT", "nonsense"):
        answer = await farm.http.get(path, headers={**part, "If-Range": held})
        assert (answer.status_code, answer.content) == (200, GCODE + b"G28\n"), held


async def test_what_a_function_cannot_answer_comes_from_the_store(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Much at once is 307 to a signed link; a small part, and what has no link, comes from here."""
    await farm.upload("part.gcode")
    path = "/downloads/files/local/part.gcode"
    link = "https://store.example/part?X-Amz-Signature=abc"
    files = farm.application.rooms.files
    monkeypatch.setattr(files, "link", lambda blob: asyncio.sleep(0, link))
    farm.application.octoprint.send_to_the_store_above(10)
    try:
        sent = await farm.get(path)
        assert (sent.status_code, sent.headers["location"], sent.content) == (307, link, b"")
        assert sent.headers["cache-control"] == "no-store"
        part = {"X-Api-Key": farm.key, "Range": "bytes=2-11"}
        assert (await farm.http.get(path, headers=part)).content == GCODE[2:12]
        head = await farm.http.head(path, headers={"X-Api-Key": farm.key})
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(GCODE)))
        assert (await farm.get(path, key="x" * 43)).status_code == 403
        monkeypatch.undo()
        assert (await farm.get(path)).content == GCODE
    finally:
        farm.application.octoprint._downloads.max_bytes = None


async def test_a_name_can_be_tried(farm: Farm) -> None:
    """POST /api/files/test: sanitize and exists."""
    await farm.upload("a.gcode")
    body = {"storage": "local", "path": "", "filename": ".a b;c.gcode"}
    answer = await farm.post("/api/files/test", json={"command": "sanitize", **body})
    assert answer.json() == {"sanitized": "a bc.gcode"}
    answer = await farm.post("/api/files/test", json={"command": "exists", **body})
    assert answer.json() == {"exists": False}
    body["filename"] = "a.gcode"
    found = (await farm.post("/api/files/test", json={"command": "exists", **body})).json()
    assert (found["exists"], found["suggestion"], found["size"]) == (True, "a_1.gcode", len(GCODE))
    assert (await farm.post("/api/files/test", json={"command": "exists"})).status_code == 400


async def test_a_listing_can_be_filtered(farm: Farm) -> None:
    """Machine code is what there is; models are not."""
    await farm.upload("a.gcode")
    assert len((await farm.get("/api/files?filter=machinecode")).json()["files"]) == 1
    assert (await farm.get("/api/files?filter=model")).json()["files"] == []
    shown = (await farm.get("/api/files?recursive=true")).json()
    assert shown["free"] == pytest.approx(shown["total"], abs=shown["total"])

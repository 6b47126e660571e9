"""Uploads as slicers send them (octoprint 6; DESIGN 7, Queue behind a printer's OctoPrint face)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.uploads import MAX_PARTS
from tests.api.octoprint.conftest import GCODE, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_upload_is_stored_and_told(farm: Farm) -> None:
    """octoprint 6 answer, 6 path, 6 spaces and accents: 201, Location, and the body; nothing
    selected, nothing printed."""
    answer = await farm.upload("naïve bär.gcode", path="sub/deep")
    url = "http://farm.local:5000/api/files/local/sub/deep/na%C3%AFve%20b%C3%A4r.gcode"
    assert answer.status_code == 201
    assert answer.headers["location"] == url
    assert answer.json() == {
        "done": True,
        "effectivePrint": False,
        "effectiveSelect": False,
        "files": {
            "local": {
                "name": "naïve bär.gcode",
                "origin": "local",
                "path": "sub/deep/naïve bär.gcode",
                "refs": {"resource": url, "download": url.replace("/api/", "/downloads/")},
            }
        },
    }
    assert (await farm.get("/api/files/local/sub/deep")).json()["children"][0]["size"] == len(GCODE)


async def test_print_starts_at_once_on_a_free_printer(farm: Farm) -> None:
    """octoprint 6 print alone: effectivePrint, not effectiveSelect; the job shows the file."""
    answer = await farm.upload("a.gcode", print="true")
    assert (answer.json()["effectivePrint"], answer.json()["effectiveSelect"]) == (True, False)
    shown = await farm.job()
    assert shown["job"]["file"]["name"] == "a.gcode"
    await eventually(farm, "Printing")


async def eventually(farm: Farm, state: str) -> None:
    for _ in range(200):
        if (await farm.job())["state"] == state:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not {state}: {await farm.job()}")


async def test_a_busy_printer_stores_and_queues(farm: Farm) -> None:
    """octoprint 6 busy: 201, both flags false, and (DESIGN 7) a job in the queue."""
    await farm.upload("a.gcode", print="true")
    await eventually(farm, "Printing")
    answer = await farm.upload("b.gcode", print="true", select="true")
    assert answer.status_code == 201
    assert (answer.json()["effectivePrint"], answer.json()["effectiveSelect"]) == (False, False)
    jobs = (await farm.get("/api/v1/jobs", key=farm.token)).json()
    assert [(job["item_name"], job["status"]) for job in jobs] == [
        ("a.gcode", "printing"),
        ("b.gcode", "pending"),
    ]
    assert (await farm.job())["job"]["file"]["name"] == "a.gcode"


async def test_a_plate_that_is_not_clear_queues(farm: Farm) -> None:
    """After a print lies on the plate of a `start_confirms` printer the next one waits."""
    await farm.application.rooms.printers.update(farm.admin, 1, {"plate_policy": "start_confirms"})
    await farm.upload("a.gcode", print="true")
    await eventually(farm, "Printing")
    await farm.room.finish(farm.machine)
    answer = await farm.upload("b.gcode", print="true")
    assert answer.json()["effectivePrint"] is False
    jobs = (await farm.get("/api/v1/jobs?status=queued", key=farm.token)).json()
    assert [job["item_name"] for job in jobs] == ["b.gcode"]


@pytest.mark.parametrize("how", ["closed port", "absent room"])
async def test_an_offline_printer_stores_without_a_job(farm: Farm, how: str) -> None:
    """octoprint 6 offline: stored, 201, both flags false, and (DESIGN 7) no job."""
    if how == "closed port":
        await farm.post("/api/connection", json={"command": "disconnect"})
    else:
        await farm.room.leave()
        farm.application.rooms.bridges._presence.forget(1)
    answer = await farm.upload("a.gcode", print="true", select="true")
    assert answer.status_code == 201
    assert (answer.json()["effectivePrint"], answer.json()["effectiveSelect"]) == (False, False)
    assert (await farm.get("/api/v1/jobs", key=farm.token)).json() == []
    assert (await farm.get("/api/files/local/a.gcode")).status_code == 200


async def test_select_alone_selects(farm: Farm) -> None:
    """octoprint 6 select: effectiveSelect, and the job shows the file without progress."""
    answer = await farm.upload("a.gcode", select="true")
    assert (answer.json()["effectiveSelect"], answer.json()["effectivePrint"]) == (True, False)
    shown = await farm.job()
    assert shown["job"]["file"]["path"] == "a.gcode"
    assert shown["progress"]["completion"] is None


async def test_the_filename_field_overrides(farm: Farm) -> None:
    """octoprint 6 filename, 6 leading dot: `filename` beats the part's own; a leading dot goes,
    `display` keeps it."""
    answer = await farm.upload("junk.gcode", filename=".hidden.gcode")
    assert answer.json()["files"]["local"]["path"] == "hidden.gcode"
    entry = (await farm.get("/api/files/local/hidden.gcode")).json()
    assert (entry["name"], entry["display"]) == ("hidden.gcode", ".hidden.gcode")


async def test_an_upload_replaces_unless_told_not_to(farm: Farm) -> None:
    """octoprint 6 overwriting, 6 noOverwrite: overwrites by default; 409 with noOverwrite."""
    await farm.upload("a.gcode")
    assert (await farm.upload("a.gcode", b"G28\n")).status_code == 201
    assert (await farm.get("/api/files/local/a.gcode")).json()["size"] == 4
    assert (await farm.upload("a.gcode", noOverwrite="true")).status_code == 409
    assert (await farm.get("/api/files/local/a.gcode")).json()["size"] == 4


async def test_the_file_being_printed_cannot_be_replaced(farm: Farm) -> None:
    """octoprint 6 overwriting: 409."""
    await farm.upload("a.gcode", print="true")
    assert (await farm.upload("a.gcode", b"G28\n")).status_code == 409


async def test_an_empty_file_is_kept_but_not_printed(farm: Farm) -> None:
    """octoprint 6 empty file, 5 empty file: 201; there is nothing to print in it."""
    answer = await farm.upload("empty.gcode", b"", print="true")
    assert (answer.status_code, answer.json()["effectivePrint"]) == (201, False)
    entry = (await farm.get("/api/files/local/empty.gcode")).json()
    assert (entry["size"], entry["gcodeAnalysis"]) == (0, {"_empty": True})


REFUSED: list[tuple[str, bytes, dict[str, str], int]] = [
    ("x.exe", GCODE, {}, 415),
    ("noextension", GCODE, {}, 415),
    ("x.stl", GCODE, {}, 415),
    ("x.gcode", b"\x89PNG\r\n\x1a\n" + bytes(100), {}, 415),
    ("x.gcode", b"<html><script>alert(1)</script>", {}, 415),
    ("../x.gcode", GCODE, {}, 400),
    ("a\\x.gcode", GCODE, {}, 400),
    ("x.gcode", GCODE, {"path": "../up"}, 400),
    ("x.gcode", GCODE, {"path": "a/../../up"}, 400),
    ("x.gcode", GCODE, {"filename": "../../x.gcode"}, 400),
    ("x.gcode", GCODE, {"userdata": "{no json"}, 400),
    ("x" * 300 + ".gcode", GCODE, {}, 400),
    ("x.gcode", b"G28\nM104 S300\n", {"print": "true"}, 400),
]


async def test_what_cannot_be_taken_leaves_nothing_behind(farm: Farm) -> None:
    """octoprint 6 extensions, 6 traversal, 6 userdata: S31 to S33, M19; the contract's status, an
    error text, no name."""
    for name, content, fields, status in REFUSED:
        answer = await farm.upload(name, content, **fields)
        assert answer.status_code == status, (name, content, fields, answer.text)
        assert answer.json()["error"]
        assert (await farm.get("/api/files")).json()["files"] == []


async def test_a_temperature_above_the_limit_names_the_line(farm: Farm) -> None:
    """The refusal tells line, asked and allowed."""
    answer = await farm.upload("hot.gcode", b"G28\nM104 S300\n", print="true")
    assert all(word in answer.json()["error"] for word in ("2", "300", "275"))


async def test_userdata_comes_back(farm: Farm) -> None:
    """octoprint 6 userdata, 5 userdata: JSON text in, JSON out."""
    await farm.upload("a.gcode", userdata='{"layer": 0.2}')
    assert (await farm.get("/api/files/local/a.gcode")).json()["userdata"] == {"layer": 0.2}


async def test_a_folder_is_made_and_made_again(farm: Farm) -> None:
    """octoprint 0 foldername, 6 foldername: 201 both times, in a form of either kind."""
    for _ in range(2):
        answer = await farm.post(
            "/api/files/local", data={"foldername": "Neuer Ordner", "path": "a"}
        )
        assert answer.status_code == 201
        assert answer.json() == {
            "done": True,
            "folder": {
                "name": "Neuer Ordner",
                "origin": "local",
                "path": "a/Neuer Ordner",
                "refs": {"resource": "http://farm.local:5000/api/files/local/a/Neuer%20Ordner"},
            },
        }
    multipart = await farm.post("/api/files/local", files={"foldername": (None, "b")})
    assert multipart.status_code == 201


async def test_other_targets_are_404(farm: Farm) -> None:
    """octoprint 6 unknown target: a card where there is no slot, and there is nothing else."""
    for target in ("sdcard", "cloud"):
        files = {"file": ("a.gcode", GCODE)}
        assert (await farm.post(f"/api/files/{target}", files=files)).status_code == 404


async def test_without_a_file_it_is_400(farm: Farm) -> None:
    """octoprint 6 file, 6 no file: none, another field's file, two files, JSON, nothing at all."""
    for more in (
        {"data": {"print": "true"}},
        {"files": {"upload": ("a.gcode", GCODE)}},
        {"files": [("file", ("a.gcode", GCODE)), ("file", ("b.gcode", GCODE))]},
        {"json": {"file": "a.gcode"}},
        {},
    ):
        answer = await farm.post("/api/files/local", **more)
        assert answer.status_code == 400, more
        assert answer.json()["error"]


def stored(farm: Farm) -> list[Path]:
    return [path for path in farm.application.settings.blobs_dir.rglob("*") if path.is_file()]


def body(*parts: bytes) -> bytes:
    return b"".join(b"--B\r\n" + part + b"\r\n" for part in parts) + b"--B--\r\n"


FILE_PART = b'Content-Disposition: form-data; name="file"; filename="a.gcode"\r\n\r\nG28\n'
EMPTY_NAME = b'Content-Disposition: form-data; name="file"; filename=""\r\n\r\nG28\n'
#: No forms at all: their refusal is a page, whatever is wrong with it.
HALF = {
    "truncated": body(FILE_PART)[:-8],
    "no boundary in it": b"G28\n" * 10,
    "no disposition": body(b"Content-Type: text/plain\r\n\r\nG28\n"),
}
RAW = {
    "reserved name": body(b'Content-Disposition: form-data; name="file.path"\r\n\r\n/etc/passwd'),
    "reserved file name": body(
        b'Content-Disposition: form-data; name="file.name"; filename="a.gcode"\r\n\r\nG28'
    ),
    "newline in filename*": body(
        b"Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''a%0Ab.gcode\r\n\r\nG28"
    ),
    "traversal in filename*": body(
        b'Content-Disposition: form-data; name="file"; '
        b"filename*=UTF-8''%2e%2e%2fa.gcode\r\n\r\nG28\n"
    ),
    "too many parts": body(
        *[b'Content-Disposition: form-data; name="x"\r\n\r\n'] * (MAX_PARTS + 1)
    ),
}


async def test_a_malformed_form_is_400(farm: Farm) -> None:
    """octoprint 1 errors, 6 truncated, 6 reserved names, 6 newline, 6 traversal: JSON, but a page
    for what cannot be read as a form; whatever is wrong with it, nothing is stored (S30, S45).
    """
    headers = {"X-Api-Key": farm.key, "Content-Type": "multipart/form-data; boundary=B"}
    for what, raw in {**HALF, **RAW}.items():
        answer = await farm.http.post("/api/files/local", content=raw, headers=headers)
        assert answer.status_code == 400, (what, answer.text)
        if what in HALF:
            assert answer.headers["content-type"].startswith("text/html")
            assert "multipart" in answer.text or "part of the form" in answer.text
        else:
            assert answer.json()["error"]
        assert (await farm.get("/api/files")).json()["files"] == []
        assert stored(farm) == [], what


async def test_a_key_behind_the_file_counts(farm: Farm) -> None:
    """octoprint 6 apikey: curl -F file=@a.gcode -F apikey=…; a wrong one there is 403."""
    for key, status in ((farm.key, 201), ("x" * 43, 403), (None, 403)):
        parts = [FILE_PART]
        if key is not None:
            parts.append(b'Content-Disposition: form-data; name="apikey"\r\n\r\n' + key.encode())
        answer = await farm.http.post(
            "/api/files/local",
            content=body(*parts),
            headers={"Content-Type": "multipart/form-data; boundary=B"},
        )
        assert answer.status_code == status


async def test_a_key_in_the_form_counts_more_than_a_header(farm: Farm) -> None:
    """octoprint 2 key lookup: the first one present wins, form before header."""
    key = (b'Content-Disposition: form-data; name="apikey"\r\n\r\n', farm.key.encode())
    for parts in ((b"".join(key), FILE_PART), (FILE_PART, b"".join(key))):
        answer = await farm.http.post(
            "/api/files/local",
            content=body(*parts),
            headers={
                "X-Api-Key": "x" * 43,
                "Content-Type": "multipart/form-data; boundary=B",
            },
        )
        assert answer.status_code == 201


async def test_a_stranger_cannot_fill_the_disk(farm: Farm) -> None:
    """Without any key in front, only so much is kept aside, and it is gone afterwards."""

    async def flood() -> AsyncIterator[bytes]:
        yield b"--B\r\n" + FILE_PART
        for _ in range(200):
            yield b"G1 X1\n" * 20_000
        yield b"\r\n--B\r\n"
        yield b'Content-Disposition: form-data; name="apikey"\r\n\r\n' + farm.key.encode()
        yield b"\r\n--B--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    answer = await farm.http.post("/api/files/local", content=flood(), headers=headers)
    assert answer.status_code == 403
    assert stored(farm) == []


async def test_an_empty_file_name_is_415(farm: Farm) -> None:
    """octoprint 6 empty filename: as a wrong extension."""
    headers = {"X-Api-Key": farm.key, "Content-Type": "multipart/form-data; boundary=B"}
    answer = await farm.http.post("/api/files/local", content=body(EMPTY_NAME), headers=headers)
    assert answer.status_code == 415


async def test_an_upload_over_the_limit_is_413(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """S46: counted, also without a length; nothing stays behind."""
    upload = next(
        route.handler
        for route in farm.application.octoprint.routes
        if route.path == "/api/files/<origin>" and route.method == "POST"
    )
    monkeypatch.setattr(upload.__self__, "_max_bytes", 1000)  # type: ignore[attr-defined]
    assert (await farm.upload("a.gcode", GCODE * 100)).status_code == 413

    async def chunked() -> AsyncIterator[bytes]:
        yield b"--B\r\n" + FILE_PART
        for _ in range(100):
            yield b"G1 X1\n" * 10

    answer = await farm.http.post(
        "/api/files/local",
        content=chunked(),
        headers={"X-Api-Key": farm.key, "Content-Type": "multipart/form-data; boundary=B"},
    )
    assert answer.status_code == 413
    assert stored(farm) == []

"""Projects written out and taken in again (v1 2.10): what is in the file, and hostile ones."""

import io
import json
import struct
import zipfile
from typing import Any

import httpx
import pytest

from api.errors import Invalid
from api.files.models import Blob
from api.models_library.models import PrintFile
from api.projects.models import Project
from api.projects.zips import Parcel
from tests.fakes.desk import Desk
from tests.fakes.past import GCODE, printed, refused, somebody

ABOUT = json.dumps({"name": "Ship", "color": "#abcdef", "expected_parts": 3}).encode()


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes], about: bytes | None = ABOUT) -> bytes:
    """A zip file of a project with these entries besides."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        if about is not None:
            target.writestr("project.json", about)
        for name, data in entries:
            target.writestr(name, data, zipfile.ZIP_DEFLATED)
    return made.getvalue()


async def sent(desk: Desk, data: bytes, **given: Any) -> httpx.Response:
    """The answer to an import."""
    files = {"file": ("project.zip", data)}
    return await desk.ask("POST", "/projects/import", files=files, **given)


async def nothing_came() -> bool:
    """No project, no print file."""
    return not await Project.all().exists() and not await PrintFile.all().exists()


async def exported(desk: Desk) -> tuple[bytes, list[int]]:
    """A project of three prints of two files, two of which have the same name; the prints."""
    other = GCODE + b"; another one\n"
    prints = [await printed(desk), await printed(desk), await printed(desk, text=other)]
    made = (
        await desk.ask("POST", "/projects", json={"name": 'A "ship"/ñ', "color": "#123"})
    ).json()
    path = f"/projects/{made['id']}"
    await desk.ask("POST", f"{path}/archives", json={"archive_ids": prints})
    answer = await desk.ask("GET", f"{path}/export")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="project_A_ship.zip"'
    return answer.content, prints


async def test_an_export_holds_the_project_and_its_files(desk: Desk) -> None:
    """project.json and each file once, under names of their own."""
    data, prints = await exported(desk)
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        assert found.namelist() == ["project.json", "files/vase.gcode", "files/vase-2.gcode"]
        about = json.loads(found.read("project.json"))
        texts = {name: found.read(name) for name in found.namelist()[1:]}
    assert (about["name"], about["color"], about["archive_count"]) == ('A "ship"/ñ', "#123", 3)
    assert {each["id"] for each in about["archives"]} == set(prints)
    for each in about["archives"]:
        is_other = each["id"] == prints[2]
        assert texts[each["file"]].endswith(b"another one\n") is is_other
    assert len(texts) == 2


async def test_what_was_exported_is_taken_in(desk: Desk) -> None:
    """A new project with the same words, and its files in the library, once stored."""
    data, _ = await exported(desk)
    before = await Blob.all().count()
    answer = (await sent(desk, data)).json()
    assert (answer["name"], answer["status"], answer["skipped"]) == ('A "ship"/ñ', "imported", [])
    assert [each["filename"] for each in answer["files"]] == ["vase.gcode", "vase-2.gcode"]
    project = (await desk.ask("GET", f"/projects/{answer['id']}")).json()
    assert (project["color"], project["status"], project["archives"]) == ("#123", "active", [])
    assert await Blob.all().count() == before
    job = {"item_name": "again", "print_file_id": answer["files"][0]["id"]}
    assert (await desk.ask("POST", "/jobs", json=job)).status_code == 201


async def test_files_without_bytes_are_left_out(desk: Desk) -> None:
    """History outlives the storage: the print is told, its file is null."""
    number = await printed(desk)
    made = (await desk.ask("POST", "/projects", json={"name": "Ship"})).json()["id"]
    await desk.ask("POST", f"/projects/{made}/archives", json={"archive_ids": [number]})
    [blob] = await Blob.all()
    await desk.application.rooms.storage.delete(blob.storage_key)
    data = (await desk.ask("GET", f"/projects/{made}/export")).content
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.namelist() == ["project.json"]
        assert json.loads(found.read("project.json"))["archives"][0]["file"] is None


async def test_what_cannot_be_printed_is_skipped(desk: Desk) -> None:
    """Of another farm's export: a project file of a slicer, and things that are not ours."""
    data = packed(
        ("files/part.3mf", b"x"),
        ("files/part.gcode", GCODE),
        ("__MACOSX/._part.gcode", b"x"),
        ("files/deep/part.gcode", b"x"),
        ("files/", b""),
    )
    answer = (await sent(desk, data)).json()
    assert [each["filename"] for each in answer["files"]] == ["part.gcode"]
    assert answer["skipped"] == ["part.3mf"]


async def test_a_name_that_leads_out_is_refused(desk: Desk) -> None:
    """400 for the whole file, and nothing of it stays."""
    for name in (
        *("../evil.gcode", "files/../../evil.gcode", "/etc/evil.gcode", "C:/evil.gcode"),
        *("files\\evil.gcode", "files//evil.gcode", "files/evil\n.gcode", "files/..gcode/.."),
    ):
        answer = await sent(desk, packed(("files/good.gcode", GCODE), (name, GCODE)))
        await refused(answer, 400, "bad_request")
    assert await nothing_came()


async def test_links_and_twins_are_refused(desk: Desk) -> None:
    """A symbolic link, a device, and two entries of one name."""
    for mode in (0o120777, 0o020666, 0o010666):
        link = zipfile.ZipInfo("files/link.gcode")
        link.external_attr = mode << 16
        await refused(await sent(desk, packed((link, b"/etc/passwd"))), 400, "bad_request")
    with pytest.warns(UserWarning, match="Duplicate name"):
        twins = packed(("files/a.gcode", GCODE), ("files/a.gcode", GCODE))
    await refused(await sent(desk, twins), 400, "bad_request")
    assert await nothing_came()


async def test_what_swells_is_refused_before_it_is_unpacked(desk: Desk) -> None:
    """413: zeros out of nothing, more together than the server takes, too many entries."""
    bomb = packed(("files/bomb.gcode", b"\0" * 50_000_000))
    error = await refused(await sent(desk, bomb), 413, "too_large")
    assert "bomb.gcode" in error["detail"]
    many = packed(*((f"files/{number}.gcode", b"") for number in range(1001)))
    await refused(await sent(desk, many), 413, "too_large")
    assert await nothing_came()


def test_the_files_together_have_the_servers_limit() -> None:
    """Packed they are small enough, unpacked they are not: GANTRY_MAX_UPLOAD_BYTES counts both."""
    text = b"".join(b"G1 X%d E%d\n" % (number % 97, number) for number in range(20_000))
    file = io.BytesIO(packed(("files/a.gcode", text), ("files/b.gcode", text)))
    assert Parcel(file, 2 * len(text) + len(ABOUT)).files == ["a.gcode", "b.gcode"]
    with pytest.raises(Invalid, match="GANTRY_MAX_UPLOAD_BYTES"):
        Parcel(file, 2 * len(text))


async def test_a_directory_that_lies_is_refused(desk: Desk) -> None:
    """Its length and number, a second directory, a size that is not the entry's, a broken sum."""
    good = packed(("files/part.gcode", GCODE))
    end = good.rindex(b"PK\x05\x06")
    for offset, form, value in ((12, "<L", 2**31), (10, "<H", 1001), (16, "<L", 2**31)):
        lying = bytearray(good)
        struct.pack_into(form, lying, end + offset, value)
        assert (await sent(desk, bytes(lying))).status_code in (400, 413), offset
    elsewhere = good[:end] + b"PK\x06\x07" + bytes(16) + good[end:]
    await refused(await sent(desk, elsewhere), 413, "too_large")
    entry = good.index(b"PK\x01\x02", good.index(b"PK\x01\x02") + 1)
    for offset, value in ((24, 10), (16, 1), (42, 5)):
        lying = bytearray(good)
        struct.pack_into("<L", lying, entry + offset, value)
        await refused(await sent(desk, bytes(lying)), 400, "bad_request")
    assert await nothing_came()


async def test_what_is_locked_or_packed_oddly_is_refused(desk: Desk) -> None:
    """Encrypted entries, and packings that take long to unpack."""
    good = packed(("files/part.gcode", GCODE))
    entry = good.index(b"PK\x01\x02", good.index(b"PK\x01\x02") + 1)
    for offset, value in ((8, 1), (10, 12), (10, 14), (10, 99)):
        odd = bytearray(good)
        struct.pack_into("<H", odd, entry + offset, value)
        await refused(await sent(desk, bytes(odd)), 400, "bad_request")
    assert await nothing_came()


async def test_what_is_no_project_is_refused(desk: Desk) -> None:
    """In words, and nothing of it stays."""
    for data, status, code in (
        (b"", 400, "bad_request"),
        (b"PK", 400, "bad_request"),
        (b"no zip file at all, but long enough to have an end", 400, "bad_request"),
        (packed(about=None), 400, "bad_request"),
        (packed(about=b"{"), 422, "validation_failed"),
        (packed(about=b"[]"), 422, "validation_failed"),
        (packed(about=b'{"name": ""}'), 422, "validation_failed"),
        (packed(about=b'{"name": "n", "color": "url(x)"}'), 422, "validation_failed"),
        (packed(about=b'{"name": "a\\u0000b"}'), 422, "validation_failed"),
        (packed(("files/part.gcode", b"\x00\x01binary")), 400, "not_gcode"),
        (packed(("files/part.gcode", b"")), 400, "bad_request"),
    ):
        await refused(await sent(desk, data), status, code)
    assert await nothing_came()


async def test_an_import_is_a_form_with_a_file(desk: Desk) -> None:
    """415 for JSON, 400 without the field or with two of them; no key is taken."""
    answer = await desk.ask("POST", "/projects/import", json={})
    await refused(answer, 415, "unsupported_media_type")
    answer = await desk.ask("POST", "/projects/import", files={"other": ("a.zip", packed())})
    await refused(answer, 400, "bad_request")
    two = [("file", ("a.zip", packed())), ("file", ("b.zip", packed()))]
    await refused(await desk.ask("POST", "/projects/import", files=two), 400, "bad_request")
    answer = await sent(desk, packed(), headers={"Idempotency-Key": "k"})
    await refused(answer, 415, "idempotency_unsupported")
    answer = await sent(desk, packed(), headers={"X-Dry-Run": "1"})
    await refused(answer, 501, "dry_run_unsupported")
    assert await nothing_came()


async def test_viewers_import_nothing(desk: Desk) -> None:
    """403 before a byte is read."""
    viewer = await somebody(desk, "viewer")
    await refused(await sent(desk, packed(), headers=viewer), 403, "permission_denied")
    assert await nothing_came()
    assert await nothing_came()

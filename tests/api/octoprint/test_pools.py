"""A pool as an OctoPrint: uploads become jobs, its queue in OctoPrint's terms (DESIGN 5, 7)."""

import asyncio

import pytest

from api.jobs.models import Job
from api.pools.service import NewPool
from schemas.printer import PrinterState
from tests.api.octoprint.conftest import GCODE, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def pool_of(farm: Farm, *printer_ids: int) -> str:
    """The script root of a new pool of these printers."""
    rooms = farm.application.rooms
    new = NewPool(name="All", printer_ids=printer_ids)
    return f"/octoprint/{(await rooms.pools.create(farm.admin, new)).slug}"


async def test_print_true_becomes_a_job_of_the_pool(farm: Farm) -> None:
    """201 as a slicer expects it, effectivePrint false, and a job for the first that fits."""
    root = await pool_of(farm, 2)
    answer = await farm.post(
        f"{root}/api/files/local", files={"file": ("a.gcode", GCODE)}, data={"print": "true"}
    )
    assert answer.status_code == 201
    body = answer.json()
    assert (body["done"], body["effectivePrint"], body["effectiveSelect"]) == (True, False, False)
    path = f"http://farm.local:5000{root}/api/files/local/a.gcode"
    assert answer.headers["location"] == path
    job = await Job.all().first()
    assert job is not None
    assert (job.pool_id is not None, job.pinned, job.file_path) == (True, False, "a.gcode")
    assert (await farm.get("/api/files")).json()["files"] == []
    assert [one["name"] for one in (await farm.get(f"{root}/api/files")).json()["files"]] == [
        "a.gcode"
    ]


async def test_a_file_that_a_pool_keeps_is_printed_when_it_is_selected_for_that(farm: Farm) -> None:
    """Clients that send a file first and then say `select` with `print`: 204, and a job."""
    root = await pool_of(farm, 1, 2)
    await farm.post(f"{root}/api/files/local", files={"file": ("a.gcode", GCODE)})
    one = f"{root}/api/files/local/a.gcode"
    headers = {"X-Api-Key": farm.viewer_key}
    body = {"command": "select", "print": True}
    assert (await farm.http.post(one, json=body, headers=headers)).status_code == 403
    assert not await Job.exists()
    assert (await farm.post(one, json=body)).status_code == 204
    job = await Job.get()
    assert (job.pool_id is not None, job.pinned, job.file_path) == (True, False, "a.gcode")
    missing = await farm.post(f"{root}/api/files/local/b.gcode", json=body)
    assert missing.status_code == 404


async def test_without_print_a_file_is_only_kept(farm: Farm) -> None:
    """No job; the pool's tree has folders, copies and downloads like a printer's."""
    root = await pool_of(farm, 1)
    await farm.post(f"{root}/api/files/local", files={"file": ("a.gcode", GCODE)})
    assert not await Job.exists()
    one = f"{root}/api/files/local/a.gcode"
    moved = await farm.post(one, json={"command": "move", "destination": "b.gcode"})
    assert (moved.status_code, moved.json()["path"]) == (201, "b.gcode")
    got = await farm.get(f"{root}/downloads/files/local/b.gcode")
    assert got.content == GCODE
    headers = {"X-Api-Key": farm.key}
    deleted = await farm.http.delete(f"{root}/api/files/local/b.gcode", headers=headers)
    assert deleted.status_code == 204


async def test_an_upload_only_key_asks_for_approval(farm: Farm) -> None:
    """DESIGN 5: such a key's print=true becomes a job that waits for approval."""
    accounts = farm.application.rooms.accounts
    _, key = await accounts.create_token(farm.admin, "upload", ["write:models"], None)
    root = await pool_of(farm, 2)
    headers = {"X-Api-Key": key}
    answer = await farm.http.post(
        f"{root}/api/files/local",
        files={"file": ("a.gcode", GCODE)},
        data={"print": "true", "apikey": key},
        headers=headers,
    )
    assert answer.status_code == 201, answer.text
    job = await Job.all().first()
    assert job is not None
    assert job.state == "submitted"


async def test_a_pool_shows_its_queue(farm: Farm) -> None:
    """api/job: the file whose turn it is, no progress, and how many wait; never a temperature."""
    farm.machine.state = PrinterState.PRINTING
    await farm.room.report(farm.machine)
    root = await pool_of(farm, 1)
    empty = (await farm.get(f"{root}/api/job")).json()
    assert (empty["state"], empty["job"]["file"]["name"]) == ("Operational", None)
    fields = {"print": "true"}
    for name in ("a.gcode", "b.gcode"):
        files = {"file": (name, GCODE)}
        await farm.post(f"{root}/api/files/local", files=files, data=fields)
    shown = (await farm.get(f"{root}/api/job")).json()
    assert shown["job"]["file"]["name"] == "a.gcode"
    assert shown["progress"]["completion"] is None
    assert shown["queue"] == {"waiting": 2, "printing": 0, "approval": 0}
    printer = (await farm.get(f"{root}/api/printer")).json()
    assert (printer["temperature"], printer["state"]["flags"]["ready"]) == ({}, True)
    connection = (await farm.get(f"{root}/api/connection")).json()
    assert (connection["current"]["state"], connection["options"]["ports"]) == ("Operational", [])
    assert set((await farm.get(f"{root}/api/printer?exclude=sd")).json()) == {
        "state",
        "temperature",
    }


async def test_the_file_that_a_pool_prints_stays(farm: Farm) -> None:
    """octoprint 6 overwriting: 409 to replace, delete and move it, until its print is over."""
    root = await pool_of(farm, 1)
    local, one = f"{root}/api/files/local", f"{root}/api/files/local/a.gcode"
    files = {"file": ("a.gcode", GCODE)}
    await farm.post(local, files=files, data={"print": "true"})
    await farm.application.rooms.scheduler.step()
    async with asyncio.timeout(10):
        while (await farm.get(f"{root}/api/job")).json()["queue"]["printing"] != 1:
            await asyncio.sleep(0.02)
    headers = {"X-Api-Key": farm.key}
    move = {"command": "move", "destination": "b.gcode"}
    for answer in (
        await farm.post(local, files=files),
        await farm.post(one, json=move),
        await farm.http.delete(one, headers=headers),
    ):
        assert answer.status_code == 409, answer.text
        assert "a.gcode" in answer.json()["error"]
    async with asyncio.timeout(10):
        while not farm.machine.grant:
            await asyncio.sleep(0.02)
    await farm.room.finish(farm.machine)
    assert (await farm.post(one, json=move)).status_code == 201


async def test_a_pool_without_a_reachable_printer_is_offline(farm: Farm) -> None:
    """Closed, Offline, 409; an upload with print=true waits all the same."""
    root = await pool_of(farm)
    assert (await farm.get(f"{root}/api/printer")).status_code == 409
    assert (await farm.get(f"{root}/api/job")).json()["state"] == "Offline"
    assert (await farm.get(f"{root}/api/connection")).json()["current"]["state"] == "Closed"
    files = {"file": ("a.gcode", GCODE)}
    await farm.post(f"{root}/api/files/local", files=files, data={"print": "true"})
    assert (await farm.get(f"{root}/api/job")).json()["queue"]["waiting"] == 1


async def test_what_needs_one_printer_is_409_at_a_pool(farm: Farm) -> None:
    """As at an OctoPrint whose printer is not there; the text names the way out."""
    root = await pool_of(farm, 1)
    await farm.post(f"{root}/api/files/local", files={"file": ("a.gcode", GCODE)})
    for path, body in (
        ("/api/printer/printhead", {"command": "home", "axes": ["x"]}),
        ("/api/printer/tool", {"command": "target", "targets": {"tool0": 1}}),
        ("/api/printer/command", {"command": "G28"}),
        ("/api/connection", {"command": "connect"}),
        ("/api/job", {"command": "start"}),
        ("/api/files/local/a.gcode", {"command": "select"}),
        ("/api/printerprofiles", {"profile": {"id": "x", "name": "x"}}),
    ):
        answer = await farm.post(root + path, json=body)
        assert answer.status_code == 409, path
        assert "pool" in answer.json()["error"]
    assert (await farm.get(f"{root}/api/printer/tool")).status_code == 409
    assert set((await farm.get(f"{root}/api/printerprofiles")).json()["profiles"]) == {"_default"}


async def test_a_pool_has_settings_of_its_own(farm: Farm) -> None:
    """Its name is the pool's; a camera it may have, scripts are its printers'."""
    root = await pool_of(farm, 1)
    body = {
        "appearance": {"name": "Room 2"},
        "webcam": {"streamUrl": "http://cam.local/"},
        "scripts": {"gcode": {"afterPrintDone": "M84"}},
    }
    document = (await farm.post(f"{root}/api/settings", json=body)).json()
    assert document["appearance"]["name"] == "Room 2"
    assert document["webcam"]["streamUrl"] == "http://cam.local/"
    assert document["scripts"]["gcode"] == {}
    assert (await farm.get("/api/settings")).json()["appearance"]["name"] == "Alpha"


async def test_a_key_of_a_printer_reaches_no_pool(farm: Farm) -> None:
    """Restricted means restricted; a deleted pool is 404."""
    root = await pool_of(farm, 1)
    accounts = farm.application.rooms.accounts
    key = await accounts.create_octoprint_key(farm.admin, 1, "bound")
    assert (await farm.get(f"{root}/api/job", key)).status_code == 403
    rooms = farm.application.rooms
    pool = await rooms.pools.by_slug(farm.admin, root.rpartition("/")[2])
    await rooms.pools.delete(farm.admin, pool.id)
    assert (await farm.get(f"{root}/api/job")).status_code == 404

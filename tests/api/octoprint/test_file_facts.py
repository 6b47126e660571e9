"""File entries whole: analysis, prints, statistics, thumbnails (octoprint 5)."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.api.octoprint.conftest import GCODE, Farm
from tests.api.octoprint.test_push import RAW, printing, signed_in
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")

CUBE = (Path(__file__).parents[2] / "data" / "cube_small.gcode").read_bytes()
URL = "/octoprint/alpha/api/files/local/cube.gcode"


async def analysed(farm: Farm) -> None:
    while await farm.application.rooms.analyst.step():
        pass


async def entry(farm: Farm, path: str = "cube.gcode") -> Any:
    return (await farm.get(f"/octoprint/alpha/api/files/local/{path}")).json()


async def ended(farm: Farm) -> None:
    """The print of cube.gcode that runs is completed."""
    async with asyncio.timeout(5):
        while not farm.machine.grant:
            await asyncio.sleep(0.01)
    await farm.room.finish(farm.machine)


async def test_an_entry_tells_what_the_moves_do(farm: Farm) -> None:
    """octoprint 5 file entry, 5 gcodeAnalysis, 5 hash: estimatedPrintTime, filament, dimensions,
    printingArea, travelArea, travelDimensions; the hash is the sha1."""
    await farm.upload("cube.gcode", CUBE)
    await analysed(farm)
    found = await entry(farm)
    analysis = found["gcodeAnalysis"]
    assert analysis["estimatedPrintTime"] == 352
    assert analysis["filament"] == {"tool0": {"length": 224.22, "volume": 0.5393}}
    assert analysis["dimensions"] == {"width": 23.25, "depth": 23.25, "height": 9.6}
    assert analysis["printingArea"] == {
        "minX": 113.375,
        "minY": 93.375,
        "minZ": 0.35,
        "maxX": 136.625,
        "maxY": 116.625,
        "maxZ": 9.95,
    }
    assert set(analysis) == {
        *("estimatedPrintTime", "filament", "dimensions", "printingArea", "travelArea"),
        "travelDimensions",
    }
    assert set(analysis["travelArea"]) == set(analysis["printingArea"])
    assert analysis["travelArea"]["minX"] == 0.0
    assert set(analysis["travelDimensions"]) == set(analysis["dimensions"])
    assert analysis["travelDimensions"]["width"] == 136.625
    assert found["hash"] == hashlib.sha1(CUBE, usedforsecurity=False).hexdigest()
    assert {"prints", "statistics", "userdata"} & set(found) == set()


async def test_an_empty_file_has_an_empty_analysis(farm: Farm) -> None:
    """octoprint 5 empty file: `_empty`, and no estimate."""
    await farm.upload("none.gcode", b"")
    await analysed(farm)
    assert (await entry(farm, "none.gcode"))["gcodeAnalysis"] == {"_empty": True}


async def test_an_estimate_is_simulated_when_no_slicer_made_one(farm: Farm) -> None:
    """The job shows it at once, though the document was built before."""
    await farm.upload("hand.gcode", GCODE + b"G1 X50 E9\n", select="true")
    assert (await farm.job())["job"]["estimatedPrintTime"] is None
    await analysed(farm)
    job = (await farm.job())["job"]
    assert job["estimatedPrintTime"] > 0
    assert job["filament"]["tool0"]["length"] == 9.0


async def test_analyse_does_it_once_more(farm: Farm) -> None:
    """octoprint 4: 204; the listing has other validators when it tells something else."""
    await farm.upload("cube.gcode", CUBE)
    before = await farm.get(URL)
    await analysed(farm)
    validator = {"X-Api-Key": farm.key, "If-None-Match": before.headers["etag"]}
    after = await farm.http.get(URL, headers=validator)
    assert after.status_code == 200
    again = await farm.post(URL, json={"command": "analyse"})
    assert again.status_code == 204
    assert "dimensions" not in (await entry(farm))["gcodeAnalysis"]
    await analysed(farm)
    assert "dimensions" in (await entry(farm))["gcodeAnalysis"]
    await farm.upload("a.gcode", path="folder")
    folder = await farm.post("/octoprint/alpha/api/files/local/folder", json={"command": "analyse"})
    assert folder.status_code == 415


async def test_push_tells_of_the_analysis(farm: Farm) -> None:
    """octoprint 8 MetadataAnalysisStarted, 8 MetadataAnalysisFinished: each with its file."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await farm.upload("cube.gcode", CUBE)
        await analysed(farm)
        events = await app.events("MetadataAnalysisFinished")
    where = {"storage": "local", "path": "cube.gcode"}
    assert events[-2:] == [("MetadataAnalysisStarted", where), ("MetadataAnalysisFinished", where)]


async def test_prints_and_statistics_are_counted(farm: Farm) -> None:
    """octoprint 5 prints, 5 statistics, 8 MetadataStatisticsUpdated: successes and failures, the
    last one, times by profile; validators change; the push says so; the job shows both times."""
    before = await farm.get("/octoprint/alpha/api/files")
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await printing(farm)
        await ended(farm)
        events = await app.events("MetadataStatisticsUpdated")
    assert events[-1][1] == {"storage": "local", "path": "cube.gcode"}
    found = await entry(farm)
    assert (found["prints"]["success"], found["prints"]["failure"]) == (1, 0)
    assert found["prints"]["last"]["success"] is True
    last = found["prints"]["last"]
    assert (set(found["prints"]), set(last)) == (
        {"success", "failure", "last"},
        {"date", "success", "printTime"},
    )
    assert isinstance(last["date"], float)
    times = found["statistics"]
    assert last["printTime"] == times["lastPrintTime"]["_default"]
    assert times["averagePrintTime"] == times["lastPrintTime"]
    assert set(times["lastPrintTime"]) == {"_default"}
    job = (await farm.job())["job"]
    assert job["lastPrintTime"] == times["lastPrintTime"]["_default"]
    assert job["averagePrintTime"] == times["averagePrintTime"]["_default"]
    after = await farm.get("/octoprint/alpha/api/files")
    assert after.headers["etag"] != before.headers["etag"]
    assert "prints" not in (await farm.get("/octoprint/beta/api/files")).text


async def test_a_cancelled_print_is_a_failure(farm: Farm) -> None:
    """octoprint 5 prints, 5 statistics: without a time; the folder around it counts it, too."""
    await farm.upload("cube.gcode", path="deep/er", print="true")
    async with asyncio.timeout(15):
        while (await farm.job())["state"] != "Printing":
            await asyncio.sleep(0.01)
    assert (await farm.post("/api/job", json={"command": "cancel"})).status_code == 204
    async with asyncio.timeout(5):
        while "prints" not in (found := await entry(farm, "deep/er/cube.gcode")):
            await asyncio.sleep(0.01)
    assert (found["prints"]["success"], found["prints"]["failure"]) == (0, 1)
    assert "printTime" not in found["prints"]["last"]
    assert found["statistics"] == {"averagePrintTime": {}, "lastPrintTime": {}}
    listed = (await farm.get("/octoprint/alpha/api/files")).json()["files"]
    [folder] = [each for each in listed if each["path"] == "deep"]
    assert folder["prints"]["failure"] == 1
    assert folder["size"] == len(GCODE)


async def test_a_thumbnail_is_where_apps_look(farm: Farm) -> None:
    """octoprint 5: `thumbnail` of the entry leads to the picture, below each root, with a key."""
    await farm.upload("cube one.gcode", CUBE, path="sub")
    found = await entry(farm, "sub/cube%20one.gcode")
    assert found["thumbnail_src"] == "prusaslicerthumbnails"
    path = found["thumbnail"]
    assert path.startswith("plugin/prusaslicerthumbnails/thumbnail/sub/cube%20one.png?")
    picture = await farm.get(f"/octoprint/alpha/{path}")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    assert picture.content.startswith(b"\x89PNG")
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert (await farm.get(f"/{path}")).content == picture.content
    other = path.replace("prusaslicerthumbnails", "UltimakerFormatPackage")
    assert (await farm.get(f"/{other}")).status_code == 200
    assert (await farm.http.get(f"/{path}")).status_code == 403
    assert (await farm.get(f"/octoprint/beta/{path}")).status_code == 404
    await farm.upload("plain.gcode")
    assert "thumbnail" not in await entry(farm, "plain.gcode")
    none = await farm.get("/plugin/prusaslicerthumbnails/thumbnail/plain.png")
    assert none.status_code == 404


async def test_a_pools_files_count_what_its_printers_did(farm: Farm) -> None:
    """octoprint 5, at a pool: the prints of its queue."""
    token = {"X-API-Key": farm.token}
    made = await farm.http.post(
        "/api/v1/pools", json={"name": "Row", "printer_ids": [1]}, headers=token
    )
    root = f"/octoprint/{made.json()['slug']}"
    await farm.post(
        f"{root}/api/files/local", files={"file": ("p.gcode", GCODE)}, data={"print": "true"}
    )
    await farm.application.rooms.scheduler.step()
    await ended(farm)
    found = (await farm.get(f"{root}/api/files/local/p.gcode")).json()
    assert found["prints"]["success"] == 1


async def test_binary_code_gets_the_name_of_text(farm: Farm) -> None:
    """octoprint 6 answer: what a printer on a cable cannot read becomes what it can."""
    head = (Path(__file__).parents[2] / "data" / "vase_head.bgcode").read_bytes()
    answer = await farm.upload("vase.bgcode", head)
    assert answer.status_code == 201
    assert answer.json()["files"]["local"]["name"] == "vase.gcode"
    found = await entry(farm, "vase.gcode")
    assert found["gcodeAnalysis"]["estimatedPrintTime"] == 5062
    assert "thumbnail" in found
    text = await farm.get("/downloads/files/local/vase.gcode")
    assert b"\nG1 Z" in text.content
    broken = await farm.upload("vase.bgcode", head[:-9])
    assert broken.status_code == 415
    assert "cut off" in broken.json()["error"]

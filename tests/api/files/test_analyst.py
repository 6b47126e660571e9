"""Files are analysed after their upload, each once, by a process that may die."""

import asyncio
import hashlib
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.bus.local import LocalBus
from api.config import Settings
from api.errors import Invalid, Unavailable
from api.events.models import Event
from api.events.service import Ledger
from api.files import analyst as analyst_module
from api.files.analysis.at_once import AT_ONCE_BYTES, is_short_work
from api.files.analysis.child import Stopped, Unreadable, png_of, read_file
from api.files.analyst import Analyst
from api.files.incoming import text_name
from api.files.models import Blob
from api.files.pictures import picture_of
from api.files.service import Files, Tree
from api.files.surveys import Surveys
from api.principal import Principal
from api.storage import open_storage
from tests.api.conftest import FakeClock
from tests.api.files.analysis.test_qoi import BODY, HEAD
from tests.api.files.conftest import chunks
from tests.fakes.bgcode import block, file, meatpack

DATA = Path(__file__).parents[2] / "data"
CUBE = (DATA / "cube_small.gcode").read_bytes()
BY_HAND = b"G28\nG1 X10 Y10 F3000\nG1 X30 E5\nG1 Z1 E6\nG1 X10 E9\n"


@pytest.fixture
def analyst(settings: Settings, ledger: Ledger, bus: LocalBus, clock: FakeClock) -> Analyst:
    return Analyst(open_storage(settings), ledger, bus, clock)


async def test_a_file_is_analysed_once(files: Files, analyst: Analyst, admin: Principal) -> None:
    """Areas beside the slicer's own estimate, which stays; its printers hear of it."""
    blob = await files.ingest(admin, chunks(CUBE), "cube.gcode")
    await files.put_name(admin, Tree.of_printer(7), "cube.gcode", "cube.gcode", blob)
    assert await analyst.step() is True
    assert await analyst.step() is False
    row = await Blob.get(id=blob.id)
    assert row.facts["estimated_s"] == 352
    assert row.facts["filament_mm"] == [224.22]
    assert row.analysis["printing"]["size"][2] == 9.6
    assert "time_s" not in row.analysis
    assert row.sha1 == row.analysis["sha1"]
    kinds = [event.kind for event in await Event.filter(printer_id=7).order_by("number")]
    assert kinds == ["file.added", "file.analysing", "file.analysed"]


async def test_who_names_a_file_hears_of_its_analysis_also_when_that_was_before(
    files: Files, analyst: Analyst, admin: Principal
) -> None:
    """A small file may be analysed before its upload has named it, and known bytes have been: what
    waits for the end of an analysis waited for ever.
    """
    blob = await files.ingest(admin, chunks(CUBE), "cube.gcode")
    taken = await analyst._take(None)
    assert taken is not None
    await files.put_name(admin, Tree.of_printer(7), "amid.gcode", "amid.gcode", blob)
    await Blob.filter(id=blob.id).update(analysing_until=None)
    await analyst.step()
    await files.put_name(admin, Tree.of_printer(8), "later.gcode", "later.gcode", blob)
    told = ["file.added", "file.analysing", "file.analysed"]
    for printer_id, kinds in ((7, [*told[:2], *told[1:]]), (8, told)):
        events = await Event.filter(printer_id=printer_id).order_by("number")
        assert [event.kind for event in events] == kinds


async def test_what_no_slicer_said_is_found(
    files: Files, analyst: Analyst, admin: Principal
) -> None:
    """Time, filament and layers of a file without a comment."""
    blob = await files.ingest(admin, chunks(BY_HAND), "hand.gcode")
    await analyst.step()
    facts = (await Blob.get(id=blob.id)).facts
    assert facts["estimated_s"] > 0
    assert facts["is_simulated"] is True
    assert (facts["filament_mm"], facts["layers"]) == ([9.0], 2)


async def test_a_process_that_died_leaves_the_file_to_another(
    files: Files, analyst: Analyst, admin: Principal, clock: FakeClock
) -> None:
    """While somebody is at it nobody else is; when their time is over, it is taken again."""
    blob = await files.ingest(admin, chunks(BY_HAND), "hand.gcode")
    until = clock.now() + timedelta(seconds=30)
    await Blob.filter(id=blob.id).update(analysing_until=until)
    assert await analyst.step() is False
    clock.advance(31.0)
    assert await analyst.step() is True


async def test_a_file_that_cannot_be_read_is_not_tried_again(
    files: Files, analyst: Analyst, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why is kept; `again` has it tried once more."""
    blob = await files.ingest(admin, chunks(BY_HAND * 4000), "hand.gcode")
    monkeypatch.setattr(analyst_module, "_limit_s", lambda row: 0.0)
    await analyst.step()
    assert "longer than 0 s" in (await Blob.get(id=blob.id)).analysis["failed"]
    assert await analyst.step() is False
    monkeypatch.undo()
    await analyst.again(admin, blob)
    await analyst.step()
    assert "failed" not in (await Blob.get(id=blob.id)).analysis


class Away:
    """A storage elsewhere that breaks off in the middle of a file while it *is_away*."""

    def __init__(self, settings: Settings) -> None:
        self._real = open_storage(settings)
        self.is_away = True
        self.exists = self._real.exists

    def local_path(self, key: str) -> None:
        return None

    async def read(self, key: str, *_: int) -> AsyncIterator[bytes]:
        async for chunk in self._real.read(key):
            yield chunk[: len(chunk) // 2] if self.is_away else chunk
        if self.is_away:
            raise Unavailable("The file storage cannot be used at the moment.")


@pytest.mark.parametrize("moves", [BY_HAND, BY_HAND * 12_000], ids=["in a thread", "by a worker"])
async def test_a_storage_that_is_away_for_a_while_costs_a_file_nothing(
    settings: Settings,
    ledger: Ledger,
    bus: LocalBus,
    clock: FakeClock,
    files: Files,
    admin: Principal,
    moves: bytes,
) -> None:
    """Its analysis had failed for good, or ended the look at all files (R26, R27)."""
    away: Any = Away(settings)
    analyst = Analyst(away, ledger, bus, clock)
    blob = await files.ingest(admin, chunks(moves), "hand.gcode")
    assert await analyst.step() is True
    assert (await Blob.get(id=blob.id)).analysis is None
    assert await analyst.step() is False
    if len(moves) > len(BY_HAND):
        assert await Surveys(away).make(blob) is None
    away.is_away = False
    clock.advance(200.0)
    assert await analyst.step() is True
    assert "failed" not in (await Blob.get(id=blob.id)).analysis


async def test_who_asks_right_after_a_small_upload_finds_its_facts(
    files: Files, analyst: Analyst, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time, dimensions and sha1 of a small file wait for no process; of a large one they do."""
    by_worker = []

    async def worker(work: str, source: object, limit_s: float) -> bytes:
        by_worker.append(work)
        return b'{"heights": 0}'

    monkeypatch.setattr(analyst_module, "read_file", worker)
    monkeypatch.setattr(analyst_module, "SETTLE_S", 60.0)
    running = asyncio.create_task(analyst.run())
    try:
        for name, content in (("first", b"G28\n"), ("small", BY_HAND), ("cube", CUBE)):
            await files.ingest(admin, chunks(content), f"{name}.gcode")
            async with asyncio.timeout(30):
                while await Blob.exists(analysis__isnull=True):
                    await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    _, small, cube = await Blob.all().order_by("id")
    assert small.facts["estimated_s"] > 0
    assert small.analysis["printing"]["size"] == [20.0, 0.0, 1.0]
    assert cube.sha1 == hashlib.sha1(CUBE, usedforsecurity=False).hexdigest()
    await files.ingest(admin, chunks(BY_HAND * 4000), "large.gcode")
    assert (await analyst.step(AT_ONCE_BYTES), by_worker) == (False, [])
    assert (await analyst.step(), by_worker) == (True, ["timed"])


def test_only_what_is_surely_short_is_read_in_a_thread() -> None:
    """An arc stands for many moves, and nothing stops a thread."""
    assert is_short_work(BY_HAND)
    assert is_short_work(b"G28\nG29\nG30\n" * 1000)
    assert not is_short_work(b"g02 I1\nG3J1\n" * 101)
    assert not is_short_work(b"\n" * (AT_ONCE_BYTES + 1))


async def test_bytes_from_elsewhere_are_read_the_same() -> None:
    """Where the store is no folder, the worker gets the bytes from us."""
    said = await read_file("analyse", chunks(BY_HAND, 10), 10.0)
    assert b'"filament_mm":[9.0]' in said
    with pytest.raises(Stopped, match="longer"):
        await read_file("analyse", chunks(BY_HAND), 0.0)
    with pytest.raises(Stopped, match="status"):
        await read_file("nothing", chunks(BY_HAND), 10.0)


async def test_binary_code_is_stored_as_text(files: Files, admin: Principal) -> None:
    """For both faces: the printer gets what it understands, under a name that says so."""
    code = BY_HAND.decode()
    data = file(block(1, meatpack(code, spaces=True), 3, b"\2\0"))
    blob = await files.ingest(admin, chunks(data, 7), "hand.bgcode", must_be_gcode=True)
    stored = b"".join([chunk async for chunk in files.read(blob)])
    assert stored.decode() == code + "\n" * (len(code) % 2)
    assert text_name("hand.BGCODE") == "hand.gcode"
    for broken, words in ((data[:-1], "cut off"), (b"GCDE" + bytes(50), "known here")):
        with pytest.raises(Invalid, match=words):
            await files.ingest(admin, chunks(broken), "hand.bgcode", must_be_gcode=True)


async def test_a_bomb_of_binary_code_stops_at_the_limit(
    ledger: Ledger, clock: FakeClock, settings: Settings, admin: Principal
) -> None:
    """Safety S34: what counts is what comes out, and nothing stays behind."""
    small = Files(
        open_storage(settings), ledger, clock, replace(settings, max_upload_bytes=100_000)
    )
    data = file(*[block(1, b"G28\n" * 10_000, 1)] * 50)
    assert len(data) < 10_000
    with pytest.raises(Invalid, match="larger"):
        await small.ingest(admin, chunks(data), "bomb.bgcode", must_be_gcode=True)
    assert [path for path in settings.blobs_dir.rglob("*") if path.is_file()] == []


async def test_a_picture_for_a_screen_becomes_png(files: Files, admin: Principal) -> None:
    """QOI is not what browsers show."""
    picture = block(5, HEAD + BODY, parameters=struct.pack("<HHH", 2, 4, 2))
    data = file(picture, block(1, b"G28\n"))
    blob = await files.ingest(admin, chunks(data), "x.bgcode", must_be_gcode=True)
    found = await picture_of(files, blob)
    assert found is not None
    assert (found.media, found.data[:4]) == ("image/png", b"\x89PNG")
    with pytest.raises(Unreadable):
        await png_of(b"qoif")

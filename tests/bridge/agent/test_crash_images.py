"""Crash images of journal and spool: every prefix of what was written, whole, torn or lost.

A power cut leaves what was synced, and of the rest any beginning. SQLite appends the frames of a
transaction to its WAL in order and syncs them; the spool writes, syncs, renames and syncs the
directory. Both are recorded here as they happen, and every image must open as the state before or
after the step that was cut: never a third (safety R33, R34, R35).
"""

import hashlib
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.agent import spool as spools
from bridge.agent.commands import Finish
from bridge.agent.database import Clock
from bridge.agent.journal import Journal, open_or_replace
from bridge.agent.spool import Part, Spool
from bridge.control.messages import Alarm, Event
from schemas.commands import CommandState, Verb
from tests.fakes.rows import row, start_args

SECTOR = 512
TABLES = ("meta", "commands", "grants", "facts", "gaps", "positions", "printers")
DATA = bytes(range(251)) * 40
SHA = hashlib.sha256(DATA).hexdigest()

Dump = list[list[tuple[Any, ...]]]


def dump(journal: Journal) -> Dump:
    """Everything that the journal holds."""
    return [journal._db.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]


def steps(journal: Journal, now: Clock) -> list[Callable[[], object]]:
    """Transactions of each kind, one after another."""
    found: list[Callable[[], object]] = []
    for number in range(1, 4):
        args = start_args(grant=f"g{number}")
        start = row(Verb.START, f"c{number}", seq=number, args=args)
        start.sender_boot = "life"
        event = Event(boot="life", seq=number, at_ms=number, body=Alarm(code="a", text="e"))
        found += [
            partial(journal.accept, [start], now),
            partial(journal.start, start, now),
            partial(journal.record_events, 1, [event], now),
            partial(journal.finish, Finish(start, CommandState.DONE), now),
            partial(journal.acknowledge, number),
        ]
    return found


@dataclass
class Recorded:
    """A journal's files as they grew: the database, the WAL, and where each commit ended in it."""

    database: bytes
    wal: bytes
    ends: list[int]
    states: list[Dump]


def recorded(directory: Path, now: Clock) -> Recorded:
    """Run every step, and look at the disk after each."""
    path = directory / "recorded"
    journal = Journal(path)
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    wal = path.with_name("recorded-wal")
    database, ends, states = path.read_bytes(), [0], [dump(journal)]
    for step in steps(journal, now):
        step()
        ends.append(wal.stat().st_size)
        states.append(dump(journal))
    written = wal.read_bytes()
    assert path.read_bytes() == database, "a checkpoint would make these images wrong"
    journal.close()
    return Recorded(database, written, ends, states)


def opened(directory: Path, database: bytes, wal: bytes) -> Dump:
    """What a journal over such files holds."""
    path = directory / "image"
    for suffix in ("-wal", "-shm"):
        path.with_name(f"image{suffix}").unlink(missing_ok=True)
    path.write_bytes(database)
    path.with_name("image-wal").write_bytes(wal)
    journal = Journal(path)
    try:
        return dump(journal)
    finally:
        journal.close()


@pytest.mark.seeded
def test_every_prefix_of_the_journal_is_a_whole_state(quick_dir: Path, now: Clock) -> None:
    """R34: cut at every sector, kept, torn or lost: exactly the commits before the cut."""
    seen = recorded(quick_dir, now)
    for cut in range(0, len(seen.wal) + 1, SECTOR):
        whole = sum(end <= cut for end in seen.ends) - 1
        assert opened(quick_dir, seen.database, seen.wal[:cut]) == seen.states[whole], cut
        begins = max(0, cut - SECTOR)
        intact = sum(end <= begins for end in seen.ends) - 1
        lost = seen.wal[:begins] + bytes(cut - begins)
        assert opened(quick_dir, seen.database, lost) in seen.states[intact : whole + 1], cut


def test_cut_in_a_checkpoint_is_whole(quick_dir: Path, now: Clock) -> None:
    """R34: pages go from the WAL to the file in any order; with the WAL all of it is there."""
    seen = recorded(quick_dir, now)
    path = quick_dir / "after"
    path.write_bytes(seen.database)
    path.with_name("after-wal").write_bytes(seen.wal)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    after = path.read_bytes()
    page = int.from_bytes(after[16:18], "big")
    size = max(len(after), len(seen.database))
    before = seen.database.ljust(size, b"\0")
    after = after.ljust(size, b"\0")
    for first in range(0, size, page):
        for mixed in (before[:first] + after[first:], after[:first] + before[first:]):
            assert opened(quick_dir, mixed, seen.wal) == seen.states[-1]


@pytest.mark.seeded
def test_flipped_bit_in_the_journals_log_is_never_believed(quick_dir: Path, now: Clock) -> None:
    """R35: frames carry checksums: what is read is a state that once was."""
    seen = recorded(quick_dir, now)
    for at in range(32, len(seen.wal), 383):
        flipped = bytearray(seen.wal)
        flipped[at] ^= 1 << (at % 8)
        assert opened(quick_dir, seen.database, bytes(flipped)) in seen.states, at


def test_damaged_structure_of_the_journal_is_put_aside(quick_dir: Path, now: Clock) -> None:
    """R35: a page that is no page is found at the start, and told."""
    seen = recorded(quick_dir, now)
    path = quick_dir / "image"
    path.write_bytes(seen.database[:4096] + b"\xff" * 4096 + seen.database[8192:])
    journal, damage = open_or_replace(path, 1)
    assert damage is not None and "put aside" in damage
    assert journal.open_commands(now) == []
    journal.close()


# The spool.


@dataclass
class Disk:
    """What the spool's directory would be after a power cut at each moment."""

    synced: dict[str, bytes] = field(default_factory=dict)
    images: list[dict[str, bytes]] = field(default_factory=list)

    def snapshot(self, directory: Path) -> dict[str, bytes]:
        """The files as a process sees them."""
        return {each.name: each.read_bytes() for each in directory.iterdir()}

    def moment(self, directory: Path) -> None:
        """A cut now: all kept, all lost, and each unsynced file torn in its middle."""
        now = self.snapshot(directory)
        self.images += [now, dict(self.synced)]
        for name, data in now.items():
            if self.synced.get(name) != data:
                self.images += [{**now, name: data[: len(data) // 2]}, {**now, name: b""}]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    """Records each write, sync and rename of the spool in *tmp_path*/spool."""
    disk, directory = Disk(), tmp_path / "spool"
    names: dict[int, str] = {}
    real_fsync, real_rename, real_open = os.fsync, Path.rename, os.open

    def opens(path: Any, *more: Any) -> int:
        number = real_open(path, *more)
        names[number] = Path(path).name
        disk.moment(directory)
        return number

    def fsync(number: int) -> None:
        disk.moment(directory)
        real_fsync(number)
        now = disk.snapshot(directory)
        if names[number] == directory.name:
            disk.synced = now
        else:
            disk.synced[names[number]] = now[names[number]]
        disk.moment(directory)

    def rename(self: Path, target: Path) -> Path:
        moved = real_rename(self, target)
        disk.moment(directory)
        return moved

    write = spools._PartFile.write

    def writes(self: Any, data: bytes) -> None:
        write(self, data)
        self._file.flush()
        disk.moment(directory)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "open", opens)
    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(spools._PartFile, "write", writes)
    return disk


@asynccontextmanager
async def shelf(sha256: str, offset: int) -> AsyncIterator[Part]:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(offset, len(DATA), 3000):
            yield DATA[at : at + 3000]

    yield Part(offset, chunks())


async def test_every_image_of_a_download_gives_the_whole_file(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R34: after any cut the file is there whole, or is brought again: never printed in part."""
    spool = Spool(tmp_path / "spool", shelf)
    await spool.fetch(SHA, len(DATA))
    await spool.close()
    monkeypatch.undo()
    published = [image for image in disk.images if f"{SHA}.gcode" in image]
    assert len(disk.images) > 20
    assert published
    for number, image in enumerate(disk.images):
        directory = tmp_path / f"image{number}"
        directory.mkdir()
        for name, data in image.items():
            (directory / name).write_bytes(data)
        after = Spool(directory, shelf)
        assert (await after.fetch(SHA, len(DATA))).read_bytes() == DATA, image.keys()
        await after.close()


async def test_any_flipped_byte_of_a_job_file_is_found(tmp_path: Path) -> None:
    """R35, M17: each byte in turn: the file is fetched again before it is used."""
    small = DATA[:256]
    sha256 = hashlib.sha256(small).hexdigest()

    @asynccontextmanager
    async def source(name: str, offset: int) -> AsyncIterator[Part]:
        async def chunks() -> AsyncIterator[bytes]:
            yield small[offset:]

        yield Part(offset, chunks())

    spool = Spool(tmp_path / "spool", source)
    path = await spool.fetch(sha256, len(small))
    for at in range(len(small)):
        path.write_bytes(small[:at] + bytes([small[at] ^ 0x10]) + small[at + 1 :])
        assert (await spool.fetch(sha256, len(small))).read_bytes() == small
    await spool.close()

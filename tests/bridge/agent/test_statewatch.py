"""The state directory's watch, with a real journal and a disk that is told how full it is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.agent import statewatch
from bridge.agent.database import Clock
from bridge.agent.disk import LOW_BYTES
from bridge.agent.errors import JournalError
from bridge.agent.journal import Journal
from bridge.agent.journal_thread import JournalThread
from bridge.agent.spool import RESERVE_BYTES
from bridge.agent.statewatch import StateWatch
from schemas.facts import AlarmFact


class FullNow(JournalThread):
    """A journal whose disk takes nothing for the first *refusals* calls."""

    refusals = 0

    async def run(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As the real one."""
        if self.refusals:
            self.refusals -= 1
            raise JournalError("database or disk is full")
        return await super().run(method, *args, **kwargs)


class Watched:
    """A state directory with *free* bytes left, and what people hear of it."""

    def __init__(self, directory: Path) -> None:
        path = directory / "journal.sqlite3"
        self.free = RESERVE_BYTES
        self.looks = 0
        self.told = asyncio.Event()
        self.journal = FullNow(Journal(path), lambda: Clock(0, "boot", 0))
        self.watch = StateWatch(path, self.journal, self.told.set, self._free)

    def _free(self, directory: Path) -> int:
        self.looks += 1
        return self.free

    async def alarms(self) -> list[str]:
        """The codes of all facts that wait for the farm."""
        facts = await self.journal.run(Journal.facts_after, 0)
        return [fact.body.code for fact in facts if isinstance(fact.body, AlarmFact)]

    async def looked(self, more: int = 2) -> None:
        """Wait until it has looked *more* times."""
        until = self.looks + more
        while self.looks < until:
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statewatch, "DISK_S", 0.002)
    monkeypatch.setattr(statewatch, "JOURNAL_RETRY_S", 0.002)


@asynccontextmanager
async def watched(directory: Path) -> AsyncIterator[Watched]:
    """One that looks every two milliseconds."""
    state = Watched(directory)
    task = asyncio.create_task(state.watch.run())
    try:
        yield state
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        state.journal.close()


async def test_a_disk_that_fills_up_is_a_fact_for_people_once(tmp_path: Path) -> None:
    """safety R32: said while there is room, and anew only after there has been enough."""
    async with watched(tmp_path) as state, asyncio.timeout(10):
        await state.looked()
        assert await state.alarms() == []
        state.free = LOW_BYTES - 1
        await state.told.wait()
        await state.looked()
        assert await state.alarms() == ["disk_low"]
        state.free = RESERVE_BYTES
        await state.looked()
        state.told.clear()
        state.free = 0
        await state.told.wait()
        assert await state.alarms() == ["disk_low", "disk_low"]


async def test_what_a_full_disk_does_not_take_is_told_once_there_is_room(tmp_path: Path) -> None:
    """safety R32: the alarm itself could not be written down, and was lost."""
    async with watched(tmp_path) as state, asyncio.timeout(10):
        state.journal.refusals = 5
        state.free = 0
        await state.told.wait()
        assert state.journal.refusals == 0
        assert await state.alarms() == ["disk_low"]


async def test_a_directory_that_is_gone_is_not_asked_for_its_room(tmp_path: Path) -> None:
    """It cannot be: only that the journal is gone is told, and again if that happens again."""
    directory = tmp_path / "state"
    directory.mkdir()
    async with watched(directory) as state, asyncio.timeout(10):
        await state.looked()
        aside = directory.rename(tmp_path / "aside")
        await state.told.wait()
        assert await state.alarms() == ["journal_gone"]
        aside.rename(directory)
        await state.looked()
        assert await state.alarms() == ["journal_gone"]

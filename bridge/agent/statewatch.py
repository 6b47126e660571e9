"""Looks after the state directory while the agent runs, by the rules of `bridge.agent.disk`."""

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from bridge.agent.disk import DiskWatch, JournalWatch
from bridge.agent.errors import JournalError
from bridge.agent.journal import Journal
from bridge.agent.journal_thread import JOURNAL_RETRY_S, JournalThread
from schemas.facts import AlarmFact

log = logging.getLogger("bridge.agent")

DISK_S = 10.0


def free_bytes(directory: Path) -> int:
    """What is left on the disk of *directory*. Raises `OSError`."""
    return shutil.disk_usage(directory).free


class StateWatch:
    """Tells of a disk that fills up and of a journal that is not at its place, *path*, any more.

    *facts_wait* is called when the journal has a fact of it.
    """

    def __init__(
        self,
        path: Path,
        journal: JournalThread,
        facts_wait: Callable[[], None],
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._path = path
        self._journal = journal
        self._facts_wait = facts_wait
        self._free = free
        self._disk = DiskWatch()
        self._file = JournalWatch(path.stat().st_ino)

    async def run(self) -> None:
        """Look every now and then. Raises `OSError` for a directory that cannot be asked."""
        while True:
            alarm = await asyncio.to_thread(self._look)
            if alarm is not None:
                log.error("%s", alarm.text)
                await self._tell(alarm)
            await asyncio.sleep(DISK_S)

    def _look(self) -> AlarmFact | None:
        inode, directory = _inode_of(self._path), self._path.parent
        alarm = self._file.look(inode, str(self._path))
        if alarm is None and inode is not None:
            alarm = self._disk.look(self._free(directory), str(directory))
        return alarm

    async def _tell(self, alarm: AlarmFact) -> None:
        """Have people hear of it, on a full disk as soon as there is room."""
        while True:
            try:
                await self._journal.run(Journal.add_fact, alarm, self._journal.now())
            except JournalError:  # whoever has work for the journal says so
                await asyncio.sleep(JOURNAL_RETRY_S)
            else:
                return self._facts_wait()


def _inode_of(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None

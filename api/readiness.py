"""Whether this process can serve requests, and if not, why: for load balancers and people.

The words are for anybody, so they name the setting to look at and nothing of what it holds
(safety S53); the log has the rest.

The bus is twofold. A process that has never reached it since its start was told a wrong one, and is
not ready: others serve. A bus that goes away later makes the farm slower and not useless, so it is
said and sends nobody elsewhere: every process would say the same (safety R30).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from tortoise.connection import get_connection
from tortoise.exceptions import BaseORMException

from api.db import has_other_writers

ANSWER_S = 2.0  # whoever takes longer for nothing is of no use
BUS_S = 5.0  # from the start: so long the bus may take to be reached
FULL_S = 15.0  # nothing but a write shows a full disk: so long after one failed it counts as full
READ_ONLY_S = 15.0  # and the same of a file of SQLite that takes no writes any more
_DISK_FULL = "53100"  # SQLSTATE

DATABASE = "the database does not answer (GANTRY_DATABASE_URL)"
READ_ONLY = "the database takes no changes (GANTRY_DATABASE_URL, GANTRY_DATA_DIR)"
FULL = "the disk of the database is full (GANTRY_DATABASE_URL, GANTRY_DATA_DIR)"
STORAGE = "the file storage does not answer (GANTRY_STORAGE_URL)"
STOPPING = "this process is about to stop"
NO_BUS = "the bus between processes has not been reached since the start (GANTRY_BUS_URL)"
BUS = "the bus between processes is away, so they hear of each other later (GANTRY_BUS_URL)"

_log = logging.getLogger("gantry.readiness")

Check = Callable[[], Awaitable[None]]
Question = Callable[[], Awaitable[str | None]]


async def _nothing() -> str | None:
    return None


class Channel(Protocol):
    """What is asked of the bus."""

    @property
    def is_open(self) -> bool:
        """Whether others can be reached over it."""

    @property
    def has_been_open(self) -> bool:
        """Whether they ever could since the start."""


class Readiness:
    """Asks everybody whom requests need. *storage* raises when the file storage does not work.

    *misfit* says what is wrong with the tables, for who has not seen to that before the start.
    """

    def __init__(self, storage: Check | None = None, bus: Channel | None = None) -> None:
        self.misfit: Question = _nothing
        self._storage = storage
        self._bus = bus
        self._full_until = 0.0
        self._read_only_until = 0.0
        self._began = time.monotonic()
        self.is_stopping = False

    def failed(self, error: BaseException) -> None:
        """A request could not be served because of the database."""
        if is_full(error):
            self._full_until = time.monotonic() + FULL_S
        if _says(error, "readonly database"):
            self._read_only_until = time.monotonic() + READ_ONLY_S

    async def problems(self) -> list[str]:
        """Why requests should go elsewhere; empty: they can be served here."""
        if self.is_stopping:
            return [STOPPING]
        found = await self.database_problem()
        problems = [found] if found is not None else []
        if self._storage is not None and not await _works(self._storage, "storage"):
            problems.append(STORAGE)
        if self._has_no_bus():
            problems.append(NO_BUS)
        return problems

    def _has_no_bus(self) -> bool:
        if self._bus is None or self._bus.has_been_open:
            return False
        return time.monotonic() - self._began >= BUS_S

    def warnings(self) -> list[str]:
        """What makes this process slower than it should be, and nothing worse."""
        return [BUS] if self._bus is not None and not self._bus.is_open else []

    async def database_problem(self) -> str | None:
        """What is wrong with the database; None: nothing."""
        if not await _works(_ask, "database"):
            return DATABASE
        if (misfit := await self.misfit()) is not None:
            return misfit
        if has_other_writers() and not await _works(_ask_for_changes, "database"):
            return READ_ONLY
        if time.monotonic() < self._read_only_until:
            return READ_ONLY
        return FULL if time.monotonic() < self._full_until else None


def is_full(error: BaseException) -> bool:
    """Whether the database could not write for want of space."""
    cause: BaseException | None = error
    while cause is not None:
        if getattr(cause, "sqlstate", "") == _DISK_FULL:
            return True
        cause = cause.__cause__
    return _says(error, "disk is full")


def _says(error: BaseException, words: str) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if words in str(cause):
            return True
        cause = cause.__cause__
    return False


async def _ask() -> None:
    await get_connection("default").execute_query("SELECT 1")


async def _ask_for_changes() -> None:
    """Raises `OSError` when the server is a standby or was made read-only."""
    query = "SELECT current_setting('transaction_read_only') AS answer"
    rows = await get_connection("default").execute_query_dict(query)
    if rows[0]["answer"] != "off":
        raise OSError("transactions are read-only")


async def _works(check: Check, name: str) -> bool:
    try:
        async with asyncio.timeout(ANSWER_S):
            await check()
    except (BaseORMException, OSError) as error:  # a TimeoutError is an OSError
        _log.warning("not ready: %s: %s", name, str(error) or "no answer in time")
        return False
    return True

"""How calls with a key ended, written down once the database takes it again.

A call may end while the database is away. Its caller is answered by what the call did, never by
what became of this note; but until it is written, whoever comes again with the key is told to wait.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from tortoise.exceptions import BaseORMException

from api.idempotency.service import Claim, Idempotency, Kept

_log = logging.getLogger("gantry.idempotency")

AGAIN_S = 1.0
#: More wait for nothing: the claims of the others are given up after `service.STUCK_AFTER`.
MAX_LATE = 1000

Note = Callable[[], Awaitable[None]]


class Endings:
    """Of the calls of one process. What it holds dies with the process."""

    def __init__(self, idempotency: Idempotency) -> None:
        self._idempotency = idempotency
        self._late: dict[int, Note] = {}  # by claim
        self._is_late = asyncio.Event()

    async def keep(self, claim: Claim, answer: Kept | None) -> None:
        """As `Idempotency.keep`, now or later."""
        await self._write(claim, partial(self._idempotency.keep, claim, answer))

    async def free(self, claim: Claim, *, refused: bool) -> None:
        """As `Idempotency.free`, now or later."""
        await self._write(claim, partial(self._idempotency.free, claim, refused=refused))

    async def _write(self, claim: Claim, note: Note) -> None:
        try:
            await note()
        except BaseORMException as error:
            _log.warning("how a call with a key ended is written down later: %s", error)
            if len(self._late) < MAX_LATE:
                self._late[claim.id] = note
                self._is_late.set()

    async def step(self) -> None:
        """Write what could not be written. Raises `BaseORMException` while it still cannot be."""
        for number, note in tuple(self._late.items()):
            await note()
            self._late.pop(number, None)

    async def run(self) -> None:
        """Try until it is written, until cancelled."""
        while True:
            await self._is_late.wait()
            self._is_late.clear()
            while self._late:
                try:
                    await self.step()
                except BaseORMException as error:
                    _log.info("still not written down: %s", error)
                    await asyncio.sleep(AGAIN_S)

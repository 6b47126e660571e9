"""Rooms that come back all at once take turns, so that each is done before the next begins.

A thousand greetings side by side would share one database, all be slow together, and all be given
up by agents that wait ten seconds: work for nobody. Whoever had no turn in time is told so before
anything was done for it, and when to come back.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.errors import Unavailable

AT_ONCE = 16
#: An agent waits 10 s for each answer; who had no turn by then would be served after it left.
PATIENCE_S = 6.0
BACK_S = (2, 8)  # drawn, so that they do not come back all at once again


class Turns:
    """*at_once* have one at a time, the others in the order in which they came."""

    def __init__(self, at_once: int = AT_ONCE, patience_s: float = PATIENCE_S) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._patience_s = patience_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One turn. Raises `Unavailable` when it does not come in time."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self._places.acquire()
        except TimeoutError:
            raise Unavailable(
                "Too many bridges connect at this moment; come back in a few seconds.",
                retry_after_s=random.randint(*BACK_S),  # noqa: S311 — jitter
            ) from None
        try:
            yield
        finally:
            self._places.release()

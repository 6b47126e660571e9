"""Rooms that come back all at once take turns, so that each is done before the next begins.

A thousand greetings side by side would share one database, all be slow together, and all be given
up by agents that wait ten seconds for a welcome: work for nobody. So they wait before the upgrade,
for which agents have more patience, and who is through goes first. Whoever had no turn in time is
told so before much was done for it, and when to come back.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import IntEnum

from api.errors import Unavailable

AT_ONCE = 16
BACK_S = (1, 4)  # drawn, so that they do not come back all at once again


class Step(IntEnum):
    """What a room asks for; the lowest number goes first."""

    HELLO = 0
    NONCE = 1
    UPGRADE = 2


#: An agent waits 10 s for an answer and 30 s for its upgrade (`bridge.agent.link.dial`); who had no
#: turn by then would be served after it left.
PATIENCE_S = {Step.HELLO: 8.0, Step.NONCE: 8.0, Step.UPGRADE: 25.0}


class Turns:
    """*at_once* have one at a time: by what they ask for, then who came first."""

    def __init__(
        self, at_once: int = AT_ONCE, patience_s: Mapping[Step, float] = PATIENCE_S
    ) -> None:
        self._free = at_once
        self._patience_s = patience_s
        self._waiting: dict[Step, deque[asyncio.Future[None]]] = {step: deque() for step in Step}

    @asynccontextmanager
    async def turn(self, step: Step) -> AsyncIterator[None]:
        """One turn. Raises `Unavailable` when it does not come in time."""
        await self._wait(step)
        try:
            yield
        finally:
            self._free += 1
            self._pass_on()

    async def _wait(self, step: Step) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[step].append(mine)
        self._pass_on()
        try:
            async with asyncio.timeout(self._patience_s[step]):
                await mine
        except (TimeoutError, asyncio.CancelledError) as over:
            if mine.done() and not mine.cancelled():  # it came at the same moment
                self._free += 1
                self._pass_on()
            if not isinstance(over, TimeoutError):
                raise
            raise Unavailable(
                "Too many bridges connect at this moment; come back in a few seconds.",
                retry_after_s=random.randint(*BACK_S),  # noqa: S311 — jitter
            ) from None

    def _pass_on(self) -> None:
        for waiting in self._waiting.values():
            while self._free and waiting:
                first = waiting.popleft()
                if not first.done():  # else it has given up
                    first.set_result(None)
                    self._free -= 1

"""Who may write next: one at a time, and work that has piled up lets what is meant now pass.

A hundred rooms that come back tell thousands of facts, each batch a change of its own. In the order
in which they ask a person's command would wait for all of them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

#: Who has given way for so long takes turns with those who do not.
GIVES_WAY_S = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """Somebody who asked for the turn at *since* (of the loop's clock)."""

    since: float
    turn: asyncio.Future[None]


class Writers:
    """Those of one organization, or of the farm, in this process."""

    def __init__(self) -> None:
        self._is_taken = False
        self._is_patient = False  # who has the turn has given way
        self._prompt: deque[_Waiter] = deque()
        self._patient: deque[_Waiter] = deque()

    @asynccontextmanager
    async def turn(self, *, gives_way: bool = False) -> AsyncIterator[None]:
        """In this block nobody else writes. *gives_way*: who does not goes first.

        Within each kind in the order in which they asked. Who has given way for 2 s does so no
        more, but for one after the other: both go on.
        """
        await self._take(self._patient if gives_way else self._prompt)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, waiters: deque[_Waiter]) -> None:
        if not self._is_taken:  # then nobody waits: the turn is passed on from hand to hand
            self._is_taken = True
            return
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop.time(), loop.create_future())
        waiters.append(waiter)
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if not waiter.turn.cancelled():  # it has just got the turn
                self._pass_on()
            elif waiter in waiters:
                waiters.remove(waiter)
            raise

    def _pass_on(self) -> None:
        while (waiters := self._next()) is not None:
            self._is_patient = waiters is self._patient
            waiter = waiters.popleft()
            if not waiter.turn.done():  # else it is being cancelled
                waiter.turn.set_result(None)
                return
        self._is_taken = False

    def _next(self) -> deque[_Waiter] | None:
        if not self._patient:
            return self._prompt or None
        waited_s = asyncio.get_running_loop().time() - self._patient[0].since
        has_to_wait = self._is_patient or waited_s < GIVES_WAY_S
        return self._prompt if self._prompt and has_to_wait else self._patient

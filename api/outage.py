"""Who remembers something goes on by it while the database is away (safety M07, R19).

Rights, rules and printers that this process has read are kept beyond the seconds in which they are
taken as they are. They count again only when the database cannot be asked: a remote stop has to
find its way by them, and a picture its watcher.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from tortoise.exceptions import DBConnectionError, OperationalError

#: What the ORM and its drivers raise when the database is of no use.
AWAY = (OperationalError, DBConnectionError, OSError)
#: Who remembers waits no longer than this for the database, and asks it again after `AGAIN_S`.
ASK_S = 0.5
#: Who stops a printer waits less.
STOP_S = 0.3
AGAIN_S = 5.0
#: So long what is remembered counts; as long as a link bears the database's trouble, and more.
REMEMBERED_S = 600.0

_past: ContextVar[bool] = ContextVar("past_the_database", default=False)

T = TypeVar("T")


@contextmanager
def past_database() -> Iterator[None]:
    """In this block rows that are remembered count, however old, and nobody asks for newer ones."""
    token = _past.set(True)
    try:
        yield
    finally:
        _past.reset(token)


def is_past_database() -> bool:
    """Whether this is within `past_database`."""
    return _past.get()


async def briefly(work: Coroutine[Any, Any, T], *, within_s: float | None) -> T:
    """What *work* returns. Raises `TimeoutError`, one of `AWAY`, when that takes longer.

    *within_s* None: however long it takes. It is seen through all the same: nothing that is asked
    of the database is cut off in the middle.
    """
    if within_s is None:
        return await work
    task = seen_through(work)
    done, _ = await asyncio.wait({task}, timeout=within_s)
    if not done:
        raise TimeoutError(f"the database has not answered within {within_s} s")
    return task.result()


def seen_through(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """*work* goes on to its end, whoever waits for it; what it raises is for them alone."""
    task = asyncio.create_task(work)
    _left.add(task)
    task.add_done_callback(_ended)
    return task


class Question:
    """One question to the database, asked once for all who want to know at the same time.

    A thousand that ask for themselves would be so slow that the last take it for an outage.
    """

    def __init__(self, ask: Callable[[], Awaitable[object]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[None] | None = None
        self._since_s = 0.0

    async def answered(self) -> None:
        """Return once the database has answered. Raises what it raises."""
        now_s = asyncio.get_running_loop().time()
        asking = self._asking
        # an older one may hang at a connection that is dead, beside new ones that are not
        if asking is None or asking.done() or now_s - self._since_s > STOP_S:
            asking = self._asking = asyncio.create_task(self._answer())
            asking.add_done_callback(_ended)
            self._since_s = now_s
        await asyncio.shield(asking)

    async def _answer(self) -> None:
        await self._ask()


#: What nobody waits for any more.
_left: set[asyncio.Task[Any]] = set()


def _ended(task: asyncio.Task[Any]) -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()  # whoever waited has been told; who did not goes by what is remembered

"""Who remembers something goes on by it while the database is away (safety M07, R19).

Rights, rules and printers that this process has read are kept beyond the seconds in which they are
taken as they are. They count again only when the database cannot be asked: a remote stop has to
find its way by them, and a picture its watcher.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

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


async def briefly(work: Awaitable[T], *, remembers: bool) -> T:
    """What *work* returns; for who *remembers* within `ASK_S`. Raises one of `AWAY` if it is."""
    async with asyncio.timeout(ASK_S if remembers else None):
        return await work

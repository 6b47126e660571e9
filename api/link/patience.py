"""A busy database slows a link down; only trouble that lasts ends it.

What has to be written down waits, and so the bridge keeps its facts; pictures, beats and remote
stops go their ways as ever (safety M07, R19). An end would be no help: who has no link cannot be
stopped, and nobody gets one while the database is away. After `PATIENCE_S` the room counts as cut
off, so that it may go on alone.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from api.clock import Clock
from api.db import PASSING
from api.feed.sender import CLOSE_BROKEN, Over

PATIENCE_S = 330.0  # from the first failure of a call: the five minutes of safety R19, and some
HELLO_PATIENCE_S = 4.0  # an agent waits 10 s for its welcome, and a try may take some of them
FAREWELL_PATIENCE_S = 4.0
FIRST_PAUSE_S = 0.2  # each is drawn between half and one and a half of it, and doubles up to
LONGEST_PAUSE_S = 3.0

_log = logging.getLogger("gantry.link")

T = TypeVar("T")


async def patiently(
    work: Callable[[], Awaitable[T]], clock: Clock, bridge_id: int, patience_s: float
) -> T:
    """What *work* returns; while the database is in passing trouble it is done again, later.

    It must bear being done twice. Raises `Over` when the trouble has lasted for *patience_s*.
    """
    pause_s, ends = FIRST_PAUSE_S, None
    while True:
        try:
            return await work()
        except PASSING as error:
            now = clock.monotonic()
            if ends is None:
                ends = now + patience_s
                _log.info("bridge %d: the link waits for the database: %s", bridge_id, error)
            if now >= ends:
                _log.error("bridge %d: the database's trouble lasts: %s", bridge_id, error)
                raise Over(CLOSE_BROKEN, "the database is in trouble for too long") from error
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 — jitter
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

"""What is done once an hour in a process that lives on; functions do it by the clock instead."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

FIRST_AFTER_S = 60.0
EVERY_S = 3600.0
#: Behind a failure: a database that was away is there again within minutes, not within an hour.
AGAIN_S = 300.0

_log = logging.getLogger("gantry.hourly")


async def hourly(work: Callable[[], Awaitable[object]], what: str) -> None:
    """Do *work* every hour, until cancelled; a failure of *what* is logged, and it goes on."""
    pause_s = FIRST_AFTER_S
    while True:
        await asyncio.sleep(pause_s)
        try:
            await work()
        except Exception:  # noqa: BLE001 - supervisor: what is to be done is in rows and files
            _log.exception("%s failed; again in %.0f s", what, AGAIN_S)
            pause_s = AGAIN_S
        else:
            pause_s = EVERY_S

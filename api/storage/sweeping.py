"""Once an hour: what broken uploads left in the storage goes."""

import asyncio
import logging

from api.clock import Clock
from api.errors import Problem
from api.storage.protocol import Storage

EVERY_S = 3600.0
FIRST_AFTER_S = 60.0

_log = logging.getLogger("gantry.storage")


async def sweep_hourly(storage: Storage, clock: Clock) -> None:
    """Sweep *storage* now and then, until cancelled."""
    await asyncio.sleep(FIRST_AFTER_S)
    while True:
        try:
            found = await storage.sweep(clock.now())
        except (Problem, OSError) as error:
            _log.warning("broken uploads are swept later: %s", error)
        else:
            if found:
                _log.info("removed what %d broken uploads left", found)
        await asyncio.sleep(EVERY_S)

"""Once an hour: what nobody needs any more goes from the storage."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from api.errors import Problem

EVERY_S = 3600.0
FIRST_AFTER_S = 60.0

_log = logging.getLogger("gantry.storage")

#: What goes (for the log), and who removes it and says how many there were.
Brooms = Mapping[str, Callable[[], Awaitable[int]]]


async def sweep(brooms: Brooms) -> None:
    """Sweep once; what cannot be removed now is left to the next time."""
    for name, broom in brooms.items():
        try:
            found = await broom()
        except (Problem, OSError) as error:
            _log.warning("%s: swept later: %s", name, error)
        else:
            if found:
                _log.info("%s: %d removed", name, found)


async def sweep_hourly(brooms: Brooms) -> None:
    """Sweep now and then, until cancelled."""
    await asyncio.sleep(FIRST_AFTER_S)
    while True:
        await sweep(brooms)
        await asyncio.sleep(EVERY_S)

"""Once an hour: what nobody needs any more goes from the storage."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from tortoise.exceptions import BaseORMException

from api.errors import Problem
from api.hourly import hourly

_log = logging.getLogger("gantry.storage")

#: What goes (for the log), and who removes it and says how many there were.
Brooms = Mapping[str, Callable[[], Awaitable[int]]]


async def sweep(brooms: Brooms) -> None:
    """Sweep once; what cannot be removed now is left to the next time."""
    for name, broom in brooms.items():
        try:
            found = await broom()
        except (Problem, OSError, BaseORMException) as error:
            _log.warning("%s: swept later: %s", name, error)
        else:
            if found:
                _log.info("%s: %d removed", name, found)


async def sweep_hourly(brooms: Brooms) -> None:
    """Sweep now and then, until cancelled."""
    await hourly(lambda: sweep(brooms), "the sweep")

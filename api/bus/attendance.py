"""Work that is done again and again by a task of its own: when a name is rung, and now and then."""

import logging
from collections.abc import Awaitable, Callable

from api.bus.local import Bus

REST_S = 5.0  # after a failure of ours

_log = logging.getLogger("gantry.attendance")


async def attend(bus: Bus, name: str, work: Callable[[], Awaitable[float]], what: str) -> None:
    """Do *work* whenever *name* is rung and after as many seconds as it says, until cancelled.

    A failure of *what* is logged, and is tried again soon: what is to be done is in rows.
    """
    with bus.listen(name) as waiting:
        while True:
            try:
                wait_s = await work()
            except Exception:  # noqa: BLE001 - supervisor: looked at again in a moment
                _log.exception("%s stumbled", what)
                wait_s = REST_S
            await waiting.wait(wait_s)

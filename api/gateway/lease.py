"""One invocation at a time writes to a socket, so that what it carries keeps its order.

Who writes holds a short lease on the socket's row. Who finds it taken leaves a note instead of
waiting, and the writer looks once more before it goes. A writer that dies leaves a lease that
ends by itself; what it was to carry is in rows.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from tortoise.expressions import Q

from api.clock import Clock
from api.gateway.models import GatewaySocket

LEASE_S = 15.0


async def alone(connection_id: str, clock: Clock, carry: Callable[[], Awaitable[bool]]) -> None:
    """Call *carry* while nobody else writes, again for every note; False from it ends that.

    Returns at once when somebody else is writing: they will look once more.
    """
    while await _lease(connection_id, clock):
        try:
            alive = await carry()
        finally:
            noted = await release(connection_id)
        if not alive or not noted:
            return


async def _lease(connection_id: str, clock: Clock) -> bool:
    """Whether we write now; else who does has a note to look once more."""
    if await claim(connection_id, clock):
        return True
    await GatewaySocket.filter(connection_id=connection_id).update(push_again=True)
    # Who held it may have looked for notes just before ours.
    return await claim(connection_id, clock)


async def claim(connection_id: str, clock: Clock) -> bool:
    """Take the lease if it is free or over; notes are read from then on."""
    now = clock.now()
    until = now + timedelta(seconds=LEASE_S)
    rows = GatewaySocket.filter(connection_id=connection_id)
    free = Q(pushing_until=None) | Q(pushing_until__lt=now)
    return bool(await rows.filter(free).update(pushing_until=until, push_again=False))


async def release(connection_id: str) -> bool:
    """Give the lease back; True when somebody left a note meanwhile."""
    rows = GatewaySocket.filter(connection_id=connection_id)
    if await rows.filter(push_again=False).update(pushing_until=None):
        return False
    return bool(await rows.update(pushing_until=None))

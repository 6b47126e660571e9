"""Who is there as the rows say it: for a process that holds no links itself."""

from datetime import timedelta

from api.bridges.models import Bridge
from api.bridges.presence import Presence
from api.clock import Clock


async def read(presence: Presence, clock: Clock, silent_s: float) -> None:
    """Bring *presence* up to date with the rows.

    A room that gave no sign of life for *silent_s* seconds is not there, whatever its row says:
    who should have written its end may be gone.
    """
    now, wall = clock.monotonic(), clock.now()
    rows = Bridge.filter(revoked_at__isnull=True, connected_at__isnull=False)
    columns = ("id", "epoch", "last_seen_at", "disconnected_at")
    for bridge_id, epoch, seen_at, gone_at in await rows.values_list(*columns):
        ended = gone_at
        if ended is None and seen_at is not None and wall - seen_at > timedelta(seconds=silent_s):
            ended = seen_at
        if ended is None:
            presence.came(bridge_id, epoch, now)
        else:
            presence.left(bridge_id, epoch, now - max(0.0, (wall - ended).total_seconds()))

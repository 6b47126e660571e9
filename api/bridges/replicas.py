"""Which rooms hang on the other API processes: from rows, so that no lost message darkens a room.

Every process beats in a row of its own every two seconds, and a room's row names the process that
holds its link. A room is there while its process beats; beats are compared with what was seen
before, never with a clock, because clocks of machines differ.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from api.bridges.models import Bridge, Replica
from api.bridges.presence import Presence
from api.bus.local import Bus
from api.clock import Clock

PRESENCE = "presence"  # rung when a link was opened or closed, or a process goes
BEAT_EVERY_S = 2.0
SILENT_S = 7.0  # a process that has not beaten for so long is gone
REST_S = 0.2  # between two looks, however often it rings
FORGET_S = 600.0

_log = logging.getLogger("gantry.bridges")


@dataclass(slots=True)
class _Heart:
    beat: int
    at: float


class Pulse:
    """Who beats: pure, *now* is passed in (seconds, monotonic)."""

    def __init__(self) -> None:
        self._hearts: dict[str, _Heart] = {}
        self._looked_at = float("-inf")

    def alive(self, beats: Mapping[str, int], now: float) -> set[str]:
        """Who has beaten lately, by their newest *beats*; call it every few seconds.

        Time in which we did not look says nothing about the others.
        """
        if now - self._looked_at > SILENT_S:
            self._hearts.clear()
        self._looked_at = now
        for name, beat in beats.items():
            heart = self._hearts.get(name)
            if heart is None or heart.beat != beat:
                self._hearts[name] = _Heart(beat, now)
        for name in self._hearts.keys() - beats.keys():
            del self._hearts[name]
        return {name for name, heart in self._hearts.items() if now - heart.at < SILENT_S}

    def forgotten(self, now: float) -> list[str]:
        """Who has been silent for so long that their rows may go."""
        return [name for name, heart in self._hearts.items() if now - heart.at > FORGET_S]


class Replicas:
    """Keeps *presence* true for the links that other processes hold."""

    def __init__(self, presence: Presence, clock: Clock, bus: Bus) -> None:
        self._presence = presence
        self._clock = clock
        self._bus = bus
        self._pulse = Pulse()
        self._beat = 0
        self._beaten_at = float("-inf")

    async def run(self) -> None:
        """Beat and look around every two seconds and when a link came or went, until cancelled."""
        if not self._bus.is_shared:
            return
        with self._bus.listen(PRESENCE) as listener:
            while True:
                try:
                    await self.look()
                except Exception:  # noqa: BLE001 — supervisor: what was known stays true till then
                    _log.exception("cannot look for the other processes")
                await asyncio.sleep(REST_S)
                await listener.wait(BEAT_EVERY_S)

    async def look(self) -> None:
        """Beat if it is time, and take over what the rows say about links of others."""
        now = self._clock.monotonic()
        if now - self._beaten_at >= BEAT_EVERY_S:
            await self._strike(now)
        beats = dict(await Replica.all().values_list("id", "beat"))
        alive = self._pulse.alive(beats, now)
        rows = Bridge.filter(revoked_at__isnull=True, connected_at__isnull=False)
        rows = rows.exclude(held_by=self._bus.origin)
        columns = ("id", "epoch", "held_by", "disconnected_at", "shown_online")
        for bridge_id, epoch, holder, ended, is_shown in await rows.values_list(*columns):
            if ended is None and (holder == "" or holder in alive):
                self._presence.seen(bridge_id, epoch)
            elif not is_shown and self._presence.online(bridge_id, now):
                self._presence.lost(bridge_id, epoch, now)
            elif self._presence.connected(bridge_id) and ended is None:
                self._presence.left_before(bridge_id, epoch, now)
            elif self._presence.connected(bridge_id):
                self._presence.left(bridge_id, epoch, now)
        if forgotten := self._pulse.forgotten(now):
            await Replica.filter(id__in=forgotten).delete()

    async def _strike(self, now: float) -> None:
        self._beat += 1
        row = Replica(id=self._bus.origin, beat=self._beat)
        await Replica.bulk_create([row], on_conflict=["id"], update_fields=["beat"])
        self._beaten_at = now

    async def leave(self) -> None:
        """This process goes: the others begin to wait for its rooms at once."""
        if self._bus.is_shared:
            await Replica.filter(id=self._bus.origin).delete()
            self._bus.wake([PRESENCE])

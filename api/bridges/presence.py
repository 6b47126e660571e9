"""Which rooms are there, from memory: pure, *now* is passed in (seconds, monotonic).

A room that is away for less than the grace still counts as there, so that a short break of the
line or a restart of the API is not shown as a farm that went dark (safety R06). A room whose link
ended because nothing was heard has been away since its last word. A thousand rooms that lost this
process need longer to come back than one that lost its line.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class _Seen:
    epoch: int
    gone_at: float | None = None  # None: connected
    grace_s: float = 0.0
    told: bool = False  # its absence was reported


class Presence:
    """Connected rooms and those that have just left."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._seen: dict[int, _Seen] = {}

    def came(self, bridge_id: int, epoch: int) -> None:
        """The room has a link of *epoch*."""
        self._seen[bridge_id] = _Seen(epoch)

    def seen(self, bridge_id: int, epoch: int) -> None:
        """Another process has a link of *epoch*; an older one than is known changes nothing."""
        known = self._seen.get(bridge_id)
        if known is None or known.epoch <= epoch:
            self._seen[bridge_id] = _Seen(epoch)

    def left(self, bridge_id: int, epoch: int, now: float, more_grace_s: float = 0.0) -> bool:
        """The link of *epoch* ended. False when a newer one already stands: nothing changes."""
        seen = self._seen.get(bridge_id)
        if seen is not None and seen.epoch > epoch:
            return False
        self._seen[bridge_id] = _Seen(epoch, now, self._grace_s + more_grace_s)
        return True

    def lost(self, bridge_id: int, epoch: int, now: float) -> None:
        """Another process has told that the room is gone: no grace is left, nothing to be told."""
        seen = self._seen.get(bridge_id)
        if seen is None or seen.epoch <= epoch:
            self._seen[bridge_id] = _Seen(epoch, now, told=True)

    def forget(self, bridge_id: int) -> None:
        """The room is no longer ours."""
        self._seen.pop(bridge_id, None)

    def online(self, bridge_id: int, now: float) -> bool:
        """Connected, or away for less than the grace."""
        seen = self._seen.get(bridge_id)
        if seen is None:
            return False
        return seen.gone_at is None or now - seen.gone_at < seen.grace_s

    def connected(self, bridge_id: int) -> bool:
        """A link stands right now."""
        seen = self._seen.get(bridge_id)
        return seen is not None and seen.gone_at is None

    def last_there(self, bridge_id: int, now: float) -> float | None:
        """When the room was there last: *now* while a link stands; None: not since the start."""
        seen = self._seen.get(bridge_id)
        if seen is None:
            return None
        return now if seen.gone_at is None else seen.gone_at

    def outdated(self, bridge_id: int, epoch: int) -> bool:
        """A newer link than that of *epoch* is known."""
        seen = self._seen.get(bridge_id)
        return seen is not None and seen.epoch > epoch

    def lapsed(self, now: float) -> list[int]:
        """Rooms whose grace has run out and whose absence nobody has told yet."""
        return [
            bridge_id
            for bridge_id, seen in self._seen.items()
            if not (seen.gone_at is None or seen.told or now - seen.gone_at < seen.grace_s)
        ]

    def told(self, bridge_ids: Iterable[int]) -> None:
        """Their absence is told; who came back meanwhile is there."""
        for bridge_id in bridge_ids:
            seen = self._seen.get(bridge_id)
            if seen is not None and seen.gone_at is not None:
                seen.told = True

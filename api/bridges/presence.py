"""Which rooms are there, from memory: pure, *now* is passed in (seconds, monotonic).

A room that is away for less than the grace still counts as there, so that a short break of the
line or a restart of the API is not shown as a farm that went dark (safety R06). A room whose link
ended because nothing was heard has been away since its last word. A thousand rooms that lost this
process need longer to come back than one that lost its line: they are waited for as long as one
after the other comes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

COMING_BACK_S = 15.0  # more grace after a start: a thousand rooms dial at once
STREAM_S = 3.0  # rooms that come at most so far apart come in a stream
STREAM_MOST_S = 60.0  # for so long is a stream waited for


@dataclass(slots=True)
class _Seen:
    epoch: int
    gone_at: float | None = None  # None: connected
    grace_s: float = 0.0
    in_stream: bool = False  # it lost its process, as many others did
    told: bool = False  # its absence was reported


class Presence:
    """Connected rooms and those that have just left."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._seen: dict[int, _Seen] = {}
        self._came_at = float("-inf")

    def came(self, bridge_id: int, epoch: int, now: float) -> None:
        """The room has a link of *epoch*."""
        self._came_at = now
        self._seen[bridge_id] = _Seen(epoch)

    def left_before(self, bridge_id: int, epoch: int, now: float) -> None:
        """The room had a link of *epoch* with a process that is gone: it is about to come back."""
        self._seen[bridge_id] = _Seen(epoch, now, self._grace_s + COMING_BACK_S, in_stream=True)

    def seen(self, bridge_id: int, epoch: int) -> None:
        """Another process has a link of *epoch*; an older one than is known changes nothing."""
        known = self._seen.get(bridge_id)
        if known is None or known.epoch <= epoch:
            self._seen[bridge_id] = _Seen(epoch)

    def left(self, bridge_id: int, epoch: int, now: float) -> bool:
        """The link of *epoch* ended. False when a newer one already stands: nothing changes."""
        seen = self._seen.get(bridge_id)
        if seen is not None and seen.epoch > epoch:
            return False
        self._seen[bridge_id] = _Seen(epoch, now, self._grace_s)
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
        return seen is not None and self._counts(seen, now)

    def connected(self, bridge_id: int) -> bool:
        """A link stands right now."""
        seen = self._seen.get(bridge_id)
        return seen is not None and seen.gone_at is None

    def last_there(self, bridge_id: int, now: float) -> float | None:
        """When the room was there last: *now* while a link stands; None: not since the start."""
        seen = self._seen.get(bridge_id)
        if seen is None or seen.in_stream:
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
            if not (seen.told or self._counts(seen, now))
        ]

    def _counts(self, seen: _Seen, now: float) -> bool:
        if seen.gone_at is None:
            return True
        away_s = now - seen.gone_at
        if away_s < seen.grace_s or seen.told or not seen.in_stream:
            return away_s < seen.grace_s
        return away_s < STREAM_MOST_S and now - self._came_at < STREAM_S

    def told(self, bridge_ids: Iterable[int]) -> None:
        """Their absence is told; who came back meanwhile is there."""
        for bridge_id in bridge_ids:
            seen = self._seen.get(bridge_id)
            if seen is not None and seen.gone_at is not None:
                seen.told = True

"""SockJS around any source: `o`, `a[…]`, `h`, `c[code,reason]` (OctoPrint contract, 8).

A source's texts are JSON values already, so they stand in the array as they are, as OctoPrint
sends them. What a client says is an array of strings, or one string.
"""

import orjson

from api.clock import Clock
from api.feed.sender import Over, Source

OPEN = "o"
HEARTBEAT = "h"
HEARTBEAT_S = 25.0


class SockJs:
    """The frames of *source*, which is any other source."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._is_open = False
        self._beat_at = clock.monotonic() + HEARTBEAT_S
        self._is_beat_due = False

    @property
    def closed(self) -> str | None:
        """Why nothing more is to be said."""
        return self._source.closed

    def data_to_send(self) -> str | None:
        """The next frame."""
        if not self._is_open:
            self._is_open = True
            return OPEN
        if self._is_beat_due:
            self._is_beat_due = False
            return HEARTBEAT
        text = self._source.data_to_send()
        return None if text is None else f"a[{text}]"

    def waiting(self) -> int:
        """Frames that wait for this client alone."""
        return self._source.waiting()

    def deadline(self) -> float:
        """When `tick()` wants to be called next."""
        return min(self._source.deadline(), self._beat_at)

    def tick(self, now: float) -> None:
        """Time has passed."""
        if now >= self._beat_at:
            self._beat_at = now + HEARTBEAT_S
            self._is_beat_due = True
        self._source.tick(now)


def farewell(over: Over) -> str | None:
    """The last frame; None to a client that has gone."""
    if over.code is None:
        return None
    return "c" + orjson.dumps([over.code, over.reason]).decode()


def said(text: str | bytes | None) -> list[str] | None:
    """The messages in what a client sent; None when it is broken."""
    try:
        found = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return None
    messages = [found] if isinstance(found, str) else found
    if not isinstance(messages, list) or not all(isinstance(each, str) for each in messages):
        return None
    return messages

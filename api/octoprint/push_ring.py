"""What a push has told lately: messages and short tails, each item at its place (contract, 8).

A place is a number that only grows; what is below a ring's start is forgotten. Every client has
its own place in the ring, so a slow one costs nothing but that.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RING = 500  # messages that a client may be behind
KEPT = 120  # temperatures that a throttled client may catch up on, and markings


@dataclass(frozen=True, slots=True)
class Message:
    """A message of type *name*; who may hear of *kind* (and *printer_id*) may have it."""

    name: str
    kind: str
    printer_id: int | None
    text: str
    is_plugin: bool = False  # then *name* is the plugin's
    plain: str | None = None  # what reads who is no admin; None: the same


class Ring:
    """The newest messages."""

    def __init__(self) -> None:
        self.start = 0  # places below it are forgotten
        self._messages: list[Message] = []
        self._times_s: list[float] = []

    @property
    def end(self) -> int:
        """The place that the next message will have."""
        return self.start + len(self._messages)

    def put(self, message: Message, now_s: float) -> None:
        """One more, at *now_s* on a clock that never goes back; the oldest go."""
        self._messages.append(message)
        self._times_s.append(now_s)
        if len(self._messages) > 2 * RING:
            self.start += RING
            del self._messages[:RING], self._times_s[:RING]

    def at(self, place: int) -> Message:
        """The message at *place*, from `start` to below `end`."""
        return self._messages[place - self.start]

    def since(self, at_s: float, most: int) -> range:
        """The places of what was put from *at_s* on, the newest *most* of them."""
        first = self.start + bisect_left(self._times_s, at_s)
        return range(max(first, self.end - most), self.end)


class Tail:
    """The last few of what comes one by one, each at its place."""

    def __init__(self) -> None:
        self._items: list[Mapping[str, Any]] = []
        self._start = 0

    @property
    def end(self) -> int:
        """The place of the next one."""
        return self._start + len(self._items)

    def put(self, item: Mapping[str, Any]) -> None:
        """One more; the oldest go."""
        self._items.append(item)
        if len(self._items) > 2 * KEPT:
            self._start += KEPT
            del self._items[:KEPT]

    def since(self, place: int) -> list[Mapping[str, Any]]:
        """From *place* on."""
        return self._items[max(0, place - self._start) :]

"""What the owner has not acknowledged yet: numbered, kept, replayed to the next owner.

Overflow rule: states and attempts are always kept (a printer cannot make many of them). When
`MAX_EVENTS` wait, further alarms are not numbered but counted, and one alarm says how many once
there is room again: so the numbers never have a gap.
"""

from collections import deque

from bridge.control.messages import Alarm, Event, Happening

#: Events that wait for an acknowledgement before alarms are only counted.
MAX_EVENTS = 2000


class EventLog:
    """The events of this life of the sender, behind those that an earlier life left."""

    def __init__(self, boot: str, left: list[Event] | None = None) -> None:
        """*left*: what an earlier life wrote down on its way out."""
        self.boot = boot
        self._seq = 0
        self._waiting: deque[Event] = deque(left or ())
        self._dropped = 0

    @property
    def oldest(self) -> int:
        """The lowest number of this life that waits; one more than `newest` when none does."""
        mine = (event.seq for event in self._waiting if event.boot == self.boot)
        return next(mine, self._seq + 1)

    @property
    def newest(self) -> int:
        """The highest number given in this life, 0 before the first."""
        return self._seq

    def add(self, body: Happening, at_ms: int) -> list[Event]:
        """Number *body* and keep it; the events to send now, oldest first."""
        if isinstance(body, Alarm) and len(self._waiting) >= MAX_EVENTS:
            self._dropped += 1
            return []
        events = []
        if self._dropped and len(self._waiting) < MAX_EVENTS:
            text = f"{self._dropped} alarms were dropped while nobody listened"
            self._dropped = 0
            events.append(self._number(Alarm(code="alarms_dropped", text=text), at_ms))
        events.append(self._number(body, at_ms))
        return events

    def acknowledge(self, boot: str, seq: int) -> None:
        """The owner's journal holds everything of life *boot* up to *seq*."""
        self._waiting = deque(
            event for event in self._waiting if event.boot != boot or event.seq > seq
        )

    def waiting(self) -> list[Event]:
        """Everything that is not acknowledged, oldest first."""
        return list(self._waiting)

    def _number(self, body: Happening, at_ms: int) -> Event:
        self._seq += 1
        event = Event(boot=self.boot, seq=self._seq, at_ms=at_ms, body=body)
        self._waiting.append(event)
        return event

"""One organization's news in this process, read once and shared by all its sockets.

The hub reads the event table when the bus rings, keeps the newest events in a ring, and draws a
printer's picture when telemetry says that it changed: at once when its state moved, else once an
interval for all; also while the database is away and no events can be read (safety R19). A follower
is only told that there is something; it pulls from its own place in the ring, so a slow one costs
nothing but its own place.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from api.bus.local import Bus, Listener
from api.clock import Clock
from api.events.history import Event, History
from api.feed.words import encode, envelope, telemetry
from api.outage import AGAIN_S, AWAY, past_database
from api.principal import Principal, system
from api.printers.service import Printer
from api.telemetry.service import LiveView, OnBridge

RING = 1000  # events that a follower may be behind
PAGE = 200  # events read at a time
LOOK_EVERY_S = 10.0  # should a wake-up be lost
REST_S = 1.0  # after a failure
_AT_ONCE = 50  # pictures drawn before others have their turn

_log = logging.getLogger("gantry.feed")


class PrintersRoom(Protocol):
    """What the feed asks the printers' room."""

    async def find(self, printer_id: int) -> Printer | None:
        """A printer of any organization; None when there is none."""

    async def list(self, by: Principal) -> Sequence[Printer]:
        """All printers of the caller's organization."""

    async def on_bridge(self, bridge_id: int) -> Sequence[Printer]:
        """The printers of a bridge."""


class TelemetryRoom(Protocol):
    """What the feed asks telemetry."""

    def attend(self, organization_id: int) -> None:
        """Somebody watches everything of this organization."""

    def view(self, printer: OnBridge) -> LiveView:
        """What can be shown of *printer* now."""


class Follower(Protocol):
    """Who listens to a hub. Both calls are quick and never fail."""

    def news(self) -> None:
        """The ring has grown."""

    def picture(self, printer_id: int) -> None:
        """The picture of a printer has changed."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event, encoded once for every dashboard."""

    event: Event
    frame: str


class Hub:
    """The ring and the pictures of one organization.

    While `listening()`: `start()`, then `run()` in a task.
    """

    def __init__(
        self,
        organization_id: int,
        history: History,
        printers: PrintersRoom,
        telemetry: TelemetryRoom,
        *,
        bus: Bus,
        clock: Clock,
        interval_s: float,
    ) -> None:
        self.organization_id = organization_id
        self.pictures: dict[int, str] = {}  # the newest frame of each printer
        self.last = 0  # the number of the newest event that was read
        self.start_place = 0  # places below it have left the ring
        self.turn = asyncio.Lock()  # of the followers, who all hear of the same at the same moment
        self._ring: list[Told] = []
        self._numbers: list[int] = []
        self._history = history
        self._printers = printers
        self._telemetry = telemetry
        self._clock = clock
        self._interval_s = interval_s
        self._bell: Listener = bus.listen(f"events:{organization_id}")
        self._followers: dict[Follower, None] = {}
        self._moved: set[int] = set()
        self._changed: set[int] = set()
        self._draws_at = float("-inf")
        self._reads_at = float("-inf")  # not before, while the database is away
        self._pause_s = 0.0
        self._from_memory: set[int] = set()  # pictures by rows that may have changed since

    # For followers.

    @contextmanager
    def followed_by(self, follower: Follower) -> Iterator[None]:
        """*follower* hears of everything from now on."""
        self._followers[follower] = None
        try:
            yield
        finally:
            del self._followers[follower]

    @property
    def end_place(self) -> int:
        """The place that the next event will have."""
        return self.start_place + len(self._ring)

    def at(self, place: int) -> Told:
        """What is at *place*, from `start_place` to below `end_place`."""
        return self._ring[place - self.start_place]

    def covers(self, number: int) -> bool:
        """Whether everything after event *number* is in the ring, or yet to come."""
        return number >= (self._numbers[0] - 1 if self._numbers else self.last)

    def place_after(self, number: int) -> int:
        """The first place whose event has a higher number."""
        return self.start_place + bisect_right(self._numbers, number)

    # For the rooms.

    def changed(self, printer_id: int, *, moved: bool) -> None:
        """A printer looks different; *moved*: it does something else now."""
        waiting = bool(self._changed)
        (self._moved if moved else self._changed).add(printer_id)
        if moved or not waiting:
            self._bell.ring()

    # Its own life.

    def listening(self) -> Listener:
        """A context in which the bus rings here; around `start()` and `run()`."""
        return self._bell

    async def start(self) -> None:
        """Begin after the newest event, with a picture of every printer to draw."""
        self.last = (await self._history.span(self.organization_id)).newest
        rows = await self._printers.list(system(self.organization_id))
        self._moved.update(row.id for row in rows)

    async def run(self) -> None:
        """Read and draw until cancelled."""
        while True:
            try:
                await self.step()
            except Exception:  # noqa: BLE001 - supervisor: the next turn tries again
                _log.exception("organization %d: its feed stumbled", self.organization_id)
                await asyncio.sleep(REST_S)
            await self._bell.wait(self._rest_s())

    async def step(self) -> None:
        """Everything that is due now."""
        self._telemetry.attend(self.organization_id)
        if self._clock.monotonic() >= self._reads_at:
            await self._try_to_read()
        if not self._pause_s:
            await self._draw()
            return
        self._from_memory |= self._moved | self._changed
        with past_database():
            await self._draw()

    async def _try_to_read(self) -> None:
        try:
            await self._read()
        except AWAY as error:
            self._pause_s = min(AGAIN_S, 2 * self._pause_s or REST_S)
            self._reads_at = self._clock.monotonic() + self._pause_s
            number = self.organization_id
            _log.error("organization %d: no events can be read now: %s", number, error)
        else:
            self._pause_s, self._reads_at = 0.0, float("-inf")
            self._changed |= self._from_memory
            self._from_memory.clear()

    def _rest_s(self) -> float:
        if self._moved:
            return 0.0
        waits_s, now = [LOOK_EVERY_S], self._clock.monotonic()
        if self._changed:
            waits_s.append(self._draws_at - now)
        if self._pause_s:
            waits_s.append(self._reads_at - now)
        return max(0.0, min(waits_s))

    async def _read(self) -> None:
        while True:
            events = await self._history.read(self.organization_id, self.last, PAGE)
            for event in events:
                self._ring.append(Told(event, encode(envelope(event))))
                self._numbers.append(event.number)
                self.last = event.number
                await self._redraw(event)
            if events:
                self._trim()
                for follower in tuple(self._followers):
                    follower.news()
            if len(events) < PAGE:
                return

    def _trim(self) -> None:
        if len(self._ring) > 2 * RING:
            gone = len(self._ring) - RING
            del self._ring[:gone], self._numbers[:gone]
            self.start_place += gone

    async def _redraw(self, event: Event) -> None:
        """Which pictures an event changes."""
        if event.printer_id is not None:
            self._moved.add(event.printer_id)
        elif event.kind in ("bridge.online", "bridge.offline", "bridge.revoked"):
            rows = await self._printers.on_bridge(event.data.get("bridge_id") or 0)
            self._moved.update(row.id for row in rows)

    async def _draw(self) -> None:
        now = self._clock.monotonic()
        due, self._moved = self._moved, set()
        if now >= self._draws_at:
            due |= self._changed
            self._changed = set()
            self._draws_at = now + self._interval_s
        self._changed -= due
        for count, printer_id in enumerate(sorted(due), start=1):
            try:
                row = await self._printers.find(printer_id)
            except AWAY:
                self._changed |= {each for each in due if each >= printer_id}
                return
            if row is None or row.organization_id != self.organization_id:
                self.pictures.pop(printer_id, None)
                continue
            self.pictures[printer_id] = encode(telemetry(row, self._telemetry.view(row)))
            for follower in tuple(self._followers):
                follower.picture(printer_id)
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)

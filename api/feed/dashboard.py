"""One dashboard on ``/ws``: its place in the hub's ring, and what it is sent (v1 contract, 1.9).

Order of a socket's life: `hello` with the cursor it begins at; `reset` if its ``since`` cannot be
answered any more; the events it missed, read from the table page by page; then the ring, live. An
event goes out exactly once: the ring is entered after the last number that was sent.
"""

import logging
from collections import deque
from typing import NoReturn

from api.accounts.credentials import Ending
from api.clock import Clock
from api.events.history import Event, History
from api.feed.hub import Hub
from api.feed.sender import (
    CLOSE_RESTART,
    CLOSE_REVOKED,
    CLOSE_SLOW,
    PATIENCE_S,
    BoundedSender,
    Flood,
    Over,
    Receive,
    Send,
    outcome,
)
from api.feed.words import PICTURES, PING, PONG, encode, envelope, hears, hello, reset
from api.principal import Principal

PAGE = 200
PING_AFTER_S = 30.0  # without a word of the client
MAX_CONTROL = 16  # answers that wait to be written; more pings are not answered

_log = logging.getLogger("gantry.feed")


class Dashboard:
    """What one socket is to be sent; a follower of its hub and the source of its sender."""

    closed: str | None = None

    def __init__(
        self, hub: Hub, by: Principal, clock: Clock, send: Send, *, batches: bool = False
    ) -> None:
        self.number = hub.last  # of the last event that was sent or need not be
        self._hub = hub
        self._by = by
        self._clock = clock
        self._place: int | None = None  # None: still replaying
        self._first: deque[str] = deque()  # answers, greetings, replayed events
        self._stale: dict[int, None] = {}  # printers whose newest picture is to be sent, in order
        self._ping_at = clock.monotonic() + PING_AFTER_S
        right, path = PICTURES
        self._sees_printers = by.may_at(right, "GET", path)
        self.out = BoundedSender(
            self,
            send,
            clock,
            max_waiting=PAGE * 2,
            patience_s=PATIENCE_S,
            batches=batches,
            turn=hub.turn,
        )

    # As a follower.

    def news(self) -> None:
        """The ring has grown."""
        if self._place is not None and self._place < self._hub.start_place:
            self.out.cut(CLOSE_SLOW, f"too slow; come back with since={self.number}")
        self.out.notify()

    def picture(self, printer_id: int) -> None:
        """A printer looks different; of many pictures only the newest is sent."""
        if self._sees_printers and self._by.reaches(printer_id):
            self._stale[printer_id] = None
            self.out.notify()

    # As a source.

    def data_to_send(self) -> str | None:
        """The next frame: answers first, then events in order, then pictures."""
        if self._first:
            return self._first.popleft()
        if self._place is None:
            return None
        while self._hub.start_place <= self._place < self._hub.end_place:
            told = self._hub.at(self._place)
            self._place += 1
            if told.event.number > self.number:
                self.number = told.event.number
                if self._hears(told.event):
                    return told.frame
        while self._stale:
            printer_id = next(iter(self._stale))
            del self._stale[printer_id]
            if (frame := self._hub.pictures.get(printer_id)) is not None:
                return frame
        return None

    def waiting(self) -> int:
        """Frames that wait for this socket alone."""
        return len(self._first)

    def deadline(self) -> float:
        """When the client is pinged."""
        return self._ping_at

    def tick(self, now: float) -> None:
        """Ping a client that has said nothing for half a minute."""
        if now >= self._ping_at:
            self._ping_at = now + PING_AFTER_S
            self._first.append(PING)

    # Its life.

    def heard(self, text: str | None) -> None:
        """The client has said something; only `ping` is answered."""
        self._ping_at = self._clock.monotonic() + PING_AFTER_S
        if text == "ping" and len(self._first) < MAX_CONTROL:
            self._first.append(PONG)
        self.out.notify()

    async def write(self, since: int | None, history: History) -> NoReturn:
        """Greet, replay what came after *since* (None: nothing), and go on live. Raises `Over`."""
        await self._greet(since, history)
        while not self._hub.covers(self.number):
            events = await history.read(self._hub.organization_id, self.number, PAGE)
            for event in events:
                self.number = event.number
                if self._hears(event):
                    self._first.append(encode(envelope(event)))
            if not events:
                self.number = self._hub.last
            await self.out.flush()
        self._place = self._hub.place_after(self.number)
        for printer_id in self._hub.pictures:
            self.picture(printer_id)
        await self.out.run()

    async def _greet(self, since: int | None, history: History) -> None:
        if since is None:
            self._first.append(encode(hello(self.number)))
            return
        span = await history.span(self._hub.organization_id)
        if span.misses(since):
            self.number = max(self._hub.last, span.newest)
            self._first.append(encode(hello(self.number)))
            self._first.append(encode(reset(self.number, span.oldest)))
            return
        self.number = since
        self._first.append(encode(hello(since)))

    def _hears(self, event: Event) -> bool:
        return hears(self._by, event.kind, event.printer_id)

    def revoked(self, why: Ending) -> None:
        """Nobody acts through the credential any more as they did."""
        del why  # a dashboard signs in again in either case
        self.out.cut(CLOSE_REVOKED, "this credential is over; sign in again")

    def restart(self) -> None:
        """The API stops."""
        self.out.end(CLOSE_RESTART, "the API restarts")


async def serve(
    dashboard: Dashboard, since: int | None, history: History, clock: Clock, receive: Receive
) -> None:
    """Serve an accepted socket to its end, and close it."""
    over = await outcome(
        dashboard.write(since, history), _read(dashboard, clock, receive), log=_log
    )
    await dashboard.out.close(over)


async def _read(dashboard: Dashboard, clock: Clock, receive: Receive) -> NoReturn:
    flood = Flood()
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            raise Over(None, f"closed by the client ({message.get('code')})")
        flood.more(clock.monotonic())
        dashboard.heard(message.get("text"))

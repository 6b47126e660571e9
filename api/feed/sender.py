"""The one way out to a websocket: for bridges, dashboards and OctoPrint's push alike.

A `BoundedSender` pulls the next frame from its *source* when the one before it is written, so what
waits is the source's business, and every source has a written bound:

* a room's link (`schemas.session`): at most `max_waiting` frames, then the link ends (1013);
* ``/ws`` and push (`api.feed.hub`): nothing waits per socket. A socket has a place in the ring of
  recent events that all sockets of its organization share, and a set of printers whose newest
  picture it has not been sent yet (the latest wins). Whoever falls off the ring is let go (1013)
  and told to come back with ``since``.

A peer that takes no frame for *patience_s* is gone, whatever it is (safety R16, S47).

A farm of a thousand printers is a thousand frames a second for every dashboard, and a frame alone
costs a server more than making it. So our container takes frames as they are on the wire, many at
once (`batched`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, NoReturn, Protocol

from api.clock import Clock

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CLOSE_DONE = 1000
CLOSE_POLICY = 1008
CLOSE_BROKEN = 1011
CLOSE_RESTART = 1012
CLOSE_SLOW = 1013
CLOSE_REVOKED = 4401

PATIENCE_S = 5.0  # of a dashboard or an app that takes no frame (safety R16)
MAX_MESSAGES = 100  # from one client, in `PER_S` seconds (safety S47)
PER_S = 5.0
REASON_CHARACTERS = 100  # a close frame holds 123 bytes
BATCH_CHARACTERS = 32 * 1024  # written at once, before others have their turn

#: The ASGI extension of `api.server`: ``websocket.send`` may have *frames*, ready-made.
BATCHES = "gantry.frames"
_FINAL_TEXT = 0x81  # RFC 6455, 5.2
_SHORT, _MEDIUM = 126, 1 << 16


class Over(Exception):
    """The connection ends; *code* None: the peer has closed it already."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def outcome(*work: Coroutine[Any, Any, object], log: logging.Logger) -> Over:
    """Run a socket's tasks until one of them ends it by raising `Over`; how it ended.

    Any other exception is logged, and ends the socket with 1011.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            for each in work:
                tasks.create_task(each)
    except ExceptionGroup as group:
        overs, rest = group.split(Over)
        if rest is not None:
            log.error("a socket failed", exc_info=rest)
        elif overs is not None:
            return first_over(overs)
    return Over(CLOSE_BROKEN, "the API had a problem")


def first_over(group: ExceptionGroup[Over]) -> Over:
    """Why a socket's tasks ended."""
    for error in group.exceptions:
        return first_over(error) if isinstance(error, ExceptionGroup) else error
    raise AssertionError("an exception group is never empty")


class Flood:
    """Counts what a client says. Pure."""

    def __init__(self, most: int = MAX_MESSAGES, per_s: float = PER_S) -> None:
        self._most = most
        self._per_s = per_s
        self._ends = 0.0
        self._count = 0

    def more(self, now: float) -> None:
        """One message more. Raises `Over` when they are too many."""
        if now >= self._ends:
            self._ends, self._count = now + self._per_s, 0
        self._count += 1
        if self._count > self._most:
            raise Over(CLOSE_POLICY, f"more than {self._most} messages in {self._per_s:.0f} s")


def batched(scope: Scope) -> bool:
    """Whether the server behind *scope* takes ready-made frames."""
    return BATCHES in scope.get("extensions", {})


def framed(text: str) -> bytes:
    """*text* as a server's frame, which is not masked (RFC 6455, 5.2)."""
    data = text.encode()
    size = len(data)
    if size < _SHORT:
        return b"%c%c%b" % (_FINAL_TEXT, size, data)
    if size < _MEDIUM:
        return b"%c\x7e%b%b" % (_FINAL_TEXT, size.to_bytes(2, "big"), data)
    return b"%c\x7f%b%b" % (_FINAL_TEXT, size.to_bytes(8, "big"), data)


class Source(Protocol):
    """What a socket is to be sent. Times are monotonic seconds."""

    @property
    def closed(self) -> str | None:
        """Why nothing more is to be said; None while it goes on."""

    def data_to_send(self) -> str | None:
        """The next frame; None when nothing waits."""

    def waiting(self) -> int:
        """How many frames this socket alone keeps waiting."""

    def deadline(self) -> float:
        """When `tick()` wants to be called next."""

    def tick(self, now: float) -> None:
        """Time has passed."""


class BoundedSender:
    """Writes one socket, from one task."""

    def __init__(
        self,
        source: Source,
        send: Send,
        clock: Clock,
        *,
        max_waiting: int,
        patience_s: float,
        batches: bool = False,
        turn: asyncio.Lock | None = None,
    ) -> None:
        """*turn*: shared by sockets that have much to write at the same moment."""
        self._source = source
        self._send = send
        self._clock = clock
        self._max_waiting = max_waiting
        self._patience_s = patience_s
        self._batches = batches
        self._turn = turn or asyncio.Lock()
        self._ready = asyncio.Event()
        self._ending: Over | None = None
        self._is_cut = False
        self._stuck = False

    def notify(self) -> None:
        """There is something to write."""
        self._ready.set()

    def end(self, code: int, reason: str) -> None:
        """End as soon as what was said is written; the first reason stays."""
        self._ending = self._ending or Over(code, reason)
        self._ready.set()

    def cut(self, code: int, reason: str) -> None:
        """End now; what waits is not said any more."""
        self._is_cut = True
        self.end(code, reason)

    def check(self) -> None:
        """Raises `Over` when more waits than this peer may let wait."""
        if self._source.waiting() > self._max_waiting:
            raise self._too_slow()

    async def run(self) -> NoReturn:
        """Write until the end. Raises `Over`."""
        while True:
            self._ready.clear()
            await self.flush()
            if self._ending is not None:
                raise self._ending
            if self._source.closed is not None:
                raise Over(CLOSE_POLICY, self._source.closed)
            delay_s = self._source.deadline() - self._clock.monotonic()
            try:
                async with asyncio.timeout(max(0.0, delay_s)):
                    await self._ready.wait()
            except TimeoutError:
                self._source.tick(self._clock.monotonic())

    async def flush(self) -> None:
        """Write all that waits now. Raises `Over` when the peer does not take it, or when cut."""
        while (message := await self._made()) is not None:
            if self._is_cut and self._ending is not None:
                raise self._ending
            await self._write(message)

    async def _made(self) -> Message | None:
        """What to write next. Who has a thousand frames to take keeps nobody waiting: of all that
        share a turn one makes a batch, and then everybody else goes on first.
        """
        if not self._batches:
            return self._next()
        async with self._turn:
            message = self._next()
            if message is not None:
                await asyncio.sleep(0)
        return message

    def _next(self) -> Message | None:
        """The next frame, or as many as are written at once; None when nothing waits."""
        text = self._source.data_to_send()
        if text is None or not self._batches:
            return None if text is None else {"type": "websocket.send", "text": text}
        frames, characters = [], 0
        while text is not None:
            frames.append(framed(text))
            characters += len(text)
            if characters >= BATCH_CHARACTERS:
                break
            text = self._source.data_to_send()
        return {"type": "websocket.send", "frames": b"".join(frames)}

    async def close(self, over: Over, last: str | None = None) -> None:
        """Say goodbye, unless the peer has gone or takes nothing; *last* is said before it."""
        if over.code is None or self._stuck:
            return
        reason = over.reason[:REASON_CHARACTERS]
        try:
            if last is not None:
                await self._write({"type": "websocket.send", "text": last})
            await self._write({"type": "websocket.close", "code": over.code, "reason": reason})
        except Over:
            pass  # it has stopped reading meanwhile

    async def _write(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._send(message)
        except TimeoutError:
            self._stuck = True
            raise self._too_slow() from None

    def _too_slow(self) -> Over:
        return Over(CLOSE_SLOW, "this peer does not read what it is sent")

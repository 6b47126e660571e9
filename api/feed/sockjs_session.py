"""A SockJS session without a websocket: requests come and go, the session stays (contract, 8).

One request at a time takes the session's frames (a poll one of them, a stream many); what the
client says comes by other requests. Nobody takes frames for `LINGER_S`: the session is over.
Everything is bounded: what waits for the client by its source, what waits to be heard by
`MAX_UNHEARD`, one frame by `MAX_TEXTS` and `MAX_FRAME_CHARACTERS`.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from api.clock import Clock
from api.feed.sender import CLOSE_POLICY, CLOSE_SLOW, Over, Source
from api.feed.sockjs import HEARTBEAT, HEARTBEAT_S, OPEN, farewell

LINGER_S = 5.0
MAX_UNHEARD = 64  # messages of the client that wait for their turn
MAX_TEXTS = 64  # messages in one frame
MAX_FRAME_CHARACTERS = 64 * 1024
CLOSE_GONE = 3000
#: What a second reader is told while the first is there.
TAKEN = 'c[2010,"Another connection still open"]'


class Session:
    """What one client is sent and says, whichever requests carry it. A transport of its source."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self.said: asyncio.Queue[str] = asyncio.Queue(MAX_UNHEARD)
        self.over: Over | None = None
        self._source = source
        self._clock = clock
        self._news = asyncio.Event()
        self._done = asyncio.Event()
        self._is_open = False
        self._is_cut = False
        self._is_read = False
        self._left_at = clock.monotonic()
        self._beat_at = self._left_at + HEARTBEAT_S

    # As a transport.

    def notify(self) -> None:
        """There is something to write."""
        self._news.set()

    def end(self, code: int, reason: str) -> None:
        """Over as soon as what waits is said; the first reason stays."""
        self.over = self.over or Over(code, reason)
        self._news.set()
        self._done.set()

    def cut(self, code: int, reason: str) -> None:
        """Over now; what waits is not said any more."""
        self._is_cut = True
        self.end(code, reason)

    # What comes in.

    def hear(self, texts: list[str]) -> None:
        """The client said these. Who says more than can wait is let go."""
        for text in texts:
            try:
                self.said.put_nowait(text)
            except asyncio.QueueFull:
                self.cut(CLOSE_POLICY, f"more than {MAX_UNHEARD} messages at a time")
                return

    # What goes out.

    @contextmanager
    def read(self) -> Iterator[bool]:
        """Take frames inside; False when another request is at it already."""
        if self._is_read:
            yield False
            return
        self._is_read = True
        try:
            yield True
        finally:
            self._is_read = False
            self._left_at = self._clock.monotonic()

    async def frame(self) -> str:
        """The next frame, as soon as there is one: `o`, `a[…]`, `h`, at the end always `c[…]`."""
        while True:
            self._news.clear()
            found = self._next()
            if found is not None:
                return found
            now = self._clock.monotonic()
            due = min(self._source.deadline(), self._beat_at)
            try:
                async with asyncio.timeout(max(0.0, due - now)):
                    await self._news.wait()
            except TimeoutError:
                self._source.tick(self._clock.monotonic())

    def _next(self) -> str | None:
        if not self._is_open:
            self._is_open = True
            return OPEN
        texts = [] if self._is_cut else self._texts()
        if texts:
            self._beat_at = self._clock.monotonic() + HEARTBEAT_S
            return f"a[{','.join(texts)}]"
        if self._source.closed is not None:
            self.end(CLOSE_POLICY, self._source.closed)
        if self.over is not None:
            return farewell(self.over)
        if self._clock.monotonic() >= self._beat_at:
            self._beat_at = self._clock.monotonic() + HEARTBEAT_S
            return HEARTBEAT
        return None

    def _texts(self) -> list[str]:
        texts: list[str] = []
        size = 0
        while len(texts) < MAX_TEXTS and size < MAX_FRAME_CHARACTERS:
            text = self._source.data_to_send()
            if text is None:
                break
            texts.append(text)
            size += len(text)
        return texts

    # Its end.

    def stuck(self) -> None:
        """The client does not take what it is sent."""
        self.cut(CLOSE_SLOW, "this peer does not read what it is sent")

    async def lasts(self) -> None:
        """Until it is over and its client had time to hear of it, or nobody takes frames."""
        while True:
            wait_s = LINGER_S
            if not self._is_read:
                wait_s = self._left_at + LINGER_S - self._clock.monotonic()
                if wait_s <= 0:
                    self.cut(CLOSE_GONE, "Go away!")
                    return
            await asyncio.sleep(min(wait_s, LINGER_S))

    async def ended(self) -> None:
        """Until somebody ends it."""
        await self._done.wait()

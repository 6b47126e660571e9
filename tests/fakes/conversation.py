"""Host and firmware over two cables with latency, on a clock that jumps to what happens next."""

import heapq
from collections.abc import Callable

from bridge.gcode.connection import tell_stream
from bridge.gcode.happenings import OrderDone, StreamLost
from bridge.gcode.replies import LineReader, parse
from bridge.gcode.stream import Stream
from tests.fakes.firmware import Cable, intact

#: Virtual seconds after which a conversation counts as hanging.
PATIENCE_S = 100_000.0


class Conversation:
    """Drives a `Stream` against `answer`, which maps received bytes to reply bytes."""

    def __init__(
        self,
        stream: Stream,
        answer: Callable[[bytes], bytes],
        *,
        up: Cable = intact,
        down: Cable = intact,
        latency_s: float = 0.001,
    ) -> None:
        self.stream = stream
        self.now = 0.0
        self.events: list[OrderDone | StreamLost] = []
        self.written: list[bytes] = []
        self.answer = answer
        self._up, self._down = up, down
        self._latency_s = latency_s
        self._reader = LineReader()
        self._pipe: list[tuple[float, int, bool, bytes]] = []
        self._count = 0

    def run(self, until_s: float | None = None) -> None:
        """Go on until the stream is idle or lost, or until the virtual time *until_s*."""
        limit = PATIENCE_S if until_s is None else until_s
        while not self._over() or until_s is not None:
            self.write()
            moment = self._next_moment()
            if moment is None or moment > limit:
                assert until_s is not None, "nothing will ever happen again"
                self.now = limit
                return
            self.now = max(self.now, moment)
            self._deliver()
            self.stream.tick(self.now)
            self.events += self.stream.events()

    def write(self) -> bytes:
        """Let the host write once; the bytes are on their way, and returned."""
        data = self.stream.take(self.now)
        if data:
            self.written.append(data)
            self._send(self.now + self._latency_s, to_host=False, data=self._up(data))
        return data

    def say(self, data: bytes) -> None:
        """The firmware says *data* right now."""
        if self._reader.clear and self.stream.plain(data, self.now):
            return
        for line in self._reader.feed(data):
            for reply in parse(line):
                tell_stream(self.stream, reply, self.now)
        self.events += self.stream.events()

    @property
    def lost(self) -> StreamLost | None:
        """The end of the stream, None while it lives."""
        return next((event for event in self.events if isinstance(event, StreamLost)), None)

    def _over(self) -> bool:
        return self.lost is not None or (self.stream.idle and not self._pipe)

    def _next_moment(self) -> float | None:
        due = [self._pipe[0][0]] if self._pipe else []
        deadline = self.stream.deadline()
        if deadline is not None:
            due.append(deadline)
        return min(due, default=None)

    def _deliver(self) -> None:
        while self._pipe and self._pipe[0][0] <= self.now:
            _, _, to_host, data = heapq.heappop(self._pipe)
            if to_host:
                self.say(data)
                continue
            answer = self._down(self.answer(data))
            if answer:
                self._send(self.now + self._latency_s, to_host=True, data=answer)

    def _send(self, moment: float, *, to_host: bool, data: bytes) -> None:
        self._count += 1
        heapq.heappush(self._pipe, (moment, self._count, to_host, data))


class Wire(Conversation):
    """A board at the end of a slow wire: lines arrive in pieces, and the ring is cut with them."""

    bytes_per_s, piece_bytes = 11_520, 8
    free_at = 0.0

    def _send(self, moment: float, *, to_host: bool, data: bytes) -> None:
        if to_host:
            super()._send(moment, to_host=True, data=data)
            return
        for begin in range(0, len(data), self.piece_bytes):
            piece = data[begin : begin + self.piece_bytes]
            self.free_at = max(self.free_at, moment) + len(piece) / self.bytes_per_s
            super()._send(self.free_at, to_host=False, data=piece)

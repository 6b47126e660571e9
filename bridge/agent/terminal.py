"""Terminal lines on their way to the API, the last of all that leaves (link, "Live"). Pure.

Only what somebody reads comes here at all. A frame is small, the next one leaves when the API has
confirmed the one before and at most every `EVERY_S`, so that on a slow line nothing else waits for
more than one of them. Overflow rule: of what waits for that, a printer's oldest lines beyond
`MAX_LINES` are dropped and counted. Nothing is kept over the end of a link: the API asks again,
from the last line that it has heard.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from bridge.control.messages import TerminalSaid, WatchTerminal
from schemas.codec import encoded_size
from schemas.watching import TERMINAL_FRAME_BYTES, TerminalLines, TerminalText, TerminalWatch

EVERY_S = 0.2
#: A confirmation that has not come by then is lost.
PATIENCE_S = 10.0
MAX_LINES = 2000
MAX_LEASE_S = 300.0


@dataclass(slots=True)
class _Reading:
    """One printer's terminal, which somebody reads. *cursor*: of the last text of the sender."""

    until: float
    cursor: str
    waiting: deque[TerminalText] = field(default_factory=deque)
    lines: int = 0


class TerminalLane:
    """The terminals of a room that are read. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._readings: dict[int, _Reading] = {}  # whose turn is next stands first
        self._number = 0
        self._is_confirmed = True
        self._said_at = float("-inf")

    # What the API asks.

    def greeted(self) -> None:
        """A new link: nothing is read."""
        self._readings.clear()
        self._is_confirmed = True

    def asked(self, watch: TerminalWatch, now: float) -> WatchTerminal:
        """Somebody reads a terminal, or goes on to; what its sender is told."""
        lease_s = min(watch.lease_s, MAX_LEASE_S)
        reading = self._readings.get(watch.printer)
        if reading is not None and now < reading.until:
            reading.until = now + lease_s
            return WatchTerminal(lease_s=lease_s)
        self._readings[watch.printer] = _Reading(now + lease_s, watch.after)
        return WatchTerminal(lease_s=lease_s, after=watch.after)

    def end(self) -> list[int]:
        """Nobody reads any more; the printers that were read."""
        numbers = list(self._readings)
        self._readings.clear()
        return numbers

    def got(self, number: int) -> None:
        """The API has the lines of this number."""
        self._is_confirmed = self._is_confirmed or number == self._number

    # What the senders say.

    def again(self, printer: int, now: float) -> WatchTerminal | None:
        """What a sender that has just been adopted is told; None: nobody reads its terminal."""
        reading = self._readings.get(printer)
        if reading is None or now >= reading.until:
            return None
        return WatchTerminal(lease_s=reading.until - now, after=reading.cursor)

    def put(self, printer: int, said: TerminalSaid) -> bool:
        """Take lines; False when nobody reads them."""
        reading = self._readings.get(printer)
        if reading is None:
            return False
        reading.cursor = said.cursor or reading.cursor
        text = TerminalText(
            printer=printer, lines=said.lines, cursor=said.cursor, dropped=said.dropped
        )
        reading.waiting.append(text)
        reading.lines += len(said.lines)
        while reading.lines > MAX_LINES and len(reading.waiting) > 1:
            oldest = reading.waiting.popleft()
            reading.lines -= len(oldest.lines)
            reading.waiting[0] = _behind(oldest, reading.waiting[0])
        return True

    def forget(self, printer: int) -> None:
        """This printer is no longer of this room."""
        self._readings.pop(printer, None)

    # What leaves.

    def deadline(self) -> float:
        """When `take()` should be asked again; infinity while nothing waits."""
        if not any(reading.waiting for reading in self._readings.values()):
            return float("inf")
        return self._said_at + (EVERY_S if self._is_confirmed else PATIENCE_S)

    def take(self, now: float) -> TerminalLines | None:
        """The next frame to send; None when none is due."""
        if now < self.deadline():
            return None
        texts = list(self._fitting())
        self._number += 1
        self._is_confirmed, self._said_at = False, now
        return TerminalLines(number=self._number, texts=texts)

    def _fitting(self) -> Iterable[TerminalText]:
        """As many texts as fit a frame, one of each printer in turn."""
        room = TERMINAL_FRAME_BYTES
        while True:
            number = next((n for n, each in self._readings.items() if each.waiting), None)
            if number is None:
                return
            text = self._readings[number].waiting[0]
            size = encoded_size(TerminalLines(number=0, texts=[text]))
            if size > room and room < TERMINAL_FRAME_BYTES:
                return
            room -= size
            reading = self._readings.pop(number)
            self._readings[number] = reading  # behind the others
            reading.waiting.popleft()
            reading.lines -= len(text.lines)
            yield text


def _behind(gone: TerminalText, text: TerminalText) -> TerminalText:
    """*text*, which tells that *gone* was dropped before it."""
    if gone.dropped is None or text.dropped is None:
        return replace(text, dropped=None)
    return replace(text, dropped=text.dropped + gone.dropped + len(gone.lines))

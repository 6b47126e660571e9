"""The terminal of one printer, read out of the black box for an owner who asks (link, "Live").

Nothing is done for a line while nobody reads: the black box has its bytes anyway. A reader gets
what is in memory and then, every `EVERY_S`, what has been noted since, as lines in OctoPrint's
words. Overflow rule: of what was noted between two readings at most the last `TAKE_BYTES` become
lines; what is before them is left out, and the next text says that something is.

Printers say anything: what is no character becomes one, what is too long is cut.
"""

from collections.abc import Iterator
from typing import Protocol

from bridge.blackbox.records import Entry, Kind
from bridge.control.messages import TerminalSaid, WatchTerminal
from bridge.sender.blackbox import BlackBox

EVERY_S = 0.2
TAKE_BYTES = 48 * 1024
#: Lines of the past that a new reader gets.
HISTORY_LINES = 300
#: Lines that go together; a text of them fits a frame of the link, however it is escaped.
TEXT_LINES = 100
TEXT_CHARACTERS = 3000
MAX_LINE_CHARACTERS = 250

_PREFIX = {Kind.SENT: "Send: ", Kind.RECEIVED: "Recv: "}
_UNKNOWN = "\ufffd"


class Reader(Protocol):
    """Who owns the sender."""

    @property
    def owned(self) -> bool:
        """Whether somebody is there."""

    @property
    def slow(self) -> bool:
        """Whether they have not read all that was sent."""

    def send(self, message: TerminalSaid) -> None:
        """Say something to them."""


class Lines:
    """Puts the bytes of both directions together to lines, however they were cut."""

    def __init__(self) -> None:
        self._rest: dict[Kind, bytes] = {}
        self._torn: set[Kind] = set()

    def tear(self) -> None:
        """What comes next may begin within a line: that one is no use."""
        self._rest = {}
        self._torn = set(_PREFIX)

    def of(self, entry: Entry) -> Iterator[str]:
        """The lines that *entry* completes."""
        if entry.kind is Kind.STATE:
            yield _state(entry.data)
        elif entry.kind in _PREFIX:
            yield from self._whole(entry.kind, entry.data)

    def _whole(self, kind: Kind, data: bytes) -> Iterator[str]:
        pieces = (self._rest.pop(kind, b"") + data).split(b"\n")
        self._rest[kind] = pieces.pop()[: 4 * MAX_LINE_CHARACTERS]
        if pieces and kind in self._torn:
            self._torn.discard(kind)
            del pieces[0]
        for piece in pieces:
            if text := clean(piece):
                yield _PREFIX[kind] + text


def clean(raw: bytes) -> str:
    """*raw* as text that can be shown anywhere, at most `MAX_LINE_CHARACTERS` of it."""
    text = raw[: 4 * MAX_LINE_CHARACTERS].decode("utf-8", "replace").strip().replace("\t", " ")
    if len(text) > MAX_LINE_CHARACTERS:
        text = text[: MAX_LINE_CHARACTERS - 1] + "…"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _UNKNOWN for each in text)


def _state(data: bytes) -> str:
    """A mark of the black box, `old -> new reason`, as OctoPrint says it."""
    old, _, rest = data.decode("utf-8", "replace").partition(" -> ")
    new = rest.partition(" ")[0]
    return f'Changing monitoring state from "{old.capitalize()}" to "{new.capitalize()}"'


class Terminal:
    """The black box as its reader sees it. Times are monotonic seconds."""

    def __init__(self, box: BlackBox, boot: str) -> None:
        self._box = box
        self._boot = boot
        self._lines = Lines()
        self._place = 0
        self._until = float("-inf")
        self._due_at = float("inf")
        self._is_new = False  # the reader has nothing of the past
        self._dropped: int | None = 0

    def watch(self, watch: WatchTerminal, now: float) -> None:
        """Somebody reads, or nobody any more. A cursor of another life is none."""
        self._until = now + watch.lease_s
        self._due_at = now if watch.lease_s > 0 else float("inf")
        if watch.after is None or watch.after == self._cursor(self._place):
            return
        place, start = self._place_of(watch.after), self._box.start
        self._is_new = place is None
        self._dropped = 0 if place is None or place >= start else None
        self._go_to(start if place is None else place)

    def stop(self) -> None:
        """The reader is gone."""
        self._due_at = float("inf")

    def read_out(self, reader: Reader, now: float) -> float:
        """Say what is due to *reader*, unless that does not keep up; when to be called again.

        That is never while nobody reads.
        """
        if now < self._due_at:
            return self._due_at
        self._due_at = now + EVERY_S if now + EVERY_S < self._until else float("inf")
        if reader.owned and not reader.slow:
            for said in self._take():
                reader.send(said)
        return self._due_at

    # Private.

    def _take(self) -> Iterator[TerminalSaid]:
        """What has been noted since the last time, oldest first."""
        self._skip()
        lines: list[str] = []
        size = 0
        for place, entry in self._box.since(self._place):
            self._place = place
            for line in self._lines.of(entry):
                lines.append(line)
                size += len(line)
            if self._is_new:
                lines = lines[-HISTORY_LINES:]
            elif len(lines) >= TEXT_LINES or size >= TEXT_CHARACTERS:
                yield from self._texts(lines)
                lines, size = [], 0
        self._is_new = False
        yield from self._texts(lines)

    def _texts(self, lines: list[str]) -> Iterator[TerminalSaid]:
        """*lines* in texts that are small enough, the last of which ends at our place."""
        while lines:
            count = size = 0
            while count < min(TEXT_LINES, len(lines)) and size < TEXT_CHARACTERS:
                size += len(lines[count])
                count += 1
            part, lines = lines[:count], lines[count:]
            cursor = "" if lines else self._cursor(self._place)
            yield TerminalSaid(lines=part, cursor=cursor, dropped=self._dropped)
            self._dropped = 0

    def _skip(self) -> None:
        """Leave out what nobody has read in time."""
        first = max(self._box.start, self._box.end - TAKE_BYTES)
        if self._place < first:
            self._go_to(first)
            self._dropped = 0 if self._is_new else None

    def _go_to(self, place: int) -> None:
        self._place = self._box.boundary(place)
        if self._place:
            self._lines.tear()

    def _cursor(self, place: int) -> str:
        return f"{self._boot}:{place}"

    def _place_of(self, cursor: str) -> int | None:
        """Where *cursor* is; None: it is not of this life."""
        boot, _, place = cursor.partition(":")
        if boot != self._boot or not place.isascii() or not place.isdecimal():
            return None
        return int(place[:20])

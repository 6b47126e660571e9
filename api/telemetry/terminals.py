"""The terminals of printers, while somebody reads them (room link contract, "Live").

Nothing of this is a row. Who reads a terminal looks at it again and again; a look holds for
`LEASE_S`, in every process, so that whichever holds the room's link asks the room for lines. Those
are kept in memory wherever it is known that somebody reads, and go from the process that hears them
to the others over the bus: lossy, with a mark where something is missing.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from api.bus.local import Bus
from api.clock import Clock
from api.telemetry.scrollback import Scrollback
from schemas.watching import TerminalText, TerminalWatch

LEASE_S = 15.0
RENEW_S = LEASE_S / 2
#: Lines of the past that a new reader gets, as an OctoPrint has.
HISTORY_LINES = 300
#: Of one message on the bus, and how many of one printer may wait there.
PARCEL_BYTES = 6000
MAX_PARCELS = 32

_ASKED, _SAID = "terminal?", "terminal!"

_log = logging.getLogger("gantry.telemetry")


def bell(bridge_id: int) -> str:
    """What is rung in this process when somebody reads a terminal of this room."""
    return f"terminal:{bridge_id}"


class Asked(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Somebody reads; *is_new*: and has nothing of the past."""

    bridge: int
    is_new: bool


class Said(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Lines that *source* has heard, its message *number*; 0: only for whoever has none."""

    source: str
    number: int
    text: TerminalText


_asked = msgspec.json.Decoder(Asked)
_said = msgspec.json.Decoder(Said)


@dataclass(slots=True)
class _Reading:
    """A printer's terminal. *cursor*: of the last line that was heard."""

    bridge_id: int | None
    until: float
    lines: Scrollback = field(default_factory=Scrollback)
    cursor: str = ""
    hears_room: bool = False  # this process does
    told: int = 0  # messages to other processes
    heard: tuple[str, int] = ("", 0)  # the last of another process
    followers: dict[Callable[[], None], None] = field(default_factory=dict)


class Terminals:
    """The terminals that somebody reads, as far as this process knows."""

    def __init__(self, clock: Clock, bus: Bus) -> None:
        self._clock = clock
        self._bus = bus
        self._readings: dict[int, _Reading] = {}
        bus.on_live(self._told)

    # Readers.

    @contextmanager
    def followed_by(self, printer_id: int, follower: Callable[[], None]) -> Iterator[Scrollback]:
        """The lines of a printer, as long as this is held; *follower* is called when there are
        more, which there are only while somebody looks.
        """
        reading = self._readings.setdefault(printer_id, _Reading(None, float("-inf")))
        reading.followers[follower] = None
        try:
            yield reading.lines
        finally:
            del reading.followers[follower]

    def look(self, printer_id: int, bridge_id: int) -> None:
        """Somebody reads the terminal now; quick enough to be said again and again."""
        now = self._clock.monotonic()
        reading = self._readings.get(printer_id)
        holds_until = reading.until if reading and reading.bridge_id == bridge_id else now
        if holds_until - now > RENEW_S:
            return
        is_new = reading is None or not reading.lines.end
        self._extend(printer_id, bridge_id, now)
        if self._bus.is_shared:
            self._bus.live(f"{_ASKED}{printer_id}", msgspec.json.encode(Asked(bridge_id, is_new)))

    def _extend(self, printer_id: int, bridge_id: int, now: float) -> _Reading:
        for number, each in tuple(self._readings.items()):
            if each.until <= now and not each.followers and number != printer_id:
                del self._readings[number]
        reading = self._readings.setdefault(printer_id, _Reading(bridge_id, now))
        if reading.bridge_id != bridge_id:
            reading.bridge_id, reading.cursor = bridge_id, ""
        reading.until = now + LEASE_S
        self._bus.ring([bell(bridge_id)])
        return reading

    # The link.

    def wanted(self, bridge_id: int) -> list[TerminalWatch]:
        """The terminals of this room that somebody reads now."""
        now = self._clock.monotonic()
        return [
            TerminalWatch(printer=number, lease_s=each.until - now, after=each.cursor)
            for number, each in self._readings.items()
            if each.bridge_id == bridge_id and each.until > now
        ]

    def hear(self, bridge_id: int, text: TerminalText) -> None:
        """A room has said lines of a printer that is its own."""
        reading = self._readings.get(text.printer)
        if reading is None or reading.bridge_id != bridge_id:
            return
        reading.hears_room = True
        self._put(reading, text)
        if self._bus.is_shared:
            for part in _parts(text):
                reading.told += 1
                self._tell(reading.told, part)

    def _put(self, reading: _Reading, text: TerminalText) -> None:
        reading.lines.put(text.lines, text.dropped)
        reading.cursor = text.cursor or reading.cursor
        for follower in tuple(reading.followers):
            follower()

    # Other processes.

    def _tell(self, number: int, text: TerminalText) -> None:
        key = f"{_SAID}{text.printer}:{number and number % MAX_PARCELS + 1}"
        said = Said(self._bus.origin, number, text)
        self._bus.live(key, msgspec.json.encode(said))

    def _told(self, key: str, payload: bytes) -> None:
        try:
            if key.startswith(_ASKED):
                self._others_read(int(key.removeprefix(_ASKED)), _asked.decode(payload))
            elif key.startswith(_SAID):
                self._others_heard(_said.decode(payload))
        except (msgspec.MsgspecError, ValueError) as error:
            _log.warning("%s on the bus is nothing of a terminal: %s", key, error)

    def _others_read(self, printer_id: int, asked: Asked) -> None:
        reading = self._extend(printer_id, asked.bridge, self._clock.monotonic())
        if asked.is_new and reading.hears_room:
            past = TerminalText(
                printer=printer_id,
                lines=reading.lines.last(HISTORY_LINES),
                cursor=reading.cursor,
            )
            for part in _parts(past)[-1:]:
                self._tell(0, part)

    def _others_heard(self, said: Said) -> None:
        reading = self._readings.get(said.text.printer)
        if reading is None:
            return
        source, number = reading.heard
        if said.number == 0:
            if not reading.lines.end:
                self._put(reading, said.text)
            return
        reading.hears_room, reading.heard = False, (said.source, said.number)
        text = said.text
        if said.source == source and said.number > number + 1:
            text = msgspec.structs.replace(text, dropped=None)
        self._put(reading, text)


def _parts(text: TerminalText) -> list[TerminalText]:
    """*text* in parts that fit a message; only the last has the cursor."""
    if len(text.lines) < 2 or len(msgspec.json.encode(text)) <= PARCEL_BYTES:
        return [text]
    half = len(text.lines) // 2
    first = msgspec.structs.replace(text, lines=text.lines[:half], cursor="")
    rest = msgspec.structs.replace(text, lines=text.lines[half:], dropped=0)
    return [*_parts(first), *_parts(rest)]

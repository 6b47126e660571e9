"""What a printer has just done that people's programs want to hear of (OctoPrint contract, 8).

It homes, it dwells, it tells where its head is, it says again who it is. Only the last few are kept
and go along with the picture of the printer: a file with a thousand G4 costs no more than one with
a few, and nothing of it is ever written down.
"""

from collections.abc import Iterable

from bridge.gcode.dialects import SHORT_DWELL
from bridge.gcode.replies import Position
from schemas.gcode.words import code_of
from schemas.printer import Doing, DoingKind, Place

#: That go along with one picture.
KEPT = 4

#: A sign of ours in a pause is none of its doings (`presence`).
_OWN = SHORT_DWELL + b"*"
_OF_CODE = {"G28": DoingKind.HOME, "G4": DoingKind.DWELL}


class Doings:
    """The newest `KEPT`, numbered from 1."""

    def __init__(self) -> None:
        self.tail: tuple[Doing, ...] = ()
        self._number = 0
        self._last: Position | None = None
        self._asked = False
        self._reason: str | None = None

    def sent(self, lines: Iterable[bytes]) -> None:
        """These numbered lines have gone to the printer for the first time."""
        for line in lines:
            kind = _OF_CODE.get(code_of(line.partition(b" ")[2]))
            if kind is not None and _OWN not in line:
                self._note(kind)

    def asked_place(self, reason: str | None = None) -> None:
        """Its next answer about its place is news even if it is the same; *reason*: what for."""
        self._asked, self._reason = True, reason

    def told_place(self, position: Position, tool: int, feedrate_mm_min: float | None) -> None:
        """It says where its head is, with the *tool* and feedrate that were sent last.

        What it reports unasked is news when it is another place.
        """
        if position == self._last and not self._asked:
            return
        at = position.x_mm, position.y_mm, position.z_mm, position.e_mm
        self._note(DoingKind.PLACE, Place(*at, tool, feedrate_mm_min), self._reason)
        self._last, self._asked, self._reason = position, False, None

    def named(self) -> None:
        """It has said again which firmware it runs."""
        self._note(DoingKind.FIRMWARE)

    def _note(self, kind: DoingKind, place: Place | None = None, reason: str | None = None) -> None:
        self._number += 1
        self.tail = (*self.tail, Doing(self._number, kind, place, reason))[-KEPT:]

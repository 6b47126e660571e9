"""The farthest places that the moves of a text name, and the lines that do. Pure.

As the gate does (`schemas.gcode.volume`), words are taken as they stand: where a move begins is not
followed. A pattern for what is farther than everything before finds the few lines that count.
"""

import re

import msgspec

from schemas.gcode.volume import MOVES, beyond
from schemas.gcode.words import parse

_NUMBER = re.compile(rb"[ \t]*([-+]?)[ \t]*(\d{1,400}\.?\d{0,400}|\.\d{1,400})")


class Reach(msgspec.Struct, frozen=True):
    """From *low_mm* to *high_mm*, which are named in these lines; 0 is always among them, and
    then has the line 0.
    """

    low_mm: float = 0.0
    low_line: int = 0
    high_mm: float = 0.0
    high_line: int = 0


class Places:
    """What batches of lines name, one after the other. *reach* is by axis: X, Y, Z."""

    def __init__(self) -> None:
        self.reach = {axis: Reach() for axis in "XYZ"}

    def feed(self, batch: bytes, first_line: int) -> None:
        """Look at whole lines; *first_line* is the number of the first."""
        for axis in self.reach:
            for case in (0, 1):
                self._search(batch, first_line, axis, case)

    def _search(self, batch: bytes, first_line: int, axis: str, case: int) -> None:
        at = counted = 0
        line = first_line
        while match := self._beyond(axis, case).search(batch, at):
            at = match.end()
            if not self._is_farther(axis, batch, match.start() + 1):
                continue
            start = batch.rfind(b"\n", 0, match.start()) + 1
            end = batch.find(b"\n", at)
            at = end if end >= 0 else len(batch)
            line += batch.count(b"\n", counted, start)
            counted = start
            self._note(batch[start:at], line)

    def _beyond(self, axis: str, case: int) -> re.Pattern[bytes]:
        known = self.reach[axis]
        return beyond(axis, float(int(known.low_mm)), float(int(known.high_mm)))[case]

    def _is_farther(self, axis: str, batch: bytes, start: int) -> bool:
        number = _NUMBER.match(batch, start)
        if number is None:
            return False
        place = float(number[1] + number[2])
        known = self.reach[axis]
        return not known.low_mm <= place <= known.high_mm

    def _note(self, text: bytes, line: int) -> None:
        for command in parse(text):
            if command.code not in MOVES:
                continue
            for word in command.words():
                if word.letter in self.reach and word.number is not None:
                    self._extend(word.letter, float(word.number), line)

    def _extend(self, axis: str, place_mm: float, line: int) -> None:
        known = self.reach[axis]
        if place_mm < known.low_mm:
            known = msgspec.structs.replace(known, low_mm=place_mm, low_line=line)
        elif place_mm > known.high_mm:
            known = msgspec.structs.replace(known, high_mm=place_mm, high_line=line)
        self.reach[axis] = known

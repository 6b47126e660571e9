"""Layers and heights in a file: the comments of the slicers, else moves in Z (serial 9).

One search per chunk finds what matters; nothing is done per line.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

#: Without comments: a new layer is at least so much higher than the one before.
MIN_LAYER_MM = 0.04

_COMMENT = re.compile(
    rb"\n(?:;[ \t]*(?:"
    rb"(?P<change>LAYER_CHANGE|CHANGE_LAYER)"
    rb"|LAYER:[ \t]*(?P<cura>\d{1,9})"
    rb"|layer num/total_layer_count:[ \t]*(?P<bambu>\d{1,9})"
    rb"|layer (?P<simplify>\d{1,9})(?:, Z = (?P<simplify_z>\d{1,9}\.?\d*))?"
    rb"|BEGIN_LAYER_OBJECT z=(?P<kiss_z>\d{1,9}\.?\d*)"
    rb"|Z(?:_HEIGHT)?:[ \t]*(?P<z>\d{1,9}\.?\d*|\.\d+)"
    rb"|TIME_ELAPSED:(?P<elapsed>\d{1,12}\.?\d*)"
    rb")|SET_PRINT_STATS_INFO CURRENT_LAYER=(?P<klipper>\d{1,9}))"
)
_Z_MOVE = re.compile(rb"\nG[01] [^\n;]*?Z(\d{1,9}\.?\d*|\.\d+)")
_EXTRUDES = re.compile(rb" E\+?\.?\d")


class MarkKind(StrEnum):
    """What a mark says from its place on."""

    LAYER = "layer"  # number, from 1
    Z_MM = "z_mm"
    ELAPSED_S = "elapsed_s"  # the slicer's clock


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that is so from some place of the file on."""

    kind: MarkKind
    value: float


class Layers:
    """One pass over one file."""

    def __init__(self) -> None:
        self._commented = False
        self._numbered = False
        self._count = 0
        self._z_mm = -1.0
        self._moving_z_mm = 0.0

    def scan(self, data: bytes) -> list[tuple[int, Mark]]:
        """The marks in *data*, whole lines, each with the offset of its line."""
        text = b"\n" + data
        marks: list[tuple[int, Mark]] = []
        for match in _COMMENT.finditer(text):
            marks += [(match.start(), mark) for mark in self._said(match)]
        if not self._commented and b"Z" in data:
            marks += self._moved(text)
        return marks

    def _said(self, match: re.Match[bytes]) -> list[Mark]:
        kind, found = match.lastgroup, match
        if kind == "elapsed":
            return [Mark(MarkKind.ELAPSED_S, float(found["elapsed"]))]
        if kind == "z":
            return [Mark(MarkKind.Z_MM, float(found["z"]))] if self._commented else []
        if not self._commented:
            self._commented, self._count = True, 0  # what moves in Z looked like was a guess
        marks = []
        if found["change"] or found["kiss_z"]:
            self._count += 1
            if not self._numbered:
                marks.append(Mark(MarkKind.LAYER, self._count))
        else:
            self._numbered = True
            number = found["cura"] or found["bambu"] or found["simplify"] or found["klipper"]
            marks.append(Mark(MarkKind.LAYER, int(number) + bool(found["cura"])))
        height = found["simplify_z"] or found["kiss_z"]
        if height:
            marks.append(Mark(MarkKind.Z_MM, float(height)))
        return marks

    def _moved(self, text: bytes) -> list[tuple[int, Mark]]:
        """A layer is where something is extruded higher than ever before."""
        marks: list[tuple[int, Mark]] = []
        moves = [(match.start(), float(match[1])) for match in _Z_MOVE.finditer(text)]
        begin, z_mm = 0, self._moving_z_mm
        for position, next_z_mm in [*moves, (len(text), 0.0)]:
            if z_mm >= self._z_mm + MIN_LAYER_MM and _EXTRUDES.search(text, begin, position):
                self._count += 1
                self._z_mm = z_mm
                marks.append((begin, Mark(MarkKind.LAYER, self._count)))
                marks.append((begin, Mark(MarkKind.Z_MM, z_mm)))
            if position < len(text):
                begin, z_mm = position, next_z_mm
        self._moving_z_mm = z_mm
        return marks

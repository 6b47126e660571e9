"""Where the moves of a file go, what they extrude, and (on request) how long they take. Pure.

G-code is taken as it comes, a batch of lines at a time. Moves in one mode are looked at as columns,
one list for each axis: that is several times as fast as line by line. What is kept is small,
whatever the file is. Lengths in mm; tools by number.
"""

import math
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, compress
from operator import sub
from typing import Any, cast

from api.files.analysis.moves import WORDS, Columns, Shape, bare_lines, columns, shapes_of
from api.files.analysis.pace import Pace, speed_mm_s

MAX_CARRY_BYTES = 4096  # of a line that has no end yet; no firmware takes a longer one
MAX_HEIGHTS = 50_000
MAX_TOOLS = 32
_ARC_MM = 1.0  # of an arc, one straight piece

_NUMBER = rb"([-+.\d]{1,15})"
#: A line that is looked at word by word: what no plain move is and yet counts.
_OTHER = re.compile(
    rb"[ \t]*(?:[Nn]\d+[ \t]*)?([GgMm]0*(?:[0-3]|28|82|83|9[0-2]|204)(?![\d.])|[Tt]\d{1,3})"
    rb"([^*]*)"
)
_NAMES = tuple(WORDS[at : at + 1] for at in range(len(WORDS)))
_WORD = re.compile(rb"([A-Z])[ \t]*" + _NUMBER)


class Extent:
    """The smallest box around points."""

    def __init__(self) -> None:
        self.low = [math.inf] * 3
        self.high = [-math.inf] * 3

    def add(self, axis: int, values: Sequence[float]) -> None:
        """Points' coordinates on *axis*."""
        if values:
            lowest, highest = min(values), max(values)
            self.low[axis] = min(self.low[axis], lowest)
            self.high[axis] = max(self.high[axis], highest)

    @property
    def is_empty(self) -> bool:
        """Whether there was no point."""
        return math.inf in self.low

    def sizes(self) -> list[float]:
        """Width, depth and height."""
        return [round(high - low, 3) for low, high in zip(self.low, self.high, strict=True)]


class Motion:
    """The moves of one file. *timed*: its duration is asked for, too."""

    def __init__(self, *, timed: bool) -> None:
        self.printed = Extent()
        self.travelled = Extent()
        self.moves = 0
        self._pace = Pace() if timed else None
        self._carry = b""
        self._at = [0.0, 0.0, 0.0]
        self._e = 0.0
        self._feed_mm_min = 0.0
        self._is_relative = self._is_e_relative = False
        self._tool = 0
        self._extruded: dict[int, float] = {}
        self._most: dict[int, float] = {}
        self._heights: set[float] = set()

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        data = self._carry + chunk
        end = data.rfind(b"\n") + 1
        self._carry = data[end:][:MAX_CARRY_BYTES]
        if end:
            self._look(data[:end])

    def finish(self) -> dict[str, Any]:
        """What is known at the end: *filament_mm* by tool, *heights*, *moves*, *time_s* if asked
        for, *printing* and *travel* (each `low`, `high`, `size`; absent without a move).
        """
        self._look(self._carry)
        found: dict[str, Any] = {"moves": self.moves, "heights": len(self._heights)}
        tools = max(self._most, default=-1) + 1
        found["filament_mm"] = [round(self._most.get(tool, 0.0), 2) for tool in range(tools)]
        for name, extent in (("printing", self.printed), ("travel", self.travelled)):
            if not extent.is_empty:
                found[name] = {"low": extent.low, "high": extent.high, "size": extent.sizes()}
        if self._pace is not None:
            found["time_s"] = round(self._pace.finish(), 1)
        return found

    def _look(self, batch: bytes) -> None:
        """Plain moves in runs, everything else line by line between them."""
        lines = bare_lines(batch)
        shapes = shapes_of(lines)
        run: list[bytes] = []
        shaped: list[Shape] = []
        start = 0
        for at in [number for number, shape in enumerate(shapes) if shape is None]:
            run += lines[start:at]
            shaped += cast(list[Shape], shapes[start:at])
            start = at + 1
            other = _OTHER.match(lines[at])
            if other is not None:
                self._run(run, shaped)
                self._do(other[1].upper(), other[2])
                run, shaped = [], []
        self._run(run + lines[start:], shaped + cast(list[Shape], shapes[start:]))

    # Moves.

    def _run(self, lines: list[bytes], shapes: list[Shape]) -> None:
        """Plain moves in one mode."""
        if not lines:
            return
        try:
            found = columns(lines, shapes, self._before(), self._relative())
        except ValueError:  # some word has no number that is one: each line by itself
            for other in filter(None, map(_OTHER.match, lines)):
                self._do(other[1], other[2])
        else:
            self._columns(found)

    def _before(self) -> list[float]:
        """What each word said last."""
        return [*self._at, self._e, self._feed_mm_min]

    def _relative(self) -> list[bool]:
        """Whether each word says by how much, not where to."""
        return [*[self._is_relative] * 3, self._is_e_relative, False]

    def _columns(self, found: Columns) -> None:
        *axes, es, feeds = found.values
        places = [self._places(axis, axes[axis]) for axis in range(3)]
        extruded = self._extrusions(es)
        self.moves += len(es)
        is_printing = [e > 0.0 and to for e, to in zip(extruded, found.sideways, strict=True)]
        for axis, values in enumerate(places):
            before = chain((self._at[axis],), values)
            self.travelled.add(axis, values)
            self.printed.add(axis, list(compress(values, is_printing)))
            self.printed.add(axis, list(compress(before, is_printing)))
        if len(self._heights) < MAX_HEIGHTS:
            self._heights.update(compress(places[2], is_printing))
        if self._pace is not None:
            speeds = {feed: speed_mm_s(feed) for feed in set(feeds)}
            self._pace.add(self._at, places, extruded, list(map(speeds.__getitem__, feeds)))
        self._feed_mm_min = feeds[-1]
        self._at = [values[-1] for values in places]

    def _places(self, axis: int, values: list[float]) -> list[float]:
        return list(accumulate(values, initial=self._at[axis]))[1:] if self._is_relative else values

    def _extrusions(self, values: list[float]) -> list[float]:
        """How much each move extrudes; the sum of the tool goes on."""
        lengths = values
        if not self._is_e_relative:
            lengths = list(map(sub, values, chain((self._e,), values)))
            self._e = values[-1]
        before = self._extruded.get(self._tool, 0.0)
        sums = list(accumulate(lengths, initial=before))
        self._extruded[self._tool] = sums[-1]
        highest = max(sums)
        if highest > 0.0:
            self._most[self._tool] = max(self._most.get(self._tool, 0.0), highest)
        return lengths

    # Everything else.

    def _do(self, code: bytes, rest: bytes) -> None:
        letter, number = code[:1], int(code[1:])
        words = {found[0]: found[1] for found in _WORD.findall(rest.upper())}
        words = {name: text for name, text in words.items() if _is_number(text)}
        if letter == b"T":
            self._tool = min(number, MAX_TOOLS - 1)
        elif letter == b"M":
            self._set_mode(number, words)
        elif number in (2, 3):
            self._arc(words, is_clockwise=number == 2)
        elif number < 2:
            self._one(words)
        elif number == 28:
            homed = [axis for axis, name in enumerate((b"X", b"Y", b"Z")) if name in words]
            for axis in homed or range(3):
                self._at[axis] = 0.0
        elif number == 92:
            self._call_it(words)
        else:
            self._is_relative = self._is_e_relative = number == 91

    def _set_mode(self, number: int, words: dict[bytes, bytes]) -> None:
        if number in (82, 83):
            self._is_e_relative = number == 83
        elif number == 204 and self._pace is not None:
            found = words.get(b"P") or words.get(b"S")
            self._pace.accelerate(float(found) if found else 0.0)

    def _call_it(self, words: dict[bytes, bytes]) -> None:
        """`G92`: where it is now is called otherwise."""
        self._e = float(words.get(b"E", self._e))
        for axis, name in enumerate((b"X", b"Y", b"Z")):
            self._at[axis] = float(words.get(name, self._at[axis]))

    def _one(self, words: dict[bytes, bytes]) -> None:
        unsaid = zip(self._before(), self._relative(), strict=True)
        values = [
            [float(words[name]) if name in words else 0.0 if is_relative else before]
            for name, (before, is_relative) in zip(_NAMES, unsaid, strict=True)
        ]
        self._columns(Columns(values, [b"X" in words or b"Y" in words]))

    def _arc(self, words: dict[bytes, bytes], *, is_clockwise: bool) -> None:
        """An arc around `I` and `J`, as straight pieces; without them only its end is known."""
        if self._is_relative or not (b"I" in words or b"J" in words):
            self._one(words)
            return
        end = [float(words.get(name, self._at[axis])) for axis, name in enumerate((b"X", b"Y"))]
        around = [float(words.get(name, 0)) for name in (b"I", b"J")]
        points = list(arc_points(self._at[:2], end, around, is_clockwise=is_clockwise))
        e = words.get(b"E")
        e_from = 0.0 if self._is_e_relative else self._e
        span = (float(e) - e_from) / len(points) if e else 0.0
        for number, (x, y) in enumerate(points, 1):
            piece = {**words, b"X": b"%.4f" % x, b"Y": b"%.4f" % y}
            if e:
                piece[b"E"] = b"%.5f" % (span if self._is_e_relative else e_from + span * number)
            self._one(piece)


def arc_points(
    start: Sequence[float], end: Sequence[float], around: Sequence[float], *, is_clockwise: bool
) -> Iterator[tuple[float, float]]:
    """Points of an arc from *start* (not among them) to *end*; *around*: the centre from *start*.

    An arc that ends where it starts is a whole circle.
    """
    centre = (start[0] + around[0], start[1] + around[1])
    radius = math.hypot(*around)
    begin = math.atan2(-around[1], -around[0])
    turn = math.atan2(end[1] - centre[1], end[0] - centre[0]) - begin
    if is_clockwise:
        turn = -turn
    turn %= 2 * math.pi
    turn = (turn or 2 * math.pi) * (-1 if is_clockwise else 1)
    pieces = max(1, min(64, math.ceil(abs(turn) * radius / _ARC_MM)))
    for number in range(1, pieces):
        angle = begin + turn * number / pieces
        yield centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)
    yield end[0], end[1]


def _is_number(text: bytes) -> bool:
    try:
        float(text or 0)
    except ValueError:
        return False
    return True

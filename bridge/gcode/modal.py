"""What a firmware remembers between lines: modes, tool, feedrate, fan, factors (serial 9).

Folded from the lines that were sent. Only lines that are no moves change it, and those are few;
the feedrate of moves is looked up when somebody asks.
"""

import re
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace

_NUMBER = rb"\s*([-+]?(?:\d+\.?\d*|\.\d+))"
_WORDS = {letter: re.compile(letter.encode() + _NUMBER) for letter in "FPST"}
_FEEDRATE = re.compile(rb"F" + _NUMBER)
_MOVE = re.compile(rb"G0*[0-35](?![\d.])")
_HEAD = re.compile(rb"([GMT])(\d+)")
_MM_PER_INCH = 25.4


def _word(text: bytes, letter: str) -> float | None:
    match = _WORDS[letter].search(text, 1)
    return float(match[1]) if match else None


@dataclass(slots=True)
class Modal:
    """The state behind some line. A new one is a firmware's state after its start."""

    absolute: bool = True
    e_absolute: bool = True
    inches: bool = False
    tool: int = 0
    previous_tool: int = 0
    #: None: no line has said it yet
    feedrate_mm_min: float | None = None
    fan_percent: float | None = None
    feed_percent: float = 100.0
    flow_percent: float = 100.0
    #: so long without a move it switches itself off (M85), in seconds; 0: never
    inactive_s: float = 0.0

    def copy(self) -> "Modal":
        """The same state, to go on from."""
        return copy(self)

    def apply(self, text: bytes, *, joined: bool = True) -> None:
        """Take in one cleaned line. *joined*: G90 and G91 set the extruder's mode too."""
        head = _HEAD.match(text)
        if head is None:
            return
        if head[1] == b"T":
            self.previous_tool, self.tool = self.tool, int(head[2])
            return
        code = head[0].decode()
        if code in ("G90", "G91"):
            self.absolute = code == "G90"
            if joined:
                self.e_absolute = self.absolute
        elif (change := _CHANGES.get(code)) is not None:
            change(self, text)

    def moved(self, texts: list[bytes]) -> None:
        """Take in the feedrate of the moves *texts*, in order."""
        joined = b"\n".join(texts)
        at = joined.rfind(b"F")
        while at >= 0:
            match = _FEEDRATE.match(joined, at)
            if match and _MOVE.match(joined, joined.rfind(b"\n", 0, at) + 1):
                scale = _MM_PER_INCH if self.inches else 1.0
                self.feedrate_mm_min = float(match[1]) * scale
                return
            at = joined.rfind(b"F", 0, at)

    def refuse_tool(self, number: int) -> bool:
        """The firmware has no tool *number*; False when that was not the one we are at."""
        if self.tool != number or self.previous_tool == number:
            return False
        self.tool = self.previous_tool
        return True

    # Private: what single codes change.

    def _fan(self, text: bytes) -> None:
        if _word(text, "P") in (None, 0.0):
            level = _word(text, "S")
            self.fan_percent = min(100.0, (255.0 if level is None else level) / 2.55)

    def _fan_off(self, text: bytes) -> None:
        if _word(text, "P") in (None, 0.0):
            self.fan_percent = 0.0

    def _feed(self, text: bytes) -> None:
        percent = _word(text, "S")
        self.feed_percent = self.feed_percent if percent is None else percent

    def _flow(self, text: bytes) -> None:
        percent, tool = _word(text, "S"), _word(text, "T")
        if percent is not None and tool in (None, float(self.tool)):
            self.flow_percent = percent

    def _inactive(self, text: bytes) -> None:
        time_s = _word(text, "S")
        self.inactive_s = self.inactive_s if time_s is None else max(0.0, time_s)

    def _extrude_absolute(self, _text: bytes) -> None:
        self.e_absolute = True

    def _extrude_relative(self, _text: bytes) -> None:
        self.e_absolute = False

    def _inches(self, _text: bytes) -> None:
        self.inches = True

    def _millimetres(self, _text: bytes) -> None:
        self.inches = False


_CHANGES: dict[str, Callable[[Modal, bytes], None]] = {
    "G20": Modal._inches,
    "G21": Modal._millimetres,
    "M82": Modal._extrude_absolute,
    "M83": Modal._extrude_relative,
    "M85": Modal._inactive,
    "M106": Modal._fan,
    "M107": Modal._fan_off,
    "M220": Modal._feed,
    "M221": Modal._flow,
}


class Trail:
    """The modal state along the job's lines, with what was ordered in between.

    Ordinals count the job's lines from 1; an order lies behind the job line that was sent last.
    """

    def __init__(self, before: Modal, *, joined: bool = True) -> None:
        """*before*: the state at the beginning. *joined*: see `Modal.apply`."""
        self.joined = joined
        self._base = before
        #: batches in order: first ordinal, lines, and those of them that are no moves
        self._pieces: list[tuple[int, list[bytes], list[tuple[int, bytes]]]] = []
        self._orders: list[tuple[int, bytes | Modal]] = []

    def feed(self, first: int, texts: list[bytes], codes: list[tuple[int, bytes]]) -> None:
        """Job lines *texts* from ordinal *first*; *codes* are those that are no moves, by place."""
        self._pieces.append((first, texts, codes))

    def order(self, ordinal: int, texts: list[bytes]) -> None:
        """*texts* were put in behind job line *ordinal*."""
        self._orders += [(ordinal, text) for text in texts]

    def become(self, ordinal: int, state: Modal) -> None:
        """Behind job line *ordinal* it is *state*, but for the feedrate, which is the lines'."""
        self._orders.append((ordinal, state))

    def settle(self, ordinal: int) -> None:
        """Job lines up to *ordinal* are done for good: keep only their result."""
        while self._pieces and self._pieces[0][0] + len(self._pieces[0][1]) - 1 <= ordinal:
            first, texts, _ = self._pieces[0]
            last = first + len(texts) - 1
            self._base = self.at(last)
            self._orders = [order for order in self._orders if order[0] > last]
            del self._pieces[0]

    def at(self, ordinal: int) -> Modal:
        """The state when job lines up to *ordinal* are done, and all orders up to there."""
        state = self._base.copy()
        changes: list[tuple[int, bytes | Modal]] = []
        for first, texts, codes in self._pieces:
            if first > ordinal:
                break
            changes += [(first + index, text) for index, text in codes if first + index <= ordinal]
            state.moved(texts[: ordinal - first + 1])
        changes += [order for order in self._orders if order[0] <= ordinal]
        changes.sort(key=lambda change: change[0])  # stable: an order lies behind its job line
        for _, change in changes:
            if isinstance(change, Modal):
                state = replace(change, feedrate_mm_min=state.feedrate_mm_min)
            else:
                state.apply(change, joined=self.joined)
        return state

    def refuse_tool(self, ordinal: int, number: int) -> int | None:
        """The firmware has no tool *number*: the tool that it stays with, None if it is no news."""
        state = self.at(ordinal)
        if not state.refuse_tool(number):
            return None
        self.order(ordinal, [b"T%d" % state.tool])
        return state.tool

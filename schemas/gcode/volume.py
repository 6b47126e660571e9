"""Moves against a printer's build volume (safety M19): a file for a larger printer is found out.

Only what is far outside counts: printers wipe, prime and park beside their beds, and where a move
begins is not followed. A pattern made for the profile finds numbers that are too high; of a file
that fits, no line is parsed.
"""

import re
from functools import lru_cache

from schemas.gcode.words import Command
from schemas.printer import Profile

#: So far outside is still taken for a place beside the bed: mm, and a share of the size.
MARGIN_MM = 20.0
MARGIN_SHARE = 0.1

#: The commands that move the head to a place.
MOVES = frozenset({"G0", "G1", "G2", "G3"})


def bounds_mm(profile: Profile, axis: str) -> tuple[float, float]:
    """The lowest and the highest place on *axis* (X, Y or Z), without margin."""
    size = {"X": profile.width_mm, "Y": profile.depth_mm, "Z": profile.height_mm}[axis]
    if profile.origin == "center" and axis != "Z":
        return -size / 2, size / 2
    return 0.0, size


def check(command: Command, profile: Profile) -> str | None:
    """Why *command* may not pass, None when it moves to no place far outside."""
    if command.code not in MOVES:
        return None
    for word in command.words():
        if word.letter not in "XYZ" or word.number is None:
            continue
        refused = outside(word.letter, float(word.number), profile)
        if refused is not None:
            return refused
    return None


def outside(axis: str, place_mm: float, profile: Profile) -> str | None:
    """Why nothing may move to *place_mm* on *axis*; None when it is not far outside."""
    low, high = bounds_mm(profile, axis)
    margin = _margin(low, high)
    if low - margin <= place_mm <= high + margin:
        return None
    return f"it moves to {axis} {place_mm:g} mm and this printer goes from {low:g} to {high:g} mm"


def suspects(batch: bytes, profile: Profile) -> list[int]:
    """Where in *batch* a word stands that may be outside."""
    return [match.start() for pattern in _patterns(profile) for match in pattern.finditer(batch)]


@lru_cache(maxsize=8)
def _patterns(profile: Profile) -> tuple[re.Pattern[bytes], ...]:
    patterns: list[re.Pattern[bytes]] = []
    for axis in "XYZ":
        low, high = bounds_mm(profile, axis)
        margin = _margin(low, high)
        patterns += beyond(axis, low - margin, high + margin)
    return tuple(patterns)


@lru_cache(maxsize=256)
def beyond(axis: str, low_mm: float, high_mm: float) -> tuple[re.Pattern[bytes], ...]:
    """Patterns of a word of *axis*, in either case, whose number may be below or above these."""
    above = _above(int(max(0.0, high_mm)))
    below = _above(int(max(0.0, -low_mm)))
    numbers = rb"[ \t]*(?:\+?0*(?:%b)|-[ \t]*0*(?:%b))" % (above, below)
    return tuple(re.compile(letter.encode() + numbers) for letter in (axis, axis.lower()))


def _margin(low: float, high: float) -> float:
    return MARGIN_MM + MARGIN_SHARE * (high - low)


def _above(limit: int) -> bytes:
    """A pattern for whole parts of *limit* and more, without leading zeros."""
    digits = str(limit)
    ways = [rf"[1-9]\d{{{len(digits)},}}"]
    for at, digit in enumerate(digits):
        if digit < "9":
            ways.append(rf"{digits[:at]}[{int(digit) + 1}-9]\d{{{len(digits) - at - 1}}}")
    ways.append(digits)
    return "|".join(ways).encode()

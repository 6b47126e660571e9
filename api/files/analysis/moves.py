"""Plain moves as columns of numbers, many lines at a time. Pure.

A line's *shape* is what is left of it without its digits: `G1 X Y E`. A file has few of them. A
move whose shape says where each number belongs needs no look at its text: the numbers of a whole
run of lines are parsed at once, and lines of one shape give each axis by a stride. That is twice as
fast as a search of every line.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import msgspec

WORDS = b"XYZEF"

MAX_LINE_BYTES = 96  # so that numbers are no larger than their squares can be
_MOVE = b"\x01"  # stands for `G0` and `G1` before the digits go
_DIGITS = b"0123456789.+-"
_NO_NUMBERS = WORDS + b"\n"
_COMMAS = bytes.maketrans(b" ", b",")
_DECODER = msgspec.json.Decoder(list[float])  # parses numbers four times as fast as float()
_COMMENT = re.compile(rb";[^\n]*")


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A plain move: how many words it has, and which of them is X, Y, Z, E and F.

    *places*: -1 where the line has none. *is_sideways*: it says X or Y. Two that say the same are
    one and the same object.
    """

    size: int
    places: tuple[int, ...]
    is_sideways: bool


def bare_lines(batch: bytes) -> list[bytes]:
    """The lines of *batch* that are more than a comment, without it and their ends; where several
    blanks stand, one is left.
    """
    if b"\r" in batch:
        batch = batch.replace(b"\r\n", b"\n")
    if b";" in batch:
        batch = _COMMENT.sub(b"", batch.replace(b" ;", b";"))
    while b"  " in batch:  # as around a purge tower: words that leave room for others
        batch = batch.replace(b"  ", b" ")
    if b" \n" in batch:
        batch = batch.replace(b" \n", b"\n")
    return list(filter(None, batch.split(b"\n")))


def shapes_of(lines: Sequence[bytes]) -> list[Shape | None]:
    """What each line is; None: no plain move."""
    text = b"\n".join(lines)
    if not lines or _MOVE in text:
        return [None] * len(lines)
    marked = text.replace(b"G1 ", b"\x01 ").replace(b"G0 ", b"\x01 ")
    return list(map(_shape, marked.translate(None, _DIGITS).split(b"\n")))


@lru_cache(maxsize=1024)
def _shape(text: bytes) -> Shape | None:
    """Of a line without digits: words with one letter each, once, one blank between them."""
    first, *words = text.split(b" ")
    if first != _MOVE or not words or len(set(words)) < len(words):
        return None
    if any(len(word) != 1 or word not in WORDS for word in words):
        return None
    places = {word: place for place, word in enumerate(words)}
    found = tuple(places.get(WORDS[at : at + 1], -1) for at in range(len(WORDS)))
    return Shape(len(words), found, is_sideways=b"X" in places or b"Y" in places)


@dataclass(frozen=True, slots=True)
class Columns:
    """The numbers of a run of moves, by word and line, and whether a line says X or Y."""

    values: Sequence[list[float]]
    sideways: list[bool]


def columns(
    lines: Sequence[bytes],
    shapes: Sequence[Shape],
    before: Sequence[float],
    is_relative: Sequence[bool],
) -> Columns:
    """The numbers of *lines*, which have these *shapes*.

    Where a line says nothing, what was said *before* goes on, or 0 where *is_relative*. Raises
    `ValueError` when a word has no number, or none that is one.
    """
    runs = [(shape, len(list(group))) for shape, group in groupby(shapes)]
    numbers = _numbers(lines)
    if len(numbers) != sum(shape.size * count for shape, count in runs):
        raise ValueError("a word without a number")
    last = [0.0 if each else value for value, each in zip(before, is_relative, strict=True)]
    said_by = {shape for shape, _ in runs}
    words = [word for word in range(len(WORDS)) if any(each.places[word] >= 0 for each in said_by)]
    values: list[list[float]] = [[] for _ in WORDS]
    start = 0
    for shape, count in runs:
        size = shape.size
        end = start + count * size
        for word in words:
            place = shape.places[word]
            if place < 0:
                values[word] += [last[word]] * count
                continue
            values[word] += numbers[start + place : end : size]
            if not is_relative[word]:
                last[word] = numbers[end - size + place]
        start = end
    for word in range(len(WORDS)):
        values[word] = values[word] or [last[word]] * len(lines)
    return Columns(values, [shape.is_sideways for shape in shapes])


def _numbers(lines: Sequence[bytes]) -> list[float]:
    """All numbers of plain moves, in order. Raises `ValueError`."""
    if max(map(len, lines)) > MAX_LINE_BYTES:
        raise ValueError("a line that no firmware takes")
    text = b"\n".join(lines).replace(b"G1 ", b" ").replace(b"G0 ", b" ")
    text = text.translate(_COMMAS, _NO_NUMBERS)[1:]
    try:
        zeros = text.replace(b",.", b",0.").replace(b"-.", b"-0.")
        return _DECODER.decode(b"[%b]" % zeros)
    except msgspec.DecodeError:  # written as no JSON is: `5.`, `+5`, `007`
        return list(map(float, text.split(b",")))

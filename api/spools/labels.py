"""Labels for spools as PNG pictures: the code to be scanned, and what a person reads (v1 2.6).

Pure: texts in, bytes out. Dots are rows of bytes, 0 black and 255 white.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from api.spools import letters

MAX_LETTERS = 20  # in a line
_BORDER = 4  # modules of white around a code, as scanners want it
_GAP_PX = 4
_BLACK, _WHITE = b"\0", b"\xff"

Rows = list[bytes]


class LabelSize(StrEnum):
    """How large a label is."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


#: size -> (pixels a module of the code, pixels a dot of a letter)
_PX = {LabelSize.SMALL: (3, 2), LabelSize.MEDIUM: (5, 3), LabelSize.LARGE: (8, 5)}


@dataclass(frozen=True, slots=True)
class Label:
    """What stands on a label: *code* to be scanned, and lines below each other."""

    code: str
    lines: tuple[str, ...]


def code_png(code: str, module_px: int = 8) -> bytes:
    """The code alone."""
    return png(_code(code, module_px))


def labels_png(labels: Sequence[Label], size: LabelSize) -> bytes:
    """*labels* below each other."""
    return png([row for label in labels for row in _label(label, size)])


def _label(label: Label, size: LabelSize) -> Rows:
    module_px, dot_px = _PX[size]
    code = _code(label.code, module_px)
    width_px = MAX_LETTERS * (letters.WIDTH + 1) * dot_px
    text: Rows = [_WHITE * width_px] * (_BORDER * module_px)
    for line in label.lines:
        rows = _scaled(letters.dots(line[:MAX_LETTERS]), dot_px)
        text += [row.ljust(width_px, _WHITE) for row in rows]
        text += [_WHITE * width_px] * _GAP_PX
    height_px = max(len(code), len(text))
    code += [_WHITE * len(code[0])] * (height_px - len(code))
    text += [_WHITE * width_px] * (height_px - len(text))
    return [left + right for left, right in zip(code, text, strict=True)]


def _code(text: str, module_px: int) -> Rows:
    import segno  # only who prints a label needs it: a function starts without

    code = segno.make(text, error="m", micro=False)
    return _scaled(
        [[bool(dark) for dark in row] for row in code.matrix_iter(border=_BORDER)], module_px
    )


def _scaled(dots: Sequence[Sequence[bool]], dot_px: int) -> Rows:
    black, white = _BLACK * dot_px, _WHITE * dot_px
    rows: Rows = []
    for row in dots:
        rows += [b"".join(black if dark else white for dark in row)] * dot_px
    return rows


def png(rows: Rows) -> bytes:
    """*rows* of equal length as a PNG of grey levels."""
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 6)
    parts = (_part(b"IHDR", header), _part(b"IDAT", pixels), _part(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _part(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

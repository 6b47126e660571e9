"""QOI pictures to PNG: slicers write them for small screens, browsers do not show them. Pure."""

import struct
import zlib

from api.files.analysis.broken import BrokenFile

MAGIC = b"qoif"
MAX_PIXELS = 1024 * 1024
_HEADER = struct.Struct(">4sIIBB")


class Broken(BrokenFile):
    """It is no QOI picture, or too large a one."""


def to_png(data: bytes) -> bytes:
    """The same picture as PNG. Raises `Broken`."""
    if len(data) < _HEADER.size:
        raise Broken("no header")
    magic, width, height, channels, _ = _HEADER.unpack_from(data)
    if magic != MAGIC or channels not in (3, 4) or not 0 < width * height <= MAX_PIXELS:
        raise Broken("not a picture that is known here")
    try:
        pixels = _pixels(data[_HEADER.size :], width * height)
    except (IndexError, ValueError):
        raise Broken("it is cut off") from None
    return _png(pixels, width, height)


def _pixels(data: bytes, count: int) -> list[bytes]:
    """Red, green, blue, alpha of each pixel. Raises `IndexError` or `ValueError` when it ends."""
    seen = [bytes(4)] * 64
    pixel = b"\0\0\0\xff"
    found: list[bytes] = []
    at = 0
    while len(found) < count:
        tag = data[at]
        at += 1
        run = 1
        if tag >= 0xFE:
            size = tag - 0xFB
            pixel = (data[at : at + size] + pixel[size:])[:4]
            at += size
        elif tag < 0x40:
            pixel = seen[tag]
        elif tag < 0x80:
            pixel = _moved(pixel, (tag >> 4 & 3) - 2, (tag >> 2 & 3) - 2, (tag & 3) - 2)
        elif tag < 0xC0:
            green, rest = (tag & 0x3F) - 32, data[at]
            at += 1
            pixel = _moved(pixel, green - 8 + (rest >> 4), green, green - 8 + (rest & 15))
        else:
            run = (tag & 0x3F) + 1
        red, green_now, blue, alpha = pixel
        seen[(red * 3 + green_now * 5 + blue * 7 + alpha * 11) % 64] = pixel
        found += [pixel] * run
    return found[:count]


def _moved(pixel: bytes, red: int, green: int, blue: int) -> bytes:
    return bytes((pixel[0] + red & 255, pixel[1] + green & 255, pixel[2] + blue & 255, pixel[3]))


def _png(pixels: list[bytes], width: int, height: int) -> bytes:
    rows = b"".join(
        b"\0" + b"".join(pixels[start : start + width]) for start in range(0, width * height, width)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )

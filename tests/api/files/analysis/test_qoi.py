"""QOI pictures become PNG."""

import struct
import zlib

import pytest

from api.files.analysis import qoi

HEAD = struct.pack(">4sIIBB", b"qoif", 4, 2, 4, 0)
#: red; one lighter in green; by the index again; two more of it; alpha; a luma step; the run's end
BODY = (
    b"\xfe\xff\x00\x00"  # rgb
    + bytes([0x40 | 2 << 4 | 3 << 2 | 2])  # diff: green + 1
    + bytes([(255 * 3 + 255 * 11) % 64])  # index of the first
    + bytes([0xC0 | 1])  # run of two
    + b"\xff\x01\x02\x03\x04"  # rgba
    + bytes([0x80 | 34, 8 << 4 | 8])  # luma: + 2 each
    + bytes([0xC0])  # run of one
    + bytes(7)
    + b"\x01"
)


def pixels_of(png: bytes) -> bytes:
    at = png.index(b"IDAT")
    size = struct.unpack(">I", png[at - 4 : at])[0]
    rows = zlib.decompress(png[at + 4 : at + 4 + size])
    return b"".join(rows[start + 1 : start + 17] for start in range(0, len(rows), 17))


def test_every_kind_of_pixel() -> None:
    """Colour, difference, index, run, colour with alpha, luma."""
    png = qoi.to_png(HEAD + BODY)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    red, lighter = b"\xff\0\0\xff", b"\xff\1\0\xff"
    last = b"\x03\x04\x05\x04"
    expected = [red, lighter, red, red, red, b"\1\2\3\4", last, last]
    assert pixels_of(png) == b"".join(expected)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG",
        HEAD,
        HEAD + b"\xfe\x01",
        struct.pack(">4sIIBB", b"qoif", 60_000, 60_000, 4, 0) + BODY,
        struct.pack(">4sIIBB", b"qoif", 0, 5, 4, 0) + BODY,
        struct.pack(">4sIIBB", b"qoif", 4, 2, 7, 0) + BODY,
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    """Safety S34: sizes are looked at before a pixel is made."""
    with pytest.raises(qoi.Broken):
        qoi.to_png(data)

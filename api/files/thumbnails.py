"""The picture that a slicer puts into the comments at the head of a file. Pure.

``; thumbnail begin 220x124 3520``, lines of base64, ``; thumbnail end`` (PrusaSlicer, OrcaSlicer,
SuperSlicer, Cura's plug-in; ``thumbnail_JPG`` and ``thumbnail_QOI`` likewise). Only PNG and JPEG
are handed out: what comes from a file is shown in browsers, and those two hold no script (safety
S35). QOI is for printers' screens: it counts where there is nothing else, and must be made a PNG.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

#: How much of a file's head is looked at: pictures stand in front of the G-code.
HEAD_BYTES = 512 * 1024
_BLOCK = re.compile(
    rb"^; *thumbnail(?:_(?:JPG|PNG|QOI))? begin (\d{1,4})[x ](\d{1,4}) \d+ *\r?\n"
    rb"((?:; ?[A-Za-z0-9+/=]* *\r?\n)+); *thumbnail(?:_(?:JPG|PNG|QOI))? end",
    re.MULTILINE,
)
QOI = "image/qoi"
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"qoif": QOI}


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture. *media*: image/png, image/jpeg or `QOI`; sizes in pixels, as the slicer says."""

    data: bytes
    media: str
    width: int
    height: int


def largest(head: bytes) -> Thumbnail | None:
    """The largest picture in *head* that browsers show, else the largest QOI; None without any."""
    found = list(_pictures(head))
    shown = [each for each in found if each.media != QOI] or found
    return max(shown, key=lambda each: each.width * each.height, default=None)


def _pictures(head: bytes) -> Iterator[Thumbnail]:
    for found in _BLOCK.finditer(head):
        try:
            data = base64.b64decode(re.sub(rb"[;\s]", b"", found[3]), validate=True)
        except binascii.Error:
            continue
        media = next((kind for magic, kind in _KINDS.items() if data.startswith(magic)), None)
        if media is not None:
            yield Thumbnail(data, media, int(found[1]), int(found[2]))

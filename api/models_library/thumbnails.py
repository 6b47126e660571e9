"""The picture that a slicer puts into the comments at the head of a file. Pure.

``; thumbnail begin 220x124 3520``, lines of base64, ``; thumbnail end`` (PrusaSlicer, OrcaSlicer,
SuperSlicer, Cura's plug-in; ``thumbnail_JPG`` likewise). Only PNG and JPEG are handed out: what
comes from a file is shown in browsers, and those two hold no script (safety S35).
"""

import base64
import binascii
import re
from dataclasses import dataclass

#: How much of a file's head is looked at: pictures stand in front of the G-code.
HEAD_BYTES = 512 * 1024
_BLOCK = re.compile(
    rb"^; *thumbnail(?:_(?:JPG|PNG))? begin (\d{1,4})[x ](\d{1,4}) \d+ *\r?\n"
    rb"((?:; ?[A-Za-z0-9+/=]* *\r?\n)+); *thumbnail(?:_(?:JPG|PNG))? end",
    re.MULTILINE,
)
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture. *media*: image/png or image/jpeg; sizes in pixels, as the slicer says them."""

    data: bytes
    media: str
    width: int
    height: int


def largest(head: bytes) -> Thumbnail | None:
    """The largest picture in *head*, None without one that can be read."""
    best: Thumbnail | None = None
    for found in _BLOCK.finditer(head):
        width, height = int(found[1]), int(found[2])
        if best is not None and width * height <= best.width * best.height:
            continue
        text = re.sub(rb"[;\s]", b"", found[3])
        try:
            data = base64.b64decode(text, validate=True)
        except binascii.Error:
            continue
        media = next((kind for magic, kind in _KINDS.items() if data.startswith(magic)), None)
        if media is not None:
            best = Thumbnail(data, media, width, height)
    return best

"""The picture of a stored file, as browsers can show it."""

import asyncio
import logging
from dataclasses import replace

from api.files.analysis.child import Stopped, Unreadable, png_of
from api.files.service import Blob, Files
from api.files.thumbnails import HEAD_BYTES, QOI, Thumbnail, largest

_log = logging.getLogger("gantry.files")


async def picture_of(files: Files, blob: Blob) -> Thumbnail | None:
    """The largest picture that the slicer put into *blob*; None without one that can be shown."""
    if not blob.facts.get("has_thumbnail"):
        return None
    head = [chunk async for chunk in files.read(blob, 0, HEAD_BYTES)]
    found = await asyncio.to_thread(largest, b"".join(head))
    if found is None or found.media != QOI:
        return found
    try:
        return replace(found, data=await png_of(found.data), media="image/png")
    except (Unreadable, Stopped) as error:
        _log.warning("the picture in blob %d cannot be shown: %s", blob.id, error)
        return None

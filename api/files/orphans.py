"""Bytes without a row: an upload whose database went away between its bytes and its row.

They are no file to anybody, so once a day old they go. A storage of which the database knows less
than it does not know belongs to somebody else, or the database does: then nothing goes.
"""

import logging
import re
from datetime import timedelta

from api.clock import Clock
from api.files.models import Blob
from api.storage import Storage
from api.storage.sweeping import Brooms

SAFE_AGE = timedelta(days=1)  # far longer than any upload between its bytes and its row
STEP = 500  # keys that are looked up at a time
_FILE = re.compile(r"[0-9]+/[0-9a-f]{2}/[0-9a-f]{64}", re.ASCII)

_log = logging.getLogger("gantry.storage")


class Orphans:
    """Finds and removes them."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    async def collect(self) -> int:
        """Remove them; how many there were. Raises `Unavailable`."""
        known, orphans, keys = 0, list[str](), list[str]()
        async for key in self._storage.keys(self._clock.now() - SAFE_AGE):
            if _FILE.fullmatch(key):
                keys.append(key)
            if len(keys) == STEP:
                missing = await _without_row(keys)
                known, orphans, keys = known + len(keys) - len(missing), orphans + missing, []
        missing = await _without_row(keys)
        known, orphans = known + len(keys) - len(missing), orphans + missing
        if len(orphans) > known:
            _log.warning(
                "the file storage holds %d files that this database does not know and %d that it "
                "does: are GANTRY_STORAGE_URL and GANTRY_DATABASE_URL of the same farm?",
                len(orphans),
                known,
            )
            return 0
        for key in orphans:
            if await _without_row([key]):  # it may have come again meanwhile
                await self._storage.delete(key)
        return len(orphans)


async def _without_row(keys: list[str]) -> list[str]:
    rows = await Blob.filter(storage_key__in=keys).only("storage_key")
    found = {row.storage_key for row in rows}
    return [key for key in keys if key not in found]


def brooms(storage: Storage, clock: Clock) -> Brooms:
    """Who sweeps *storage*."""
    return {
        "broken uploads": lambda: storage.sweep(clock.now()),
        "bytes without a file": Orphans(storage, clock).collect,
    }

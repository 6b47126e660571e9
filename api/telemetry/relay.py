"""Pictures between API processes, over the bus: lossy, the newest wins.

Only the process that hears a printer writes its rows; the others show what it tells them.
"""

import logging
from collections.abc import Callable

import msgspec

from api.bus.local import Bus, OnLive
from api.telemetry.slots import Slot
from schemas.printer import Live

KEY = "live:"

_log = logging.getLogger("gantry.telemetry")


class Picture(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a printer of *bridge* reported."""

    organization: int
    bridge: int
    live: Live


_decoder = msgspec.json.Decoder(Picture)


def tell(bus: Bus, slot: Slot, live: Live) -> None:
    """Tell the other processes what the printer of *slot* reported."""
    if slot.bridge_id is not None:
        picture = Picture(slot.organization_id, slot.bridge_id, live)
        bus.live(f"{KEY}{slot.printer_id}", msgspec.json.encode(picture))


def hearer(take: Callable[[Picture], None]) -> OnLive:
    """What the bus calls: *take* gets the pictures; what is none is logged and dropped."""

    def told(key: str, payload: bytes) -> None:
        if not key.startswith(KEY):
            return
        try:
            picture = _decoder.decode(payload)
        except msgspec.MsgspecError as error:
            _log.warning("%s on the bus is no picture: %s", key, error)
            return
        take(picture)

    return told

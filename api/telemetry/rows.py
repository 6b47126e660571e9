"""The rows of telemetry: last pictures and samples, written in batches and read again."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec

from api.clock import Clock
from api.telemetry.models import LastLive, Sample
from api.telemetry.slots import Slot
from schemas.printer import Live

BATCH_ROWS = 25  # to build more at once would keep a command waiting
BREATH_S = 0.005  # between two batches

_log = logging.getLogger("gantry.telemetry")


async def save(slots: list[Slot], clock: Clock) -> None:
    """Write the pictures of *slots*."""
    now = clock.monotonic()
    async for batch in _batches(slots):
        wall = clock.now()
        rows = [
            LastLive(
                printer_id=slot.printer_id,
                organization_id=slot.organization_id,
                live=msgspec.to_builtins(slot.live),
                at=wall - timedelta(seconds=max(0.0, now - slot.heard_at)),
            )
            for slot in batch
        ]
        for slot in batch:
            slot.was_saved(now)
        await LastLive.bulk_create(
            rows,
            on_conflict=["printer_id"],
            update_fields=["organization_id", "live", "at"],
        )


async def sample(slots: list[Slot], clock: Clock) -> None:
    """Write the temperatures of *slots*."""
    now = clock.monotonic()
    async for batch in _batches(slots):
        wall = clock.now()
        rows = [
            Sample(
                organization_id=slot.organization_id,
                printer_id=slot.printer_id,
                temps=msgspec.to_builtins(slot.live.temps),
                at=wall,
            )
            for slot in batch
            if slot.live is not None
        ]
        for slot in batch:
            slot.was_sampled(now)
        await Sample.bulk_create(rows)


def live_of(row: LastLive) -> Live | None:
    """The picture of *row*; None when it cannot be read any more, which is logged."""
    try:
        return msgspec.convert(row.live, Live)
    except msgspec.ValidationError as error:
        _log.warning("printer %d: last picture is unreadable: %s", row.printer_id, error)
        return None


async def _batches(slots: list[Slot]) -> AsyncIterator[list[Slot]]:
    """So few at a time that the event loop serves others in between.

    What is written of them is one statement, which stands or falls alone: no transaction, so nobody
    waits for it. Nobody waits behind the last one either: a cloud function has only that.
    """
    for start in range(0, len(slots), BATCH_ROWS):
        if start:
            await asyncio.sleep(BREATH_S)
        yield slots[start : start + BATCH_ROWS]

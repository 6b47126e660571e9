"""The outbox: wake-ups as rows, written with the change, for processes that the bus did not reach.

A wake-up may be lost with the bus, or with the process between its commit and its telling. Every
process looks here every 1.5 s, so a lost one costs at most two seconds (safety R31), and far more
often while it knows that the bus is away (safety R30).

Rows are numbered by PostgreSQL's transactions. Transactions do not end in the order of their
numbers, so a look begins at the oldest that was still open at the look before: nothing is skipped,
and what was seen twice is left out.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import orjson
from tortoise.connection import get_connection

from api.bus.local import Bus
from api.bus.shared import SharedBus
from api.clock import Clock
from api.db import Transaction
from api.events.models import Outbox

LOOK_EVERY_S = 1.5
LOOK_OFTEN_S = 0.2  # while the bus is away
KEEP = timedelta(minutes=1)
SWEEP_EVERY_S = 30.0

_PUT = (
    "INSERT INTO outbox (number, origin, names, at) VALUES ($1, $2, $3, $4) ON CONFLICT (number) "
    "DO UPDATE SET origin = EXCLUDED.origin, names = EXCLUDED.names, at = EXCLUDED.at"
)
_LOOK = (
    "SELECT now.floor, outbox.number, outbox.names FROM "
    "(SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS floor) AS now "
    "LEFT JOIN outbox ON outbox.number >= $1 AND outbox.origin <> $2"
)
_FLOOR = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS floor"

_log = logging.getLogger("gantry.outbox")


async def put(bus: Bus, transaction: Transaction, names: set[str], clock: Clock) -> int | None:
    """Write *names* with the open *transaction*; its number. None: nobody else needs them."""
    if not bus.is_shared or not names or transaction.number is None:
        return None
    values = [transaction.number, bus.origin, orjson.dumps(sorted(names)).decode(), clock.now()]
    await get_connection("default").execute_query(_PUT, values)
    return transaction.number


class Repair:
    """Wakes whom the bus has forgotten."""

    def __init__(self, bus: SharedBus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._floor: int | None = None
        self._swept_at = clock.monotonic()

    async def run(self) -> None:
        """Look every 1.5 s or more often, until cancelled."""
        while True:
            pause_s = LOOK_EVERY_S if self._bus.is_open else LOOK_OFTEN_S
            try:
                await self.look()
            except Exception:  # noqa: BLE001 — supervisor: the next look begins where this one did
                _log.exception("cannot look into the outbox")
                pause_s = LOOK_EVERY_S
            await asyncio.sleep(pause_s)

    async def look(self) -> int:
        """Wake for every row that has not come by the bus; how many there were."""
        connection = get_connection("default")
        if self._floor is None:
            self._floor = int((await connection.execute_query_dict(_FLOOR))[0]["floor"])
            self._bus.ring_all()  # whatever was told before this first look
            return 0
        rows = await connection.execute_query_dict(_LOOK, [self._floor, self._bus.origin])
        missed = [row for row in rows if row["number"] is not None]
        missed = [row for row in missed if row["number"] not in self._bus.heard]
        for row in missed:
            self._bus.ring(_names(row["names"]))
            self._bus.heard.add(row["number"])
        self._floor = int(rows[0]["floor"])
        self._bus.forget_heard(self._floor)
        await self._sweep()
        return len(missed)

    async def _sweep(self) -> None:
        now = self._clock.monotonic()
        if now - self._swept_at >= SWEEP_EVERY_S:
            self._swept_at = now
            await Outbox.filter(at__lt=self._clock.now() - KEEP).delete()


def _names(value: Any) -> list[str]:
    return list(orjson.loads(value)) if isinstance(value, str | bytes) else list(value)

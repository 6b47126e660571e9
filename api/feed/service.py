"""The feed: a hub for every organization that somebody looks at, and the past by number.

DESIGN section 7, "Events" and "Sockets". A hub lives from its first follower to its last; whoever
comes later reads what they missed from the table.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from api.bus.local import Bus
from api.clock import Clock
from api.config import Settings
from api.events.history import Event, History
from api.feed.hub import Hub, PrintersRoom
from api.feed.hub import TelemetryRoom as LiveViews
from api.feed.lasting import Lasting
from api.feed.words import envelope, hears, reset
from api.principal import Principal
from api.telemetry.service import Watcher

SCAN_ROWS = 2000  # read for one page at most, when most of them are not for the caller
_READ_ROWS = 500
PRUNE_EVERY_S = 600.0
FIRST_PRUNE_S = 60.0  # after the start, which has enough to do

_log = logging.getLogger("gantry.feed")


class TelemetryRoom(LiveViews, Protocol):
    """What the feed asks telemetry."""

    def watch(self, watcher: Watcher) -> None:
        """Call *watcher* whenever something visible of a printer has changed."""


@dataclass(frozen=True, slots=True)
class Page:
    """Events for one caller. *next_since*: the cursor to ask with next."""

    envelopes: list[dict[str, Any]]
    next_since: int


class Feed:
    """News of every organization."""

    def __init__(
        self,
        history: History,
        printers: PrintersRoom,
        telemetry: TelemetryRoom,
        *,
        bus: Bus,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self.history = history
        self.clock = clock
        self._printers = printers
        self._telemetry = telemetry
        self.bus = bus
        self._settings = settings
        self._hubs: Lasting[int, Hub] = Lasting(self._new_hub)
        telemetry.watch(self._changed)

    def _changed(self, organization_id: int, printer_id: int, moved: bool) -> None:
        hub = self._hubs.get(organization_id)
        if hub is not None:
            hub.changed(printer_id, moved=moved)

    def hub(self, organization_id: int) -> AbstractAsyncContextManager[Hub]:
        """The organization's hub, which lives as long as somebody is in here."""
        return self._hubs.hold(organization_id)

    @asynccontextmanager
    async def _new_hub(self, organization_id: int) -> AsyncIterator[Hub]:
        hub = Hub(
            organization_id,
            self.history,
            self._printers,
            self._telemetry,
            bus=self.bus,
            clock=self.clock,
            interval_s=self._settings.live_interval_s,
        )
        with hub.listening():
            await hub.start()
            task = asyncio.create_task(hub.run())
            try:
                yield hub
            finally:
                task.cancel()

    async def page(self, by: Principal, since: int, limit: int) -> Page:
        """Up to *limit* events after number *since* that *by* may hear of, oldest first.

        A cursor that cannot be answered gives a single `reset`, which names where to go on.
        """
        span = await self.history.span(by.organization_id)
        if span.misses(since):
            return Page([reset(span.newest, span.oldest)], span.newest)
        found: list[Event] = []
        last, scanned = since, 0
        while len(found) < limit and scanned < SCAN_ROWS:
            rows = await self.history.read(by.organization_id, last, _READ_ROWS)
            scanned += len(rows)
            for row in rows:
                if len(found) == limit:
                    break
                last = row.number
                if hears(by, row.kind, row.printer_id):
                    found.append(row)
            if len(rows) < _READ_ROWS:
                break
        return Page([envelope(row) for row in found], last)

    async def prune(self) -> int:
        """Forget old events, as the settings say; how many."""
        older_than = self.clock.now() - timedelta(days=self._settings.events_days)
        return await self.history.prune(older_than, self._settings.events_keep)

    async def run(self) -> None:
        """Prune now and then, until cancelled."""
        await asyncio.sleep(FIRST_PRUNE_S)
        while True:
            try:
                gone = await self.prune()
            except Exception:  # noqa: BLE001 - supervisor: tried again in ten minutes
                _log.exception("old events could not be forgotten")
            else:
                if gone:
                    _log.info("forgot %d old events", gone)
            await asyncio.sleep(PRUNE_EVERY_S)

"""Printers in memory: the rows behind the hot reads, never older than the last commit.

Every change of a printer's row rings its bell after the commit, and ``printers`` when printers
come, go or move. A reader looks at these bells first and reads again what rang; while somebody
reads, others wait for him. The rows handed out are shared: read them, never change them. Within
`past_database` they are those that were read last.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from functools import partial

from tortoise.backends.base.client import TransactionalDBClient
from tortoise.connection import get_connections
from tortoise.queryset import QuerySet

from api.bus.local import Bus, Listener
from api.outage import is_past_database
from api.printers.models import Printer
from api.spelled import ask

#: Rung when the set of printers, or where they hang, changed.
STRUCTURE = "printers"

_NUMBERS_ON = "SELECT id FROM printer WHERE bridge_id = $1 AND deleted_at IS NULL"


def bell(printer_id: int) -> str:
    """What is rung when this printer's row changed (``printer:<id>`` rings for live news too)."""
    return f"printer.row:{printer_id}"


class Index:
    """Every printer that is not deleted, findable in the ways that are asked for."""

    def __init__(self, rows: Iterable[Printer]) -> None:
        self.by_id = {row.id: row for row in rows}
        self.by_organization: dict[int, list[int]] = {}
        self.by_bridge: dict[int, list[int]] = {}
        self.by_slug: dict[str, int] = {}
        self.shared = [row.id for row in self.by_id.values() if row.shared]
        for row in self.by_id.values():
            self.by_organization.setdefault(row.organization_id, []).append(row.id)
            self.by_slug[row.slug] = row.id
            if row.bridge_id is not None:
                self.by_bridge.setdefault(row.bridge_id, []).append(row.id)


class PrinterRows:
    """The one reader of printer rows outside of transactions."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._bells = ExitStack()
        self._structure = self._bells.enter_context(bus.listen(STRUCTURE))
        self._structure.ring()  # nothing is read yet
        self._listeners: dict[int, Listener] = {}
        self._rung: set[int] = set()  # whose bells rang since they were read
        self._index = Index(())
        self._is_read = False  # at least once
        self._reading = asyncio.Lock()

    async def one(self, printer_id: int) -> Printer | None:
        """The printer, or None when there is none."""
        if self._must_ask((printer_id,)):
            return await _query().filter(id=printer_id).first()
        return (await self._current((printer_id,))).by_id.get(printer_id)

    async def of_slug(self, slug: str) -> Printer | None:
        """The printer with this slug, or None."""
        if self._must_ask(()):
            return await _query().filter(slug=slug).first()
        found = (await self._current(())).by_slug.get(slug)
        return None if found is None else await self.one(found)

    async def of_organization(self, organization_id: int) -> Sequence[Printer]:
        """The organization's printers in their display order."""
        known = self._index.by_organization.get(organization_id, ())
        if self._must_ask(known):
            return await _query().filter(organization_id=organization_id)
        index = await self._current(known)
        index = await self._current(index.by_organization.get(organization_id, ()))
        return [index.by_id[each] for each in index.by_organization.get(organization_id, ())]

    async def shared_by_others(self, organization_id: int) -> Sequence[Printer]:
        """The printers that other organizations show to everybody."""
        index = await self._current(self._index.shared)
        index = await self._current(index.shared)
        rows = [index.by_id[each] for each in index.shared]
        return [row for row in rows if row.shared and row.organization_id != organization_id]

    async def of_bridge(self, bridge_id: int) -> Sequence[Printer]:
        """The printers on one bridge."""
        known = self._index.by_bridge.get(bridge_id, ())
        if self._must_ask(known):
            return await _query().filter(bridge_id=bridge_id)
        index = await self._current(known)
        index = await self._current(index.by_bridge.get(bridge_id, ()))
        return [index.by_id[each] for each in index.by_bridge.get(bridge_id, ())]

    async def numbers_on(self, bridge_id: int) -> frozenset[int]:
        """Their numbers, asked anew."""
        return frozenset([row["id"] for row in await ask(_NUMBERS_ON, bridge_id)])

    async def everything(self) -> Sequence[Printer]:
        """All printers of the deployment."""
        index = await self._current(())
        index = await self._current(tuple(index.by_id))
        return list(index.by_id.values())

    def _must_ask(self, ids: Collection[int]) -> bool:
        """Whether a transaction of our own needs the database itself: what it sees is nobody
        else's to see, and waiting for another reader would be a deadlock in it.
        """
        if not self._stale(ids):
            return False
        return isinstance(get_connections().get("default"), TransactionalDBClient)

    async def _current(self, ids: Collection[int]) -> Index:
        """The index, with the printers *ids* as last committed."""
        if self._stale(ids):
            async with self._reading:
                await self._refresh(ids)
        return self._index

    def _stale(self, ids: Iterable[int]) -> bool:
        if self._is_read and is_past_database():
            return False
        return (
            self._reading.locked()
            or self._structure.rang
            or (bool(self._rung) and not self._rung.isdisjoint(ids))
        )

    async def _refresh(self, ids: Iterable[int]) -> None:
        if self._structure.rang:
            await self._refresh_all()
            return
        rang = [
            (each, listener)
            for each in ids
            if (listener := self._listeners.get(each)) is not None and listener.take()
        ]
        if not rang:
            return
        with ExitStack() as unread:  # a reading that fails leaves the bells rung
            for each, listener in rang:
                self._rung.discard(each)
                unread.callback(listener.ring)
            rows = await Printer.filter(id__in=[each for each, _ in rang])
            unread.pop_all()
        for row in rows:
            self._index.by_id[row.id] = row

    async def _refresh_all(self) -> None:
        self._structure.take()
        for listener in self._listeners.values():
            listener.take()
        self._rung.clear()
        with ExitStack() as unread:
            unread.callback(self._structure.ring)
            index = Index(await _query())
            unread.pop_all()
        for printer_id in index.by_id.keys() - self._listeners.keys():
            rung = partial(self._rung.add, printer_id)
            listener = self._bells.enter_context(self._bus.listen(bell(printer_id), on_ring=rung))
            listener.ring()  # it may have changed between the reading and the listening
            self._listeners[printer_id] = listener
        self._index, self._is_read = index, True


def _query() -> QuerySet[Printer]:
    return Printer.filter(deleted_at=None).order_by("sort_order", "id")

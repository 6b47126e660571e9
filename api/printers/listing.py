"""``GET /printers``, the hottest read: each printer is encoded once per visible change.

An entry is good as long as its row is the same object (rows are replaced when they change) and its
telemetry stamp is the same: nothing visible moved, its room is as online as it was, and it was last
heard in the same second. A page is good as long as its rows are the same objects and telemetry
heard of no printer since; the rest of an answer is joining bytes.
"""

import operator
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from api.clock import iso
from api.principal import Principal
from api.printers.service import Printer, Printers
from api.printers.view import Picture, Running, printer_fields

Stamp = tuple[int, int | None, bool]
Mark = tuple[int, ...]
_PAGES = 32  # are remembered, of about a hundred kilobytes each


class TelemetryRoom(Protocol):
    """What the list needs of telemetry."""

    def view(self, printer: Any) -> Picture:
        """What can be shown of a printer now."""

    def stamps(self, printers: Sequence[Any]) -> list[Stamp]:
        """(visible changes, second last seen, online) of each: equal stamps, equal answers."""

    def mark(self, rooms: Collection[int]) -> Mark:
        """Equal marks, equal stamps of all printers that are in *rooms* or in none."""

    async def samples(self, by: Principal, printer_id: int, hours: int) -> Sequence[Any]:
        """Stored temperatures, oldest first."""


class JobRoom(Protocol):
    """What the list needs of the jobs."""

    async def running_on(self, printer_id: int) -> tuple[Any, Any] | None:
        """(job, attempt) that hold this printer."""


@dataclass(frozen=True, slots=True)
class Which:
    """What to list; None: whatever."""

    status: str | None = None
    tag: str | None = None
    active_only: bool = False
    organization_id: int | None = None

    def takes(self, row: Printer) -> bool:
        """Whether the row itself fits; its status is asked for later."""
        if self.active_only and not row.is_active:
            return False
        return self.tag is None or self.tag in row.tags


@dataclass(slots=True)
class _Entry:
    row: Printer
    stamp: Stamp
    status: str
    encoded: bytes


@dataclass(frozen=True, slots=True)
class _Page:
    """An answer, and what it was made of."""

    rows: Sequence[Printer]
    rooms: frozenset[int]
    heard: Mark
    body: bytes
    total: int


class Listing:
    """Printers as bytes."""

    def __init__(self, printers: Printers, telemetry: TelemetryRoom, jobs: JobRoom) -> None:
        self._printers = printers
        self._telemetry = telemetry
        self._jobs = jobs
        self._entries: dict[int, _Entry] = {}
        self._running: dict[int, tuple[str, Running]] = {}
        self._pages: dict[tuple[object, ...], _Page] = {}

    async def many(self, by: Principal, which: Which, skip: int, limit: int) -> tuple[bytes, int]:
        """(a JSON array of a page of printers, how many there are)."""
        rows = await self._printers.seen_by(by, which.organization_id)
        key = (by.organization_id, by.is_superadmin, by.printer_id, which, skip, limit)
        page = self._pages.get(key)
        if page is None or not self._is_current(page, rows):
            page = await self._page(rows, which, skip, limit)
            if len(self._pages) >= _PAGES:
                self._pages.clear()
            self._pages[key] = page
        return page.body, page.total

    def _is_current(self, page: _Page, rows: Sequence[Printer]) -> bool:
        same = len(rows) == len(page.rows) and all(map(operator.is_, rows, page.rows))
        heard = self._telemetry.mark(page.rooms)
        return same and heard == page.heard

    async def _page(self, rows: Sequence[Printer], which: Which, skip: int, limit: int) -> _Page:
        rooms = frozenset(row.bridge_id for row in rows if row.bridge_id is not None)
        heard = self._telemetry.mark(rooms)  # before anything is read: too old at worst
        fitting = rows
        if which.active_only or which.tag is not None:
            fitting = [row for row in rows if which.takes(row)]
        found = []
        for row, stamp in zip(fitting, self._telemetry.stamps(fitting), strict=True):
            entry = await self._entry(row, stamp)
            if which.status is None or entry.status == which.status:
                found.append(entry.encoded)
        body = b"[" + b",".join(found[skip : skip + limit]) + b"]"
        return _Page(rows, rooms, heard, body, len(found))

    async def one(self, row: Printer) -> bytes:
        """One printer as a JSON object."""
        return (await self._entry(row, self._telemetry.stamps([row])[0])).encoded

    async def running(self, row: Printer) -> Running | None:
        """The job that holds this printer; looked up once per grant."""
        if row.active_grant is None:
            return None
        known = self._running.get(row.id)
        if known is None or known[0] != row.active_grant:
            found = await self._jobs.running_on(row.id)
            if found is None or found[1].grant != row.active_grant:
                return None
            known = (row.active_grant, Running(found[0].id, found[0].item_name))
            self._running[row.id] = known
        return known[1]

    async def _entry(self, row: Printer, stamp: Stamp) -> _Entry:
        entry = self._entries.get(row.id)
        if entry is not None and entry.row is row and entry.stamp == stamp:
            return entry
        return await self._encode(row, stamp)

    async def _encode(self, row: Printer, stamp: Stamp) -> _Entry:
        picture = self._telemetry.view(row)
        fields = printer_fields(row, picture, await self.running(row), _last_seen(row, stamp[1]))
        entry = self._entries[row.id] = _Entry(row, stamp, fields["status"], orjson.dumps(fields))
        return entry


def _last_seen(row: Printer, heard_s: int | None) -> str | None:
    return iso(row.state_at if heard_s is None else datetime.fromtimestamp(heard_s, UTC))

"""``GET /printers``, the hottest read: each printer is encoded once per visible change.

An entry is good as long as its row is the same object (rows are replaced when they change) and its
telemetry stamp is the same: nothing visible moved, its room is as online as it was, and it was last
heard in the same second. The rest of an answer is joining bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from api.clock import iso
from api.principal import Principal
from api.printers.service import Printer, Printers
from api.printers.view import Picture, Running, printer_fields

Stamp = tuple[int, int | None, bool]


class TelemetryRoom(Protocol):
    """What the list needs of telemetry."""

    def view(self, printer: Any) -> Picture:
        """What can be shown of a printer now."""

    def stamps(self, printers: Sequence[Any]) -> list[Stamp]:
        """(visible changes, second last heard, online) of each: equal stamps, equal answers."""

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


class Listing:
    """Printers as bytes."""

    def __init__(self, printers: Printers, telemetry: TelemetryRoom, jobs: JobRoom) -> None:
        self._printers = printers
        self._telemetry = telemetry
        self._jobs = jobs
        self._entries: dict[int, _Entry] = {}
        self._running: dict[int, tuple[str, Running]] = {}

    async def many(self, by: Principal, which: Which, skip: int, limit: int) -> tuple[bytes, int]:
        """(a JSON array of a page of printers, how many there are)."""
        rows = await self._printers.list(by, which.organization_id)
        if which.active_only or which.tag is not None:
            rows = [row for row in rows if which.takes(row)]
        entries, found = self._entries, []
        for row, stamp in zip(rows, self._telemetry.stamps(rows), strict=True):
            entry = entries.get(row.id)
            if entry is None or entry.row is not row or entry.stamp != stamp:
                entry = await self._encode(row, stamp)
            if which.status is None or entry.status == which.status:
                found.append(entry.encoded)
        return b"[" + b",".join(found[skip : skip + limit]) + b"]", len(found)

    async def one(self, row: Printer) -> bytes:
        """One printer as a JSON object."""
        stamp = self._telemetry.stamps([row])[0]
        entry = self._entries.get(row.id)
        if entry is None or entry.row is not row or entry.stamp != stamp:
            entry = await self._encode(row, stamp)
        return entry.encoded

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

    async def _encode(self, row: Printer, stamp: Stamp) -> _Entry:
        picture = self._telemetry.view(row)
        fields = printer_fields(row, picture, await self.running(row), _last_seen(row, stamp[1]))
        entry = self._entries[row.id] = _Entry(row, stamp, fields["status"], orjson.dumps(fields))
        return entry


def _last_seen(row: Printer, heard_s: int | None) -> str | None:
    return iso(row.state_at if heard_s is None else datetime.fromtimestamp(heard_s, UTC))

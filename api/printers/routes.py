"""v1 routes of printers (v1 contract, 2.3): parse, ask the service, answer."""

from collections.abc import Sequence
from typing import Any

from quart import Response, request

from api.errors import Invalid
from api.http import (
    asks_nothing,
    id_query,
    int_query,
    json_answer,
    json_body,
    page_of,
    paging,
    truthy,
)
from api.printers import docs, forms
from api.printers.bodies import (
    BulkUpdateBody,
    PrinterCreateBody,
    PrinterUpdateBody,
    ReorderBody,
)
from api.printers.listing import JobRoom, Listing, TelemetryRoom, Which
from api.printers.profile_routes import ProfileRoutes
from api.printers.service import Printer, Printers
from api.printers.slots import slot_fields
from api.printers.view import STATUSES, live_status, sample_fields
from api.v1 import V1, caller

_WHATEVER = Which()


class PrinterRoutes:
    """``/printers``."""

    def __init__(self, printers: Printers, telemetry: TelemetryRoom, jobs: JobRoom) -> None:
        self._printers = printers
        self._telemetry = telemetry
        self._listing = Listing(printers, telemetry, jobs)

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        ProfileRoutes(self._printers.profiles).register(v1)
        v1.add("GET", "/printers", self.list, docs.LIST)
        v1.add("POST", "/printers", self.create, docs.CREATE)
        v1.add("GET", "/printers/tags", self.tags, docs.TAGS)
        v1.add("POST", "/printers/reorder", self.reorder, docs.REORDER)
        v1.add("POST", "/printers/bulk-update", self.bulk_update, docs.BULK_UPDATE)
        v1.add("GET", "/printers/live-status", self.live_statuses, docs.LIVE_ALL)
        one = "/printers/<int:printer_id>"
        v1.add("GET", one, self.get, docs.GET)
        v1.add("PATCH", one, self.update, docs.UPDATE)
        v1.add("DELETE", one, self.delete, docs.DELETE)
        v1.add("GET", f"{one}/live-status", self.live_status, docs.LIVE)
        v1.add("GET", f"{one}/telemetry", self.samples, docs.SAMPLES)
        v1.add("GET", f"{one}/slots", self.slots, docs.SLOTS)

    # Reading.

    async def list(self) -> Response:
        """All printers, as one bare array."""
        skip, limit = paging()
        body, total = await self._listing.many(caller(), _which(), skip, limit)
        return json_answer(body, headers={"X-Total-Count": str(total)})

    async def get(self, printer_id: int) -> Response:
        """One printer."""
        return json_answer(await self._listing.one(await self._readable(printer_id)))

    async def tags(self) -> Response:
        """Every tag in use."""
        rows: Sequence[Printer] = await self._printers.list(caller())
        return page_of(sorted({tag for row in rows for tag in row.tags}))

    async def live_status(self, printer_id: int) -> Response:
        """What it does now."""
        return json_answer(await self._live(await self._readable(printer_id)))

    async def live_statuses(self) -> Response:
        """What all of them do now."""
        skip, limit = paging()
        rows = await self._printers.seen_by(caller())
        shown = [await self._live(row) for row in rows[skip : skip + limit]]
        return json_answer(shown, headers={"X-Total-Count": str(len(rows))})

    async def _live(self, row: Printer) -> dict[str, Any]:
        running = await self._listing.running(row)
        return live_status(row, self._telemetry.view(row), running)

    async def samples(self, printer_id: int) -> Response:
        """Its temperatures of the last hours."""
        hours = int_query("hours", 24)
        if not 1 <= hours <= docs.MAX_SAMPLE_HOURS:
            raise forms.refuse("hours", f"from 1 to {docs.MAX_SAMPLE_HOURS}, not {hours}")
        rows = await self._telemetry.samples(caller(), printer_id, hours)
        return page_of([sample_fields(row.temps, row.at) for row in rows], is_whole=True)

    async def _readable(self, printer_id: int) -> Printer:
        caller().require("printers.read")
        return await self._printers.look_at(caller(), printer_id)

    # Making and changing.

    async def create(self) -> Response:
        """A new printer."""
        body = await json_body(PrinterCreateBody)
        row = await self._printers.create(caller(), body.form())
        return json_answer(await self._fresh(row.id), 201)

    async def update(self, printer_id: int) -> Response:
        """Changed settings."""
        body = await json_body(PrinterUpdateBody)
        await self._printers.update(caller(), printer_id, body.values())
        return json_answer(await self._fresh(printer_id))

    async def delete(self, printer_id: int) -> Response:
        """Gone, its history stays."""
        await self._printers.delete(caller(), printer_id)
        return Response(status=204)

    async def reorder(self) -> Response:
        """These first."""
        body = await json_body(ReorderBody)
        order = await self._printers.upkeep.reorder(caller(), body.printer_ids)
        return json_answer({"success": True, "order": order})

    async def bulk_update(self) -> Response:
        """The same to many printers."""
        body = await json_body(BulkUpdateBody)
        upkeep = self._printers.upkeep
        count = await upkeep.bulk(caller(), body.printer_ids, body.action, body.tag)
        return json_answer({"status": "ok", "affected": count})

    async def slots(self, printer_id: int) -> Response:
        """What is loaded."""
        return page_of(slot_fields(await self._readable(printer_id)), is_whole=True)

    async def _fresh(self, printer_id: int) -> bytes:
        return await self._listing.one(await self._printers.get(caller(), printer_id))


def _which() -> Which:
    if asks_nothing():
        return _WHATEVER
    status = request.args.get("status")
    if status is not None and status not in STATUSES:
        words = ", ".join(sorted(STATUSES))
        raise Invalid(f"status: one of {words}, not {status[:40]!r}", code="validation_failed")
    return Which(
        status=status,
        tag=request.args.get("tag"),
        active_only=truthy(request.args.get("active_only")),
        organization_id=id_query("org_id"),
    )

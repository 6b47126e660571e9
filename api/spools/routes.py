"""v1 routes of spools and filaments (v1 contract, 2.6 and 2.3): parse, ask, answer."""

from collections.abc import Sequence
from typing import Any

from quart import Response, request

from api.clock import iso
from api.errors import Invalid
from api.http import id_query, json_answer, json_body, paging, truthy
from api.printers.next_actions import after_printer
from api.spools import bodies, docs
from api.spools.forms import SpoolFilter, SpoolStatus, filament_id_of
from api.spools.service import Spool, Spools
from api.spools.view import filament_fields, percent_remaining, spool_fields, use_fields
from api.v1 import V1, caller


class SpoolRoutes:
    """``/spools``, ``/filaments``, ``/filament-library`` and ``/filament-slots``."""

    def __init__(self, spools: Spools) -> None:
        self._spools = spools

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/filaments", self.list_filaments, docs.FILAMENTS)
        v1.add("GET", "/filament-library", self.list_filaments, docs.FILAMENTS)
        v1.add("POST", "/filaments", self.create_filament, docs.CREATE_FILAMENT)
        kind = "/filaments/<filament_id>"
        v1.add("GET", kind, self.get_filament, docs.FILAMENT)
        v1.add("PATCH", kind, self.update_filament, docs.UPDATE_FILAMENT)
        v1.add("DELETE", kind, self.delete_filament, docs.DELETE_FILAMENT)
        v1.add("GET", "/spools", self.list, docs.LIST)
        v1.add("POST", "/spools", self.create, docs.CREATE)
        v1.add("GET", "/spools/low-stock", self.list_low, docs.LOW)
        v1.add("GET", "/spools/lookup/<qr_code>", self.look_up, docs.LOOKUP)
        v1.add("POST", "/spools/scan-assign", self.scan_assign, docs.SCAN)
        one = "/spools/<int:spool_id>"
        v1.add("GET", one, self.get, docs.GET)
        v1.add("PATCH", one, self.update, docs.UPDATE)
        v1.add("DELETE", one, self.archive, docs.DELETE)
        v1.add("POST", f"{one}/load", self.load, docs.LOAD)
        v1.add("POST", f"{one}/unload", self.unload, docs.UNLOAD)
        v1.add("POST", f"{one}/use", self.use, docs.USE)
        v1.add("PATCH", f"{one}/use", self.use, docs.USE)
        v1.add("POST", f"{one}/weigh", self.weigh, docs.WEIGH)
        v1.add("POST", "/filament-slots", self.assign, docs.ASSIGN)

    # Filaments.

    async def list_filaments(self) -> Response:
        """A page of the library."""
        brand, material = request.args.get("brand"), request.args.get("material")
        rows, total = await self._spools.filaments.list(caller(), brand, material, *paging())
        return json_answer([filament_fields(row) for row in rows], headers=_total(total))

    async def get_filament(self, filament_id: str) -> Response:
        """One kind."""
        row = await self._spools.filaments.get(caller(), filament_id_of(filament_id))
        return json_answer(filament_fields(row))

    async def create_filament(self) -> Response:
        """A new kind."""
        body = await json_body(bodies.FilamentCreateBody)
        row = await self._spools.filaments.create(caller(), body.form())
        made = {"id": row.id, "brand": row.brand, "name": row.name}
        return json_answer({**made, "message": f"{row.brand} {row.name} is in the library"})

    async def update_filament(self, filament_id: str) -> Response:
        """A kind, changed."""
        number = filament_id_of(filament_id)
        body = await json_body(bodies.FilamentUpdateBody)
        row = await self._spools.filaments.update(caller(), number, body.values())
        return json_answer(filament_fields(row))

    async def delete_filament(self, filament_id: str) -> Response:
        """Gone."""
        await self._spools.filaments.delete(caller(), filament_id_of(filament_id))
        return Response(status=204)

    # Spools.

    async def list(self) -> Response:
        """A page of spools, as a bare array."""
        return await self._page(
            SpoolFilter(
                status=_status(),
                filament_id=id_query("filament_id"),
                printer_id=id_query("printer_id"),
                material=request.args.get("filament_type"),
                available=truthy(request.args.get("available_only")),
                organization_id=id_query("org_id"),
            )
        )

    async def list_low(self) -> Response:
        """Those that run low."""
        return await self._page(SpoolFilter(low=True))

    async def _page(self, which: SpoolFilter) -> Response:
        rows, total = await self._spools.list(caller(), which, *paging())
        return json_answer(await self._shown(rows), headers=_total(total))

    async def _shown(self, rows: Sequence[Spool]) -> Sequence[dict[str, Any]]:
        filaments = await self._spools.filaments.of(rows)
        return [spool_fields(row, filaments.get(row.filament_id)) for row in rows]

    async def get(self, spool_id: int) -> Response:
        """One spool and its uses."""
        return await self._detail(await self._spools.get(caller(), spool_id))

    async def look_up(self, qr_code: str) -> Response:
        """The spool with this label."""
        return await self._detail(await self._spools.by_code(caller(), qr_code))

    async def _detail(self, row: Spool) -> Response:
        [shown] = await self._shown([row])
        uses = [use_fields(one) for one in await self._spools.history(row)]
        return json_answer({**shown, "updated_at": iso(row.updated_at), "usage_history": uses})

    async def create(self) -> Response:
        """A full spool."""
        body = await json_body(bodies.SpoolCreateBody)
        row = await self._spools.create(caller(), body.form())
        made = {"id": row.id, "qr_code": row.qr_code}
        return json_answer({**made, "message": f"Spool {row.qr_code} was added"})

    async def update(self, spool_id: int) -> Response:
        """A spool, changed."""
        body = await json_body(bodies.SpoolUpdateBody)
        row = await self._spools.update(caller(), spool_id, body.values())
        return json_answer({"success": True, "id": row.id})

    async def archive(self, spool_id: int) -> Response:
        """Out of use."""
        row = await self._spools.archive(caller(), spool_id)
        return json_answer({"success": True, "message": f"Spool {row.qr_code} is archived"})

    async def load(self, spool_id: int) -> Response:
        """Into a slot."""
        body = await json_body(bodies.SpoolLoadBody)
        row, printer, _ = await self._spools.load(
            caller(), spool_id, body.printer_id, body.slot_number
        )
        told = {"spool_id": row.id, "printer": printer.name, "slot": body.slot_number}
        return json_answer({"success": True, **told})

    async def unload(self, spool_id: int) -> Response:
        """Out of its slot."""
        place = request.args.get("storage_location")
        row = await self._spools.unload(caller(), spool_id, place or None)
        message = f"Spool {row.qr_code} hangs in no printer"
        return json_answer({"success": True, "message": message, "spool_id": row.id})

    async def use(self, spool_id: int) -> Response:
        """Some of it is used."""
        body = await json_body(bodies.SpoolUseBody)
        row = await self._spools.use(caller(), spool_id, body.form())
        return json_answer(
            {
                "success": True,
                "spool_id": row.id,
                "remaining_weight_g": row.remaining_weight_g,
                "percent_remaining": percent_remaining(row),
                "status": row.status,
                "next_actions": [{"tool": "list_spools", "args": {}}],
            }
        )

    async def weigh(self, spool_id: int) -> Response:
        """What is left, by the scales."""
        body = await json_body(bodies.SpoolWeighBody)
        before_g = (await self._spools.get(caller(), spool_id)).remaining_weight_g
        row = await self._spools.weigh(caller(), spool_id, body.gross_weight_g)
        return json_answer(
            {
                "success": True,
                "old_weight_g": before_g,
                "new_weight_g": row.remaining_weight_g,
                "percent_remaining": percent_remaining(row),
            }
        )

    async def assign(self) -> Response:
        """Into a slot, the first if none is named."""
        body = await json_body(bodies.AssignSpoolBody)
        slot = 1 if body.ams_slot is None else body.ams_slot
        row, printer, previous = await self._spools.load(
            caller(), body.spool_id, body.printer_id, slot
        )
        return json_answer(
            {
                "success": True,
                "printer_id": printer.id,
                "slot_number": slot,
                "spool_id": row.id,
                "previous_spool_id": previous,
                "next_actions": [
                    *after_printer(printer.id),
                    {"tool": "list_spools", "args": {"available_only": True}},
                ],
            }
        )

    async def scan_assign(self) -> Response:
        """The spool with this label, into a slot."""
        body = await json_body(bodies.ScanAssignBody)
        found = await self._spools.by_code(caller(), body.qr_code)
        row, printer, _ = await self._spools.load(caller(), found.id, body.printer_id, body.slot)
        [shown] = await self._shown([row])
        name = f"{shown['filament_brand']} {shown['filament_name']}"
        return json_answer(
            {
                "success": True,
                "message": f"{name} is in slot {body.slot} of {printer.name}",
                "spool_id": row.id,
                "spool_name": name,
                "printer_name": printer.name,
                "slot": body.slot,
            }
        )


def _total(total: int) -> dict[str, str]:
    return {"X-Total-Count": str(total)}


def _status() -> SpoolStatus | None:
    word = request.args.get("status")
    if word is None:
        return None
    try:
        return SpoolStatus(word)
    except ValueError:
        words = ", ".join(SpoolStatus)
        raise Invalid(
            f"status: one of {words}, not {word[:40]!r}", code="validation_failed", field="status"
        ) from None

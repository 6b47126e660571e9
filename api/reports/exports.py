"""Exports of the store room and the library as CSV (v1 contract, 2.6 and 2.11).

Written page by page, so a large farm's export is never whole in memory.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from quart import Response

from api.clock import iso
from api.describe import Doc
from api.http import id_query
from api.models_library.service import Library
from api.models_library.views import model_view
from api.principal import system
from api.reports import csv
from api.reports.pages import AFTER, pages
from api.spools import stock
from api.v1 import V1, caller

_SPOOLS = {
    "ID": "id",
    "QR Code": "qr_code",
    "Status": "status",
    "Initial (g)": "initial_weight_g",
    "Remaining (g)": "remaining_weight_g",
    "Vendor": "vendor",
    "Lot": "lot_number",
    "Price": "price",
    "Printer": "location_printer_id",
    "Slot": "location_slot",
    "Storage": "storage_location",
}
_FILAMENT = {"Brand": "brand", "Name": "name", "Material": "material", "Color": "color_hex"}
_MODELS = {
    "ID": "id",
    "Name": "name",
    "Category": "category",
    "Build Time Hours": "build_time_hours",
    "Filament Type": "default_filament_type",
    "Filament (g)": "total_filament_grams",
    "Units Per Bed": "units_per_bed",
    "Cost Per Item": "cost_per_item",
    "Created": "created_at",
}
_USES = ("ID", "Used", "Grams", "Job", "Notes", "Spool", *_FILAMENT)


class ExportRoutes:
    """``/export/spools``, ``/export/filament-usage``, ``/export/models``, ``/spools/export``."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/export/spools", self.spools, _doc("All spools as CSV", "reports.export"))
        v1.add("GET", "/spools/export", self.spools, _doc("All spools as CSV", "spools.read"))
        usage = _doc("All that was taken from spools as CSV", "reports.export")
        v1.add("GET", "/export/filament-usage", self.uses, usage)
        v1.add("GET", "/export/models", self.models, _doc("All models as CSV", "reports.export"))

    async def spools(self) -> Response:
        """Every spool, archived ones too."""
        return _attached("spools", _spool_lines(caller().organization_id, _after()))

    async def uses(self) -> Response:
        """Every use of every spool."""
        return _attached("filament-usage", _use_lines(caller().organization_id, _after()))

    async def models(self) -> Response:
        """Every model of the library."""
        return _attached("models", self._model_lines(caller().organization_id, _after()))

    async def _model_lines(self, organization_id: int, after: int) -> AsyncIterator[bytes]:
        yield csv.lines([[*_MODELS]])
        read = partial(self._library.models_after, system(organization_id))
        async for rows in pages(read, after, lambda row: row.id):
            yield csv.lines(_cells(model_view(row), _MODELS) for row in rows)


async def _spool_lines(organization_id: int, after: int) -> AsyncIterator[bytes]:
    yield csv.lines([[*_SPOOLS, *_FILAMENT, "Created"]])
    read = partial(stock.spools_after, organization_id)
    async for rows in pages(read, after, lambda row: row[0].id):
        yield csv.lines(
            [*_cells(row, _SPOOLS), *_cells(filament, _FILAMENT), iso(row.created_at)]
            for row, filament in rows
        )


async def _use_lines(organization_id: int, after: int) -> AsyncIterator[bytes]:
    yield csv.lines([_USES])
    read = partial(stock.uses_after, organization_id)
    async for rows in pages(read, after, lambda row: row[0].id):
        yield csv.lines(
            [
                *(use.id, iso(use.used_at), use.weight_used_g, use.job_id, use.notes),
                spool.qr_code if spool is not None else None,
                *_cells(filament, _FILAMENT),
            ]
            for use, spool, filament in rows
        )


def _after() -> int:
    return id_query("after") or 0


def _cells(row: Any, columns: Mapping[str, str]) -> Sequence[Any]:
    """The fields of *row*, an object or a dict, in the order of *columns*; None: no such row."""
    if isinstance(row, dict):
        return [row[name] for name in columns.values()]
    return [getattr(row, name, None) for name in columns.values()]


def _attached(name: str, body: AsyncIterator[bytes]) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(body, 200, headers, content_type="text/csv; charset=utf-8")


def _doc(summary: str, right: str) -> Doc:
    return Doc(
        summary=summary,
        description="What looks like a formula is text there.",
        answer=str,
        media="text/csv",
        right=right,
        query=(AFTER,),
    )

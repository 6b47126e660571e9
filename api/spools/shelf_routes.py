"""v1 routes of the shelf: many spools, labels, drying, the library with its stock (v1 2.6)."""

import asyncio
import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from quart import Response, request

from api.clock import iso
from api.describe import Answer, Doc, Instant, Query
from api.errors import Forbidden, Invalid
from api.http import MAX_ID, json_answer, json_body, page_of, paging
from api.spools import labels
from api.spools.answers import FilamentAnswer
from api.spools.bodies import ShelfBody
from api.spools.labels import Label, LabelSize
from api.spools.service import Spool, Spools
from api.spools.shelf import Drying, NewDrying, Shelf
from api.spools.view import filament_fields
from api.v1 import V1, caller

MAX_LABELS = 50
MAX_HOURS = 1000.0
MAX_C = 300.0
MAX_METHOD, MAX_NOTES = 50, 500
#: Of a sheet's list: the longest numbers, and a comma and a blank for each.
_MAX_SHEET = MAX_LABELS * (len(str(MAX_ID)) + 2)


class ShelfUpdated(Answer):
    """How many spools were changed: all that were named."""

    status: Literal["ok"]
    affected: int


class DryingAnswer(Answer):
    """How a spool was dried once."""

    id: int
    spool_id: int
    duration_hours: float
    temp_c: float | None
    method: str
    notes: str | None
    dried_at: Instant


class Dried(DryingAnswer):
    """It was dried."""

    success: Literal[True]
    message: str


class StockAnswer(FilamentAnswer):
    """A kind of filament, and what there is of it in spools that are not archived."""

    spool_count: int
    remaining_weight_g: float


class ShelfRoutes:
    """``/spools`` by the dozen, on paper and in the dryer; Spoolman, which is not connected."""

    def __init__(self, shelf: Shelf, spools: Spools) -> None:
        self._shelf = shelf
        self._spools = spools

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one = "/spools/<int:spool_id>"
        v1.add("POST", "/spools/bulk-update", self.bulk_update, _BULK)
        v1.add("GET", "/spools/labels/batch", self.label_batch, _LABELS)
        v1.add("GET", f"{one}/qr", self.code, _CODE)
        v1.add("GET", f"{one}/label", self.label, _LABEL)
        v1.add("POST", f"{one}/dry", self.dry, _DRY)
        v1.add("GET", f"{one}/drying-history", self.dryings, _DRYINGS)
        v1.add("GET", "/filaments/combined", self.stock, _STOCK)
        v1.add("POST", "/spoolman/sync", self.not_connected, _spoolman("spools.write"))
        v1.add("GET", "/spoolman/spools", self.not_connected, _spoolman("spools.read"))
        v1.add("GET", "/spoolman/filaments", self.not_connected, _spoolman("spools.read"))
        v1.add("GET", "/spoolman/test", self.not_connected, _spoolman("organizations.all"))

    async def bulk_update(self) -> Response:
        """The same to many."""
        body = await json_body(ShelfBody)
        count = await self._shelf.bulk(caller(), body.spool_ids, body.action)
        return json_answer({"status": "ok", "affected": count})

    # Labels.

    async def code(self, spool_id: int) -> Response:
        """What is scanned."""
        row = await self._spools.get(caller(), spool_id)
        return _picture(labels.code_png(row.qr_code))

    async def label(self, spool_id: int) -> Response:
        """What is stuck on it."""
        size = _size()
        return await self._printed([await self._spools.get(caller(), spool_id)], size)

    async def label_batch(self) -> Response:
        """A sheet of them."""
        caller().require("spools.read")
        size, wanted = _size(), _numbers()
        return await self._printed([await self._spools.get(caller(), n) for n in wanted], size)

    async def _printed(self, rows: Sequence[Spool], size: LabelSize) -> Response:
        kinds = await self._spools.filaments.of(rows)
        wanted = []
        for row in rows:
            kind = kinds.get(row.filament_id)
            said = () if kind is None else (kind.brand, kind.name, _made_of(kind))
            wanted.append(Label(row.qr_code, (*said, row.qr_code)))
        return _picture(await asyncio.to_thread(labels.labels_png, wanted, size))

    # Drying.

    async def dry(self, spool_id: int) -> Response:
        """It was dried."""
        await self._spools.get(caller(), spool_id)  # 404 comes before 422
        row = await self._shelf.dry(caller(), spool_id, _drying())
        message = f"Dried for {row.duration_hours:g} h"
        return json_answer({"success": True, "message": message, **_drying_fields(row)})

    async def dryings(self, spool_id: int) -> Response:
        """When it was dried."""
        rows = await self._shelf.dryings(caller(), spool_id)
        return page_of([_drying_fields(row) for row in rows])

    async def stock(self) -> Response:
        """What there is of each kind."""
        found, total = await self._shelf.stock(caller(), *paging())
        shown = [
            {
                **filament_fields(each.filament),
                "spool_count": each.spools,
                "remaining_weight_g": round(each.remaining_g, 3),
            }
            for each in found
        ]
        return json_answer(shown, headers={"X-Total-Count": str(total)})

    async def not_connected(self) -> Response:
        """There is no Spoolman to ask."""
        raise Forbidden(
            "No Spoolman is connected: the spools of this farm are kept here (/spools).",
            code="feature_disabled",
        )


def _made_of(kind: Any) -> str:
    return f"{kind.material} {kind.color_hex or ''}".strip()


def _picture(data: bytes) -> Response:
    return Response(data, content_type="image/png")


def _drying_fields(row: Drying) -> dict[str, Any]:
    names = ("id", "spool_id", "duration_hours", "temp_c", "method", "notes")
    return {name: getattr(row, name) for name in names} | {"dried_at": iso(row.dried_at)}


# The query.


def _size() -> LabelSize:
    word = request.args.get("size", LabelSize.SMALL)
    try:
        return LabelSize(word)
    except ValueError:
        raise _refuse("size", f"one of {', '.join(LabelSize)}, not {word[:40]!r}") from None


def _numbers() -> list[int]:
    """The spools of a sheet, each once. Raises `Invalid`."""
    text = request.args.get("spool_ids", "")
    parts = [each.strip() for each in text.split(",") if each.strip()]
    if not 1 <= len(parts) <= MAX_LABELS:
        raise _refuse("spool_ids", f"1 to {MAX_LABELS} numbers, separated by commas")
    for part in parts:
        if not part.isascii() or not part.isdigit() or not 1 <= int(part[:12]) <= MAX_ID:
            raise _refuse("spool_ids", f"a number of a spool, not {part[:40]!r}")
    return [*dict.fromkeys(int(part) for part in parts)]


def _drying() -> NewDrying:
    hours = _number("duration_hours", MAX_HOURS)
    if not hours:
        raise _refuse("duration_hours", "for how many hours, more than 0")
    method, notes = request.args.get("method", "dryer"), request.args.get("notes")
    if not method:
        raise _refuse("method", f"1 to {MAX_METHOD} characters")
    return NewDrying(
        duration_hours=hours, temp_c=_number("temp_c", MAX_C), method=method, notes=notes
    )


def _number(name: str, most: float) -> float | None:
    """A number from 0 to *most* of the query; None without it. Raises `Invalid`."""
    text = request.args.get(name)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= most:
        raise _refuse(name, f"a number from 0 to {most:g}, not {text[:40]!r}")
    return number


def _refuse(name: str, text: str) -> Invalid:
    return Invalid(f"{name}: {text}", code="validation_failed", field=name)


_SIZE = Query(name="size", type=LabelSize, description="Default small")
_BULK = Doc(
    summary="Archive, activate or delete many spools: all of them or none",
    description="What was taken from a deleted spool stays in the history.",
    answer=ShelfUpdated,
    right="spools.write",
    body=ShelfBody,
    problems=("spool_not_found",),
    dry_run=True,
)
_CODE = Doc(
    summary="The code of a spool, to be scanned",
    answer=bytes,
    media="image/png",
    right="spools.read",
)
_LABEL = Doc(
    summary="A label for a spool: its code, and what it is",
    answer=bytes,
    media="image/png",
    right="spools.read",
    query=(_SIZE,),
    problems=("validation_failed",),
)
_LABELS = Doc(
    summary="Labels for many spools, below each other",
    answer=bytes,
    media="image/png",
    right="spools.read",
    query=(
        Query(
            name="spool_ids",
            type=Annotated[str, Field(max_length=_MAX_SHEET)],
            required=True,
            description=f"Their numbers, separated by commas, {MAX_LABELS} at most",
        ),
        _SIZE,
    ),
    problems=("spool_not_found", "validation_failed"),
)
_DRY = Doc(
    summary="Note that a spool was dried",
    answer=Dried,
    right="spools.write",
    query=(
        Query(
            name="duration_hours",
            type=Annotated[float, Field(gt=0, le=MAX_HOURS)],
            required=True,
            description="Hours",
        ),
        Query(name="temp_c", type=Annotated[float, Field(ge=0, le=MAX_C)], description="°C"),
        Query(
            name="method",
            type=Annotated[str, Field(min_length=1, max_length=MAX_METHOD)],
            description="What with, default dryer",
        ),
        Query(
            name="notes", type=Annotated[str, Field(max_length=MAX_NOTES)], description="For people"
        ),
    ),
    problems=("validation_failed",),
    dry_run=True,
)
_DRYINGS = Doc(
    summary="How a spool was dried, the newest first; the last 100 times",
    answer=list[DryingAnswer],
    right="spools.read",
    paged=True,
)
_STOCK = Doc(
    summary="The filament library with what there is of each kind in spools",
    answer=list[StockAnswer],
    right="spools.read",
    paged=True,
)


def _spoolman(right: str) -> Doc:
    return Doc(
        summary="Ask a Spoolman: none is connected here",
        answer=dict[str, Any],
        right=right,
        problems=("feature_disabled",),
    )

"""v1 routes of nozzles (v1 contract, 2.3): what is in a printer now, and what was."""

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

from pydantic import Field, StringConstraints
from quart import Response

from api.clock import iso
from api.describe import Answer, Doc, Instant
from api.http import Body, json_answer, json_body, page_of
from api.printers import bodies
from api.printers.answers import Celsius
from api.printers.nozzles import Nozzle, Nozzles
from api.printers.service import Printer, Printers
from api.printers.view import Picture
from api.v1 import V1, caller
from schemas.printer import Temperature


class NozzleInstallBody(Body):
    """``POST /printers/{id}/nozzle``; what is not there is as it was."""

    nozzle_type: bodies.Short | None = None
    nozzle_diameter: bodies.Nozzle | None = None
    notes: Annotated[str, StringConstraints(max_length=2000)] | None = None


class NozzleAnswer(Answer):
    """A nozzle. *id* null: nobody has said when it was installed."""

    id: int | None
    printer_id: int
    nozzle_type: str | None
    nozzle_diameter: float = Field(description="mm")
    notes: str | None
    installed_at: Instant | None
    retired_at: Instant | None = Field(description="null: it is in the printer")
    is_active: bool
    print_hours: float = Field(description="With this nozzle, hours")


class NozzleState(Answer):
    """One nozzle as the printer reports it."""

    index: int = Field(description="Of the tool, from 0")
    nozzle_type: str | None
    nozzle_diameter: float = Field(description="mm")
    temp: Celsius
    target: Celsius


class NozzleStatus(Answer):
    """The nozzles of a printer, one for each of its extruders."""

    printer_id: int
    nozzles: list[NozzleState]


class TelemetryRoom(Protocol):
    """What printers report."""

    def view(self, printer: Printer) -> Picture:
        """What can be shown of a printer now."""


class NozzleRoutes:
    """``/printers/{id}/nozzle``."""

    def __init__(self, nozzles: Nozzles, printers: Printers, telemetry: TelemetryRoom) -> None:
        self._nozzles = nozzles
        self._printers = printers
        self._telemetry = telemetry

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one = "/printers/<int:printer_id>"
        v1.add("GET", f"{one}/nozzle-status", self.status, _STATUS)
        v1.add("GET", f"{one}/nozzle", self.get, _GET)
        v1.add("POST", f"{one}/nozzle", self.install, _INSTALL)
        v1.add("GET", f"{one}/nozzle/history", self.history, _HISTORY)
        v1.add("PATCH", f"{one}/nozzle/<int:nozzle_id>/retire", self.retire, _RETIRE)

    async def get(self, printer_id: int) -> Response:
        """What is in it."""
        return json_answer(_shown(*await self._nozzles.current(caller(), printer_id)))

    async def history(self, printer_id: int) -> Response:
        """What is and was in it."""
        printer, rows = await self._nozzles.history(caller(), printer_id)
        return page_of([_shown(printer, row) for row in rows])

    async def install(self, printer_id: int) -> Response:
        """Another one."""
        await self._printers.get(caller(), printer_id)  # 404 comes before 422
        body = await json_body(NozzleInstallBody)
        said = (body.nozzle_type, body.nozzle_diameter, body.notes)
        return json_answer(_shown(*await self._nozzles.install(caller(), printer_id, *said)))

    async def retire(self, printer_id: int, nozzle_id: int) -> Response:
        """It is out."""
        return json_answer(_shown(*await self._nozzles.retire(caller(), printer_id, nozzle_id)))

    async def status(self, printer_id: int) -> Response:
        """What the printer says of them."""
        caller().require("printers.read")
        row = await self._printers.get(caller(), printer_id)
        return json_answer(nozzle_status(row, self._telemetry.view(row)))


def _shown(printer: Printer, row: Nozzle | None) -> dict[str, Any]:
    """*row*, or what *printer* says of a nozzle that nobody installed here."""
    if row is None or row.retired_at is None:
        kind, diameter = printer.details.get("nozzle_type"), printer.profile["nozzle_mm"]
        until_s = float(printer.print_seconds)
    else:
        kind, diameter = row.nozzle_type, row.nozzle_diameter
        until_s = float(row.retired_print_seconds or 0.0)
    since_s = row.installed_print_seconds if row is not None else 0.0
    return {
        "id": row.id if row is not None else None,
        "printer_id": printer.id,
        "nozzle_type": kind,
        "nozzle_diameter": diameter,
        "notes": row.notes if row is not None else None,
        "installed_at": iso(row.installed_at) if row is not None else None,
        "retired_at": iso(row.retired_at) if row is not None else None,
        "is_active": row is None or row.retired_at is None,
        "print_hours": round((until_s - since_s) / 3600, 3),
    }


def nozzle_status(row: Printer, picture: Picture) -> dict[str, Any]:
    """``GET /printers/{id}/nozzle-status``."""
    live = picture.live if picture.online else None
    temps: Mapping[str, Temperature] = live.temps if live is not None else {}
    nozzles = []
    for index in range(Printers.profile(row).extruders):
        heard = temps.get(f"tool{index}")
        nozzles.append(
            {
                "index": index,
                "nozzle_type": row.details.get("nozzle_type"),
                "nozzle_diameter": row.profile["nozzle_mm"],
                "temp": heard.actual_c if heard else None,
                "target": heard.target_c if heard else None,
            }
        )
    return {"printer_id": row.id, "nozzles": nozzles}


_STATUS = Doc(
    summary="The nozzles as the printer reports them", answer=NozzleStatus, right="printers.read"
)
_GET = Doc(summary="The nozzle that is in it", answer=NozzleAnswer, right="printers.read")
_HISTORY = Doc(
    summary="Its nozzles, the newest first",
    answer=list[NozzleAnswer],
    right="printers.read",
    paged=True,
)
_INSTALL = Doc(
    summary="Another nozzle is in it; the one before is retired",
    description="Its width goes into the printer's profile, by which the queue chooses.",
    answer=NozzleAnswer,
    right="printers.control",
    body=NozzleInstallBody,
    problems=("printer_busy", "validation_failed"),
    dry_run=True,
)
_RETIRE = Doc(
    summary="A nozzle is worn out",
    answer=NozzleAnswer,
    right="printers.control",
    problems=("printer_busy", "not_found"),
    dry_run=True,
)

"""``GET /jobs/filament-check``: what a printer lacks for a job, as advice (v1 contract, 2.4).

The same rules by which the queue chooses: what is loaded is what people said of the slots.
"""

from typing import Protocol

from quart import Response, request

from api.describe import Answer, Doc, Query
from api.errors import Invalid
from api.http import RowId, id_query, json_answer
from api.principal import Principal
from api.printers.service import Printer
from api.scheduler.materials import colors_missing, materials_foreign, materials_missing
from api.scheduler.needs import Strand, colors_of, material_name
from api.scheduler.spots import Spot, spot_of
from api.v1 import V1, caller

MAX_WORDS = 200


class FilamentWarnings(Answer):
    """What somebody should look at before a job goes to this printer; empty: nothing."""

    filament_warnings: list[str]
    printer_id: int


class PrintersRoom(Protocol):
    """What is asked of the printers."""

    async def get(self, by: Principal, printer_id: int) -> Printer:
        """One printer. Raises `NotFound`."""


class FilamentCheckRoutes:
    """``/jobs/filament-check``."""

    def __init__(self, printers: PrintersRoom) -> None:
        self._printers = printers

    def register(self, v1: V1) -> None:
        """Declare the route."""
        v1.add("GET", "/jobs/filament-check", self.check, _CHECK)

    async def check(self) -> Response:
        """What this printer lacks."""
        caller().require("jobs.read")
        printer_id = id_query("printer_id")
        if printer_id is None:
            raise _refuse("printer_id", "name the printer")
        row = await self._printers.get(caller(), printer_id)
        said = {name: request.args.get(name, "") for name in ("filament_type", "colors")}
        for name, text in said.items():
            if len(text) > MAX_WORDS:
                raise _refuse(name, f"at most {MAX_WORDS} characters")
        found = warnings(spot_of(row, reachable=True), said["filament_type"], said["colors"])
        return json_answer({"filament_warnings": found, "printer_id": row.id})


def warnings(spot: Spot, filament_type: str, colors: str) -> list[str]:
    """What *spot* lacks for a job of this filament and these *colors* (with commas); "": any."""
    strands = [Strand(0, material_name(filament_type))] if filament_type.strip() else []
    wanted = colors_of(colors)
    found = [f"{name} is not loaded" for name in materials_missing(strands, spot)]
    found += [
        f"The profile of {spot.name} does not allow {name}"
        for name in materials_foreign(strands, spot)
    ]
    found += [f"The colour {color} is not loaded" for color in colors_missing(wanted, spot)]
    if (strands or wanted) and not spot.slots:
        found.append(f"Nobody has said what is loaded in {spot.name}")
    return found


def _refuse(name: str, text: str) -> Invalid:
    return Invalid(f"{name}: {text}", code="validation_failed", field=name)


_CHECK = Doc(
    summary="What a printer lacks for a job of this filament and these colours: advice only",
    answer=FilamentWarnings,
    right="jobs.read",
    query=(
        Query(name="printer_id", type=RowId, required=True, description="The printer"),
        Query(name="filament_type", description="The job's filament"),
        Query(name="colors", description="The job's colours, separated by commas"),
    ),
    problems=("printer_not_found", "validation_failed"),
)

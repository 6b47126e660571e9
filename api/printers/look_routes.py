"""v1 routes that look at printers (v1 contract, 2.3): connection test, troubles, overlay."""

from dataclasses import asdict
from html import escape
from typing import Annotated, Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, StringConstraints
from quart import Response, request

from api.clock import iso
from api.describe import Answer, Doc, Instant, Query
from api.errors import NotFound
from api.http import Body, RowId, int_query, json_answer, json_body, page_of
from api.printers import forms
from api.printers.answers import Celsius, GcodeState
from api.printers.connection_test import ConnectionTest
from api.printers.listing import JobRoom
from api.printers.service import Printer, Printers
from api.printers.trouble import Troubles
from api.printers.view import Picture, Running, has_overlay, live_status
from api.v1 import V1, caller
from schemas.printer import ACTIVE, PrinterState

MAX_DAYS = 90
#: An overlay's page asks again after so many seconds.
RELOAD_S = 3


class TestConnectionBody(Body):
    """``POST /printers/test-connection``. *serial*, *access_code*: of printers in the network."""

    api_type: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    api_host: Annotated[str, StringConstraints(min_length=1, max_length=300)] = Field(
        description="The port_id of a bridge's port"
    )
    bridge_id: RowId | None = Field(None, description="null: whichever bridge has the port")
    serial: Annotated[str, StringConstraints(max_length=200)] | None = None
    access_code: Annotated[str, StringConstraints(max_length=200)] | None = None


class ConnectionTested(Answer):
    """Whether a printer can be reached."""

    success: bool
    message: str
    bridge_id: int | None
    bridge_online: bool
    port_there: bool
    printer_id: int | None = Field(description="The printer that is on this port; null: none yet")
    answers: bool | None = Field(description="Whether it answers; null: nobody has asked it")


class TroubleAnswer(Answer):
    """Something went wrong with a printer."""

    id: int = Field(description="The number of its event")
    printer_id: int
    code: str = Field(description="error, halted, or an alarm's own")
    message: str
    severity: str = Field(description="warning, error or fatal")
    occurred_at: Instant


class OverlayAnswer(Answer):
    """What a stream may show of a printer."""

    printer_id: int
    printer_name: str
    model: str | None
    gcode_state: GcodeState
    print_stage: str | None
    print_progress: float | None = Field(description="Percent")
    current_layer: int | None
    total_layers: int | None
    time_remaining_min: int | None
    nozzle_temp: Celsius
    nozzle_target_temp: Celsius
    bed_temp: Celsius
    bed_target_temp: Celsius
    job_name: str | None
    camera_url: str | None = Field(description="Without the name and password in it")


class TelemetryRoom(Protocol):
    """What printers report."""

    def view(self, printer: Printer) -> Picture:
        """What can be shown of a printer now."""


class LookRoutes:
    """What there is to see of printers."""

    def __init__(
        self,
        printers: Printers,
        telemetry: TelemetryRoom,
        jobs: JobRoom,
        test: ConnectionTest,
        troubles: Troubles,
    ) -> None:
        self._printers = printers
        self._telemetry = telemetry
        self._jobs = jobs
        self._test = test
        self._troubles = troubles

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("POST", "/printers/test-connection", self.test, _TEST)
        v1.add("GET", "/printers/<int:printer_id>/hms-history", self.troubles, _TROUBLES)
        v1.add("GET", "/overlay/<int:printer_id>", self.overlay, _OVERLAY, public=True)

    async def test(self) -> Response:
        """Is it there?"""
        body = await json_body(TestConnectionBody)
        found = await self._test.test(caller(), body.api_type, body.api_host, body.bridge_id)
        return json_answer(asdict(found))

    async def troubles(self, printer_id: int) -> Response:
        """What went wrong."""
        days = int_query("days", 30)
        if not 1 <= days <= MAX_DAYS:
            raise forms.refuse("days", f"from 1 to {MAX_DAYS}, not {days}")
        found = await self._troubles.of(caller(), printer_id, days)
        return page_of(
            [
                {
                    "id": each.number,
                    "printer_id": printer_id,
                    "code": each.code,
                    "message": each.message,
                    "severity": each.severity,
                    "occurred_at": iso(each.at),
                }
                for each in found
            ]
        )

    async def overlay(self, printer_id: int) -> Response:
        """For a stream: as JSON, or to a browser as a page that asks again by itself."""
        row = await self._printers.find(printer_id)
        if row is None or not has_overlay(row):
            raise NotFound(f"There is no printer {printer_id}.", code="printer_not_found")
        shown = overlay_fields(row, self._telemetry.view(row), await self._running(row))
        wanted = request.accept_mimetypes.best_match(["application/json", "text/html"])
        if wanted != "text/html":
            return json_answer(shown)
        return Response(overlay_page(shown), content_type="text/html; charset=utf-8")

    async def _running(self, row: Printer) -> Running | None:
        found = await self._jobs.running_on(row.id)
        return None if found is None else Running(found[0].id, found[0].item_name)


def overlay_fields(row: Printer, picture: Picture, running: Running | None) -> dict[str, Any]:
    """`OverlayAnswer`."""
    now = live_status(row, picture, running)
    state = PrinterState(now["state"])
    return {
        "printer_id": row.id,
        "printer_name": row.name,
        "model": row.model,
        "gcode_state": now["gcode_state"],
        "print_stage": state if state in ACTIVE else None,
        "print_progress": now["progress"],
        "current_layer": now["layer"],
        "total_layers": now["total_layers"],
        "time_remaining_min": now["time_remaining"],
        "nozzle_temp": now["nozzle_temp"],
        "nozzle_target_temp": now["nozzle_target"],
        "bed_temp": now["bed_temp"],
        "bed_target_temp": now["bed_target"],
        "job_name": now["job_name"],
        "camera_url": _without_secret(row.camera_url),
    }


def _without_secret(url: str | None) -> str | None:
    """*url* without a name and password in it; the page is for everybody."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def overlay_page(shown: dict[str, Any]) -> str:
    """The same as a page without script and style, which any policy lets through."""
    progress = shown["print_progress"]
    bar = f'<progress max="100" value="{progress}"></progress> {progress} %' if progress else ""
    left = shown["time_remaining_min"]
    lines = (
        ("Print", shown["job_name"]),
        ("Left", None if left is None else f"{left // 60} h {left % 60} min"),
        ("Layer", _of(shown["current_layer"], shown["total_layers"])),
        ("Nozzle", _of(shown["nozzle_temp"], shown["nozzle_target_temp"], " °C")),
        ("Bed", _of(shown["bed_temp"], shown["bed_target_temp"], " °C")),
    )
    rows = "".join(
        f"<tr><th>{name}</th><td>{escape(str(value))}</td></tr>"
        for name, value in lines
        if value is not None
    )
    name = escape(shown["printer_name"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="{RELOAD_S}"><title>{name}</title></head>'
        f"<body><h1>{name}</h1><p>{shown['gcode_state']} {bar}</p>"
        f"<table>{rows}</table></body></html>"
    )


def _of(value: object, whole: object, unit: str = "") -> str | None:
    if value is None:
        return None
    return f"{value}{unit}" if whole is None else f"{value} / {whole}{unit}"


_TEST = Doc(
    summary="Whether a printer can be reached at a bridge's port; nothing is opened for it",
    answer=ConnectionTested,
    right="printers.write",
    body=TestConnectionBody,
    problems=("bridge_not_found",),
)
_TROUBLES = Doc(
    summary="A printer's errors and alarms, the newest first",
    description="As long as events are kept; 1000 at most.",
    answer=list[TroubleAnswer],
    right="printers.read",
    paged=True,
    query=(
        Query(
            name="days",
            type=Annotated[int, Field(ge=1, le=MAX_DAYS)],
            description="Of the last so many days, default 30",
        ),
    ),
)
_OVERLAY = Doc(
    summary="What a stream may show of a printer; to a browser (Accept: text/html) as a page",
    description="For everybody, without signing in: of an enabled printer whose `overlay` "
    "is true. Any other is not there.",
    answer=OverlayAnswer,
    problems=("printer_not_found",),
)

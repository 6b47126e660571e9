"""v1 routes of printers (v1 contract, 2.3): parse, ask the service, answer."""

from collections.abc import Sequence
from typing import Any, Protocol

from quart import Response, request

from api.errors import Invalid
from api.http import id_query, int_query, json_answer, json_body, paging, truthy
from api.principal import Principal
from api.printers.bodies import PrinterCreateBody, PrinterUpdateBody
from api.printers.listing import Listing, TelemetryRoom, Which
from api.printers.service import Printer, Printers
from api.printers.view import STATUSES, answered_state, live_status, sample_fields
from api.v1 import V1, caller
from schemas.commands import Verb

MAX_SAMPLE_HOURS = 168


class ControlRoom(Protocol):
    """Telling printers what to do."""

    async def tell(self, by: Principal, printer_id: int, verb: Verb) -> Printer:
        """Do it and return the printer with the state that it reported."""


class JobsRoom(Protocol):
    """What printer routes need of the jobs."""

    @property
    def control(self) -> ControlRoom:
        """Telling printers what to do."""

    async def stop(self, by: Principal, printer_id: int) -> Printer:
        """End the print with the cancel script."""

    async def running_on(self, printer_id: int) -> tuple[Any, Any] | None:
        """(job, attempt) that hold this printer."""


class PrinterRoutes:
    """``/printers``."""

    def __init__(self, printers: Printers, telemetry: TelemetryRoom, jobs: JobsRoom) -> None:
        self._printers = printers
        self._telemetry = telemetry
        self._jobs = jobs
        self._listing = Listing(printers, telemetry, jobs)

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/printers", self.list)
        v1.add("POST", "/printers", self.create)
        v1.add("GET", "/printers/tags", self.tags)
        one = "/printers/<int:printer_id>"
        v1.add("GET", one, self.get)
        v1.add("PATCH", one, self.update)
        v1.add("DELETE", one, self.delete)
        v1.add("GET", f"{one}/live-status", self.live_status)
        v1.add("GET", f"{one}/telemetry", self.samples)
        v1.add("POST", f"{one}/pause", self.pause)
        v1.add("POST", f"{one}/resume", self.resume)
        v1.add("POST", f"{one}/stop", self.stop)
        v1.add("POST", f"{one}/remote-stop", self.remote_stop)
        v1.add("POST", f"{one}/reset-stop", self.reset_stop)
        v1.add("POST", f"{one}/connect", self.connect)
        v1.add("POST", f"{one}/disconnect", self.disconnect)
        v1.add("POST", f"{one}/plate-cleared", self.plate_cleared)
        v1.add("POST", f"{one}/queue/hold", self.hold)
        v1.add("POST", f"{one}/queue/release", self.release)

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
        return json_answer(sorted({tag for row in rows for tag in row.tags}))

    async def live_status(self, printer_id: int) -> Response:
        """What it does now."""
        row = await self._readable(printer_id)
        running = await self._listing.running(row)
        return json_answer(live_status(row, self._telemetry.view(row), running))

    async def samples(self, printer_id: int) -> Response:
        """Its temperatures of the last hours."""
        hours = min(max(int_query("hours", 24), 1), MAX_SAMPLE_HOURS)
        rows = await self._telemetry.samples(caller(), printer_id, hours)
        return json_answer([sample_fields(row.temps, row.at) for row in rows])

    async def _readable(self, printer_id: int) -> Printer:
        caller().require("printers.read")
        return await self._printers.get(caller(), printer_id)

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

    async def _fresh(self, printer_id: int) -> bytes:
        return await self._listing.one(await self._printers.get(caller(), printer_id))

    # Control: answers what the printer reported.

    async def pause(self, printer_id: int) -> Response:
        """Pause the print."""
        return await self._tell(printer_id, Verb.PAUSE)

    async def resume(self, printer_id: int) -> Response:
        """Go on with the print."""
        return await self._tell(printer_id, Verb.RESUME)

    async def stop(self, printer_id: int) -> Response:
        """End the print with the cancel script."""
        row = await self._jobs.stop(caller(), printer_id)
        return _told(row, f"{row.name} reports {row.state}")

    async def remote_stop(self, printer_id: int) -> Response:
        """M112 at once."""
        return await self._tell(printer_id, Verb.REMOTE_STOP)

    async def reset_stop(self, printer_id: int) -> Response:
        """Let a stopped printer work again."""
        return await self._tell(printer_id, Verb.RESET_STOP)

    async def connect(self, printer_id: int) -> Response:
        """Open its port."""
        return await self._tell(printer_id, Verb.CONNECT)

    async def disconnect(self, printer_id: int) -> Response:
        """Close its port; its queue then waits for a person."""
        return await self._tell(printer_id, Verb.DISCONNECT)

    async def plate_cleared(self, printer_id: int) -> Response:
        """Somebody says that the plate is clear."""
        return _told(await self._printers.plate_cleared(caller(), printer_id), "Plate is clear")

    async def hold(self, printer_id: int) -> Response:
        """Its queue waits."""
        return _told(await self._printers.hold_queue(caller(), printer_id), "Queue held")

    async def release(self, printer_id: int) -> Response:
        """Its queue runs again."""
        return _told(await self._printers.release_queue(caller(), printer_id), "Queue released")

    async def _tell(self, printer_id: int, verb: Verb) -> Response:
        row = await self._jobs.control.tell(caller(), printer_id, verb)
        return _told(row, f"{row.name} reports {row.state}")


def _which() -> Which:
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


def _told(row: Printer, message: str) -> Response:
    return json_answer(
        {
            "success": True,
            "message": message,
            "printer_id": row.id,
            "state": answered_state(row),
            "queue_hold": row.queue_hold or None,
            "next_actions": [{"tool": "get_printer", "args": {"id": row.id}}],
        }
    )

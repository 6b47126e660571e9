"""v1 route that sends a print file to a printer's own card (ours, beside v1 2.3)."""

from typing import Literal

from pydantic import Field
from quart import Response

from api.commands.card_writes import CardFile, CardWrites
from api.describe import Doc
from api.files.service import Files
from api.http import Body, RowId, json_body
from api.models_library.service import Library
from api.printers.answers import Told
from api.printers.control_routes import told
from api.printers.service import Printers
from api.v1 import V1, caller
from schemas.commands import CardAction

_RIGHT = "printers.control"


class CardWriteBody(Body):
    """``POST /printers/{id}/sd-files``."""

    print_file_id: RowId
    then: Literal["select", "start"] | None = Field(
        None, description="What follows when the file is there whole; null: nothing"
    )


class CardSent(Told):
    """A file is on its way to a printer's own card."""

    file: str = Field(description="What it is called there: eight letters and three")


class CardRoutes:
    """``/printers/{id}/sd-files``."""

    def __init__(
        self, printers: Printers, library: Library, files: Files, writes: CardWrites
    ) -> None:
        self._printers = printers
        self._library = library
        self._files = files
        self._writes = writes

    def register(self, v1: V1) -> None:
        """Declare the route."""
        v1.add("POST", "/printers/<int:printer_id>/sd-files", self.send, _SEND)

    async def send(self, printer_id: int) -> Response:
        """A print file goes to the card."""
        by = caller()
        by.require(_RIGHT)
        row = await self._printers.get(by, printer_id)  # 404 comes before 422
        body = await json_body(CardWriteBody)
        self._writes.check(row)
        found = await self._library.get_file(by, body.print_file_id)
        blob = await self._files.blob(by.organization_id, found.blob_id)
        self._files.check_against(blob, Printers.profile(row))
        file = CardFile(file_name=found.filename, sha256=blob.sha256, size_bytes=blob.size_bytes)
        then = None if body.then is None else CardAction(body.then)
        sending = await self._writes.send(by, printer_id, file, then, right=_RIGHT)
        row = await self._printers.get(by, printer_id)
        return told(row, f"{sending.name} goes to the card of {row.name}", file=sending.name)


_SEND = Doc(
    summary="Send a print file to the printer's own SD card, over its cable",
    description="Answers when the printer has opened the file, and after three seconds at the "
    "latest; `sending` of GET tells how far it is, and `printer.card_written` or "
    "`printer.card_write_failed` among the events how it ended. Meanwhile the printer takes "
    "nothing but `stop`, `remote-stop` and `disconnect`, and jobs wait. A start keeps the rule of "
    "the plate.",
    answer=CardSent,
    right=_RIGHT,
    body=CardWriteBody,
    problems=(
        *("not_found", "conflict", "printer_busy", "printer_not_operational", "plate_not_clear"),
        *("stopped", "invalid_state_transition", "limit_exceeded", "file_not_found"),
        *("validation_failed", "upstream_unavailable"),
    ),
    dry_run=True,
)

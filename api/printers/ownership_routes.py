"""`POST /orgs/{id}/printers` (v1 contract, 2.2)."""

from typing import Literal

from quart import Response

from api.describe import Answer, Doc
from api.http import Body, RowId, json_answer, json_body
from api.printers.ownership import Ownership
from api.v1 import V1, caller


class GivenPrinterBody(Body):
    """The printer that is to belong here."""

    printer_id: RowId


class GivenPrinterAnswer(Answer):
    """That it belongs here."""

    status: Literal["ok"]


_GIVE = Doc(
    summary="Give a printer to this organization",
    description="Its keys die, its queue becomes unassigned, its list of files is empty.",
    answer=GivenPrinterAnswer,
    body=GivenPrinterBody,
    right="organizations.all",
    problems=(
        *("organization_not_found", "printer_not_found", "conflict", "printer_busy"),
        "name_taken",
    ),
)


class OwnershipRoutes:
    """Whose a printer is."""

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership

    def register(self, v1: V1) -> None:
        """Declare the route."""
        v1.add("POST", "/orgs/<int:org_id>/printers", self.give, _GIVE)

    async def give(self, org_id: int) -> Response:
        """It belongs here from now on."""
        body = await json_body(GivenPrinterBody)
        await self._ownership.give(caller(), org_id, body.printer_id)
        return json_answer({"status": "ok"})

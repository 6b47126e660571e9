"""Keys for OctoPrint clients, made over v1: one person's key, bound to one printer.

A slicer is given the printer's URL and this key; it reaches that printer and no other.
"""

from quart import Response

from api.accounts.service import Accounts
from api.describe import Answer, Doc
from api.http import Body, json_answer, json_body
from api.printers.service import Printers
from api.v1 import V1, caller


class KeyBody(Body):
    """What the key is for, as its owner will find it in a list."""

    name: str = "OctoPrint client"


class KeyAnswer(Answer):
    """A new key, shown this once."""

    api_key: str
    printer_id: int
    name: str


_CREATE = Doc(
    summary="A key of the caller for slicers and OctoPrint apps, bound to this printer",
    status=201,
    answer=KeyAnswer,
    right="self.write",
    body=KeyBody,
    problems=("printer_not_found",),
)


class OctoPrintKeyRoutes:
    """``/printers/{id}/octoprint-key``."""

    def __init__(self, accounts: Accounts, printers: Printers) -> None:
        self._accounts = accounts
        self._printers = printers

    def register(self, v1: V1) -> None:
        """Declare the route."""
        v1.add("POST", "/printers/<int:printer_id>/octoprint-key", self.create, _CREATE)

    async def create(self, printer_id: int) -> Response:
        """A new key of the caller for this printer; the answer is the only place that shows it."""
        body = await json_body(KeyBody)
        printer = await self._printers.get(caller(), printer_id)
        secret = await self._accounts.create_octoprint_key(caller(), printer.id, body.name)
        answer = {"api_key": secret, "printer_id": printer.id, "name": body.name[:100]}
        return json_answer(answer, 201, {"Cache-Control": "no-store"})

"""Files sent to a printer's own card: `POST /api/files/sdcard` and `uploadSd` (OctoPrint, 4, 6).

The file is in the printer's tree first, as in OctoPrint; what goes over the cable is that one. The
answer comes when the printer has taken it or refused, after some seconds at the latest, with
`done: false`: how it ended is told by the push (`TransferDone`, `TransferFailed`).
"""

from dataclasses import dataclass
from typing import Any

from quart import Response

from api.commands.card_writes import CardFile, CardWrites
from api.errors import Conflict, Invalid, NotFound, Problem
from api.files.service import Blob, Files, TreeName
from api.octoprint.body import is_true
from api.octoprint.card_document import ORIGIN, card_refs
from api.octoprint.file_document import refs
from api.octoprint.hot import HotReads
from api.octoprint.orders import Orders
from api.octoprint.states import LOOKS
from api.octoprint.visitor import Visit
from api.octoprint.wire import answer
from api.printers.sending import may_start
from api.printers.service import Printers
from schemas.commands import CardAction


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to follow when the file is on the card."""

    select: bool
    prints: bool

    def allowed(self, visit: Visit) -> "Wishes":
        """What of them can be done: by right, and by the rule of the plate."""
        prints = self.prints and visit.may("PRINT") and may_start(visit.printer)
        return Wishes(self.select and visit.may("FILES_SELECT"), prints)

    @property
    def then(self) -> CardAction | None:
        """The same for the printer: who starts a file selects it."""
        if self.prints:
            return CardAction.START
        return CardAction.SELECT if self.select else None


class CardUpload:
    """The way to the card."""

    def __init__(self, writes: CardWrites, files: Files, orders: Orders, hot: HotReads) -> None:
        self._writes = writes
        self._files = files
        self._orders = orders
        self._hot = hot

    def check(self, visit: Visit) -> None:
        """Raises `NotFound` where there is no card, `Conflict` when it takes no file now."""
        if visit.pool is not None:
            raise NotFound("A pool has no SD card. Upload to local, or to one of its printers.")
        self._writes.check(visit.printer)
        look = LOOKS[self._orders.live(visit).state]
        if not look.operational or look.active:
            raise Conflict(
                f"{visit.printer.name} takes no file on its SD card now: it is {look.text}.",
                code="printer_busy",
            )

    def check_file(self, visit: Visit, blob: Blob) -> None:
        """Raises `Invalid` for a file that this printer must not run, from its card as little as
        from here, or that has nothing in it.
        """
        if not blob.size_bytes:
            raise Invalid("The file is empty; there is nothing to send to the card.")
        self._files.check_against(blob, Printers.profile(visit.printer))

    async def uploaded(
        self, visit: Visit, row: TreeName, blob: Blob, select: bool, prints: bool
    ) -> Response:
        """Send the file that has just come in, and tell of it as of any upload."""
        wanted = Wishes(select, prints)
        allowed = wanted.allowed(visit)
        asked = {"select": select, "print": prints}
        outcome = {"effective_select": allowed.select, "effective_print": allowed.prints}
        try:
            response = await self._send(visit, row, blob, allowed)
        except Problem:
            nothing = dict.fromkeys(outcome, False)
            await self._files.tell_uploaded(visit.by, row, {**asked, **nothing}, ORIGIN)
            raise
        await self._files.tell_uploaded(visit.by, row, {**asked, **outcome}, ORIGIN)
        return response

    async def command(self, visit: Visit, path: str, body: dict[str, Any]) -> Response:
        """`uploadSd`: a file that is here already."""
        row = await self._files.name(visit.by, visit.tree, path)
        if row.blob_id is None:
            raise NotFound(f"{row.path} is a folder.", code="file_not_found")
        self.check(visit)
        blob = await self._files.blob(row.organization_id, row.blob_id)
        self.check_file(visit, blob)
        wishes = Wishes(is_true(body.get("select")), is_true(body.get("print")))
        return await self._send(visit, row, blob, wishes.allowed(visit))

    async def _send(self, visit: Visit, row: TreeName, blob: Blob, wishes: Wishes) -> Response:
        name = row.path.rpartition("/")[2]
        file = CardFile(
            file_name=name,
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            path=row.path,
            after=await self._hot.last_grant(visit.printer),
        )
        sending = await self._writes.send(visit.by, visit.printer.id, file, wishes.then)
        base = visit.place.base
        links, there = refs(base, row.path, is_folder=False), card_refs(base, sending.name)
        local = {"name": name, "path": row.path, "origin": "local", "refs": links}
        card = {"name": sending.name, "path": sending.name, "origin": ORIGIN, "refs": there}
        document = {"files": {"local": local, ORIGIN: card}, "done": False}
        document |= {"effectiveSelect": wishes.select, "effectivePrint": wishes.prints}
        return answer(document, 201, {"Location": there["resource"]})

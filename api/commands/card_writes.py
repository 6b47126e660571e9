"""Files sent to a printer's own card, over both faces: ordered here, told of by the printer.

The order holds the printer from the moment it is given: nothing is printed while its room fetches
the file. What became of it is a fact of the room (`printers.reported`); an order that its room does
not take is an end too.
"""

from dataclasses import dataclass
from typing import Any

from api.commands.control import check_outcome
from api.commands.models import Command
from api.commands.service import Commands
from api.errors import Conflict, Invalid, NotFound
from api.events.rehearsal import would
from api.events.service import Change, Ledger
from api.principal import Principal
from api.printers.dos_names import dos_name
from api.printers.plate import why_not
from api.printers.sending import (
    Sending,
    card_with,
    check_writable,
    known_sending,
    may_start,
    sending_of,
)
from api.printers.service import Printer, Printers
from schemas.commands import (
    CARD_PRINT,
    COMMAND_OVER,
    CardAction,
    CardWriteArgs,
    CommandState,
    Verb,
)
from schemas.printer import PrinterState

#: How long an answer waits for a refusal; a large file may take its room longer to fetch.
REFUSAL_WAIT_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFile:
    """A file that is to go to a card.

    *path*: its name in the printer's own tree; "" when it came another way. *after*: the attempt
    that a selection comes after (`HotReads.select`).
    """

    file_name: str
    sha256: str
    size_bytes: int
    path: str = ""
    after: str | None = None


class CardWrites:
    """Sends files to cards."""

    def __init__(self, printers: Printers, commands: Commands, ledger: Ledger) -> None:
        self._printers = printers
        self._commands = commands
        self._ledger = ledger
        commands.when_over(self._ended)

    def check(self, printer: Printer) -> None:
        """Raises `NotFound` or `Conflict` when no file can go to its card now."""
        check_writable(printer, reachable=self._printers.reachable(printer))

    async def send(
        self,
        by: Principal,
        printer_id: int,
        file: CardFile,
        then: CardAction | None = None,
        *,
        right: str = "files.write",
    ) -> Sending:
        """Have *file* written to the card of a printer under a name that is free there.

        *right*: the one that the face asks for, of who uploads or of who controls the printer.
        *then*: what follows when it is there whole, SELECT or START. A start keeps the rule of the
        plate. Returns when the firmware has opened the file, and after 3 s at the latest. Raises
        `NotFound` without a slot, `Conflict` when the printer cannot take it now or refuses,
        `Invalid` for an empty file.
        """
        by.require(right)
        await self._printers.get(by, printer_id)
        if not file.size_bytes:
            raise Invalid(f"{file.file_name} is empty; there is nothing to send to the card.")
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            self.check(row)
            if then is CardAction.START and not may_start(row):
                raise Conflict(why_not(row.name, row.plate_state), code="plate_not_clear")
            sending = await self._order(change, by, row, file, then)
            would("sd_write", printer_id=row.id, name=sending.name, then=then)
        command = await self._commands.wait(sending.command_id, REFUSAL_WAIT_S)
        state = CommandState(command.state)
        if state in COMMAND_OVER and state is not CommandState.DONE:
            check_outcome(command, row.name, f"take {sending.name} onto its SD card")
        return sending

    async def _order(
        self,
        change: Change,
        by: Principal,
        row: Printer,
        file: CardFile,
        then: CardAction | None,
    ) -> Sending:
        name = _free_name(row, file.file_name)
        args = CardWriteArgs(name=name, sha256=file.sha256, size_bytes=file.size_bytes, then=then)
        command = await self._commands.issue_in(change, by, row, Verb.CARD_WRITE, args)
        selected = {"path": name, "after": file.after, "origin": "sdcard"}
        sending = Sending(
            command_id=command.id,
            name=name,
            path=file.path,
            size_bytes=file.size_bytes,
            bridge_id=command.bridge_id,
            user_id=by.user_id,
            user=by.username,
            then=then,
            selection=selected if then is not None and file.path else None,
        )
        row.card = card_with(row, sending)
        await self._printers.save(change, row, "card")
        told: dict[str, Any] = {"name": row.name, "file": name, "path": file.path, "then": then}
        change.note(by, "printer.card_write", ("printer", row.id), **told)
        return sending

    async def _ended(self, change: Change, command: Command) -> None:
        """In the transaction in which an order ends: one that was not taken frees its printer, and
        so does a cancel of which its room says that nothing is being sent.
        """
        is_cancel = command.verb == Verb.CANCEL and command.grant == CARD_PRINT
        refused = command.state in (CommandState.REJECTED, CommandState.FAILED)
        if command.verb != Verb.CARD_WRITE and not (is_cancel and refused):
            return
        if command.state == CommandState.DONE:
            return
        try:
            row = await self._printers.locked(change, command.printer_id)
        except NotFound:
            return
        sending = sending_of(row) if is_cancel else known_sending(row)
        if sending is None:
            return
        is_lost = is_cancel and row.state == PrinterState.OPERATIONAL
        if is_lost or sending.command_id == command.id:
            why = command.reason or command.code or str(command.state)
            await self._printers.reported.not_written(change, row, sending, why)


def _free_name(row: Printer, file_name: str) -> str:
    """A name that is free on the card of *row*, as it said last, its folders included."""
    listed = [str(name) for name, *_ in (row.card or {}).get("files", ())]
    tops = {name.lstrip("/").partition("/")[0] for name in listed}
    try:
        return dos_name(file_name, tops)
    except ValueError as error:
        raise Conflict(f"{error}. Delete some there, or use another name.") from None

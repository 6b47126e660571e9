"""What people do at the machine itself, over both faces: stop it, answer it, warm it, its card.

Everything is one command that a bridge answers; what is returned is what the printer reported.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from api.commands.control import SEND_WAIT_S, Control, check_outcome
from api.commands.direct import one_press
from api.commands.models import Command
from api.commands.rules import RIGHT_OF, check_targets
from api.commands.service import Commands
from api.errors import Conflict, Invalid, NotFound, Unavailable
from api.events.rehearsal import is_rehearsed, would
from api.events.service import Ledger
from api.outage import AWAY, STOP_S, briefly, past_database
from api.principal import Principal
from api.printers.checks import check_startable
from api.printers.power import plug_of
from api.printers.service import Printer, Printers
from api.printers.view import Picture
from schemas.commands import (
    CARD_FILE_ACTIONS,
    Args,
    CardAction,
    CardArgs,
    CommandState,
    TemperatureArgs,
    Verb,
)
from schemas.printer import ACTIVE

#: A card may be slow to find a file, and slower to list many.
CARD_WAIT_S = 5.0
OUTCOME_WAIT_S = 0.5
#: How a stop ended (the code of its command) -> whether the firmware obeys at once.
_OBEYS: dict[str, bool | None] = {"at_once": True, "in_turn": False}
_NOTHING_KNOWN = (
    "The stop is latched. Nobody knows whether the firmware obeys M112 at once: if the machine "
    "does not stop now, use its power switch."
)
_NOT_REACHED = "Stopped while it could not be reached."

_log = logging.getLogger("gantry.commands")


def _advice(printer: Printer, text: str) -> str:
    """*text*, and what a stop does beside M112."""
    plug = plug_of(printer)
    if plug is None or not plug.off_on_stop:
        return text
    return f"{text.rstrip('.')}. Its bridge cuts the power at its plug, too: see that it goes off."


class TelemetryRoom(Protocol):
    """What printers report."""

    def view(self, printer: Printer) -> Picture:
        """What can be shown of a printer now."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A printer that was told to stop. *obeys_at_once* None: nobody knows; *advice*: in words.

    *is_sent*: M112 was written to its port; False for one that was stopped already, or not
    connected.
    """

    printer: Printer
    obeys_at_once: bool | None
    advice: str
    is_sent: bool = False


class Machine:
    """The machine behind a printer."""

    def __init__(
        self,
        printers: Printers,
        commands: Commands,
        control: Control,
        telemetry: TelemetryRoom,
        ledger: Ledger,
    ) -> None:
        self._printers = printers
        self._commands = commands
        self._control = control
        self._telemetry = telemetry
        self._ledger = ledger

    async def remote_stop(self, by: Principal, printer_id: int) -> Stopped:
        """M112 at once, and what that can do with this firmware. Raises as `Control.tell`.

        While the database does not answer it goes out past it (safety M07). A printer whose room
        cannot be told (`Unavailable` with *queue_held*) starts nothing by itself any more.
        """
        printer = await self._known(by, printer_id)
        with one_press():
            try:
                await briefly(self._commands.rows.answered(), within_s=STOP_S)
                return await self._stop_by_rows(by, printer)
            except AWAY as error:
                if is_rehearsed():
                    raise
                _log.error("printer %d is stopped past the database: %r", printer_id, error)
            return await self._stop_directly(by, printer)

    async def _known(self, by: Principal, printer_id: int) -> Printer:
        """The printer; while the database is away as it was read last.

        Raises as `Printers.get`, and `Unavailable` for one that was not read.
        """
        with suppress(*AWAY):
            return await briefly(self._printers.get(by, printer_id), within_s=STOP_S)
        with past_database(), suppress(NotFound, *AWAY):
            return await self._printers.get(by, printer_id)
        try:  # nothing is remembered of it: it may take its time
            return await self._printers.get(by, printer_id)
        except AWAY:
            raise Unavailable(
                f"The database is down and this process remembers no printer {printer_id}. "
                "Nothing was stopped: go there and use its own switch."
            ) from None

    async def _stop_directly(self, by: Principal, printer: Printer) -> Stopped:
        by.require(RIGHT_OF.get(Verb.REMOTE_STOP, "printers.control"))
        if not await self._commands.stop_directly(by, printer):
            raise Unavailable(
                f"The database is down and the room of {printer.name} has no link to this process, "
                "nor to one that has answered it. As far as is known nothing was stopped. Ask "
                "again at once: another process of the farm may have its link; if that does not "
                "help, go there and use its own switch."
            )
        return Stopped(printer, None, f"The database is down. {_NOTHING_KNOWN}")

    async def _stop_by_rows(self, by: Principal, printer: Printer) -> Stopped:
        try:
            printer = await self._control.tell(by, printer.id, Verb.REMOTE_STOP)
        except Unavailable as problem:
            is_told = "command_id" in problem.extra  # the room has it, and has not confirmed it
            if is_told or printer.bridge_id is None or is_rehearsed():
                raise
            await self._keep_from_starting(by, printer)
            detail = f"{problem.detail} Its queue waits until somebody releases it."
            raise Unavailable(detail, queue_held=True) from problem
        newest = Command.filter(printer_id=printer.id, verb=Verb.REMOTE_STOP).order_by("-seq")
        command = await newest.first()
        if command is None:
            return Stopped(printer, None, _NOTHING_KNOWN)
        command = await self._commands.wait(command.id, OUTCOME_WAIT_S)
        done = command.state == CommandState.DONE
        known = _OBEYS.get(command.code) if done else None
        over = done or command.state == CommandState.FAILED
        advice = _advice(printer, (over and command.reason) or _NOTHING_KNOWN)
        return Stopped(printer, known, advice, is_sent=done)

    async def _keep_from_starting(self, by: Principal, printer: Printer) -> None:
        """Nobody can stop *printer* now: what is not there yet does not start when it can."""
        async with self._ledger.change() as change:
            await self._commands.withdraw_starts(change, printer.id)
            await self._printers.hold_in(change, printer.id, _NOT_REACHED)
            entity = ("printer", printer.id)
            change.note(by, "printer.queue_held", entity, reason=_NOT_REACHED)

    async def answer_prompt(self, by: Principal, printer_id: int, choice: int) -> Printer:
        """Answer the printer's question with button *choice*, from 0.

        Raises `Conflict` when it asks nothing, `Invalid` when it offers no such choice.
        """
        by.require("printers.control")
        printer = await self._printers.get(by, printer_id)
        live = self._telemetry.view(printer).live
        prompt = live.prompt if live is not None else None
        if prompt is None:
            raise Conflict(f"{printer.name} asks nothing now.", code="invalid_state_transition")
        if prompt.buttons and choice >= len(prompt.buttons):
            offered = ", ".join(f"{at}: {label}" for at, label in enumerate(prompt.buttons))
            raise Invalid(
                f"choice: {printer.name} offers {offered}, not {choice}.",
                code="validation_failed",
                field="choice",
            )
        return await self._control.send(by, printer_id, [f"M876 S{choice}"])

    async def heat(self, by: Principal, printer_id: int, targets_c: Mapping[str, float]) -> Printer:
        """Set targets in °C by heater (tool0…n, bed, chamber); 0 is off.

        Raises `Invalid` (``limit_exceeded``) above a ceiling of its profile, `Conflict` when the
        printer refuses.
        """
        by.require("printers.control")
        printer = await self._printers.get(by, printer_id)
        check_targets(targets_c, self._printers.profile(printer))
        args = TemperatureArgs(targets_c=dict(targets_c))
        await self._tell(by, printer, Verb.TEMPERATURE, args, SEND_WAIT_S)
        return await self._printers.get(by, printer_id)

    async def renew_heat(self, by: Principal, printer_id: int) -> Printer:
        """Keep heat that no job needs for another lease."""
        by.require("printers.control")
        printer = await self._printers.get(by, printer_id)
        await self._tell(by, printer, Verb.TEMPERATURE, TemperatureArgs(targets_c={}), SEND_WAIT_S)
        return await self._printers.get(by, printer_id)

    async def card(
        self, by: Principal, printer_id: int, action: CardAction, name: str = ""
    ) -> Printer:
        """Do something with the printer's card; *name* where the action means a file.

        A start keeps the rule of the plate. Raises `Conflict` when that or the printer refuses.
        """
        by.require("printers.control")
        printer = await self._printers.get(by, printer_id)
        if (action in CARD_FILE_ACTIONS) != bool(name):
            wants = "needs" if action in CARD_FILE_ACTIONS else "takes no"
            raise Invalid(f"name: {action} {wants} file", code="validation_failed", field="name")
        if action is CardAction.START:
            check_startable(printer, explicit=True)
        would(f"sd_{action}", printer_id=printer_id, name=name)
        told = await self._tell(by, printer, Verb.CARD, CardArgs(action, name), CARD_WAIT_S)
        if action is CardAction.START:
            await self._reported(by, told)
        return await self._printers.get(by, printer_id)

    async def _tell(
        self, by: Principal, printer: Printer, verb: Verb, args: Args, wait_s: float
    ) -> Command:
        command = await self._commands.issue(by, printer, verb, args)
        command = await self._commands.wait(command.id, wait_s)
        check_outcome(command, printer.name)
        return command

    async def _reported(self, by: Principal, told: Command) -> None:
        """Wait a moment for the printer to report that it prints."""

        async def prints() -> bool:
            return (await self._printers.get(by, told.printer_id)).state in ACTIVE

        await self._commands.settle(told, prints, SEND_WAIT_S)

"""Control routes of both faces: tell a printer, wait, answer what it *reported* (DESIGN 7).

"Read your own write": never a wish. Pausing may take until the head is parked, so `pausing` is an
honest answer; a command that nobody has taken over is an honest refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from api.commands import rules
from api.commands.service import Command, Commands
from api.errors import Conflict, Unavailable
from api.events.rehearsal import would
from api.principal import Principal
from api.printers.service import Printer, Printers
from api.printers.view import SHOWN
from schemas.commands import (
    COMMAND_OVER,
    Args,
    CommandState,
    GcodeArgs,
    PlugAction,
    PlugArgs,
    Verb,
)
from schemas.printer import CONNECTED, PrinterState


@dataclass(frozen=True, slots=True)
class Aim:
    """The states that show that a verb has worked, and how long an answer waits for them."""

    states: frozenset[PrinterState]
    wait_s: float


SEND_WAIT_S = 1.0
#: A plug is given four seconds for each of at most four questions.
PLUG_WAIT_S = 8.0
_S = PrinterState
_STOP = Verb.REMOTE_STOP
AIMS: dict[Verb, Aim] = {
    Verb.PAUSE: Aim(frozenset({_S.PAUSED}), 3.0),
    Verb.RESUME: Aim(frozenset({_S.PRINTING, _S.FINISHING}), 1.0),
    Verb.CONNECT: Aim(CONNECTED, 1.0),
    Verb.DISCONNECT: Aim(frozenset({_S.OFFLINE}), 1.0),
    Verb.REMOTE_STOP: Aim(frozenset({_S.HALTED}), 1.5),
    Verb.RESET_STOP: Aim(frozenset(PrinterState) - {_S.HALTED}, 1.0),
}
#: A command in these states has been taken over by the room: its printer's state is the answer.
_TAKEN = frozenset({CommandState.DELIVERED, CommandState.STARTED, CommandState.DONE})


class Control:
    """Tells printers what to do and reports what they said."""

    def __init__(self, printers: Printers, commands: Commands) -> None:
        self._printers = printers
        self._commands = commands

    async def tell(
        self, by: Principal, printer_id: int, verb: Verb, args: Args | None = None
    ) -> Printer:
        """Do *verb* (one of `AIMS`) and return the printer with the state that it reported.

        Raises what `Commands.issue` raises, `Conflict` when the printer refused, `Unavailable`
        when nobody answered in time.
        """
        by.require(rules.RIGHT_OF.get(verb, "printers.control"))
        printer = await self._printers.get(by, printer_id)
        aim = AIMS[verb]
        _say(printer, verb)
        there = printer.bridge_id is not None and self._printers.reachable(printer)
        command = None
        if verb is _STOP:
            command = await self._stopping(printer_id)
        elif there and printer.state in aim.states:
            return printer
        if command is None:
            command = await self._commands.issue(by, printer, verb, args)

        async def reached() -> bool:
            return (await self._printers.get(by, printer_id)).state in aim.states

        command = await self._commands.settle(command, reached, aim.wait_s)
        if not await reached():
            check_outcome(command, printer.name)
        return await self._printers.get(by, printer_id)

    async def _stopping(self, printer_id: int) -> Command | None:
        """The stop underway, for pressed twice it is still one; None where a reset came behind it.

        A printer that shows that it is stopped is told all the same, and does it once (M09): a
        reset may be on its way that no row shows yet, and is older then (M10).
        """
        newest = await self._commands.underway(printer_id, None, _STOP, Verb.RESET_STOP)
        return newest if newest is not None and newest.verb == _STOP else None

    async def send(self, by: Principal, printer_id: int, lines: Sequence[str]) -> Printer:
        """Have *lines* of G-code executed between those of a print, and return the printer.

        Waits up to 1 s. Raises as `tell` does.
        """
        by.require("printers.control")
        printer = await self._printers.get(by, printer_id)
        args = GcodeArgs(lines=[*lines])
        command = await self._commands.issue(by, printer, Verb.GCODE, args)
        check_outcome(await self._commands.wait(command.id, SEND_WAIT_S), printer.name)
        return await self._printers.get(by, printer_id)

    async def plug(
        self, by: Principal, printer_id: int, action: PlugAction, *, force: bool
    ) -> Printer:
        """Have the plug that feeds a printer do *action*; the printer as its plug says it is then.

        Raises as `tell` does, `Unavailable` too when the plug has not answered by then.
        """
        by.require("printers.control")
        printer = await self._printers.get(by, printer_id)
        args = PlugArgs(action=action, force=force)
        command = await self._commands.issue(by, printer, Verb.PLUG, args)
        command = await self._commands.wait(command.id, PLUG_WAIT_S)
        if CommandState(command.state) not in COMMAND_OVER:
            raise Unavailable(
                f"The plug of {printer.name} has not answered yet; ask how it stands in a moment.",
                command_id=command.id,
                state=command.state,
            )
        check_outcome(command, f"The plug of {printer.name}", f"go {action}")
        return await self._printers.get(by, printer_id)


#: What a dry run calls a verb, and the state that it leads to (v1 contract, 1.7).
_PREVIEWS = {Verb.PAUSE: ("pause_print", "PAUSED"), Verb.RESUME: ("resume_print", "RUNNING")}


def _say(printer: Printer, verb: Verb) -> None:
    """What telling *printer* would do, for a dry run."""
    facts = {
        "printer_id": printer.id,
        "printer_name": printer.name,
        "current_gcode_state": SHOWN[PrinterState(printer.state)][0],
    }
    action, target = _PREVIEWS.get(verb, (str(verb), None))
    if target is not None:
        facts["target_gcode_state"] = target
    would(action, **facts)


def check_outcome(command: Command, name: str, what: str = "") -> None:
    """Raises when *command* cannot be answered with the printer's own state: `Conflict` when it
    was refused, `Unavailable` when nobody has taken it over, or nobody knows what it did.
    *what* is what it was told; without it the command's own verb.
    """
    what = what or command.verb
    state = CommandState(command.state)
    why = command.reason or command.code or "without a reason"
    if state is CommandState.REJECTED:
        raise Conflict(f"{name} refused to {what}: {why}", code="invalid_state_transition")
    if state is CommandState.FAILED:
        raise Conflict(f"{name} could not {what}: {why}", command_code=command.code)
    stop = command.verb == Verb.REMOTE_STOP
    if state in _TAKEN and not (stop and state is not CommandState.DONE):
        return
    raise Unavailable(_unanswered(command, name, what), command_id=command.id, state=state)


def _unanswered(command: Command, name: str, what: str) -> str:
    state = CommandState(command.state)
    if command.verb == Verb.REMOTE_STOP:
        return (
            f"{name} has not confirmed the stop. Go there and switch it off if there is danger; "
            "the stop is carried out as soon as its room can be reached."
        )
    if state is CommandState.UNKNOWN:
        return f"Nobody can say whether {name} did {what}: {command.reason}"
    if state in (CommandState.EXPIRED, CommandState.SUPERSEDED):
        return f"{name} was not told to {what}: {command.reason or state}"
    force = " If it will not come back, cancel the job by force." if command.grant else ""
    force = force if command.verb == Verb.CANCEL else ""
    return f"The room of {name} has not answered. {what} is not confirmed.{force}"

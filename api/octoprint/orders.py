"""Lines and targets to a printer, checked by the gate, answered when it has taken them."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from api.commands.control import check_outcome
from api.commands.rules import check_targets
from api.commands.service import Commands
from api.errors import Invalid
from api.octoprint.visitor import Visit
from api.principal import Principal
from api.printers.sending import sending_of
from api.printers.service import Printer
from api.telemetry.history import Reading
from api.telemetry.service import Telemetry
from schemas.commands import Args, CommandState, GcodeArgs, TemperatureArgs, Verb
from schemas.gcode.gate import Finding, scan_lines
from schemas.gcode.policy import Origin, Treatment
from schemas.printer import ACTIVE, Live, PrinterState, Profile

WAIT_S = 1.0
#: How long a picture may lag behind the fact that the same change wrote.
PICTURE_LAG_S = 1.0
_LOOK_EVERY_S = 0.02


def picture(telemetry: Telemetry, printer: Printer) -> Live:
    """The printer as it can be shown now: offline when its room is, or when nobody heard of it."""
    view = telemetry.view(printer)
    if view.live is None or not view.online:
        state = PrinterState.OFFLINE
        if printer.state == PrinterState.HALTED:  # latched: an absent room does not reset it
            state = PrinterState.HALTED
        return Live(printer=printer.id, state=state, error=printer.state_reason or None)
    if view.live.state is PrinterState.OPERATIONAL and sending_of(printer) is not None:
        # ordered: it is no longer free, and opens the file as soon as its room has it
        return msgspec.structs.replace(view.live, state=PrinterState.TRANSFERRING, progress=None)
    return view.live


#: What opens the codes of `Origin.ADMIN`.
_ASK_AN_ADMIN = (
    "an admin may send it who is logged in and has given the password in the last ten minutes; "
    "an API key has no password behind it"
)


class Confirming(Protocol):
    """Who knows how long ago a person has shown the password."""

    async def require_fresh(self, by: Principal) -> None:
        """Raises `Forbidden` (reauth_required) for a session that has not lately."""


class Orders:
    """The way from a route to a printer."""

    def __init__(self, commands: Commands, telemetry: Telemetry, people: Confirming) -> None:
        self._commands = commands
        self._telemetry = telemetry
        self._people = people

    def live(self, visit: Visit) -> Live:
        """The printer of *visit* as it can be shown now."""
        return picture(self._telemetry, visit.printer)

    def history(self, visit: Visit) -> Sequence[Reading]:
        """What its heaters were in the last half hour, oldest first."""
        return self._telemetry.history(visit.printer.id)

    async def shown(self, visit: Visit, states: Collection[PrinterState]) -> None:
        """Wait until this face shows one of *states*, which the printer has reported already."""
        ends = asyncio.get_running_loop().time() + PICTURE_LAG_S
        while self.live(visit).state not in states:
            if asyncio.get_running_loop().time() > ends:
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    async def started(self, visit: Visit, command_id: str) -> None:
        """Wait until the printer has begun, or refused. Raises `Conflict` when it refused.

        A room that still fetches the file is not waited for any longer: the job is scheduled.
        """

        async def begun() -> bool:
            return self.live(visit).state in ACTIVE

        command = await self._commands.get(command_id)
        command = await self._commands.settle(command, begun, WAIT_S)
        if CommandState(command.state) in (CommandState.REJECTED, CommandState.FAILED):
            check_outcome(command, visit.printer.name)

    async def lines(
        self, visit: Visit, lines: list[str], profile: Profile, *, jog: str = ""
    ) -> None:
        """Send *lines* as from a terminal; *jog*: the axes that they move by hand.

        Raises `Invalid` for what the gate refuses, `Forbidden` (reauth_required) for what an admin
        may send who has just given the password, and this one has not.
        """
        if not lines:
            return
        text = "\n".join(lines).encode()
        refused = _refused(text, profile, Origin.ADMIN)
        if refused is not None:
            code = "limit_exceeded" if refused.violation is not None else "bad_request"
            raise Invalid(str(refused), code=code, line=refused.line)
        guarded = _refused(text, profile, Origin.TERMINAL)
        if guarded is not None:
            if visit.asking.kind != "session" or not visit.asking.may("printers.admin"):
                raise Invalid(f"{guarded}; {_ASK_AN_ADMIN}", code="bad_request", line=guarded.line)
            await self._people.require_fresh(visit.asking)
        args = GcodeArgs(lines=lines, jog=jog, admin=guarded is not None)
        await self._tell(visit, Verb.GCODE, args)

    async def targets(self, visit: Visit, targets: dict[str, float], profile: Profile) -> None:
        """Set targets in °C by heater. Raises `Invalid` (limit_exceeded) above a ceiling."""
        check_targets(targets, profile)
        if targets:
            await self._tell(visit, Verb.TEMPERATURE, TemperatureArgs(targets_c=targets))

    async def _tell(self, visit: Visit, verb: Verb, args: Args) -> None:
        command = await self._commands.issue(visit.by, visit.printer, verb, args)
        check_outcome(await self._commands.wait(command.id, WAIT_S), visit.printer.name)


def _refused(text: bytes, profile: Profile, origin: Origin) -> Finding | None:
    """The first line of *text* that is refused when it comes from *origin*."""
    findings = scan_lines(text, profile, origin=origin)
    return next((one for one in findings if one.treatment is Treatment.REFUSE), None)

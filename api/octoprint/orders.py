"""Lines and targets to a printer, checked by the gate, answered when it has taken them."""

import asyncio
from collections.abc import Collection, Sequence

from api.commands.control import check_outcome
from api.commands.rules import check_targets
from api.commands.service import Commands
from api.errors import Invalid
from api.octoprint.visitor import Visit
from api.printers.service import Printer
from api.telemetry.history import Reading
from api.telemetry.service import Telemetry
from schemas.commands import Args, CommandState, GcodeArgs, TemperatureArgs, Verb
from schemas.gcode.gate import scan_lines
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
    return view.live


class Orders:
    """The way from a route to a printer."""

    def __init__(self, commands: Commands, telemetry: Telemetry) -> None:
        self._commands = commands
        self._telemetry = telemetry

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

        Raises `Invalid` for what the gate refuses.
        """
        if not lines:
            return
        for finding in scan_lines("\n".join(lines).encode(), profile, origin=Origin.TERMINAL):
            if finding.treatment is Treatment.REFUSE:
                code = "limit_exceeded" if finding.violation is not None else "bad_request"
                raise Invalid(str(finding), code=code, line=finding.line)
        await self._tell(visit, Verb.GCODE, GcodeArgs(lines=lines, jog=jog))

    async def targets(self, visit: Visit, targets: dict[str, float], profile: Profile) -> None:
        """Set targets in °C by heater. Raises `Invalid` (limit_exceeded) above a ceiling."""
        check_targets(targets, profile)
        if targets:
            await self._tell(visit, Verb.TEMPERATURE, TemperatureArgs(targets_c=targets))

    async def _tell(self, visit: Visit, verb: Verb, args: Args) -> None:
        command = await self._commands.issue(visit.by, visit.printer, verb, args)
        check_outcome(await self._commands.wait(command.id, WAIT_S), visit.printer.name)

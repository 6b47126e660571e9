"""v1 routes that tell printers what to do (v1 contract, 2.3): each answers what was reported."""

from collections.abc import Sequence
from typing import Any, Protocol

from quart import Response

from api.http import json_answer, json_body
from api.principal import Principal
from api.printers import docs, forms
from api.printers.bodies import CardBody, FanBody, HoldBody, PromptBody, SpeedBody
from api.printers.next_actions import after_printer
from api.printers.service import Printer, Printers
from api.printers.view import Picture, answered_state, card_fields, care_fields
from api.v1 import V1, caller
from schemas.commands import CardAction, Verb

#: The contract's speed levels, in percent.
LEVELS = {1: 50, 2: 100, 3: 124, 4: 166}
#: How M106 names a fan; without P it is the one that every firmware has.
FANS = {"part_cooling": "", "auxiliary": " P1", "chamber": " P2"}


class ControlRoom(Protocol):
    """Telling printers what to do."""

    async def tell(self, by: Principal, printer_id: int, verb: Verb) -> Printer:
        """Do it and return the printer with the state that it reported."""

    async def send(self, by: Principal, printer_id: int, lines: Sequence[str]) -> Printer:
        """Have these lines executed and return the printer."""


class JobsRoom(Protocol):
    """What control routes need of the jobs."""

    @property
    def control(self) -> ControlRoom:
        """Telling printers what to do."""

    async def stop(self, by: Principal, printer_id: int) -> Printer:
        """End the print with the cancel script."""


class StoppedRow(Protocol):
    """How a stop went."""

    @property
    def printer(self) -> Printer:
        """The printer as it then is."""

    @property
    def obeys_at_once(self) -> bool | None:
        """Whether its firmware acts on M112 at once; None: nobody knows."""

    @property
    def advice(self) -> str:
        """The same for a person."""


class MachineRoom(Protocol):
    """What people do at the machine."""

    async def remote_stop(self, by: Principal, printer_id: int) -> StoppedRow:
        """M112, and what that can do."""

    async def answer_prompt(self, by: Principal, printer_id: int, choice: int) -> Printer:
        """Answer its question."""

    async def renew_heat(self, by: Principal, printer_id: int) -> Printer:
        """Keep its heat."""

    async def card(
        self, by: Principal, printer_id: int, action: CardAction, name: str = ""
    ) -> Printer:
        """Something with its card."""


class TelemetryRoom(Protocol):
    """What printers report."""

    def view(self, printer: Printer) -> Picture:
        """What can be shown of a printer now."""


class ControlRoutes:
    """``/printers/{id}/…``: pause, stop, plate, queue, speed."""

    def __init__(
        self, printers: Printers, jobs: JobsRoom, machine: MachineRoom, telemetry: TelemetryRoom
    ) -> None:
        self._printers = printers
        self._jobs = jobs
        self._machine = machine
        self._telemetry = telemetry

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one = "/printers/<int:printer_id>"
        v1.add("POST", f"{one}/pause", self.pause, docs.PAUSE)
        v1.add("POST", f"{one}/resume", self.resume, docs.RESUME)
        v1.add("POST", f"{one}/stop", self.stop, docs.STOP)
        v1.add("POST", f"{one}/remote-stop", self.remote_stop, docs.REMOTE_STOP)
        v1.add("POST", f"{one}/prompt", self.prompt, docs.PROMPT)
        v1.add("POST", f"{one}/heat-lease", self.heat_lease, docs.HEAT_LEASE)
        v1.add("GET", f"{one}/sd-files", self.sd_files, docs.SD_FILES)
        v1.add("POST", f"{one}/sd", self.sd, docs.SD)
        v1.add("POST", f"{one}/reset-stop", self.reset_stop, docs.RESET_STOP)
        v1.add("POST", f"{one}/connect", self.connect, docs.CONNECT)
        v1.add("POST", f"{one}/disconnect", self.disconnect, docs.DISCONNECT)
        v1.add("POST", f"{one}/plate-cleared", self.plate_cleared, docs.PLATE_CLEARED)
        v1.add("POST", f"{one}/queue/hold", self.hold, docs.HOLD)
        v1.add("POST", f"{one}/queue/release", self.release, docs.RELEASE)
        v1.add("POST", f"{one}/clear-errors", self.clear_errors, docs.CLEAR_ERRORS)
        v1.add("POST", f"{one}/speed", self.speed, docs.SPEED)
        v1.add("POST", f"{one}/fan", self.fan, docs.FAN)

    async def pause(self, printer_id: int) -> Response:
        """Pause the print."""
        return await self._tell(printer_id, Verb.PAUSE)

    async def resume(self, printer_id: int) -> Response:
        """Go on with the print."""
        return await self._tell(printer_id, Verb.RESUME)

    async def stop(self, printer_id: int) -> Response:
        """End the print with the cancel script."""
        row = await self._jobs.stop(caller(), printer_id)
        return told(row, f"{row.name} reports {row.state}")

    async def remote_stop(self, printer_id: int) -> Response:
        """M112 at once, and what that can do."""
        stopped = await self._machine.remote_stop(caller(), printer_id)
        row = stopped.printer
        return told(
            row,
            f"{row.name} reports {row.state}",
            obeys_at_once=stopped.obeys_at_once,
            advice=stopped.advice,
        )

    async def prompt(self, printer_id: int) -> Response:
        """The answer to its question."""
        await self._printers.get(caller(), printer_id)  # 404 comes before 422
        body = await json_body(PromptBody)
        row = await self._machine.answer_prompt(caller(), printer_id, body.choice)
        return told(row, f"Answered {body.choice}")

    async def heat_lease(self, printer_id: int) -> Response:
        """Its heat lasts longer."""
        row = await self._machine.renew_heat(caller(), printer_id)
        left_s = care_fields(self._telemetry.view(row))["heat_lease_s"]
        return told(row, "The heat is kept for another lease", heat_lease_s=left_s)

    async def sd_files(self, printer_id: int) -> Response:
        """What is on its card."""
        caller().require("printers.read")
        row = await self._printers.get(caller(), printer_id)
        return json_answer(card_fields(row, self._telemetry.view(row)))

    async def sd(self, printer_id: int) -> Response:
        """Something with its card."""
        await self._printers.get(caller(), printer_id)
        body = await json_body(CardBody)
        row = await self._machine.card(caller(), printer_id, body.action, body.name)
        return told(row, f"{row.name} reports {row.state}")

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
        return told(await self._printers.plate_cleared(caller(), printer_id), "Plate is clear")

    async def hold(self, printer_id: int) -> Response:
        """Its queue waits."""
        await self._printers.get(caller(), printer_id)  # 404 comes before 422
        reason = (await json_body(HoldBody)).reason
        return told(await self._printers.hold_queue(caller(), printer_id, reason), "Queue held")

    async def release(self, printer_id: int) -> Response:
        """Its queue runs again."""
        return told(await self._printers.release_queue(caller(), printer_id), "Queue released")

    async def clear_errors(self, printer_id: int) -> Response:
        """Its last error is not shown any more."""
        row = await self._printers.upkeep.clear_errors(caller(), printer_id)
        return told(row, "Errors cleared")

    async def speed(self, printer_id: int) -> Response:
        """Faster or slower."""
        body = await json_body(SpeedBody)
        percent = body.percent if body.speed is None else LEVELS[body.speed]
        if percent is None:
            raise forms.refuse("speed", "name a level (speed, 1 to 4) or percent")
        row = await self._jobs.control.send(caller(), printer_id, [f"M220 S{percent}"])
        return told(row, f"Speed is {percent} %")

    async def fan(self, printer_id: int) -> Response:
        """A fan turns, or stops."""
        body = await json_body(FanBody)
        line = f"M106{FANS[body.fan]} S{body.speed}"
        row = await self._jobs.control.send(caller(), printer_id, [line])
        return told(row, f"Fan {body.fan} is at {round(body.speed / 2.55)} %")

    async def _tell(self, printer_id: int, verb: Verb) -> Response:
        row = await self._jobs.control.tell(caller(), printer_id, verb)
        return told(row, f"{row.name} reports {row.state}")


def told(row: Printer, message: str, **more: Any) -> Response:
    """The answer of every route that tells a printer something: what it has reported since."""
    return json_answer(
        {
            "success": True,
            "message": message,
            "printer_id": row.id,
            "state": answered_state(row),
            "queue_hold": row.queue_hold or None,
            "next_actions": after_printer(row.id),
            **more,
        }
    )

"""v1 routes of many printers at once (ours): bulk control, fleet stop, one printer's heat."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from quart import Response

from api.commands.fleet import Choice, Fleet, Outcome, StopOutcome
from api.commands.fleet_answers import (
    FleetControlBody,
    FleetControlled,
    FleetStopBody,
    FleetStopped,
    TemperatureBody,
)
from api.describe import Doc
from api.http import json_answer, json_body
from api.principal import Principal
from api.printers.answers import Told
from api.printers.control_routes import told
from api.printers.service import Printer, Printers
from api.v1 import V1, caller

_SOME_FAILED = 207


class MachineRoom(Protocol):
    """What people do at one machine."""

    async def heat(self, by: Principal, printer_id: int, targets_c: Mapping[str, float]) -> Printer:
        """Set targets in °C by heater."""


class FleetRoutes:
    """``/printers/bulk-control``, ``/printers/fleet-stop``, ``/printers/{id}/temperature``."""

    def __init__(self, fleet: Fleet, machine: MachineRoom, printers: Printers) -> None:
        self._printers = printers
        self._fleet = fleet
        self._machine = machine

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("POST", "/printers/bulk-control", self.control, _CONTROL)
        v1.add("POST", "/printers/fleet-stop", self.stop, _STOP)
        v1.add("POST", "/printers/<int:printer_id>/temperature", self.heat, _HEAT)

    async def control(self) -> Response:
        """The same to many printers, each by itself."""
        body = await json_body(FleetControlBody)
        which = Choice(**body.named())
        found = await self._fleet.control(caller(), which, body.action, body.targets_c)
        done = sum(one.success for one in found)
        answer = {
            "success": done == len(found),
            "action": body.action,
            "total": len(found),
            "succeeded": done,
            "failed": len(found) - done,
            "results": [_outcome_fields(one) for one in found],
        }
        return json_answer(answer, 200 if answer["success"] else _SOME_FAILED)

    async def stop(self) -> Response:
        """Everything stands still, or the answer says what does not."""
        body = await json_body(FleetStopBody)
        found = await self._fleet.stop(caller(), Choice(**body.named()))
        answer = _stopped_fields(found)
        return json_answer(answer, 200 if answer["success"] else _SOME_FAILED)

    async def heat(self, printer_id: int) -> Response:
        """Its heaters get other targets."""
        await self._printers.get(caller(), printer_id)  # 404 comes before 422
        body = await json_body(TemperatureBody)
        row = await self._machine.heat(caller(), printer_id, body.targets_c)
        shown = ", ".join(f"{heater} {target:g}" for heater, target in body.targets_c.items())
        return told(row, f"Targets are set: {shown} °C")


def _outcome_fields(one: Outcome) -> dict[str, Any]:
    return {
        "printer_id": one.printer_id,
        "name": one.name,
        "success": one.success,
        "status": one.status,
        "state": one.state,
        "message": one.message,
        "code": one.code,
    }


def _stopped_fields(found: Sequence[StopOutcome]) -> dict[str, Any]:
    return {
        "success": not any(one.needs_power_switch for one in found),
        "total": len(found),
        "reached": sum(one.reached for one in found),
        "power_switch": [one.printer_id for one in found if one.needs_power_switch],
        "not_reachable": [one.printer_id for one in found if not (one.sent or one.reached)],
        "results": [
            {
                "printer_id": one.printer_id,
                "name": one.name,
                "sent": one.sent,
                "reached": one.reached,
                "obeys_at_once": one.obeys_at_once,
                "needs_power_switch": one.needs_power_switch,
                "queue_held": one.held,
                "state": one.state,
                "message": one.message,
            }
            for one in found
        ],
    }


_CONTROL = Doc(
    summary="Tell many printers the same: by number, by tag or by pool",
    description="Each printer is asked by itself and has its own result; 200 when all of them did "
    "it, 207 when some did not. At most 500 printers; a stop is not reset by the dozen.",
    answer=FleetControlled,
    right="printers.fleet",
    body=FleetControlBody,
    problems=("pool_not_found", "limit_exceeded", "validation_failed"),
    others={_SOME_FAILED: FleetControlled},
    dry_run=True,
)
_STOP = Doc(
    summary="Fleet stop: M112 to every printer, or to those of a tag or a pool, at once",
    description="It is not an emergency stop. The answer says for each printer whether it was "
    "told, whether it reports that it is stopped, and who has to go to its power switch; 207 when "
    "anybody has to. Each is latched until its own reset-stop; the queue of one that could not be "
    "reached waits for a person, and a start that has not come to its room is taken back.",
    answer=FleetStopped,
    right="printers.fleet",
    body=FleetStopBody,
    problems=("pool_not_found",),
    others={_SOME_FAILED: FleetStopped},
    dry_run=True,
    overtakes=True,
)
_HEAT = Doc(
    summary="Set the targets of its heaters",
    description="Heat that no job needs ends with its lease (serial.heat_lease_s).",
    answer=Told,
    right="printers.control",
    body=TemperatureBody,
    problems=(
        *("limit_exceeded", "conflict", "stopped"),
        *("invalid_state_transition", "upstream_unavailable"),
    ),
    dry_run=True,
)

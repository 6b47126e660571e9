"""v1 routes of a printer's plug (v1 contract, 2.3): its own power supply or one in the network."""

from typing import Annotated, Any, Literal, Protocol

from pydantic import Field, StringConstraints
from quart import Response, request

from api.describe import Answer, Doc, Instant, Query
from api.errors import NotFound
from api.http import Body, json_answer, json_body, truthy
from api.principal import Principal
from api.printers.models import SUPPLY
from api.printers.power import NewPlug, Plug, Plugs
from api.printers.service import Printer
from api.v1 import V1, caller


class PlugBody(Body):
    """``PUT /printers/{id}/plug``."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=32)] = Field(
        description="psu: the printer's own power supply; tasmota, shelly: a plug in the network "
        "of its bridge; every other kind is refused"
    )
    host: Annotated[str, StringConstraints(max_length=300)] | None = Field(
        None,
        description="Of plugs in the network: the IP address in the room, as in 192.168.1.30 or "
        "192.168.1.30:8080",
    )
    off_on_stop: bool = Field(
        False,
        description="A remote stop cuts the power, too: for machines that read a stop only in "
        "its turn. The hot end then cools down without its fan",
    )


class PlugAnswer(Answer):
    """The plug of a printer."""

    printer_id: int
    configured: bool
    type: Literal["psu", "tasmota", "shelly"] | None
    host: str | None = Field(description="Of a plug in the network")
    off_on_stop: bool = Field(description="Whether a remote stop cuts the power")
    is_on: bool | None = Field(
        description="As it said or was told last; null: nobody knows, and message says why"
    )
    said_at: Instant | None = Field(description="When a plug in the network said so")
    message: str


class PlugSwitched(PlugAnswer):
    """The plug was switched, or another one is there now."""

    success: Literal[True]


class PlugEnergy(Answer):
    """What a plug measures."""

    printer_id: int
    power_w: float | None = Field(description="Now, in watts")
    energy_kwh: float | None = Field(description="All that it ever counted, in kWh")
    said_at: Instant | None


class Confirming(Protocol):
    """Who knows how long ago a person has shown the password."""

    async def require_fresh(self, by: Principal) -> None:
        """Raises `Forbidden` (reauth_required) for a session that has not lately."""


class PowerRoutes:
    """``/printers/{id}/plug``."""

    def __init__(self, plugs: Plugs, people: Confirming) -> None:
        self._plugs = plugs
        self._people = people

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        plug = "/printers/<int:printer_id>/plug"
        v1.add("GET", plug, self.get, _GET)
        v1.add("PUT", plug, self.set, _SET)
        v1.add("DELETE", plug, self.remove, _REMOVE)
        v1.add("POST", f"{plug}/on", self.on, _ON)
        v1.add("POST", f"{plug}/off", self.off, _OFF)
        v1.add("POST", f"{plug}/toggle", self.toggle, _TOGGLE)
        v1.add("GET", f"{plug}/state", self.state, _STATE)
        v1.add("GET", f"{plug}/energy", self.energy, _ENERGY)

    async def get(self, printer_id: int) -> Response:
        """Which one it has."""
        row, plug = await self._plugs.find(caller(), printer_id)
        return json_answer(_fields(row, plug))

    async def set(self, printer_id: int) -> Response:
        """It has one."""
        await self._plugs.find(caller(), printer_id)  # 404 comes before 422
        body = await json_body(PlugBody)
        new = NewPlug(kind=body.type, host=body.host, off_on_stop=body.off_on_stop)
        return _answer(await self._plugs.set(caller(), printer_id, new))

    async def remove(self, printer_id: int) -> Response:
        """It has none."""
        await self._plugs.remove(caller(), printer_id)
        row, plug = await self._plugs.find(caller(), printer_id)
        return json_answer({"success": True, **_fields(row, plug)})

    async def on(self, printer_id: int) -> Response:
        """Power on."""
        return _answer(await self._plugs.switch(caller(), printer_id, on=True))

    async def off(self, printer_id: int) -> Response:
        """Power off."""
        force = await self._force(printer_id)
        return _answer(await self._plugs.switch(caller(), printer_id, on=False, force=force))

    async def toggle(self, printer_id: int) -> Response:
        """The other way."""
        force = await self._force(printer_id)
        return _answer(await self._plugs.switch(caller(), printer_id, on=None, force=force))

    async def state(self, printer_id: int) -> Response:
        """On or off."""
        plug = await self._plugs.get(caller(), printer_id)
        return json_answer(_fields(plug.printer, plug))

    async def energy(self, printer_id: int) -> Response:
        """What it measures, if it does."""
        plug = await self._plugs.get(caller(), printer_id)
        if plug.power_w is None and plug.energy_kwh is None:
            raise NotFound(f"The plug of {plug.printer.name} measures no energy.")
        return json_answer(
            {
                "printer_id": printer_id,
                "power_w": plug.power_w,
                "energy_kwh": plug.energy_kwh,
                "said_at": plug.said_at,
            }
        )

    async def _force(self, printer_id: int) -> bool:
        """Whether somebody insists, who must have shown the password lately."""
        if not truthy(request.args.get("force")):
            return False
        await self._plugs.get(caller(), printer_id)  # 404 comes before 403
        await self._people.require_fresh(caller())
        return True


def _answer(plug: Plug) -> Response:
    return json_answer({"success": True, **_fields(plug.printer, plug)})


def _fields(row: Printer, plug: Plug | None) -> dict[str, Any]:
    return {
        "printer_id": row.id,
        "configured": plug is not None,
        "type": plug.kind if plug is not None else None,
        "host": plug.host if plug is not None else None,
        "off_on_stop": plug is not None and plug.off_on_stop,
        "is_on": plug.is_on if plug is not None else None,
        "said_at": plug.said_at if plug is not None else None,
        "message": _message(row, plug),
    }


def _message(row: Printer, plug: Plug | None) -> str:
    if plug is None:
        return f"{row.name} has no plug."
    what = "power supply" if plug.kind == SUPPLY else "plug"
    if plug.error:
        return f"The {what} of {row.name}: {plug.error}."
    unknown = "was not switched yet" if plug.kind == SUPPLY else "has not said how it stands yet"
    known = {True: "is on", False: "is off", None: unknown}
    return f"The {what} of {row.name} {known[plug.is_on]}."


_TELLING = (
    *("conflict", "stopped", "invalid_state_transition", "upstream_unavailable"),
    *("not_found", "rate_limited"),
)
_FORCE = Query(
    name="force",
    type=bool,
    description="Also in the middle of a print, or while a nozzle is hot; a session must have "
    "seen the password within ten minutes",
)
_GET = Doc(summary="Its plug", answer=PlugAnswer, right="printers.read")
_SET = Doc(
    summary="What feeds it: its own power supply (M80, M81), or a plug in the network of its room",
    description="Bridges speak to Tasmota and Shelly plugs at an address of their own network; "
    "a supply is switched where the firmware says that it can.",
    answer=PlugSwitched,
    right="printers.control",
    body=PlugBody,
    problems=("feature_disabled", "bad_request"),
    dry_run=True,
)
_REMOVE = Doc(
    summary="It has no plug any more",
    answer=PlugSwitched,
    right="printers.control",
    problems=("not_found",),
    dry_run=True,
)
_ON = Doc(
    summary="Power on",
    answer=PlugSwitched,
    right="printers.control",
    problems=_TELLING,
    dry_run=True,
)
_OFF = Doc(
    summary="Power off; in a print or with a hot nozzle only with force",
    answer=PlugSwitched,
    right="printers.control",
    query=(_FORCE,),
    problems=("printer_busy", "reauth_required", *_TELLING),
    dry_run=True,
)
_TOGGLE = Doc(
    summary="Power the other way than it stands; on when nobody knows",
    answer=PlugSwitched,
    right="printers.control",
    query=(_FORCE,),
    problems=("printer_busy", "reauth_required", *_TELLING),
    dry_run=True,
)
_STATE = Doc(
    summary="Whether it is on", answer=PlugAnswer, right="printers.read", problems=("not_found",)
)
_ENERGY = Doc(
    summary="What it measures: 404 where nothing is measured, as of a power supply",
    answer=PlugEnergy,
    right="printers.read",
    problems=("not_found",),
)

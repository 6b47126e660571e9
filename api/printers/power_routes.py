"""v1 routes of a printer's plug (v1 contract, 2.3): its own power supply, or none."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from quart import Response, request

from api.describe import Answer, Doc, Query
from api.errors import NotFound
from api.http import Body, json_answer, json_body, truthy
from api.printers.power import SUPPLY, Plug, Plugs
from api.printers.service import Printer
from api.v1 import V1, caller


class PlugBody(Body):
    """``PUT /printers/{id}/plug``."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=32)] = Field(
        description="psu: the printer's own power supply; every other kind is refused"
    )
    host: Annotated[str, StringConstraints(max_length=300)] | None = Field(
        None, description="Of plugs in the network, which are not reached"
    )


class PlugAnswer(Answer):
    """The plug of a printer."""

    printer_id: int
    configured: bool
    type: Literal["psu"] | None
    host: None
    is_on: bool | None = Field(description="As it was told last; null: nobody knows")
    message: str


class PlugSwitched(PlugAnswer):
    """The plug was switched."""

    success: Literal[True]


class PowerRoutes:
    """``/printers/{id}/plug``."""

    def __init__(self, plugs: Plugs) -> None:
        self._plugs = plugs

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
        return _answer(await self._plugs.set(caller(), printer_id, body.type))

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
        return _answer(await self._plugs.switch(caller(), printer_id, on=False, force=_force()))

    async def toggle(self, printer_id: int) -> Response:
        """The other way."""
        return _answer(await self._plugs.switch(caller(), printer_id, on=None, force=_force()))

    async def state(self, printer_id: int) -> Response:
        """On or off."""
        plug = await self._plugs.get(caller(), printer_id)
        return json_answer(_fields(plug.printer, plug))

    async def energy(self, printer_id: int) -> Response:
        """Nothing measures it."""
        plug = await self._plugs.get(caller(), printer_id)
        raise NotFound(f"The power supply of {plug.printer.name} measures no energy.")


def _force() -> bool:
    return truthy(request.args.get("force"))


def _answer(plug: Plug) -> Response:
    return json_answer({"success": True, **_fields(plug.printer, plug)})


def _fields(row: Printer, plug: Plug | None) -> dict[str, Any]:
    if plug is None:
        said = f"{row.name} has no plug."
    else:
        known = {True: "is on", False: "is off", None: "was not switched yet"}
        said = f"The power supply of {row.name} {known[plug.is_on]}."
    return {
        "printer_id": row.id,
        "configured": plug is not None,
        "type": SUPPLY if plug is not None else None,
        "host": None,
        "is_on": plug.is_on if plug is not None else None,
        "message": said,
    }


_TELLING = ("conflict", "stopped", "invalid_state_transition", "upstream_unavailable", "not_found")
_FORCE = Query(name="force", type=bool, description="Also in the middle of a print")
_GET = Doc(summary="Its plug", answer=PlugAnswer, right="printers.read")
_SET = Doc(
    summary="Let its own power supply be its plug (M80, M81), where the firmware switches it",
    description="Plugs in the network of a room are refused: its bridge has no way to them.",
    answer=PlugSwitched,
    right="printers.control",
    body=PlugBody,
    problems=("feature_disabled",),
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
    summary="Power off; in a print only with force",
    answer=PlugSwitched,
    right="printers.control",
    query=(_FORCE,),
    problems=("printer_busy", *_TELLING),
    dry_run=True,
)
_TOGGLE = Doc(
    summary="Power the other way than it was told last; on when nobody knows",
    answer=PlugSwitched,
    right="printers.control",
    query=(_FORCE,),
    problems=("printer_busy", *_TELLING),
    dry_run=True,
)
_STATE = Doc(
    summary="Whether it is on", answer=PlugAnswer, right="printers.read", problems=("not_found",)
)
_ENERGY = Doc(
    summary="What it measures: a power supply measures nothing",
    answer=PlugAnswer,
    right="printers.read",
    problems=("not_found",),
)

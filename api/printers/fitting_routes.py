"""v1 routes of what printers have beside their axes (v1 contract, 2.3).

Light and skipped objects go through the printer's commands. A printer on a USB cable has no AMS:
what reads it finds nothing, what would change it is refused with the reason.
"""

from typing import Annotated, Any, Literal

from pydantic import Field
from quart import Response

from api.describe import Answer, Doc, Query
from api.errors import Invalid
from api.http import Body, RowId, int_query, json_answer, json_body, page_of
from api.printers import forms
from api.printers.answers import Told
from api.printers.control_routes import told
from api.printers.fittings import Fittings
from api.printers.service import Printer, Printers
from api.v1 import V1, caller

MAX_OBJECTS = 50
MAX_HOURS = 168

_ObjectId = Annotated[int, Field(ge=0, le=9999)]
_Share = Annotated[float, Field(ge=0, le=1)]


class LightBody(Body):
    """``POST /printers/{id}/lights``: without *on* it is toggled."""

    on: bool | None = None


class SkipBody(Body):
    """``POST /printers/{id}/skip-objects``."""

    object_ids: Annotated[list[_ObjectId], Field(min_length=1, max_length=MAX_OBJECTS)] = Field(
        description="As the printer counts the objects of the file, from 0"
    )


class VisionBody(Body):
    """``PATCH /printers/{id}/vision``: only what is there is changed."""

    enabled: bool | None = None
    spaghetti_enabled: bool | None = None
    spaghetti_threshold: _Share | None = None
    first_layer_enabled: bool | None = None
    first_layer_threshold: _Share | None = None
    detachment_enabled: bool | None = None
    detachment_threshold: _Share | None = None
    auto_pause: bool | None = None
    capture_interval_sec: Annotated[int, Field(ge=1, le=3600)] | None = None


class LightAnswer(Answer):
    """The light was switched."""

    lights_on: bool
    message: str


class VisionAnswer(Answer):
    """The settings of a printer's eye. Thresholds from 0 to 1."""

    printer_id: int
    enabled: bool = Field(description="Whether somebody wants it")
    spaghetti_enabled: bool
    spaghetti_threshold: float
    first_layer_enabled: bool
    first_layer_threshold: float
    detachment_enabled: bool
    detachment_threshold: float
    auto_pause: bool
    capture_interval_sec: int = Field(description="Seconds")
    active: Literal[False] = Field(description="Whether anything looks")
    inactive_reason: str


class FittingRoutes:
    """``/printers/{id}/…``: light, objects, eye, AMS."""

    def __init__(self, fittings: Fittings, printers: Printers) -> None:
        self._fittings = fittings
        self._printers = printers

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one = "/printers/<int:printer_id>"
        v1.add("POST", f"{one}/lights", self.lights, _LIGHTS)
        v1.add("POST", f"{one}/skip-objects", self.skip_objects, _SKIP)
        v1.add("GET", f"{one}/vision", self.vision, _VISION)
        v1.add("PATCH", f"{one}/vision", self.set_vision, _SET_VISION)
        v1.add("POST", f"{one}/sync-ams", self.no_ams, _NO_AMS)
        v1.add("POST", f"{one}/bambu/sync-ams", self.no_ams, _NO_AMS)
        v1.add("POST", f"{one}/ams/refresh", self.no_ams, _NO_AMS)
        v1.add("GET", f"{one}/ams/environment", self.ams_environment, _AMS_AIR)
        v1.add("GET", f"{one}/ams/current", self.ams_units, _AMS_UNITS)

    async def lights(self, printer_id: int) -> Response:
        """On or off."""
        await self._printers.get(caller(), printer_id)  # 404 comes before 422
        body = await json_body(LightBody)
        on = await self._fittings.light(caller(), printer_id, body.on)
        return json_answer({"lights_on": on, "message": f"The light is {'on' if on else 'off'}"})

    async def skip_objects(self, printer_id: int) -> Response:
        """Some objects are not finished."""
        await self._printers.get(caller(), printer_id)
        body = await json_body(SkipBody)
        row = await self._fittings.skip(caller(), printer_id, body.object_ids)
        skipped = ", ".join(str(each) for each in body.object_ids)
        return told(row, f"Skips {skipped}")

    async def vision(self, printer_id: int) -> Response:
        """Its eye."""
        return json_answer(await self._fittings.vision(caller(), printer_id))

    async def set_vision(self, printer_id: int) -> Response:
        """Its eye, set otherwise."""
        await self._printers.get(caller(), printer_id)
        values = (await json_body(VisionBody)).model_dump(exclude_none=True)
        return json_answer(await self._fittings.set_vision(caller(), printer_id, values))

    # An AMS.

    async def no_ams(self, printer_id: int) -> Response:
        """There is none to ask."""
        caller().require("printers.control")
        row = await self._printers.get(caller(), printer_id)
        raise Invalid(f"{row.name} has no AMS; say what is loaded in its slots (PATCH slots).")

    async def ams_environment(self, printer_id: int) -> Response:
        """What the air in it was."""
        await self._read(printer_id)
        hours = int_query("hours", 24)
        if not 1 <= hours <= MAX_HOURS:
            raise forms.refuse("hours", f"from 1 to {MAX_HOURS}, not {hours}")
        int_query("unit", 0)
        return page_of([])

    async def ams_units(self, printer_id: int) -> Response:
        """What is in it."""
        await self._read(printer_id)
        return page_of([])

    async def _read(self, printer_id: int) -> Printer:
        caller().require("printers.read")
        return await self._printers.get(caller(), printer_id)


_TELLING = ("conflict", "stopped", "invalid_state_transition", "upstream_unavailable")
_LIGHTS = Doc(
    summary="Switch its light (M355), where the firmware says that it has one",
    answer=LightAnswer,
    right="printers.control",
    body=LightBody,
    problems=("feature_disabled", *_TELLING),
    dry_run=True,
)
_SKIP = Doc(
    summary="Print no more of some objects of the file (M486), where the firmware says it can",
    answer=Told,
    right="printers.control",
    body=SkipBody,
    problems=("feature_disabled", *_TELLING),
    dry_run=True,
)
_VISION = Doc(
    summary="The settings of its eye; nothing looks at pictures here",
    answer=VisionAnswer,
    right="printers.read",
)
_SET_VISION = Doc(
    summary="Keep other settings of its eye",
    answer=VisionAnswer,
    right="printers.admin",
    body=VisionBody,
    dry_run=True,
)
_NO_AMS = Doc(
    summary="Read its AMS: a printer on a USB cable has none",
    answer=Told,
    right="printers.control",
    problems=("bad_request",),
    dry_run=True,
)
_AMS_AIR = Doc(
    summary="Humidity and temperature in its AMS: none here",
    answer=list[Any],
    right="printers.read",
    paged=True,
    query=(
        Query(
            name="hours",
            type=Annotated[int, Field(ge=1, le=MAX_HOURS)],
            description="Of the last so many hours, default 24",
        ),
        Query(name="unit", type=RowId, description="Of this unit"),
    ),
)
_AMS_UNITS = Doc(
    summary="The units of its AMS: none here", answer=list[Any], right="printers.read", paged=True
)

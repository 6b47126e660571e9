"""v1 routes of presets (v1 contract, 2.4)."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Protocol

from pydantic import Field, StringConstraints
from quart import Response

from api.describe import Answer, Doc
from api.http import Body, RowId, json_answer, json_body, page_of
from api.jobs.bodies import Colors, Hours, ItemName, Notes, Priority, Quantity, Tags
from api.jobs.forms import DEFAULT_PRIORITY, parse_priority
from api.jobs.models import Preset
from api.jobs.presets import Presets
from api.printers.filaments import FilamentType
from api.printers.next_actions import NextAction, after_job
from api.v1 import V1, caller
from schemas.jobs import JobState


class PresetBody(Body):
    """``POST /presets``."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    model_id: RowId | None = None
    item_name: ItemName | None = Field(None, description="Of the jobs; null: the preset's name")
    quantity: Quantity = 1
    priority: Priority = DEFAULT_PRIORITY
    duration_hours: Hours | None = None
    colors_required: Colors | None = None
    filament_type: FilamentType | None = None
    required_tags: Tags = Field(default_factory=list)
    notes: Notes | None = None

    def values(self) -> dict[str, Any]:
        """The columns. Raises `Invalid`."""
        return {**self.model_dump(), "priority": parse_priority(self.priority)}


class PresetAnswer(Answer):
    """A job to be made again and again."""

    id: int
    name: str
    model_id: int | None
    model_name: str | None
    item_name: str | None
    quantity: int
    priority: int
    duration_hours: float | None
    colors_required: str | None
    filament_type: str | None
    required_tags: list[str]
    notes: str | None


class PresetMade(Answer):
    """A new preset."""

    id: int
    name: str


class PresetQueued(Answer):
    """A job of a preset."""

    id: int
    item_name: str
    status: JobState
    next_actions: list[NextAction]


class LibraryRoom(Protocol):
    """What is needed of the library."""

    async def model_names(self, model_ids: Collection[int]) -> Mapping[int, str]:
        """The names of these models."""


class PresetRoutes:
    """``/presets``."""

    def __init__(self, presets: Presets, library: LibraryRoom) -> None:
        self._presets = presets
        self._library = library

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one = "/presets/<int:preset_id>"
        v1.add("GET", "/presets", self.list, _LIST)
        v1.add("POST", "/presets", self.create, _CREATE)
        v1.add("DELETE", one, self.delete, _DELETE)
        v1.add("POST", f"{one}/schedule", self.schedule, _SCHEDULE)

    async def list(self) -> Response:
        """By name."""
        rows = await self._presets.list(caller())
        names = await self._library.model_names({row.model_id for row in rows if row.model_id})
        return page_of([_shown(row, names.get(row.model_id or 0)) for row in rows])

    async def create(self) -> Response:
        """A new one."""
        body = await json_body(PresetBody)
        row = await self._presets.create(caller(), body.values())
        return json_answer({"id": row.id, "name": row.name}, 201)

    async def delete(self, preset_id: int) -> Response:
        """Gone."""
        await self._presets.delete(caller(), preset_id)
        return Response(status=204)

    async def schedule(self, preset_id: int) -> Response:
        """A job."""
        job = await self._presets.schedule(caller(), preset_id)
        shown = {"id": job.id, "item_name": job.item_name, "status": job.state}
        return json_answer({**shown, "next_actions": after_job(job.id)})


def _shown(row: Preset, model_name: str | None) -> dict[str, Any]:
    own = ("id", "name", "model_id", "item_name", "quantity", "priority", "duration_hours")
    more = ("colors_required", "filament_type", "required_tags", "notes")
    return {**{name: getattr(row, name) for name in (*own, *more)}, "model_name": model_name}


_LIST = Doc(
    summary="Jobs to be made again and again, by name",
    answer=list[PresetAnswer],
    right="jobs.read",
    paged=True,
)
_CREATE = Doc(
    summary="Keep a job as a preset",
    answer=PresetMade,
    status=201,
    right="jobs.write",
    body=PresetBody,
    problems=("name_taken", "conflict", "model_not_found"),
    dry_run=True,
)
_DELETE = Doc(summary="Forget a preset", status=204, right="jobs.write", dry_run=True)
_SCHEDULE = Doc(
    summary="Queue a job of a preset",
    answer=PresetQueued,
    right="jobs.write",
    problems=("bad_request", "model_not_found", "not_gcode", "limit_exceeded"),
    dry_run=True,
)

"""Presets: jobs that are made again and again, under a name (v1 contract, 2.4)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tortoise.exceptions import IntegrityError

from api.clock import Clock
from api.errors import Conflict, Invalid, NotFound
from api.events.service import Ledger
from api.jobs.forms import NewJob
from api.jobs.intake import LibraryRoom
from api.jobs.models import Job, Preset
from api.principal import Principal

#: `Jobs.create`.
Make = Callable[[Principal, NewJob], Awaitable[Job]]
#: Of one organization.
MAX_PRESETS = 500


class Presets:
    """The presets of every organization."""

    def __init__(self, make: Make, library: LibraryRoom, ledger: Ledger, clock: Clock) -> None:
        self._make = make
        self._library = library
        self._ledger = ledger
        self._clock = clock

    async def list(self, by: Principal) -> Sequence[Preset]:
        """All of them, by name; there are at most `MAX_PRESETS`."""
        by.require("jobs.read")
        return await Preset.filter(organization_id=by.organization_id).order_by("name", "id")

    async def create(self, by: Principal, values: Mapping[str, Any]) -> Preset:
        """A new preset. Raises `Invalid` (name_taken), `Conflict` (too many), `NotFound`."""
        by.require("jobs.write")
        if values.get("model_id") is not None:
            await self._library.newest_file(by, values["model_id"])
        try:
            async with self._ledger.change() as change:
                mine = Preset.filter(organization_id=by.organization_id)
                if await mine.count() >= MAX_PRESETS:
                    raise Conflict(f"There are {MAX_PRESETS} presets; delete one first.")
                if await mine.filter(name=values["name"]).exists():
                    raise _taken(values["name"])
                row = await Preset.create(
                    organization_id=by.organization_id, created_at=self._clock.now(), **values
                )
                change.note(by, "preset.created", ("preset", row.id), name=row.name)
        except IntegrityError:
            raise _taken(values["name"]) from None
        return row

    async def delete(self, by: Principal, preset_id: int) -> None:
        """Forget a preset; what was made of it stays. Raises `NotFound`."""
        by.require("jobs.write")
        async with self._ledger.change() as change:
            row = await self._get(by, preset_id)
            await row.delete()
            change.note(by, "preset.deleted", ("preset", preset_id), name=row.name)

    async def schedule(self, by: Principal, preset_id: int) -> Job:
        """Queue a job of a preset. Raises `NotFound`, and as *make*."""
        by.require("jobs.write")
        row = await self._get(by, preset_id)
        return await self._make(
            by,
            NewJob(
                item_name=row.item_name or row.name,
                model_id=row.model_id,
                quantity=row.quantity,
                priority=row.priority,
                duration_hours=row.duration_hours,
                colors_required=row.colors_required,
                filament_type=row.filament_type,
                notes=row.notes,
                details={"required_tags": row.required_tags, "target_type": "specific"},
            ),
        )

    @staticmethod
    async def _get(by: Principal, preset_id: int) -> Preset:
        row = await Preset.get_or_none(id=preset_id, organization_id=by.organization_id)
        if row is None:
            raise NotFound(f"There is no preset {preset_id}.")
        return row


def _taken(name: str) -> Invalid:
    return Invalid(f"There is a preset called {name} already.", code="name_taken", field="name")

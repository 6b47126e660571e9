"""Projects: made, changed, and given the prints that belong to them (v1 contract, 2.10)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tortoise.queryset import QuerySet

from api.archives.service import ArchiveFilter, Archives, Record
from api.clock import Clock
from api.errors import Conflict, NotFound
from api.events.service import Ledger
from api.principal import Principal
from api.projects.models import Project

__all__ = ["Project", "Projects"]

#: Prints of one project.
MAX_PRINTS = 5000
#: Of them, the ones that are shown with it; the archive shows all.
SHOWN_PRINTS = 500
ARCHIVED = "archived"


class Projects:
    """The projects of every organization."""

    def __init__(self, archives: Archives, ledger: Ledger, clock: Clock) -> None:
        self._archives = archives
        self._ledger = ledger
        self._clock = clock

    # Reading.

    async def list(
        self, by: Principal, status: str | None, skip: int, limit: int
    ) -> tuple[Sequence[Project], int]:
        """(a page, what changed last first, how many there are); *status* None: of all."""
        rows = _theirs(by)
        if status is not None:
            rows = rows.filter(status=status)
        page = await rows.order_by("-updated_at", "-id").offset(skip).limit(limit)
        return page, await rows.count()

    async def counts(self, by: Principal, rows: Sequence[Project]) -> Mapping[int, int]:
        """How many prints each of these has; those without any are left out."""
        return await self._archives.by_project(by, [row.id for row in rows])

    async def get(self, by: Principal, project_id: int) -> Project:
        """One project. Raises `NotFound`."""
        row = await _theirs(by).get_or_none(id=project_id)
        if row is None:
            raise NotFound(f"There is no project {project_id}.", project_id=project_id)
        return row

    async def prints(
        self, by: Principal, project_id: int, skip: int = 0, limit: int = SHOWN_PRINTS
    ) -> tuple[Sequence[Record], int]:
        """(some of the prints of a project, what ended last first, how many there are)."""
        which = ArchiveFilter(project_id=project_id)
        return await self._archives.find(by, which, skip, limit)

    # Making and changing.

    async def create(
        self, by: Principal, values: Mapping[str, Any], action: str = "project.created"
    ) -> Project:
        """A new project; *action* goes to the audit entry."""
        by.require("projects.write")
        now = self._clock.now()
        async with self._ledger.change() as change:
            row = await Project.create(
                organization_id=by.organization_id,
                created_by=by.user_id or None,
                created_at=now,
                updated_at=now,
                **values,
            )
            change.note(by, action, ("project", row.id), name=row.name)
        return row

    async def update(self, by: Principal, project_id: int, values: Mapping[str, Any]) -> Project:
        """Change what *values* name. Raises `NotFound`."""
        by.require("projects.write")
        async with self._ledger.change() as change:
            row = await self.get(by, project_id)
            row.update_from_dict(dict(values))
            row.updated_at = self._clock.now()
            await row.save()
            fields = sorted(values)
            change.note(by, "project.updated", ("project", row.id), name=row.name, fields=fields)
        return row

    async def delete(self, by: Principal, project_id: int) -> Project:
        """Put a project away: it is archived and keeps its prints; safe to say twice.

        Raises `NotFound`.
        """
        by.require("projects.admin")
        async with self._ledger.change() as change:
            row = await self.get(by, project_id)
            row.status, row.updated_at = ARCHIVED, self._clock.now()
            await row.save(update_fields=["status", "updated_at"])
            change.note(by, "project.deleted", ("project", row.id), name=row.name)
        return row

    async def assign(self, by: Principal, project_id: int, archive_ids: Collection[int]) -> int:
        """These prints belong to the project from now on, all or none; how many were named.

        Raises `NotFound` (the project, a print) or `Conflict` (it would have too many).
        """
        by.require("projects.write")
        wanted = sorted(set(archive_ids))
        async with self._ledger.change() as change:
            row = await self.get(by, project_id)
            many = await self._archives.put_into(change, by, row.id, wanted)
            if many > MAX_PRINTS:
                raise Conflict(f"A project has at most {MAX_PRINTS} prints; begin another one.")
            row.updated_at = self._clock.now()
            await row.save(update_fields=["updated_at"])
            said = {"name": row.name, "archive_ids": wanted[:50], "count": len(wanted)}
            change.note(by, "project.archives_assigned", ("project", row.id), **said)
        return len(wanted)


def _theirs(by: Principal) -> QuerySet[Project]:
    by.require("projects.read")
    return Project.filter(organization_id=by.organization_id)

"""v1 routes of projects (v1 contract, 2.10): parse, ask the service, answer."""

import asyncio
import tempfile
from typing import IO

from quart import Response, request

from api.archives.shown import ShownArchives
from api.config import Settings
from api.describe import Doc, Query
from api.errors import Invalid, NotFound
from api.http import json_answer, json_body, paging, parse_body
from api.jobs.forms import refuse
from api.models_library.docs import FORM
from api.models_library.form_file import FORM_ROOM_BYTES
from api.projects import answers
from api.projects.forms import (
    AssignBody,
    ProjectAbout,
    ProjectBody,
    ProjectStatus,
    ProjectUpdateBody,
)
from api.projects.parcels import Parcels, opened
from api.projects.service import Projects
from api.projects.view import file_name, project_fields
from api.uploads import MultipartReader, multipart
from api.v1 import V1, caller


class ProjectRoutes:
    """``/projects``."""

    def __init__(
        self, projects: Projects, parcels: Parcels, shown: ShownArchives, settings: Settings
    ) -> None:
        self._projects = projects
        self._parcels = parcels
        self._shown = shown
        self._max_bytes = settings.max_upload_bytes

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one = "/projects/<int:project_id>"
        v1.add("GET", "/projects", self.list, _LIST)
        v1.add("POST", "/projects", self.create, _CREATE)
        v1.add("POST", "/projects/import", self.take_in, _IMPORT)
        v1.add("GET", one, self.get, _GET)
        v1.add("PUT", one, self.update, _UPDATE)
        v1.add("DELETE", one, self.delete, _DELETE)
        v1.add("POST", f"{one}/archives", self.assign, _ASSIGN)
        v1.add("GET", f"{one}/export", self.export, _EXPORT)

    async def list(self) -> Response:
        """What changed last first."""
        by, status = caller(), request.args.get("status") or None
        if status is not None and status not in [*ProjectStatus]:
            raise refuse("status", f"one of {', '.join(ProjectStatus)}, not {status[:40]!r}")
        rows, total = await self._projects.list(by, status, *paging())
        counts = await self._projects.counts(by, rows)
        shown = [project_fields(row, counts.get(row.id, 0)) for row in rows]
        return json_answer(shown, headers={"X-Total-Count": str(total)})

    async def create(self) -> Response:
        """A new one."""
        body = await json_body(ProjectBody)
        if body.org_id not in (None, caller().organization_id):
            raise NotFound(
                f"There is no organization {body.org_id} here; a project is made in the own one.",
                code="organization_not_found",
            )
        row = await self._projects.create(caller(), body.values())
        return json_answer({"id": row.id, "name": row.name, "status": row.status})

    async def get(self, project_id: int) -> Response:
        """One, with its prints."""
        by = caller()
        row = await self._projects.get(by, project_id)
        records, total = await self._projects.prints(by, row.id)
        archives = await self._shown.many(by, records)
        return json_answer({**project_fields(row, total), "archives": archives})

    async def update(self, project_id: int) -> Response:
        """It, changed."""
        body = await json_body(ProjectUpdateBody)
        row = await self._projects.update(caller(), project_id, body.values())
        return json_answer({"status": "updated", "id": row.id})

    async def delete(self, project_id: int) -> Response:
        """Put away."""
        row = await self._projects.delete(caller(), project_id)
        return json_answer({"status": row.status, "id": row.id})

    async def assign(self, project_id: int) -> Response:
        """Prints that belong to it."""
        body = await json_body(AssignBody)
        assigned = await self._projects.assign(caller(), project_id, body.archive_ids)
        return json_answer({"assigned": assigned})

    async def export(self, project_id: int) -> Response:
        """A zip file of it."""
        row, written = await self._parcels.export(caller(), project_id)
        answer = Response(written, content_type="application/zip")
        answer.headers["Content-Disposition"] = f'attachment; filename="{file_name(row)}"'
        answer.timeout = None  # as long as it takes
        return answer

    async def take_in(self) -> Response:
        """A new one, out of a zip file."""
        by = caller()
        by.require("projects.write")
        reader = await multipart(request, self._max_bytes, FORM_ROOM_BYTES)
        with tempfile.TemporaryFile() as kept:
            await _keep_aside(reader, kept)
            parcel, about = await opened(kept, self._max_bytes)
            values = parse_body(ProjectAbout, about).values()
            taken = await self._parcels.take_in(by, parcel, values)
        return json_answer(
            {
                "id": taken.project.id,
                "name": taken.project.name,
                "status": "imported",
                "files": [
                    {"id": each.id, "filename": each.filename, "model_id": each.model_id}
                    for each in taken.files
                ],
                "skipped": [*taken.skipped],
            }
        )


async def _keep_aside(reader: MultipartReader, kept: IO[bytes]) -> None:
    """The field `file` of the form goes to *kept* as it comes. Raises `Invalid`."""
    found = False
    async for part in reader:
        if part.name != "file":
            continue
        if found:
            raise Invalid("Send one file at a time.")
        found = True
        async for chunk in part:
            await asyncio.to_thread(kept.write, chunk)
    if not found:
        raise Invalid("The form has no field named file.")


_LIST = Doc(
    summary="Projects, the one that changed last first",
    answer=list[answers.ProjectAnswer],
    right="projects.read",
    query=(Query(name="status", type=ProjectStatus, description="Only projects that are so"),),
    paged=True,
)
_CREATE = Doc(
    summary="Begin a project",
    answer=answers.ProjectMade,
    body=ProjectBody,
    right="projects.write",
    problems=("organization_not_found",),
    dry_run=True,
)
_GET = Doc(summary="A project with its prints", answer=answers.ProjectWhole, right="projects.read")
_UPDATE = Doc(
    summary="Change a project",
    answer=answers.ProjectUpdated,
    body=ProjectUpdateBody,
    right="projects.write",
    dry_run=True,
)
_DELETE = Doc(
    summary="Put a project away: it is archived, and keeps its prints",
    answer=answers.ProjectPutAway,
    right="projects.admin",
    dry_run=True,
)
_ASSIGN = Doc(
    summary="Prints that belong to a project: all of these or none",
    description="A print belongs to one project; it leaves the one that it was in.",
    answer=answers.Assigned,
    body=AssignBody,
    right="projects.write",
    problems=("conflict",),
    dry_run=True,
)
_EXPORT = Doc(
    summary="A project as a zip file: project.json, and the files that were printed",
    answer=bytes,
    media="application/zip",
    right="projects.export",
    problems=("storage_unavailable",),
)
_IMPORT = Doc(
    summary="Take in an exported project, as the field `file` of a form",
    description="A new project, and print files of the library for what can be printed. Its prints "
    "are not taken in: they are the history of another farm. At most 1000 entries, and "
    "GANTRY_MAX_UPLOAD_BYTES, packed as well as unpacked.",
    answer=answers.ProjectImported,
    right="projects.write",
    form=FORM,
    problems=(
        *("bad_request", "not_gcode", "quota_exceeded", "storage_unavailable", "too_large"),
        *("unsupported_media_type", "upstream_unavailable", "validation_failed"),
    ),
)

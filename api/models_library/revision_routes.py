"""v1 routes of revisions and variants of models, and of meshes (v1 contract, 2.5)."""

from typing import Annotated, Any, Literal

from pydantic import Field
from quart import Response, request

from api.clock import iso
from api.config import Settings
from api.describe import Answer, Doc, Instant, Query
from api.errors import NotFound
from api.files.service import Files
from api.http import json_answer, page_of
from api.models_library.docs import FORM
from api.models_library.form_file import FORM_ROOM_BYTES, received_file
from api.models_library.revisions import MAX_CHANGELOG, Revision, Revisions
from api.models_library.service import Library
from api.uploads import multipart
from api.v1 import V1, caller


class RevisionAnswer(Answer):
    """A revision of a model: one of its print files."""

    id: int = Field(description="The print file's number; jobs name it as model_revision_id")
    revision_number: int = Field(description="From 1; it never changes")
    file_path: str = Field(description="What the file is called")
    changelog: str | None
    uploaded_by: int | None
    uploaded_by_name: str | None
    created_at: Instant


class RevisionMade(RevisionAnswer):
    """The newest revision: what jobs of the model print from now on."""

    success: Literal[True]
    model_id: int


class VariantDeleted(Answer):
    """It is not in the library any more."""

    status: Literal["deleted"]
    id: int


class RevisionRoutes:
    """``/models/{id}/revisions`` and what else there is of a model's files."""

    def __init__(
        self, revisions: Revisions, library: Library, files: Files, settings: Settings
    ) -> None:
        self._revisions = revisions
        self._library = library
        self._files = files
        self._max_bytes = settings.max_upload_bytes

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        model, file = "/models/<int:model_id>", "/print-files/<int:file_id>"
        v1.add("GET", f"{model}/revisions", self.list, _LIST)
        v1.add("POST", f"{model}/revisions", self.add, _ADD)
        v1.add("POST", f"{model}/revisions/<int:rev_number>/revert", self.revert, _REVERT)
        v1.add("DELETE", f"{model}/variants/<int:variant_id>", self.remove_variant, _REMOVE)
        v1.add("GET", f"{model}/mesh", self.model_mesh, _MESH)
        v1.add("GET", f"{file}/mesh", self.file_mesh, _MESH)
        v1.add("GET", "/files/<int:file_id>/preview-model", self.file_mesh, _MESH)

    async def list(self, model_id: int) -> Response:
        """The newest first."""
        rows = await self._revisions.list(caller(), model_id)
        return page_of([_fields(each) for each in rows])

    async def add(self, model_id: int) -> Response:
        """A new one, as the field `file` of a form."""
        by = caller()
        by.require("files.write")
        await self._library.get_model(by, model_id)  # before anything is read
        changelog = request.args.get("changelog", "")
        reader = await multipart(request, self._max_bytes, FORM_ROOM_BYTES)
        blob, filename = await received_file(by, reader, self._files)
        made = await self._revisions.add(by, model_id, blob, filename, changelog)
        return _made(model_id, made)

    async def revert(self, model_id: int, rev_number: int) -> Response:
        """An old one again."""
        return _made(model_id, await self._revisions.revert(caller(), model_id, rev_number))

    async def remove_variant(self, model_id: int, variant_id: int) -> Response:
        """One of its files is gone."""
        await self._revisions.remove_variant(caller(), model_id, variant_id)
        return json_answer({"status": "deleted", "id": variant_id})

    async def model_mesh(self, model_id: int) -> Response:
        """Its shape: sliced files have none."""
        model = await self._library.get_model(caller(), model_id)
        raise _no_mesh(model.name)

    async def file_mesh(self, file_id: int) -> Response:
        """Its shape: sliced files have none."""
        file = await self._library.get_file(caller(), file_id)
        raise _no_mesh(file.filename)


def _fields(revision: Revision) -> dict[str, Any]:
    file = revision.file
    return {
        "id": file.id,
        "revision_number": revision.number,
        "file_path": file.filename,
        "changelog": file.changelog,
        "uploaded_by": file.uploaded_by,
        "uploaded_by_name": revision.by_name,
        "created_at": iso(file.uploaded_at),
    }


def _made(model_id: int, revision: Revision) -> Response:
    return json_answer({"success": True, "model_id": model_id, **_fields(revision)})


def _no_mesh(name: str) -> NotFound:
    return NotFound(
        f"No mesh is kept of {name}: the library holds sliced files.", code="file_not_found"
    )


_LIST = Doc(
    summary="The revisions of a model, the newest first",
    answer=list[RevisionAnswer],
    right="files.read",
    paged=True,
)
_ADD = Doc(
    summary="A new revision of a model: a sliced file as the field `file` of a form",
    description="Jobs of the model print it from now on; those that wait keep theirs.",
    answer=RevisionMade,
    right="files.write",
    form=FORM,
    query=(
        Query(
            name="changelog",
            type=Annotated[str, Field(max_length=MAX_CHANGELOG)],
            description="What is different",
        ),
    ),
    problems=("bad_request", "not_gcode", "too_large", "storage_unavailable", "validation_failed"),
)
_REVERT = Doc(
    summary="Make an old revision the newest one again",
    answer=RevisionMade,
    right="files.write",
    problems=("file_not_found",),
    dry_run=True,
)
_REMOVE = Doc(
    summary="Take a print file of a model out of the library",
    description="Refused while a job may still print it.",
    answer=VariantDeleted,
    right="files.write",
    problems=("file_in_use", "file_not_found"),
    dry_run=True,
)
_MESH = Doc(
    summary="The shape of a model or file: there is none, the library holds sliced files",
    answer=bytes,
    media="model/stl",
    right="files.read",
    problems=("file_not_found",),
)

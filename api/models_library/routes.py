"""The v1 routes of models and print files (v1 2.5)."""

from quart import Response, request

from api.config import Settings
from api.files.service import Files
from api.http import id_query, json_answer, json_body, paging, truthy
from api.models_library import docs
from api.models_library.bodies import ModelBody, ModelUpdateBody
from api.models_library.form_file import FORM_ROOM_BYTES, received_file
from api.models_library.service import Library, NewModel
from api.models_library.views import (
    MODEL_DETAILS,
    file_view,
    model_view,
    upload_view,
    variant_view,
)
from api.uploads import multipart
from api.v1 import V1, caller


class LibraryRoutes:
    """Upload, print files, models."""

    def __init__(self, library: Library, files: Files, settings: Settings) -> None:
        self._library = library
        self._files = files
        self._max_bytes = settings.max_upload_bytes

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        file, model = "/print-files/<int:file_id>", "/models/<int:model_id>"
        v1.add("POST", "/print-files/upload", self.upload, docs.UPLOAD)
        v1.add("GET", "/print-files", self.list_files, docs.LIST_FILES)
        v1.add("GET", file, self.get_file, docs.GET_FILE)
        v1.add("DELETE", file, self.delete_file, docs.DELETE_FILE)
        v1.add("GET", f"{file}/thumbnail", self.thumbnail, docs.THUMBNAIL)
        v1.add("GET", "/models", self.list_models, docs.LIST_MODELS)
        v1.add("POST", "/models", self.create_model, docs.CREATE_MODEL)
        v1.add("GET", model, self.get_model, docs.GET_MODEL)
        v1.add("PATCH", model, self.update_model, docs.UPDATE_MODEL)
        v1.add("DELETE", model, self.delete_model, docs.DELETE_MODEL)
        v1.add("GET", f"{model}/variants", self.variants, docs.VARIANTS)

    async def upload(self) -> Response:
        """A sliced file as the field `file` of a form."""
        by = caller()
        by.require("files.write")
        reader = await multipart(request, self._max_bytes, FORM_ROOM_BYTES)
        blob, filename = await received_file(by, reader, self._files)
        row, _, is_new = await self._library.add_upload(by, blob, filename)
        earlier = await self._library.earlier(by, row)
        return json_answer(upload_view(await self._library.sliced(by, row.id), is_new, earlier))

    async def list_files(self) -> Response:
        """Print files without a job; with `include_scheduled` all."""
        with_jobs = truthy(request.args.get("include_scheduled"))
        rows, total = await self._library.list_files(caller(), *paging(), with_jobs=with_jobs)
        return json_answer([file_view(row) for row in rows], headers={"X-Total-Count": str(total)})

    async def get_file(self, file_id: int) -> Response:
        """One print file."""
        return json_answer(file_view(await self._library.sliced(caller(), file_id)))

    async def delete_file(self, file_id: int) -> Response:
        """Take a print file out of the library."""
        await self._library.delete_file(caller(), file_id)
        return json_answer({"status": "deleted", "id": file_id})

    async def thumbnail(self, file_id: int) -> Response:
        """Its picture."""
        found = await self._library.thumbnail(caller(), file_id)
        return Response(found.data, content_type=found.media)

    async def list_models(self) -> Response:
        """Models by name."""
        category, other = request.args.get("category"), id_query("org_id")
        rows, total = await self._library.list_models(
            caller(), category, *paging(), organization_id=other
        )
        return json_answer([model_view(row) for row in rows], headers={"X-Total-Count": str(total)})

    async def get_model(self, model_id: int) -> Response:
        """One model."""
        return json_answer(model_view(await self._library.get_model(caller(), model_id)))

    async def create_model(self) -> Response:
        """Make a model by hand."""
        body = await json_body(ModelBody)
        details = body.model_dump(include=set(MODEL_DETAILS))
        new = NewModel(
            name=body.name,
            build_time_hours=body.build_time_hours,
            default_filament_type=body.default_filament_type,
            category=body.category,
            notes=body.notes,
            details=details,
        )
        model = await self._library.create_model(caller(), new)
        return json_answer(model_view(model), 201)

    async def update_model(self, model_id: int) -> Response:
        """A model, changed."""
        body = await json_body(ModelUpdateBody)
        model = await self._library.update_model(caller(), model_id, body.values())
        return json_answer(model_view(model))

    async def delete_model(self, model_id: int) -> Response:
        """Gone, with its print files."""
        await self._library.delete_model(caller(), model_id)
        return Response(status=204)

    async def variants(self, model_id: int) -> Response:
        """The print files of a model."""
        model, rows = await self._library.files_of_model(caller(), model_id)
        shown = [variant_view(row) for row in rows]
        return json_answer({"model_id": model.id, "model_name": model.name, "variants": shown})

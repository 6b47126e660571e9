"""The v1 routes of models and print files (v1 2.5)."""

from typing import Annotated

from pydantic import Field
from quart import Response, request

from api.config import Settings
from api.errors import Invalid
from api.files.service import Blob, Files
from api.http import Body, json_answer, json_body, paging, truthy
from api.models_library.service import MAX_CATEGORY, Library, NewModel, printable_name
from api.models_library.views import MODEL_DETAILS, file_view, model_view, upload_view
from api.principal import Principal
from api.printers.filaments import FilamentType
from api.uploads import MultipartReader, multipart
from api.v1 import V1, caller

_FORM_ROOM_BYTES = 1024 * 1024  # what the form may weigh beside the file

Quantity = Annotated[int, Field(ge=1, le=10_000)]
Amount = Annotated[float, Field(ge=0, le=1e9)]


class ColorBody(Body):
    """A colour that a model needs."""

    color: Annotated[str, Field(max_length=100)]
    grams: Amount = 0
    filament_type: FilamentType | None = None


class ModelBody(Body):
    """A model to be made."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    build_time_hours: Amount | None = None
    default_filament_type: FilamentType = "PLA"
    color_requirements: Annotated[dict[str, ColorBody], Field(max_length=32)] | None = None
    category: Annotated[str, Field(max_length=MAX_CATEGORY)] | None = None
    thumbnail_url: Annotated[str, Field(max_length=2000)] | None = None
    thumbnail_b64: str | None = None
    notes: Annotated[str, Field(max_length=10_000)] | None = None
    cost_per_item: Amount | None = None
    units_per_bed: Quantity | None = 1
    quantity_per_bed: Quantity | None = 1
    markup_percent: Amount | None = 300
    is_favorite: bool | None = False


class LibraryRoutes:
    """Upload, print files, models."""

    def __init__(self, library: Library, files: Files, settings: Settings) -> None:
        self._library = library
        self._files = files
        self._max_bytes = settings.max_upload_bytes

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("POST", "/print-files/upload", self.upload)
        v1.add("GET", "/print-files", self.list_files)
        v1.add("GET", "/print-files/<int:file_id>", self.get_file)
        v1.add("DELETE", "/print-files/<int:file_id>", self.delete_file)
        v1.add("GET", "/models", self.list_models)
        v1.add("POST", "/models", self.create_model)
        v1.add("GET", "/models/<int:model_id>", self.get_model)

    async def upload(self) -> Response:
        """A sliced file as the field `file` of a form."""
        by = caller()
        by.require("files.write")
        reader = await multipart(request, self._max_bytes, _FORM_ROOM_BYTES)
        blob, filename = await self._received(by, reader)
        row, _, is_new = await self._library.add_upload(by, blob, filename)
        earlier = await self._library.earlier(by, row)
        return json_answer(upload_view(await self._library.sliced(by, row.id), is_new, earlier))

    async def _received(self, by: Principal, reader: MultipartReader) -> tuple[Blob, str]:
        """The file of the form, when all of it has come. Raises `Invalid`."""
        found: tuple[Blob, str] | None = None
        async for part in reader:
            if part.name != "file":
                continue
            if found is not None:
                raise Invalid("Send one file at a time.")
            if not part.filename:
                raise Invalid("The field file has no file name.")
            filename = printable_name(part.filename)
            blob = await self._files.ingest(by, part, filename, must_be_gcode=True)
            found = blob, filename
        if found is None:
            raise Invalid("The form has no field named file.")
        return found

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

    async def list_models(self) -> Response:
        """Models by name."""
        category = request.args.get("category")
        rows, total = await self._library.list_models(caller(), category, *paging())
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

"""The library of the v1 dialect: models, and the sliced files that realise them (v1 2.5).

An upload makes a print file, and a model where none of that name exists yet. The library knows no
jobs; who does answers `FileJobs`.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, get_args

from tortoise.queryset import QuerySet

from api.clock import Clock
from api.errors import Conflict, NotFound
from api.events.service import Change, Happened, Ledger
from api.files.pictures import picture_of
from api.files.service import Blob, Files
from api.files.thumbnails import Thumbnail
from api.models_library.models import LibraryModel, PrintFile
from api.models_library.naming import MAX_NAME, model_name, name_key, printable_name, stem
from api.principal import Principal
from api.printers.filaments import FilamentType

__all__ = ["FileJob", "FileJobs", "Library", "LibraryModel", "PrintFile"]

MAX_CATEGORY = 100
#: What an update may set, beside what is below ``details``.
_SETTABLE = frozenset({"name", "build_time_hours", "default_filament_type", "category", "notes"})
_MAX_FILENAME = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJob:
    """The newest job of a print file. *needs_file*: it may still start."""

    id: int
    status: str
    name: str
    needs_file: bool


class FileJobs(Protocol):
    """Who knows which jobs print which files."""

    async def jobs_of_files(
        self, organization_id: int, file_ids: Sequence[int]
    ) -> Mapping[int, FileJob]:
        """The newest job of each of these print files; files without a job are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliced:
    """A print file with everything that is shown of it."""

    file: PrintFile
    model: LibraryModel
    blob: Blob
    job: FileJob | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModel:
    """A model to be made. *details*: dialect fields that decide nothing."""

    name: str
    build_time_hours: float | None = None
    default_filament_type: str = "PLA"
    category: str | None = None
    notes: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Library:
    """Models and print files of every organization."""

    def __init__(self, files: Files, ledger: Ledger, clock: Clock) -> None:
        self._files = files
        self._ledger = ledger
        self._clock = clock
        self._jobs: FileJobs | None = None

    def ask_jobs(self, jobs: FileJobs) -> None:
        """From now on *jobs* says which files are in use."""
        self._jobs = jobs

    # Print files

    async def add_upload(
        self, by: Principal, blob: Blob, filename: str
    ) -> tuple[PrintFile, LibraryModel, bool]:
        """A print file of *blob*, its model, and whether that is new.

        Raises `Invalid` for a bad name (see `printable_name`).
        """
        by.require("files.write")
        filename = printable_name(filename)
        async with self._ledger.change() as change:
            model, is_new = await self._model_for(by, filename, blob)
            row = await PrintFile.create(
                organization_id=by.organization_id,
                model_id=model.id,
                blob_id=blob.id,
                filename=filename[:_MAX_FILENAME],
                original_filename=filename[:_MAX_FILENAME],
                uploaded_by=by.user_id,
                uploaded_at=self._clock.now(),
            )
            change.record(_happened(by, "print_file.added", {"print_file_id": row.id}))
            change.note(by, "print_file.added", ("print_file", row.id), filename=row.filename)
        return row, model, is_new

    async def earlier(self, by: Principal, row: PrintFile) -> PrintFile | None:
        """The first print file of the same bytes that was there before *row*."""
        return await _files_of(by).filter(blob_id=row.blob_id, id__lt=row.id).first()

    async def get_file(self, by: Principal, file_id: int) -> PrintFile:
        """A print file. Raises `NotFound`."""
        by.require("files.read")
        found = await _files_of(by).get_or_none(id=file_id)
        if found is None:
            raise NotFound("Print file not found", code="file_not_found")
        return found

    async def newest_file(self, by: Principal, model_id: int) -> PrintFile | None:
        """The newest print file of a model, None without one. Raises `NotFound` (the model)."""
        model = await self.get_model(by, model_id)
        return await _files_of(by).filter(model_id=model.id).order_by("-id").first()

    async def newest_files(
        self, models: Sequence[LibraryModel]
    ) -> Mapping[int, tuple[Mapping[str, Any], int]]:
        """By model: (the facts of its newest print file, how many it has); those without one are
        left out. The caller has been let see the models, which are of one organization.
        """
        files = PrintFile.filter(model_id__in=[model.id for model in models], deleted_at=None)
        newest: dict[int, PrintFile] = {}
        counts: Counter[int] = Counter()
        for row in await files.order_by("id") if models else ():
            newest[row.model_id] = row
            counts[row.model_id] += 1
        blob_ids = {row.blob_id for row in newest.values()}
        owner = models[0].organization_id if models else 0
        blobs = await self._files.blobs(owner, blob_ids)
        return {
            model_id: (blobs[row.blob_id].facts, counts[model_id])
            for model_id, row in newest.items()
        }

    async def sliced(self, by: Principal, file_id: int) -> Sliced:
        """A print file with model, blob and job. Raises `NotFound`."""
        (found,) = await self._with_all(by, [await self.get_file(by, file_id)])
        return found

    async def list_files(
        self, by: Principal, skip: int, limit: int, *, with_jobs: bool
    ) -> tuple[list[Sliced], int]:
        """A page of print files, newest first, and how many there are.

        Without *with_jobs* only those that no job prints.
        """
        by.require("files.read")
        rows = await _files_of(by).order_by("-id")
        if not with_jobs:
            busy = await self._jobs_of(by, rows)
            rows = [row for row in rows if row.id not in busy]
        return await self._with_all(by, rows[skip : skip + limit]), len(rows)

    async def delete_file(self, by: Principal, file_id: int) -> None:
        """Take a print file out of the library; the bytes stay for history.

        Raises `NotFound`, or `Conflict` (file_in_use) while a job may still print it.
        """
        by.require("files.write")
        row = await self.get_file(by, file_id)
        await self._check_unused(by, [row])
        async with self._ledger.change() as change:
            await self._remove_file(change, by, row)

    async def thumbnail(self, by: Principal, file_id: int) -> Thumbnail:
        """The largest picture in a file. Raises `NotFound` for a file without one."""
        row = await self.get_file(by, file_id)
        blob = await self._files.blob(row.organization_id, row.blob_id)
        found = await picture_of(self._files, blob)
        if found is None:
            raise NotFound("This file has no picture", code="file_not_found")
        return found

    async def _check_unused(self, by: Principal, rows: Sequence[PrintFile]) -> None:
        for job in (await self._jobs_of(by, rows)).values():
            if job.needs_file:
                raise Conflict(
                    f"Job {job.id} ({job.name}) is {job.status} and needs this file; cancel it "
                    "first.",
                    code="file_in_use",
                    job_id=job.id,
                )

    async def _remove_file(self, change: Change, by: Principal, row: PrintFile) -> None:
        await PrintFile.filter(id=row.id).update(deleted_at=self._clock.now())
        change.record(_happened(by, "print_file.removed", {"print_file_id": row.id}))
        change.note(by, "print_file.removed", ("print_file", row.id), filename=row.filename)

    async def _with_all(self, by: Principal, rows: Sequence[PrintFile]) -> list[Sliced]:
        model_ids = sorted({row.model_id for row in rows})
        models = {model.id: model for model in await _models_of(by).filter(id__in=model_ids)}
        blobs = await self._files.blobs(by.organization_id, {row.blob_id for row in rows})
        jobs = await self._jobs_of(by, rows)
        return [
            Sliced(
                file=row,
                model=models[row.model_id],
                blob=blobs[row.blob_id],
                job=jobs.get(row.id),
            )
            for row in rows
        ]

    async def _jobs_of(self, by: Principal, rows: Sequence[PrintFile]) -> Mapping[int, FileJob]:
        if self._jobs is None or not rows:
            return {}
        return await self._jobs.jobs_of_files(by.organization_id, [row.id for row in rows])

    # Models

    async def list_models(
        self,
        by: Principal,
        category: str | None,
        skip: int,
        limit: int,
        *,
        organization_id: int | None = None,
    ) -> tuple[list[LibraryModel], int]:
        """A page of models by name, and how many there are; *category* None: of all. A superadmin
        may name another organization.
        """
        by.require("files.read")
        rows = _models_of(by)
        if organization_id is not None and by.is_superadmin:
            rows = LibraryModel.filter(organization_id=organization_id, deleted_at=None)
        if category is not None and len(category) > MAX_CATEGORY:  # no row can have it
            return [], 0
        if category is not None:
            rows = rows.filter(category=category)
        page = await rows.order_by("name", "id").offset(skip).limit(limit)
        return list(page), await rows.count()

    async def models_after(self, by: Principal, last_id: int, limit: int) -> list[LibraryModel]:
        """The next models by number, for who may write them out."""
        by.require("files.read")
        return await _models_of(by).filter(id__gt=last_id).order_by("id").limit(limit)

    async def get_model(self, by: Principal, model_id: int) -> LibraryModel:
        """A model. Raises `NotFound` (model_not_found)."""
        by.require("files.read")
        found = await _models_of(by).get_or_none(id=model_id)
        if found is None:
            raise NotFound("Model not found", code="model_not_found")
        return found

    async def models_named(self, by: Principal, words: str, limit: int) -> Sequence[LibraryModel]:
        """Models whose name contains *words*, literally and in any case."""
        by.require("files.read")
        return await _models_of(by).filter(name__icontains=words).order_by("name").limit(limit)

    async def find_model(self, model_id: int) -> LibraryModel | None:
        """The model, whosever it is; None when there is none. For the farm itself."""
        return await LibraryModel.filter(id=model_id, deleted_at=None).first()

    async def find_models(self, model_ids: Collection[int]) -> Sequence[LibraryModel]:
        """These models, deleted ones too; the caller has been let see the ids."""
        return await LibraryModel.filter(id__in=model_ids).order_by("id") if model_ids else []

    async def model_names(self, model_ids: Collection[int]) -> Mapping[int, str]:
        """The names of these models, of whoever they are: the caller has been let see the ids."""
        if not model_ids:
            return {}
        rows = LibraryModel.filter(id__in=model_ids).values_list("id", "name")
        return {int(number): str(name) for number, name in await rows}

    async def create_model(self, by: Principal, new: NewModel) -> LibraryModel:
        """Make a model. Two may share a name: uploads go to the older one."""
        by.require("files.write")
        model_name(new.name)
        async with self._ledger.change() as change:
            model = await self._add_model(by, new)
            change.record(_happened(by, "model.added", {"model_id": model.id}))
            change.note(by, "model.added", ("model", model.id), name=model.name)
        return model

    async def files_of_model(
        self, by: Principal, model_id: int
    ) -> tuple[LibraryModel, Sequence[Sliced]]:
        """A model and its print files, newest first. Raises `NotFound`."""
        model = await self.get_model(by, model_id)
        rows = await _files_of(by).filter(model_id=model.id).order_by("-id")
        return model, await self._with_all(by, rows)

    async def update_model(
        self, by: Principal, model_id: int, values: Mapping[str, Any]
    ) -> LibraryModel:
        """Change what *values* name; ``details`` is added to what is there. Raises `NotFound` or
        `Invalid` (a blank name). Uploads go to a model by the name that it has then.
        """
        by.require("files.write")
        await self.get_model(by, model_id)
        async with self._ledger.change() as change:
            model = await self.get_model(by, model_id)
            columns = {k: v for k, v in values.items() if k in _SETTABLE}
            if "name" in columns and columns["name"] != model.name:
                columns["name"] = model_name(columns["name"])
                columns["key"] = await self._free_key(by, columns["name"])
            model.update_from_dict(columns)
            model.details = {**model.details, **values.get("details", {})}
            model.updated_at = self._clock.now()
            await model.save()
            fields = sorted({*columns, *values.get("details", {})} - {"key"})
            change.record(_happened(by, "model.updated", {"model_id": model.id, "fields": fields}))
            change.note(by, "model.updated", ("model", model.id), name=model.name, fields=fields)
        return model

    async def delete_model(self, by: Principal, model_id: int) -> None:
        """Take a model and its print files out of the library; the bytes stay for history.

        Raises `NotFound`, or `Conflict` (file_in_use) while a job may still print one.
        """
        by.require("files.write")
        model = await self.get_model(by, model_id)
        rows = await _files_of(by).filter(model_id=model.id)
        await self._check_unused(by, rows)
        async with self._ledger.change() as change:
            for row in rows:
                await self._remove_file(change, by, row)
            model.deleted_at = model.updated_at = self._clock.now()
            model.key = f"{name_key(model.name)[:150]}#gone-{model.id}"  # free for another one
            await model.save(update_fields=["deleted_at", "updated_at", "key"])
            change.record(_happened(by, "model.removed", {"model_id": model.id}))
            change.note(by, "model.removed", ("model", model.id), name=model.name)

    async def _model_for(
        self, by: Principal, filename: str, blob: Blob
    ) -> tuple[LibraryModel, bool]:
        name = stem(filename)[:MAX_NAME]
        known = await _models_of(by).get_or_none(key=name_key(name))
        if known is not None:
            return known, False
        seconds = blob.facts.get("estimated_s")
        new = NewModel(
            name=name,
            build_time_hours=round(seconds / 3600, 4) if seconds else None,
            default_filament_type=_filament_type(blob.facts.get("filament_types")),
        )
        return await self._add_model(by, new), True

    async def _add_model(self, by: Principal, new: NewModel) -> LibraryModel:
        now = self._clock.now()
        return await LibraryModel.create(
            organization_id=by.organization_id,
            name=new.name.strip()[:MAX_NAME],
            key=await self._free_key(by, new.name),
            build_time_hours=new.build_time_hours,
            default_filament_type=new.default_filament_type,
            category=new.category,
            notes=new.notes,
            details=new.details,
            created_at=now,
            updated_at=now,
        )

    async def _free_key(self, by: Principal, name: str) -> str:
        key = name_key(name)
        alike = LibraryModel.filter(organization_id=by.organization_id, key__startswith=key)
        taken = {model.key for model in await alike}
        candidates = (key if n == 1 else f"{key}#{n}" for n in range(1, len(taken) + 2))
        return next(each for each in candidates if each not in taken)


def _filament_type(names: list[str] | None) -> str:
    first = (names or [""])[0].upper().replace("-", "_")
    return first if first in get_args(FilamentType) else "PLA"


def _files_of(by: Principal) -> QuerySet[PrintFile]:
    return PrintFile.filter(organization_id=by.organization_id, deleted_at=None)


def _models_of(by: Principal) -> QuerySet[LibraryModel]:
    return LibraryModel.filter(organization_id=by.organization_id, deleted_at=None)


def _happened(by: Principal, kind: str, data: dict[str, Any]) -> Happened:
    return Happened(by.organization_id, kind, user_id=by.user_id, data=data)

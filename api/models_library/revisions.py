"""Revisions of a model: its print files in the order in which they came, numbered from 1 (v1 2.5).

The newest one is what jobs of the model print, so going back to an old revision puts its bytes on
top as a new one: nothing that was printed changes its number. A file that was deleted keeps its
number too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from api.clock import Clock
from api.errors import NotFound
from api.events.service import Change, Happened, Ledger
from api.files.service import Blob
from api.models_library.models import LibraryModel, PrintFile
from api.models_library.service import Library
from api.principal import Principal

MAX_CHANGELOG = 2000


@dataclass(frozen=True, slots=True)
class Revision:
    """A print file as revision *number* of its model. *by_name* None: whoever it was is gone."""

    file: PrintFile
    number: int
    by_name: str | None


class People(Protocol):
    """Who is who."""

    async def usernames(self, user_ids: Collection[int]) -> Mapping[int, str]:
        """The names of these people, whoever of them is still there."""


class Revisions:
    """The revisions of the models."""

    def __init__(self, library: Library, people: People, ledger: Ledger, clock: Clock) -> None:
        self._library = library
        self._people = people
        self._ledger = ledger
        self._clock = clock

    async def list(self, by: Principal, model_id: int) -> Sequence[Revision]:
        """All that are in the library, the newest first. Raises `NotFound`."""
        model = await self._library.get_model(by, model_id)
        rows = await _all_of(model)
        names = await self._people.usernames({row.uploaded_by for row in rows if row.uploaded_by})
        numbered = [
            Revision(row, number, names.get(row.uploaded_by or 0))
            for number, row in enumerate(rows, start=1)
            if row.deleted_at is None
        ]
        return numbered[::-1]

    async def add(
        self, by: Principal, model_id: int, blob: Blob, filename: str, changelog: str
    ) -> Revision:
        """*blob* is what the model's jobs print from now on. Raises `NotFound`."""
        by.require("files.write")
        model = await self._library.get_model(by, model_id)
        async with self._ledger.change() as change:
            file = await self._put(change, by, model, (blob.id, filename), changelog)
        return await self._shown(by, model, file)

    async def revert(self, by: Principal, model_id: int, number: int) -> Revision:
        """What revision *number* was is the newest one from now on. Raises `NotFound`."""
        by.require("files.write")
        model = await self._library.get_model(by, model_id)
        async with self._ledger.change() as change:
            rows = await _all_of(model)
            old = rows[number - 1] if 1 <= number <= len(rows) else None
            if old is None or old.deleted_at is not None:
                raise NotFound(
                    f"{model.name} has no revision {number}.", code="file_not_found", number=number
                )
            told = f"Back to revision {number}"
            file = await self._put(change, by, model, (old.blob_id, old.filename), told)
        return await self._shown(by, model, file)

    async def remove_variant(self, by: Principal, model_id: int, file_id: int) -> None:
        """Take a print file of this model out of the library. Raises `NotFound`, or `Conflict`
        ``file_in_use`` while a job may still print it.
        """
        by.require("files.write")
        model = await self._library.get_model(by, model_id)
        file = await self._library.get_file(by, file_id)
        if file.model_id != model.id:
            raise NotFound(f"{model.name} has no variant {file_id}.", code="file_not_found")
        await self._library.delete_file(by, file_id)

    async def _put(
        self,
        change: Change,
        by: Principal,
        model: LibraryModel,
        source: tuple[int, str],
        changelog: str,
    ) -> PrintFile:
        blob_id, filename = source
        now = self._clock.now()
        row = await PrintFile.create(
            organization_id=model.organization_id,
            model_id=model.id,
            blob_id=blob_id,
            filename=filename[:300],
            original_filename=filename[:300],
            uploaded_by=by.user_id,
            uploaded_at=now,
            changelog=changelog or None,
        )
        await LibraryModel.filter(id=model.id).update(updated_at=now)
        facts: dict[str, Any] = {"model_id": model.id, "print_file_id": row.id}
        happened = Happened(by.organization_id, "model.revised", user_id=by.user_id, data=facts)
        change.record(happened)
        entity = ("model", model.id)
        change.note(by, "model.revised", entity, name=model.name, print_file_id=row.id)
        return row

    async def _shown(self, by: Principal, model: LibraryModel, file: PrintFile) -> Revision:
        older = PrintFile.filter(model_id=model.id, organization_id=model.organization_id)
        return Revision(file, await older.filter(id__lte=file.id).count(), by.username)


async def _all_of(model: LibraryModel) -> Sequence[PrintFile]:
    rows = PrintFile.filter(model_id=model.id, organization_id=model.organization_id)
    return await rows.order_by("id")

"""Files: bytes by content, what reading them told, and their names in printers' and pools' trees.

Bytes go to the storage as they come, are hashed on the way and scanned in a thread before anybody
can use them (DESIGN sections 3 and 7, Files). A name is a label for a blob in the tree of one
printer or pool; several names and jobs may share one blob.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q
from tortoise.functions import Sum

from api.clock import Clock
from api.config import Settings
from api.errors import Conflict, Invalid, NotFound
from api.events.service import Change, Happened, Ledger
from api.files.analyst import WAITING, so_far
from api.files.incoming import as_text
from api.files.limits import check_facts
from api.files.models import Blob, TreeName
from api.files.names import clean_path, parents
from api.files.scan import Scan
from api.files.surveys import Surveys
from api.files.tree import Tree
from api.principal import Principal
from api.storage import Draft, Storage, Written
from schemas.gcode.survey import Survey
from schemas.printer import Profile

__all__ = ["Blob", "Files", "Tree", "TreeName"]


LINK_S = 900  # how long a link to the object store works; a transfer that has begun goes on


#: (organization, bytes more): raises `TooMany` when they do not fit.
Room = Callable[[int, int], Awaitable[None]]


class Files:
    """Blobs and names of every organization."""

    def __init__(self, storage: Storage, ledger: Ledger, clock: Clock, settings: Settings) -> None:
        self._storage = storage
        self._surveys = Surveys(storage)
        self._ledger = ledger
        self._clock = clock
        self._max_bytes = settings.max_upload_bytes
        self._room_for: Room | None = None

    def limit_storage(self, room_for: Room) -> None:
        """From now on *room_for* says whether an organization may store more."""
        self._room_for = room_for

    # Blobs

    async def ingest(
        self,
        by: Principal,
        reader: AsyncIterator[bytes],
        filename: str,
        *,
        must_be_gcode: bool = False,
    ) -> Blob:
        """Store what *reader* gives and say what it is; the same bytes give the same blob.

        Binary G-code is stored as the text it stands for.
        Nothing stays behind when it is refused: `Invalid` (too_large; with *must_be_gcode* also
        empty and not_gcode), `Unavailable` (storage_unavailable), or whatever *reader* raises.
        """
        by.require("files.write")
        reading = Scan()
        async with (
            self._storage.draft(reading.feed) as draft,
            aclosing(as_text(reader, filename)) as text,
        ):
            reading.look_back = draft.look_back
            size_bytes = 0
            async for chunk in text:
                size_bytes += len(chunk)
                if size_bytes > self._max_bytes:
                    raise self._too_large()
                await draft.write(chunk)
            if must_be_gcode and not size_bytes:
                raise Invalid(f"{filename} is empty.")
            written = await draft.finish()
            known = await self._known(by.organization_id, written)
            if known is None:
                facts = await asyncio.to_thread(reading.finish)
                if must_be_gcode:
                    _check_gcode(facts, filename)
                if self._room_for is not None:
                    await self._room_for(by.organization_id, written.size_bytes)
                return await self._keep(by, draft, written, facts)
        if must_be_gcode:  # the same bytes came before, where it did not matter what they are
            _check_gcode(known.facts, filename)
        return known

    async def blob(self, organization_id: int, blob_id: int) -> Blob:
        """The blob of that organization. Raises `NotFound`."""
        found = await Blob.get_or_none(id=blob_id, organization_id=organization_id)
        if found is None:
            raise NotFound("File not found", code="file_not_found")
        return found

    async def blob_by_sha256(self, organization_id: int, sha256: str) -> Blob:
        """The blob of that organization with this content. Raises `NotFound`."""
        found = await Blob.get_or_none(organization_id=organization_id, sha256=sha256)
        if found is None:
            raise _no_file()
        return found

    async def blobs(self, organization_id: int, blob_ids: Iterable[int]) -> dict[int, Blob]:
        """The blobs of that organization among *blob_ids*, by their id."""
        rows = Blob.filter(organization_id=organization_id, id__in=sorted(set(blob_ids)))
        return {row.id: row for row in await rows}

    async def stored_bytes(self, organization_id: int) -> int:
        """How much that organization stores. For the farm itself."""
        rows = Blob.filter(organization_id=organization_id).annotate(all_bytes=Sum("size_bytes"))
        [found] = await rows.values("all_bytes") or [{}]
        return int(found.get("all_bytes") or 0)

    async def has_bytes(self, blob: Blob) -> bool:
        """Whether the bytes can be read; False: they are gone. Raises `Unavailable`."""
        return await self._storage.exists(blob.storage_key)

    def path_for_reading(self, blob: Blob) -> Path | None:
        """Where the bytes lie on this machine; None when the storage is elsewhere."""
        return self._storage.local_path(blob.storage_key)

    def read(self, blob: Blob, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from *start*, at most *length*; raises `Unavailable` as it is iterated."""
        return self._storage.read(blob.storage_key, start, length)

    async def link(self, blob: Blob) -> str | None:
        """A URL of the object store for the bytes, for a quarter of an hour; None: only `read`."""
        return await self._storage.link(blob.storage_key, LINK_S)

    def check_against(self, blob: Blob, profile: Profile) -> None:
        """Raises `Invalid` (limit_exceeded) when the printer must not run this file.

        The text and the facts name the line, and what it asks for and may ask for.
        """
        check_facts(blob.facts, profile)

    async def survey(self, blob: Blob) -> Survey | None:
        """What the file asks of a printer, line by line; None: not known yet (`Surveys.of`)."""
        return await self._surveys.of(blob)

    async def kept_surveys(self, blob_ids: Collection[int]) -> Mapping[int, Survey]:
        """What was found out about these files before, by the blob's id; nothing is read for it."""
        return await self._surveys.kept(blob_ids)

    async def _known(self, organization_id: int, written: Written) -> Blob | None:
        """The blob of the same bytes, when they are really still there."""
        found = await Blob.get_or_none(organization_id=organization_id, sha256=written.sha256)
        if found is not None and await self._storage.exists(found.storage_key):
            return found
        return None

    async def _keep(
        self, by: Principal, draft: Draft, written: Written, facts: dict[str, Any]
    ) -> Blob:
        key = await draft.keep(str(by.organization_id))
        same: dict[str, Any] = {"organization_id": by.organization_id, "sha256": written.sha256}
        try:
            async with self._ledger.change() as change:
                change.wake(WAITING)
                found = await Blob.get_or_none(**same)
                return found or await Blob.create(
                    **same,
                    size_bytes=written.size_bytes,
                    storage_key=key,
                    facts=facts,
                    created_at=self._clock.now(),
                )
        except IntegrityError:  # another process stored the same bytes at this moment
            return await Blob.get(**same)

    def _too_large(self) -> Invalid:
        return Invalid(
            f"The file is larger than {self._max_bytes} bytes, the limit of this server "
            "(GANTRY_MAX_UPLOAD_BYTES).",
            code="too_large",
            max_bytes=self._max_bytes,
        )

    # Names

    async def put_name(
        self,
        by: Principal,
        tree: Tree,
        path: str,
        display: str,
        blob: Blob,
        *,
        userdata: Any = None,
        wishes: Mapping[str, bool] | None = None,
    ) -> TreeName:
        """Name *blob* in *tree*, in place of what had the name, whose *userdata* stay unless others
        are given; folders are made. *wishes*: it comes from outside, see `tell_uploaded`.

        The caller has checked that the tree is theirs. Raises `Invalid` for a bad path,
        `Conflict` where a folder has the name, or a file stands for a folder.
        """
        by.require("files.write")
        path = _reached(by, tree, path)
        async with self._ledger.change() as change:
            await self._make_parents(by, tree, path)
            row = await TreeName.get_or_none(tree=tree.key, path=path)
            if row is None:
                row = self._new_row(by, tree, path)
            elif row.is_folder:
                raise Conflict(f"{path!r} is a folder.")
            row.display, row.blob_id = display[:300], blob.id
            row.userdata = row.userdata if userdata is None else userdata
            row.user_id, row.uploaded_at = by.user_id, self._clock.now()
            await row.save()
            _record(change, by, "file.added", row)
            if wishes is not None:
                change.record(_happened(by, "file.uploaded", row, **wishes))
            for kind in await so_far(blob):
                change.record(_happened(by, kind, row))
        return row

    async def tell_uploaded(
        self, by: Principal, row: TreeName, wishes: Mapping[str, bool], target: str = "local"
    ) -> None:
        """That *row* has come in from outside: whether its sender asked to `select` and to `print`
        it, and what came of that (`effective_select`, `effective_print`). *target*: where to.
        """
        async with self._ledger.change() as change:
            change.record(_happened(by, "file.uploaded", row, target=target, **wishes))

    async def make_folder(self, by: Principal, tree: Tree, path: str) -> TreeName:
        """Make the folder and those above it; one that is there already is no error."""
        by.require("files.write")
        path = _reached(by, tree, path)
        async with self._ledger.change() as change:
            await self._make_parents(by, tree, path)
            row = await TreeName.get_or_none(tree=tree.key, path=path)
            if row is None:
                row = self._new_row(by, tree, path, is_folder=True)
                await row.save()
                _record(change, by, "folder.added", row)
            elif not row.is_folder:
                raise Conflict(f"{path!r} is a file.")
        return row

    async def name(self, by: Principal, tree: Tree, path: str) -> TreeName:
        """The file or folder of that name. Raises `NotFound`, for a path that cannot be, too."""
        by.require("files.read")
        try:
            path = _reached(by, tree, path)
        except Invalid:
            raise _no_file() from None
        found = await TreeName.get_or_none(
            organization_id=by.organization_id, tree=tree.key, path=path
        )
        if found is None:
            raise _no_file()
        return found

    async def names(self, by: Principal, tree: Tree, folder: str = "") -> list[TreeName]:
        """Everything below *folder* in *tree*, by path; empty: the whole tree."""
        by.require("files.read")
        rows = TreeName.filter(organization_id=by.organization_id, tree=tree.key)
        if folder:
            found = await self.name(by, tree, folder)
            return [row for row in await rows.order_by("path") if _below(row, found.path)]
        _check_reach(by, tree)
        return list(await rows.order_by("path"))

    async def blobs_of(self, by: Principal, names: Iterable[TreeName]) -> dict[int, Blob]:
        """The blobs of *names*, by their id."""
        ids = (name.blob_id for name in names if name.blob_id is not None)
        return await self.blobs(by.organization_id, ids)

    async def forget_printer(self, change: Change, printer_id: int) -> None:
        """Within *change*: the printer's tree is empty. The blobs stay."""
        del change  # proof that a transaction is open
        await TreeName.filter(tree=Tree.of_printer(printer_id).key).delete()

    async def remove_name(self, by: Principal, tree: Tree, path: str) -> None:
        """Forget the name, or the folder with all below it; the bytes stay for jobs and history.

        Raises `NotFound`.
        """
        by.require("files.write")
        row = await self.name(by, tree, path)
        async with self._ledger.change() as change:
            mine = Q(organization_id=by.organization_id, tree=tree.key)
            doomed = [each.id for each in await TreeName.filter(mine) if _below(each, row.path)]
            await TreeName.filter(id__in=[row.id, *doomed]).delete()
            _record(change, by, "folder.removed" if row.is_folder else "file.removed", row)

    async def move_name(self, by: Principal, tree: Tree, path: str, target: str) -> TreeName:
        """Call the file or folder *path* from now on *target*, with all that lies in it.

        Raises `NotFound`, `Invalid` for a bad *target*, `Conflict` when that is taken.
        """
        by.require("files.write")
        row = await self.name(by, tree, path)
        old, new = row.path, _reached(by, tree, target)
        async with self._ledger.change() as change:
            await self._make_parents(by, tree, new)
            if await TreeName.filter(tree=tree.key, path=new).exists():
                raise Conflict(f"{new!r} exists already.")
            mine = await TreeName.filter(organization_id=by.organization_id, tree=tree.key)
            for each in [one for one in mine if one.id == row.id or _below(one, old)]:
                each.path = new + each.path[len(old) :]
                await each.save(update_fields=["path"])
            row.path, row.display = new, new.rpartition("/")[2]
            await row.save(update_fields=["path", "display"])
            _record(change, by, "folder.moved" if row.is_folder else "file.moved", row, old=old)
        return row

    async def _make_parents(self, by: Principal, tree: Tree, path: str) -> None:
        for folder in parents(path):
            row = await TreeName.get_or_none(tree=tree.key, path=folder)
            if row is None:
                await self._new_row(by, tree, folder, is_folder=True).save()
            elif not row.is_folder:
                raise Conflict(f"{folder!r} is a file, not a folder.")

    def _new_row(
        self, by: Principal, tree: Tree, path: str, *, is_folder: bool = False
    ) -> TreeName:
        return TreeName(
            organization_id=by.organization_id,
            tree=tree.key,
            path=path,
            display=path.rpartition("/")[2],
            is_folder=is_folder,
            user_id=by.user_id,
            uploaded_at=self._clock.now(),
        )


def _below(row: TreeName, folder: str) -> bool:
    return row.path.startswith(f"{folder}/")


def _check_reach(by: Principal, tree: Tree) -> None:
    if not tree.reached_by(by):
        raise NotFound("Printer not found", code="printer_not_found")


def _reached(by: Principal, tree: Tree, path: str) -> str:
    """*path*, clean. Raises `NotFound` for another tree than the key's, `Invalid`."""
    _check_reach(by, tree)
    path = clean_path(path)
    if not path:
        raise Invalid("The file name is empty.")
    return path


def _record(change: Change, by: Principal, kind: str, row: TreeName, **more: str) -> None:
    change.record(_happened(by, kind, row, **more))
    change.note(by, kind, ("file", row.id or 0), path=row.path, tree=row.tree, **more)


def _happened(by: Principal, kind: str, row: TreeName, **more: str | bool) -> Happened:
    return Happened(
        by.organization_id,
        kind,
        printer_id=Tree(row.tree).printer_id,
        user_id=by.user_id,
        data={"path": row.path, "tree": row.tree, **more},
    )


def _no_file() -> NotFound:
    return NotFound("File not found", code="file_not_found")


def _check_gcode(facts: dict[str, Any], filename: str) -> None:
    if not facts["looks_like_gcode"]:
        raise Invalid(
            f"{filename} is not G-code: it has no command that a printer knows, or is binary.",
            code="not_gcode",
        )

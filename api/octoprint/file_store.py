"""`/api/files` and `/downloads`: the names of one printer (OctoPrint contract, section 4).

Uploads are in `api.octoprint.upload`; what a name may be is decided by the files room.
"""

import shutil
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quart import Response, request

from api.accounts.service import Accounts
from api.errors import Conflict, Invalid, NotFound
from api.files.names import clean_name, clean_path, join
from api.files.service import Blob, Files, TreeName
from api.http import truthy
from api.jobs.outcomes import Outcome, outcomes
from api.octoprint.body import json_object
from api.octoprint.card_document import ORIGIN
from api.octoprint.file_document import Named, entry, listing
from api.octoprint.hot import HotReads
from api.octoprint.pool_face import PoolFace
from api.octoprint.route import Route
from api.octoprint.sdcard import SdCard
from api.octoprint.visitor import Visit
from api.octoprint.wire import Validators, answer, done
from api.principal import system
from api.printers.sending import sending_of

MACHINE_CODE = (".gcode", ".gco", ".g")


class FileStore:
    """What lies in a printer's tree."""

    def __init__(
        self,
        files: Files,
        accounts: Accounts,
        hot: HotReads,
        pools: PoolFace,
        *,
        card: SdCard,
        data_dir: Path,
    ) -> None:
        self._files = files
        self._accounts = accounts
        self._hot = hot
        self._pools = pools
        self._data_dir = data_dir
        self._card = card
        self._validators = Validators()

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        one = "/api/files/<origin>/<path:path>"
        return (
            Route("GET", "/api/files", self.everything, "FILES_LIST"),
            Route("POST", "/api/files/test", self.sanitized, "FILES_LIST"),
            Route("GET", "/api/files/<origin>", self.origin, "FILES_LIST"),
            Route("GET", one, self.one, "FILES_LIST"),
            Route("DELETE", one, self.delete, "FILES_DELETE"),
        )

    # Looking.

    async def everything(self, visit: Visit) -> Response:
        """`GET /api/files`: what is on the farm's disk and on the printer's card."""
        return await self._listed(visit, self._card.entries(visit))

    async def origin(self, visit: Visit, origin: str) -> Response:
        """One place of files: local, or the card."""
        if origin == ORIGIN:
            return self._revalidated(visit, {"files": self._card.entries(visit)})
        check_local(origin)
        return await self._listed(visit, [])

    async def _listed(self, visit: Visit, more: list[dict[str, Any]]) -> Response:
        recursive = truthy(request.args.get("recursive"))
        base = visit.place.base
        names = await self._named(visit)
        files = listing(names, base, recursive=recursive)
        usage = shutil.disk_usage(self._data_dir)
        document = {
            "files": _filtered([*files, *more], request.args.get("filter")),
            "free": usage.free,
            "total": usage.total,
        }
        return self._revalidated(visit, document, ignore=("free",))

    async def one(self, visit: Visit, origin: str, path: str) -> Response:
        """One file or folder."""
        if origin == ORIGIN:
            return self._revalidated(visit, self._card.entry(visit, path))
        check_local(origin)
        row = await self._files.name(visit.by, visit.tree, path)
        below = await self._files.names(visit.by, visit.tree, path) if row.is_folder else []
        named = await self._with_facts(visit, [row, *below])
        recursive = truthy(request.args.get("recursive"))
        found = entry(named[0], named[1:], visit.place.base, recursive=recursive)
        return self._revalidated(visit, found)

    def _revalidated(
        self, visit: Visit, document: dict[str, Any], ignore: tuple[str, ...] = ()
    ) -> Response:
        if truthy(request.args.get("force")) or truthy(request.args.get("_refresh")):
            return answer(document)
        key = f"{visit.tree.key} {visit.place.base} {request.full_path}"
        return self._validators.answer(key, document, datetime.now(UTC), ignore)

    async def _named(self, visit: Visit) -> list[Named]:
        return await self._with_facts(visit, await self._files.names(visit.by, visit.tree))

    async def _with_facts(self, visit: Visit, rows: Sequence[TreeName]) -> list[Named]:
        blobs = await self._files.blobs_of(visit.by, list(rows))
        users = await self._user_names(visit, {row.user_id for row in rows if row.user_id})
        ended = await outcomes(
            blobs,
            printer_id=visit.tree.printer_id,
            pool_id=visit.pool.id if visit.pool is not None else None,
        )
        return [
            _named(row, blobs.get(row.blob_id or 0), users.get(row.user_id or 0), ended)
            for row in rows
        ]

    async def _user_names(self, visit: Visit, ids: set[int]) -> dict[int, str]:
        by = system(visit.at.organization_id)
        found = {}
        for user_id in ids:
            try:
                found[user_id] = (await self._accounts.user(by, user_id)).username
            except NotFound:
                continue  # they are gone; the file stays
        return found

    # Changing.

    async def delete(self, visit: Visit, origin: str, path: str) -> Response:
        """Remove a name, a folder with all in it; not what is being printed."""
        if origin == ORIGIN:
            return await self._card.delete(visit, path)
        check_local(origin)
        row = await self._files.name(visit.by, visit.tree, path)
        await self.check_unused(visit, row.path)
        await self.remove(visit, row.path)
        return done()

    async def remove(self, visit: Visit, path: str) -> None:
        """Remove a name; what is selected then no longer is."""
        await self._files.remove_name(visit.by, visit.tree, path)
        await self._deselect(visit, path)

    async def move(self, visit: Visit, path: str, target: str) -> None:
        """Give a name another place; what is selected then no longer is."""
        await self._files.move_name(visit.by, visit.tree, path, target)
        await self._deselect(visit, path)

    async def check_unused(self, visit: Visit, path: str) -> None:
        """Raises `Conflict` when *path* is, or holds, the file of the running print, or the one
        that goes to the printer's card.
        """
        sending = None if visit.pool is not None else sending_of(visit.printer)
        for used, doing in (
            *((printed, "is being printed") for printed in await self._printed(visit)),
            (sending.path if sending else None, "is being sent to the printer's SD card"),
        ):
            if _covers(path, used):
                raise Conflict(
                    f"{path} {doing}. Wait until that is over, or use another name.",
                    code="file_in_use",
                )

    async def _printed(self, visit: Visit) -> Collection[str | None]:
        if visit.pool is not None:
            return await self._pools.printed_paths(visit, visit.pool)
        shown = await self._hot.shown(visit.printer)
        return [shown.path] if shown.is_running else []

    async def _deselect(self, visit: Visit, path: str) -> None:
        if visit.pool is None and _covers(path, (await self._hot.shown(visit.printer)).path):
            await self._hot.select(visit.printer, None)

    async def sanitized(self, visit: Visit) -> Response:
        """`POST /api/files/test`: what a name would become, or whether it exists."""
        body = await json_object()
        command, filename = body.get("command"), body.get("filename")
        folder = body.get("path") or ""
        if command not in ("sanitize", "exists") or not isinstance(filename, str):
            raise Invalid("command takes sanitize or exists, with storage, path and filename.")
        path = join(clean_path(str(folder)), clean_name(filename))
        if command == "sanitize":
            return answer({"sanitized": path})
        try:
            row = await self._files.name(visit.by, visit.tree, path)
        except NotFound:
            return answer({"exists": False})
        named = (await self._with_facts(visit, [row]))[0]
        return answer(
            {
                "exists": True,
                "suggestion": await self._free_name(visit, path),
                "size": named.size_bytes,
                "date": int(named.uploaded_at.timestamp()),
            }
        )

    async def _free_name(self, visit: Visit, path: str) -> str:
        stem, dot, extension = path.rpartition(".")
        taken = {row.path for row in await self._files.names(visit.by, visit.tree)}
        number = 1
        while (found := f"{stem}_{number}{dot}{extension}") in taken:
            number += 1
        return found


def _named(
    row: TreeName, blob: Blob | None, user: str | None, ended: Mapping[int, Outcome]
) -> Named:
    return Named(
        path=row.path,
        display=row.display,
        is_folder=row.is_folder,
        uploaded_at=row.uploaded_at,
        size_bytes=blob.size_bytes if blob else 0,
        sha1=blob.sha1 if blob else "",
        user=user,
        userdata=row.userdata,
        facts=blob.facts if blob else {},
        moves=(blob.analysis or {}) if blob else {},
        outcome=ended.get(blob.id) if blob else None,
    )


def check_local(origin: str) -> None:
    """Raises `NotFound` for any place of files but local."""
    if origin != "local":
        raise NotFound(
            f"There are no files in {origin[:64]!r}. Upload to local (/api/files/local)."
        )


def _covers(path: str, used: str | None) -> bool:
    return used is not None and (used == path or used.startswith(f"{path}/"))


def _filtered(files: list[dict[str, Any]], kind: str | None) -> list[dict[str, Any]]:
    if not kind:
        return files
    return [each for each in files if each["type"] in (kind, "folder")]

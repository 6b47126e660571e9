"""Commands to a file: select, unselect, copy, move (OctoPrint contract, section 4)."""

from collections.abc import Awaitable, Callable
from typing import Any

from quart import Response

from api.errors import Conflict, Invalid, NotFound
from api.files.analyst import Analyst
from api.files.names import clean_path, extension, join
from api.files.service import Files, TreeName
from api.octoprint.body import is_true, json_object
from api.octoprint.card_document import ORIGIN
from api.octoprint.card_upload import CardUpload
from api.octoprint.file_document import refs
from api.octoprint.file_store import MACHINE_CODE, FileStore, check_local
from api.octoprint.hot import HotReads
from api.octoprint.job import JobFace
from api.octoprint.route import Route
from api.octoprint.sdcard import SdCard
from api.octoprint.states import LOOKS
from api.octoprint.visitor import Visit
from api.octoprint.wire import answer, done, plain

CURRENT = "current"

Body = dict[str, Any]
Handle = Callable[[Visit, str, Body], Awaitable[Response]]


class FileCommands:
    """What can be done with one file or folder."""

    def __init__(
        self,
        files: Files,
        analyst: Analyst,
        store: FileStore,
        jobs: JobFace,
        *,
        hot: HotReads,
        card: SdCard,
        uploads: CardUpload,
    ) -> None:
        self._card = card
        self._files = files
        self._analyst = analyst
        self._store = store
        self._jobs = jobs
        self._hot = hot
        #: command -> (permission beside that to see files, handler)
        self._commands: dict[str, tuple[str, Handle]] = {
            "select": ("FILES_SELECT", self._select),
            "unselect": ("FILES_SELECT", self._unselect),
            "copy": ("FILES_UPLOAD", self._copied),
            "move": ("FILES_UPLOAD", self._moved),
            "analyse": ("FILES_UPLOAD", self._analysed),
            "slice": ("SLICE", self._impossible),
            "uploadSd": ("FILES_UPLOAD", uploads.command),
        }

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        one = "/api/files/<origin>/<path:path>"
        return (Route("POST", one, self.command, "FILES_LIST"),)

    async def command(self, visit: Visit, origin: str, path: str) -> Response:
        """`POST /api/files/{origin}/{path}`."""
        body = await json_object()
        if origin == ORIGIN:
            return await self._card.file_command(visit, path, body)
        check_local(origin)
        command = body.get("command")
        if not isinstance(command, str) or command not in self._commands:
            raise Invalid(f"command is unknown: {str(command)[:100]}")
        permission, handle = self._commands[command]
        visit.require(permission)
        return await handle(visit, path, body)

    async def _select(self, visit: Visit, path: str, body: Body) -> Response:
        prints = is_true(body.get("print"))
        if prints:
            visit.require("PRINT")
        row = await self._files.name(visit.by, visit.tree, path)
        if row.is_folder:
            raise NotFound(f"{row.path} is a folder.", code="file_not_found")
        if extension(row.path) not in MACHINE_CODE:
            raise Invalid(f"{row.path} cannot be printed.", code="unsupported_media_type")
        if prints and visit.pool is not None and row.blob_id is not None:
            blob = await self._files.blob(row.organization_id, row.blob_id)
            await self._jobs.print_upload(visit, row, blob)
            return done()
        look = LOOKS[self._jobs.live(visit).state]
        if not look.operational or look.active:
            raise Conflict(
                f"{visit.printer.name} is not ready to select a file, it is {look.text}. The file "
                "is kept; select it again when the printer is idle.",
                code="printer_busy",
            )
        await self._hot.select(visit.printer, row.path)
        if prints:
            await self._jobs.start_file(visit, row)
        return done()

    async def _unselect(self, visit: Visit, path: str, body: Body) -> Response:
        del body
        look = LOOKS[self._jobs.live(visit).state]
        if not look.operational or look.active:
            return plain("Printer is not ready to unselect a file", 409)
        selected = (await self._hot.shown(visit.printer)).file
        if selected is None:
            return plain("No file is selected", 409)
        if path not in (CURRENT, selected.path):
            return plain("Only the currently selected file can be unselected", 400)
        await self._hot.select(visit.printer, None)
        return done()

    async def _analysed(self, visit: Visit, path: str, body: Body) -> Response:
        """Have it analysed once more, as it was after its upload."""
        del body
        row = await self._files.name(visit.by, visit.tree, path)
        if row.blob_id is None:
            raise Invalid(f"{row.path} is a folder.", code="unsupported_media_type")
        blob = await self._files.blob(row.organization_id, row.blob_id)
        await self._analyst.again(visit.by, blob)
        return done()

    async def _impossible(self, visit: Visit, path: str, body: Body) -> Response:
        """There is no slicer: 404, as without its plugin."""
        del body
        await self._files.name(visit.by, visit.tree, path)
        raise NotFound("There is no slicer here.")

    async def _copied(self, visit: Visit, path: str, body: Body) -> Response:
        row = await self._files.name(visit.by, visit.tree, path)
        target = await self._target(visit, row, body)
        await self._copy(visit, row, target)
        return _answer(visit, row, target)

    async def _moved(self, visit: Visit, path: str, body: Body) -> Response:
        visit.require("FILES_DELETE")
        row = await self._files.name(visit.by, visit.tree, path)
        await self._store.check_unused(visit, row.path)
        target = await self._target(visit, row, body)
        await self._store.move(visit, row.path, target)
        return _answer(visit, row, target)

    async def _target(self, visit: Visit, row: TreeName, body: Body) -> str:
        """Where *row* goes: into a folder that exists, else under that name. Raises `Conflict`."""
        destination = body.get("destination")
        if not isinstance(destination, str):
            raise Invalid("destination is missing")
        try:
            path = clean_path(destination)
        except Invalid as error:
            raise Conflict(error.detail) from None
        if not path or await self._is_folder(visit, path):
            path = join(path, row.path.rpartition("/")[2])
        if await self._exists(visit, path):
            raise Conflict(f"{path} exists already.")
        if row.is_folder and f"{path}/".startswith(f"{row.path}/"):
            raise Conflict(f"{path} lies in the folder itself.")
        return path

    async def _copy(self, visit: Visit, row: TreeName, target: str) -> None:
        tree, by = visit.tree, visit.by
        below = await self._files.names(by, tree, row.path) if row.is_folder else []
        blobs = await self._files.blobs_of(by, [row, *below])
        for each in [row, *below]:
            path = target + each.path[len(row.path) :]
            blob = blobs.get(each.blob_id or 0)
            if blob is None:
                await self._files.make_folder(by, tree, path)
            else:
                name = path.rpartition("/")[2] if each is row else each.display
                await self._files.put_name(by, tree, path, name, blob, userdata=each.userdata)

    async def _exists(self, visit: Visit, path: str) -> bool:
        try:
            await self._files.name(visit.by, visit.tree, path)
        except NotFound:
            return False
        return True

    async def _is_folder(self, visit: Visit, path: str) -> bool:
        try:
            return (await self._files.name(visit.by, visit.tree, path)).is_folder
        except NotFound:
            return False


def _answer(visit: Visit, row: TreeName, target: str) -> Response:
    links = refs(visit.place.base, target, is_folder=row.is_folder)
    moved = {
        "name": row.path.rpartition("/")[2],
        "path": target,
        "origin": "local",
        "refs": links,
    }
    return answer(moved, 201, {"Location": links["resource"]})

"""`POST /api/files/{local,sdcard}`: what slicers send (OctoPrint contract, section 6).

The file streams into the storage while it comes. `select` and `print` are wishes: what cannot be
done is left out and told (`effectiveSelect`, `effectivePrint`), never refused. A busy printer, or
one whose plate is not clear, gets a queued job; an offline one gets none (DESIGN section 7).

A key may stand in the form, even behind the file: a file that comes before any key is kept aside,
up to `UNPROVEN_BYTES`, until its sender has proved who he is.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Any

import orjson
from quart import Response, request

from api.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotAuthenticated,
    NotFound,
    Unavailable,
)
from api.files.incoming import BINARY, text_name
from api.files.names import clean_name, clean_path, extension, join
from api.files.service import Blob, Files, TreeName
from api.http import truthy
from api.octoprint.body import FORM_TYPE, MULTIPART_TYPE, form_fields
from api.octoprint.card_document import ORIGIN
from api.octoprint.card_upload import CardUpload
from api.octoprint.file_document import refs
from api.octoprint.file_store import MACHINE_CODE, FileStore, check_local
from api.octoprint.hot import HotReads
from api.octoprint.job import JobFace
from api.octoprint.route import Route
from api.octoprint.states import LOOKS
from api.octoprint.visitor import (
    NO_KEY,
    NO_PERMISSION,
    WRONG_KEY,
    Visit,
    Visitors,
    has_credential,
)
from api.octoprint.wire import answer
from api.printers.service import Printers
from api.uploads import Part, multipart

UNPROVEN_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_NEEDED = "FILES_UPLOAD"
_FULL = (
    "The disk for temporary files is full, where a file waits whose key comes behind it. Send the "
    "key first or in the header X-Api-Key, or make room there, then send this one again."
)
_ACCEPTED = (*MACHINE_CODE, BINARY)


@dataclass(slots=True)
class _Form:
    """What was read so far. *blob* None: no file, or only *aside*, not stored yet."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    blob: Blob | None = None
    aside: IO[bytes] | None = None
    elsewhere: str = ""  # the field of a file part that is not `file`

    def place(self) -> tuple[str, str]:
        """Its path in the tree, and its name as it was sent; the name of the file itself may begin
        with folders. Raises `Invalid`.
        """
        folder, _, name = (self.filename or "").strip().rpartition("/")
        if given := self.fields.get("filename"):
            folder, name = "", given
        folder = f"{self.fields.get('path', '')}/{folder}"
        return join(clean_path(folder), _clean(name)), name


class Upload:
    """Files on their way in."""

    def __init__(
        self,
        files: Files,
        visitors: Visitors,
        store: FileStore,
        jobs: JobFace,
        *,
        card: CardUpload,
        hot: HotReads,
        max_bytes: int,
    ) -> None:
        self._card = card
        self._files = files
        self._visitors = visitors
        self._store = store
        self._jobs = jobs
        self._hot = hot
        self._max_bytes = max_bytes

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        return (Route("POST", "/api/files/<origin>", self.upload, visits=False),)

    async def upload(self, root: str, origin: str) -> Response:
        """One request, from its first byte to its answer."""
        if request.mimetype != MULTIPART_TYPE:
            fields = await form_fields() if request.mimetype == FORM_TYPE else {}
            visit = await self._visit(root, fields)
            self._check_target(visit, origin)
            return await self._without_file(visit, origin, fields)
        form = _Form()
        try:
            visit = await self._read(root, origin, form)
            if form.filename is None and form.elsewhere and "foldername" not in form.fields:
                raise Invalid(f"The file must come in the field file, not {form.elsewhere!r}.")
            if form.filename is None:
                return await self._without_file(visit, origin, form.fields)
            if form.blob is None:
                form.blob = await self._store_aside(visit, form)
            return await self._finish(visit, origin, form, form.blob)
        finally:
            if form.aside is not None:
                form.aside.close()

    async def _visit(self, root: str, fields: dict[str, str]) -> Visit:
        visit = await self._visitors.visit(root, fields)
        visit.require(_NEEDED)
        return visit

    # Reading.

    async def _read(self, root: str, origin: str, form: _Form) -> Visit:
        """Read all parts; the visit of whoever has proved to send them."""
        visit = await self._visit_before_the_form(root)
        if visit is not None and origin == ORIGIN:
            self._check_target(visit, origin)  # before a byte is read that nobody takes
        async for part in await multipart(request, self._max_bytes):
            if part.filename is None:
                form.fields.setdefault(part.name, await part.read_text())
                if part.name == "apikey":
                    visit = await self._same_farm(root, form.fields, visit)
            else:
                await self._take_file(visit, form, part, self._unproven(root))
        if visit is None:
            raise NotAuthenticated(self._unproven(root))
        self._check_target(visit, origin)
        return visit

    def _check_target(self, visit: Visit, origin: str) -> None:
        """Raises `NotFound` for a place that is none, `Conflict` for a card that takes no file."""
        if origin == ORIGIN:
            self._card.check(visit)
        else:
            check_local(origin)

    async def _visit_before_the_form(self, root: str) -> Visit | None:
        """By query, header or cookie. None: only a key in the form, which counts more than a
        header, can still prove who it is.
        """
        if not has_credential(self._visitors.place(root)):
            return None
        try:
            return await self._visit(root, {})
        except NotAuthenticated:
            if "apikey" in request.args:
                raise
            return None

    async def _same_farm(self, root: str, fields: dict[str, str], before: Visit | None) -> Visit:
        """A key in the form counts more than a header; both must be of one organization."""
        visit = await self._visit(root, fields)
        if before is not None and before.by.organization_id != visit.by.organization_id:
            raise Forbidden(NO_PERMISSION)
        return visit

    def _unproven(self, root: str) -> str:
        """What to say to who has proved nothing."""
        return WRONG_KEY if has_credential(self._visitors.place(root)) else NO_KEY

    async def _take_file(self, visit: Visit | None, form: _Form, part: Part, unproven: str) -> None:
        if part.name != "file":  # some clients send a file's name as if it were a file, too
            form.elsewhere = part.name
            async for _ in part:
                pass
            return
        if form.filename is not None:
            raise Invalid("One file at a time.")
        form.filename = part.filename or ""
        form.place()  # refused before a byte is stored
        if visit is not None:
            form.blob = await self._ingest(visit, part, form.filename)
        else:
            form.aside = await _keep_aside(part, unproven)

    async def _ingest(self, visit: Visit, chunks: AsyncIterator[bytes], filename: str) -> Blob:
        """Store it. An empty file is fine, one that is anything but G-code is not."""
        first = await anext(chunks, b"")
        return await self._files.ingest(
            visit.by, _after(first, chunks), filename, must_be_gcode=bool(first)
        )

    async def _store_aside(self, visit: Visit, form: _Form) -> Blob:
        assert form.aside is not None and form.filename is not None
        return await self._ingest(visit, _read_back(form.aside), form.filename)

    # Doing.

    async def _without_file(self, visit: Visit, origin: str, fields: dict[str, str]) -> Response:
        if "foldername" not in fields:
            raise Invalid("No file to upload and no folder to create")
        if origin == ORIGIN:
            raise Invalid("No folder is made on a printer's SD card.")
        name = clean_name(fields["foldername"])
        path = join(clean_path(fields.get("path", "")), name)
        row = await self._files.make_folder(visit.by, visit.tree, path)
        links = refs(visit.place.base, row.path, is_folder=True)
        folder = {"name": name, "path": row.path, "origin": "local", "refs": links}
        return answer({"folder": folder, "done": True}, 201, {"Location": links["resource"]})

    async def _finish(self, visit: Visit, origin: str, form: _Form, blob: Blob) -> Response:
        fields = form.fields
        path, display = form.place()
        userdata = _userdata(fields.get("userdata"))
        await self._check_overwrite(visit, path, truthy(fields.get("noOverwrite")))
        wants_print, wants_selection = (truthy(fields.get(wish)) for wish in ("print", "select"))
        if origin == ORIGIN:
            self._card.check_file(visit, blob)
            row = await self._files.put_name(
                visit.by, visit.tree, path, display, blob, userdata=userdata
            )
            return await self._card.uploaded(visit, row, blob, wants_selection, wants_print)
        if wants_print and visit.pool is None:
            self._files.check_against(blob, Printers.profile(visit.printer))
        wishes = {"select": wants_selection, "print": wants_print}
        outcome = {"effective_select": False, "effective_print": False}
        is_plain = not (wants_selection or wants_print)  # then all is known, and one commit enough
        row = await self._files.put_name(
            visit.by,
            visit.tree,
            path,
            display,
            blob,
            userdata=userdata,
            wishes={**wishes, **outcome} if is_plain else None,
        )
        selected = await self._select(visit, row) if wants_selection else False
        printed = await self._jobs.print_upload(visit, row, blob) if wants_print else False
        if not is_plain:
            outcome = {"effective_select": selected, "effective_print": printed}
            await self._files.tell_uploaded(visit.by, row, {**wishes, **outcome})
        links = refs(visit.place.base, row.path, is_folder=False)
        name = row.path.rpartition("/")[2]
        local = {"name": name, "path": row.path, "origin": "local", "refs": links}
        body = {"files": {"local": local}, "done": True}
        body |= {"effectiveSelect": selected, "effectivePrint": printed}
        return answer(body, 201, {"Location": links["resource"]})

    async def _check_overwrite(self, visit: Visit, path: str, no_overwrite: bool) -> None:
        """Raises `Conflict`: the file that is printed stays, and others if that was asked for."""
        await self._store.check_unused(visit, path)
        if not no_overwrite:
            return
        try:
            await self._files.name(visit.by, visit.tree, path)
        except NotFound:
            return
        raise Conflict("File already exists and noOverwrite was set", code="name_taken")

    async def _select(self, visit: Visit, row: TreeName) -> bool:
        if visit.pool is not None or not visit.may("FILES_SELECT"):
            return False
        look = LOOKS[self._jobs.live(visit).state]
        if not look.operational or look.active:
            return False
        await self._hot.select(visit.printer, row.path)
        return True


async def _after(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in chunks:
        yield chunk


async def _keep_aside(part: Part, unproven: str) -> IO[bytes]:
    """A file without a key so far, on disk, small. Raises `NotAuthenticated` (with the text
    *unproven*) when it is larger, `Unavailable` when that disk is full.
    """
    size = 0
    with ExitStack() as unless_kept:
        kept: IO[bytes] = unless_kept.enter_context(tempfile.TemporaryFile())
        async for chunk in part:
            size += len(chunk)
            if size > UNPROVEN_BYTES:
                raise NotAuthenticated(unproven)
            try:
                await asyncio.to_thread(kept.write, chunk)
            except OSError as error:
                raise Unavailable(_FULL, code="storage_unavailable", retry_after_s=30) from error
        unless_kept.pop_all()
    return kept


async def _read_back(kept: IO[bytes]) -> AsyncIterator[bytes]:
    await asyncio.to_thread(kept.seek, 0)
    while chunk := await asyncio.to_thread(kept.read, _CHUNK_BYTES):
        yield chunk


def _clean(filename: str) -> str:
    """*filename* as it is kept. Raises `Invalid`: no machine code (415), or no name at all."""
    if extension(filename.strip(". ")) not in _ACCEPTED:
        raise Invalid(
            f"{filename!r} cannot be printed here. This takes {', '.join(_ACCEPTED)}.",
            code="unsupported_media_type",
        )
    return clean_name(text_name(filename.strip()))


def _userdata(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Invalid("userdata is no valid JSON") from None

"""Pictures of files, where clients look for them (OctoPrint contract, 5; safety S35).

OctoPrint itself has none: the plugins Slicer Thumbnails and Cura Thumbnails serve them at paths of
their own, which a file entry names in `thumbnail`. Whoever may see files may see their pictures.
"""

from quart import Response

from api.errors import NotFound
from api.files.pictures import picture_of
from api.files.service import Files, TreeName
from api.octoprint.file_store import MACHINE_CODE
from api.octoprint.route import Route
from api.octoprint.visitor import Visit

_PLUGINS = ("prusaslicerthumbnails", "UltimakerFormatPackage")
_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Content-Disposition": "inline",
}


class Thumbnails:
    """Pictures on their way out."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        return tuple(
            Route("GET", f"/plugin/{plugin}/thumbnail/<path:path>", self.picture, "FILES_LIST")
            for plugin in _PLUGINS
        )

    async def picture(self, visit: Visit, path: str) -> Response:
        """The picture of the file that *path* (with .png for its extension) stands for."""
        row = await self._row(visit, path.rpartition(".")[0] or path)
        blob = await self._files.blob(row.organization_id, row.blob_id or 0)
        found = await picture_of(self._files, blob)
        if found is None:
            raise NotFound("This file has no picture", code="file_not_found")
        return Response(found.data, 200, _HEADERS, content_type=found.media)

    async def _row(self, visit: Visit, stem: str) -> TreeName:
        for extension in MACHINE_CODE:
            try:
                return await self._files.name(visit.by, visit.tree, stem + extension)
            except NotFound:
                continue
        raise NotFound("File not found", code="file_not_found")

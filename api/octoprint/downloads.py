"""`/downloads`: the bytes of a file, whole or in part (OctoPrint contract, 4; safety S31)."""

from urllib.parse import quote

from quart import Response, request
from werkzeug.datastructures import IfRange, Range
from werkzeug.http import http_date

from api.errors import NotFound
from api.files.service import Blob, Files, TreeName
from api.octoprint.route import Route
from api.octoprint.visitor import Visit
from api.octoprint.wire import ALWAYS, plain


class Downloads:
    """Files on their way out. *max_bytes*: more at once come from the object store itself."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.max_bytes: int | None = None

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        path = "/downloads/files/local/<path:path>"
        return (Route("GET", path, self.download, "FILES_DOWNLOAD"),)

    async def download(self, visit: Visit, path: str) -> Response:
        """The bytes as an attachment, or the range that was asked for."""
        row = await self._files.name(visit.by, visit.tree, path)
        if row.blob_id is None:
            raise NotFound("File not found", code="file_not_found")
        blob = await self._files.blob(row.organization_id, row.blob_id)
        headers = _download_headers(row, blob)
        if request.if_none_match.contains(blob.sha256):
            return Response(b"", 304, headers)
        try:
            asked = request.range if _is_still(request.if_range, row, blob) else None
            start, length = _range_of(asked, blob.size_bytes)
        except ValueError:
            answered = plain("The range is not in the file.", 416)
            answered.headers["Content-Range"] = f"bytes */{blob.size_bytes}"
            return answered
        if (link := await self._elsewhere(blob, length)) is not None:
            return Response(b"", 307, {"Location": link, "Cache-Control": "no-store"})
        partial = length != blob.size_bytes
        if partial:
            last = start + length - 1
            headers["Content-Range"] = f"bytes {start}-{last}/{blob.size_bytes}"
        headers["Content-Length"] = str(length)
        body = self._files.read(blob, start, 0 if request.method == "HEAD" else length)
        return Response(body, 206 if partial else 200, headers, content_type="text/plain")

    async def _elsewhere(self, blob: Blob, length: int) -> str | None:
        """Where *length* bytes are to be had; None: here. A signed link is for GET alone."""
        if self.max_bytes is None or length <= self.max_bytes or request.method != "GET":
            return None
        return await self._files.link(blob)


def _is_still(held: IfRange, row: TreeName, blob: Blob) -> bool:
    """Whether what the client holds a part of is the file that lies there now (`If-Range`)."""
    if held.etag is not None:
        return held.etag == blob.sha256
    return held.date is None or held.date == row.uploaded_at.replace(microsecond=0)


def _range_of(asked: Range | None, size: int) -> tuple[int, int]:
    """(start, length) of the one range asked for; the whole without one. Raises ValueError."""
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return 0, size
    found = asked.range_for_length(size)
    if found is None:
        raise ValueError("not satisfiable")
    return found[0], found[1] - found[0]


def _download_headers(row: TreeName, blob: Blob) -> dict[str, str]:
    name = row.path.rpartition("/")[2]
    plain_name = name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "_")
    return {
        **ALWAYS,
        "Content-Disposition": (
            f"attachment; filename=\"{plain_name}\"; filename*=UTF-8''{quote(name)}"
        ),
        "ETag": f'"{blob.sha256}"',
        "Last-Modified": http_date(row.uploaded_at),
        "Accept-Ranges": "bytes",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "max-age=0",
    }

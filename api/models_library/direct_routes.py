"""Uploads straight to the object store: `/print-files/uploads` and `…/{upload_id}/complete`."""

from typing import Annotated

from pydantic import Field
from quart import Response

from api.describe import Answer, Doc
from api.files.direct import OFFER_S, Announced, DirectUploads
from api.http import Body, json_answer, json_body
from api.models_library.answers import UploadAnswer
from api.models_library.naming import printable_name
from api.models_library.service import Library
from api.models_library.views import upload_view
from api.v1 import V1, caller

_SHA256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class UploadAsk(Body):
    """The bytes that will be sent."""

    size_bytes: int = Field(ge=1, le=2**40, description="Their number")
    sha256: _SHA256


class UploadDone(Body):
    """What the bytes that were sent are called."""

    filename: str = Field(min_length=1, max_length=300)


class UploadOffer(Answer):
    """A request to the file store, to be made with exactly these headers and these bytes."""

    upload_id: Annotated[str, Field(description="For …/{upload_id}/complete")]
    method: str
    url: str
    headers: dict[str, str]
    expires_in: Annotated[int, Field(description="Seconds in which the upload must begin")]


_ASK = Doc(
    summary="Ask where to send a large file without this server in between",
    description="409 where files come through this server: then `POST /print-files/upload`.",
    answer=UploadOffer,
    status=201,
    right="files.write",
    body=UploadAsk,
    problems=("bad_request", "too_large", "conflict", "storage_unavailable"),
)
_COMPLETE = Doc(
    summary="The file was sent: verify it and take it into the library",
    description="The same answer as `POST /print-files/upload`. May be repeated.",
    answer=UploadAnswer,
    right="files.write",
    body=UploadDone,
    problems=("bad_request", "not_gcode", "file_not_found", "storage_unavailable"),
)


class DirectUploadRoutes:
    """Two routes over `DirectUploads`."""

    def __init__(self, uploads: DirectUploads, library: Library) -> None:
        self._uploads = uploads
        self._library = library

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("POST", "/print-files/uploads", self.ask, _ASK)
        v1.add("POST", "/print-files/uploads/<upload_id>/complete", self.complete, _COMPLETE)

    async def ask(self) -> Response:
        """A request that the store takes for these bytes only."""
        by = caller()
        by.require("files.write")
        body = await json_body(UploadAsk)
        announced = Announced(body.size_bytes, body.sha256)
        offer = await self._uploads.offer(by, announced)
        answer = {
            "upload_id": announced.id,
            "method": offer.method,
            "url": offer.url,
            "headers": offer.headers,
            "expires_in": OFFER_S,
        }
        return json_answer(answer, 201)

    async def complete(self, upload_id: str) -> Response:
        """The file, read and verified."""
        by = caller()
        announced = Announced.of(upload_id)
        await self._uploads.look_for(by, announced)
        body = await json_body(UploadDone)
        filename = printable_name(body.filename)
        blob = await self._uploads.complete(by, announced, filename)
        row, _, is_new = await self._library.add_upload(by, blob, filename)
        earlier = await self._library.earlier(by, row)
        return json_answer(upload_view(await self._library.sliced(by, row.id), is_new, earlier))

"""The plain HTTPS calls beside the link: a nonce to sign, and files by their hash."""

import re
from typing import Any

from pydantic import Field
from quart import Quart, Response, request

from api.bridges.face import serve
from api.bridges.nonces import NONCE_S
from api.bridges.service import Bridges
from api.errors import NotAuthenticated, NotFound
from api.http import Body, json_answer, json_body
from api.link.ranges import Unsatisfiable, byte_range
from api.link.rooms import FilesRoom
from api.link.turns import Step, Turns
from schemas.link import FILES_PATH, NONCE_PATH

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class NonceBody(Body):
    """Who wants to connect."""

    bridge_id: str = Field(max_length=64)


class LinkRoutes:
    """`POST /bridge/v1/nonce` and `GET /bridge/v1/files/{sha256}`."""

    def __init__(
        self, bridges: Bridges, files: FilesRoom[Any], turns: Turns, link_url: str = ""
    ) -> None:
        """*turns*: of the link. *link_url*: where it is opened, if not beside these routes."""
        self._bridges = bridges
        self._files = files
        self._link_url = link_url
        self._turns = turns

    def register(self, quart: Quart) -> None:
        """Declare the routes."""
        serve(quart, "POST", NONCE_PATH, self.nonce)
        serve(quart, "GET", f"{FILES_PATH}/<sha256>", self.file)

    async def nonce(self) -> Response:
        """A challenge; the answer is the same for bridges that do not exist."""
        body = await json_body(NonceBody)
        async with self._turns.turn(Step.NONCE):
            nonce = await self._bridges.make_nonce(body.bridge_id)
        answer = {"nonce": nonce, "expires_in": NONCE_S}
        if self._link_url:
            answer["link_url"] = self._link_url
        return json_answer(answer)

    async def file(self, sha256: str) -> Response:
        """A file of the bridge's organization, whole or from where a transfer broke off."""
        bridge = await self._bridges.tokens.owner(_bearer())
        if not _SHA256.fullmatch(sha256):
            raise NotFound("File not found", code="file_not_found")
        blob = await self._files.blob_by_sha256(bridge.organization_id, sha256)
        if (link := await self._files.link(blob)) is not None:
            return Response(b"", 307, {"Location": link, "Cache-Control": "no-store"})
        size = blob.size_bytes
        headers = {"ETag": f'"{sha256}"', "Accept-Ranges": "bytes", "Cache-Control": "private"}
        try:
            wanted = byte_range(request.headers.get("Range"), size)
        except Unsatisfiable:
            headers["Content-Range"] = f"bytes */{size}"
            return Response(b"", 416, headers)
        first, length = wanted or (0, size)
        if wanted is not None:
            headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{size}"
        headers["Content-Length"] = str(length)
        answer = Response(
            self._files.read(blob, first, length),
            206 if wanted is not None else 200,
            headers,
            content_type="application/octet-stream",
        )
        answer.timeout = None  # a slow line may take its time
        return answer


def _bearer() -> str:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise NotAuthenticated("Files are fetched with the token of the link.")
    return secret.strip()

"""Bytes from the API: files over HTTPS with Range (room link contract, kind "bulk").

httpx is imported when the first file is needed: a bridge that only reprints never loads it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bridge.agent.address import Address
from bridge.agent.spool import Part, TransferError
from schemas.link import FILES_PATH, BulkToken

if TYPE_CHECKING:
    import httpx

CONNECT_S = 10.0
#: A transfer without a byte for this long is dead.
SILENCE_S = 30.0
_FATAL = frozenset({403, 404, 410})


class BulkSource:
    """Downloads with the token of the present link."""

    def __init__(self, address: Address, client: "httpx.AsyncClient | None" = None) -> None:
        self._address = address
        self._client = client
        self._token: str | None = None

    def set_token(self, bulk: BulkToken) -> None:
        """The API gave a new bulk token."""
        self._token = bulk.token

    @asynccontextmanager
    async def open(self, sha256: str, offset: int) -> AsyncIterator[Part]:
        """The file of *sha256* from byte *offset*. Raises `TransferError`."""
        import httpx

        if self._token is None:
            raise TransferError("there was no link to the API yet, so no token for files")
        headers = {"Authorization": f"Bearer {self._token}", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        url = self._address.at(f"{FILES_PATH}/{sha256}")
        try:
            # The API may send us to its file store; httpx keeps the token from other hosts.
            request = self._http().stream("GET", url, headers=headers, follow_redirects=True)
            async with request as answer:
                # As it comes: what is gathered first is lost with the connection.
                yield Part(_start(answer), answer.aiter_bytes())
        except httpx.HTTPError as error:
            raise TransferError(f"the transfer broke off: {error!r}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    def _http(self) -> "httpx.AsyncClient":
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_S),
                trust_env=self._address.uses_proxy,
            )
        return self._client


def _start(answer: "httpx.Response") -> int:
    """At which byte the body begins."""
    if answer.status_code == 200:
        return 0
    if answer.status_code == 206:
        content_range = answer.headers.get("Content-Range", "")
        first = content_range.removeprefix("bytes ").split("-")[0]
        if first.isdigit():
            return int(first)
        raise TransferError(f"an unusable Content-Range: {content_range[:60]!r}", retriable=False)
    if answer.history:
        # Whatever the store says: the next try asks the API, and gets a new address. This one may
        # have been too old, for example.
        raise TransferError(f"the file storage answered {answer.status_code} for this file")
    raise TransferError(
        f"the API answered {answer.status_code} for this file",
        retriable=answer.status_code not in _FATAL,
    )

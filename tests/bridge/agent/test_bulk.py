"""Files that the API sends the agent to another host for: its object store (safety R26 to R28)."""

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from bridge.agent.address import Address
from bridge.agent.bulk import BulkSource
from bridge.agent.errors import SpoolError
from bridge.agent.spool import RETRY_DELAYS_S, Spool
from schemas.link import BulkToken

DATA = bytes(range(256)) * 400
SHA = hashlib.sha256(DATA).hexdigest()
STORE = "store.example"


class Store:
    """An object store: each link works once, and what it says is up to the test."""

    def __init__(self) -> None:
        self.links = 0
        self.asked: list[httpx.Request] = []
        self.says: Callable[[httpx.Request], httpx.Response] = self.give

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != STORE:
            assert request.headers["Authorization"] == "Bearer t"
            self.links += 1
            return httpx.Response(307, headers={"Location": f"http://{STORE}/x?sig={self.links}"})
        self.asked.append(request)
        return self.says(request)

    @staticmethod
    def give(request: httpx.Request) -> httpx.Response:
        """All from where the range begins."""
        wanted = request.headers.get("Range", "")
        if not wanted:
            return httpx.Response(200, content=DATA)
        first = int(wanted.removeprefix("bytes=").rstrip("-"))
        span = {"Content-Range": f"bytes {first}-{len(DATA) - 1}/{len(DATA)}"}
        return httpx.Response(206, content=DATA[first:], headers=span)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def spool(store: Store, tmp_path: Path) -> AsyncIterator[Spool]:
    async def no_sleep(seconds: float) -> None:
        pass

    http = httpx.AsyncClient(transport=httpx.MockTransport(store))
    source = BulkSource(Address("http://127.0.0.1:1"), http)
    source.set_token(BulkToken(token="t", life_s=60))
    spool = Spool(tmp_path / "spool", source.open, sleep=no_sleep)
    yield spool
    await spool.close()
    await source.close()


async def test_the_store_never_sees_the_token_of_the_link(store: Store, spool: Spool) -> None:
    """The signed address is all it needs."""
    assert (await spool.fetch(SHA, len(DATA))).read_bytes() == DATA
    [request] = store.asked
    assert "Authorization" not in request.headers
    assert request.url.query == b"sig=1"


async def test_a_stalled_transfer_goes_on_where_it_was_with_a_new_link(
    store: Store, spool: Spool
) -> None:
    """A third came before silence; the rest comes by another address, not everything again."""

    async def stalls() -> AsyncIterator[bytes]:
        yield DATA[:30_000]
        raise httpx.ReadTimeout("nothing for half a minute")

    def says(request: httpx.Request) -> httpx.Response:
        store.says = store.give
        return httpx.Response(200, content=stalls())

    store.says = says
    assert (await spool.fetch(SHA, len(DATA))).read_bytes() == DATA
    assert [request.headers.get("Range") for request in store.asked] == [None, "bytes=30000-"]
    assert [request.url.query for request in store.asked] == [b"sig=1", b"sig=2"]


@pytest.mark.parametrize("status", [403, 404, 410, 500, 503])
async def test_a_link_that_does_not_work_is_asked_for_again(
    store: Store, spool: Spool, status: int
) -> None:
    """It may have expired, or the store was in trouble for a moment."""

    def says(request: httpx.Request) -> httpx.Response:
        store.says = store.give
        return httpx.Response(status)

    store.says = says
    assert (await spool.fetch(SHA, len(DATA))).read_bytes() == DATA
    assert store.links == 2


@pytest.mark.parametrize(
    "wrong",
    [
        DATA[:-1] + b"!",
        b"<html>Service Unavailable</html>",
        b"",
        DATA + b"more",
    ],
)
async def test_what_is_not_the_file_is_never_published(
    store: Store, spool: Spool, tmp_path: Path, wrong: bytes
) -> None:
    """Corrupt, an error page with status 200, empty or another object: failed, nothing to print."""
    store.says = lambda request: httpx.Response(200, content=wrong)
    with pytest.raises(SpoolError):
        await spool.fetch(SHA, len(DATA))
    assert store.links <= 1 + len(RETRY_DELAYS_S)
    assert list((tmp_path / "spool").glob("*.gcode")) == []


async def test_a_store_that_is_away_is_named(store: Store, spool: Spool) -> None:
    """The reason that people read in the job says who did not answer."""
    store.says = lambda request: httpx.Response(503)
    with pytest.raises(SpoolError, match="file storage answered 503"):
        await spool.fetch(SHA, len(DATA))
    assert store.links == 1 + len(RETRY_DELAYS_S)

"""The spool: resumed, verified, atomic, bounded."""

import asyncio
import hashlib
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from bridge.agent.address import Address
from bridge.agent.bulk import BulkSource
from bridge.agent.errors import SpoolError
from bridge.agent.spool import RETRY_DELAYS_S, Part, Spool, TransferError
from schemas.link import BulkToken

DATA = bytes(range(256)) * 400
SHA = hashlib.sha256(DATA).hexdigest()


class Shelf:
    """A source of one file; *breaks* says after how many bytes each answer ends."""

    def __init__(self, data: bytes = DATA, breaks: list[int] | None = None) -> None:
        self.data = data
        self.breaks = breaks or []
        self.asked: list[int] = []
        self.ignores_range = False
        self.error: TransferError | None = None

    @asynccontextmanager
    async def open(self, sha256: str, offset: int) -> AsyncIterator[Part]:
        self.asked.append(offset)
        if self.error is not None:
            raise self.error
        start = 0 if self.ignores_range else offset
        yield Part(start, self._chunks(self.data[start:]))

    async def _chunks(self, data: bytes) -> AsyncIterator[bytes]:
        end = self.breaks.pop(0) if self.breaks else len(data)
        for at in range(0, min(end, len(data)), 7000):
            yield data[at : min(at + 7000, end)]
        if end < len(data):
            raise TransferError("cut")


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


def spool_of(tmp_path: Path, shelf: Shelf, **more: object) -> Spool:
    return Spool(tmp_path / "spool", shelf.open, sleep=no_sleep, **more)  # type: ignore[arg-type]


async def test_file_is_downloaded_once_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    """The second fetch is answered from the disk; modes are 0700 and 0600 (safety S67)."""
    shelf = Shelf()
    spool = spool_of(tmp_path, shelf)
    path = await spool.fetch(SHA, len(DATA))
    os.utime(path, ns=(1, 1))
    assert await spool.fetch(SHA, len(DATA)) == path
    assert path.stat().st_mtime_ns == 1  # a sender that prints it knows it by that
    assert path.stat().st_atime_ns > 1
    assert path.read_bytes() == DATA
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert shelf.asked == [0]
    assert spool.usage() == (1, len(DATA))
    await spool.close()


async def test_broken_download_resumes_where_it_ended(tmp_path: Path) -> None:
    """Each try asks for the rest; what is there is not sent again."""
    shelf = Shelf(breaks=[10_000, 20_000])
    spool = spool_of(tmp_path, shelf)
    assert (await spool.fetch(SHA, len(DATA))).read_bytes() == DATA
    assert shelf.asked == [0, 10_000, 30_000]
    await spool.close()


async def test_part_of_an_earlier_run_is_resumed(tmp_path: Path) -> None:
    """A killed agent's part is hashed and continued."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / f"{SHA}.part").write_bytes(DATA[:5000])
    shelf = Shelf()
    spool = spool_of(tmp_path, shelf)
    assert (await spool.fetch(SHA, len(DATA))).read_bytes() == DATA
    assert shelf.asked == [5000]
    await spool.close()


async def test_server_that_ignores_ranges_starts_over(tmp_path: Path) -> None:
    """A 200 instead of a 206 is the whole file."""
    shelf = Shelf(breaks=[10_000])
    shelf.ignores_range = True
    spool = spool_of(tmp_path, shelf)
    assert (await spool.fetch(SHA, len(DATA))).read_bytes() == DATA
    await spool.close()


async def test_wrong_bytes_are_never_published(tmp_path: Path) -> None:
    """Four tries of a file with another hash leave nothing behind."""
    shelf = Shelf(data=DATA[::-1])
    spool = spool_of(tmp_path, shelf)
    with pytest.raises(SpoolError, match="sha256"):
        await spool.fetch(SHA, len(DATA))
    assert shelf.asked == [0] * (len(RETRY_DELAYS_S) + 1)
    assert list((tmp_path / "spool").iterdir()) == []
    await spool.close()


async def test_too_many_bytes_are_refused(tmp_path: Path) -> None:
    """A server cannot fill the disk beyond the promised size."""
    spool = spool_of(tmp_path, Shelf(data=DATA + b"more"))
    with pytest.raises(SpoolError, match="more than"):
        await spool.fetch(SHA, len(DATA))
    await spool.close()


async def test_missing_file_is_not_asked_for_again(tmp_path: Path) -> None:
    """A 404 does not get better by trying."""
    shelf = Shelf()
    shelf.error = TransferError("404", retriable=False)
    spool = spool_of(tmp_path, shelf)
    with pytest.raises(SpoolError, match="404"):
        await spool.fetch(SHA, len(DATA))
    assert shelf.asked == [0]
    await spool.close()


async def test_bit_rot_is_found_and_the_file_fetched_again(tmp_path: Path) -> None:
    """Safety R35: a stored file is hashed before each use."""
    shelf = Shelf()
    spool = spool_of(tmp_path, shelf)
    path = await spool.fetch(SHA, len(DATA))
    damaged = bytearray(DATA)
    damaged[777] ^= 1
    path.write_bytes(damaged)
    assert (await spool.fetch(SHA, len(DATA))).read_bytes() == DATA
    assert shelf.asked == [0, 0]
    await spool.close()


async def test_two_who_want_one_file_share_a_download(tmp_path: Path) -> None:
    """And one who gives up does not stop it for the other."""
    shelf = Shelf()
    spool = spool_of(tmp_path, shelf)
    impatient = asyncio.create_task(spool.fetch(SHA, len(DATA)))
    patient = asyncio.create_task(spool.fetch(SHA, len(DATA)))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).read_bytes() == DATA
    assert shelf.asked == [0]
    await spool.close()


async def test_oldest_unneeded_file_makes_room(tmp_path: Path) -> None:
    """Pinned files stay, however old."""
    files = [bytes([n]) * 1000 for n in range(3)]
    hashes = [hashlib.sha256(data).hexdigest() for data in files]
    shelf = Shelf()
    spool = spool_of(tmp_path, shelf, pinned=lambda: {hashes[0]}, capacity_bytes=2500)
    for data, name in zip(files, hashes, strict=True):
        shelf.data = data
        await spool.fetch(name, 1000)
    kept = {path.stem for path in (tmp_path / "spool").glob("*.gcode")}
    assert kept == {hashes[0], hashes[2]}
    await spool.close()


async def test_parts_of_downloads_that_nobody_wants_make_room(tmp_path: Path) -> None:
    """Of a job that was cancelled while its file came; what is wanted still goes on."""
    wanted, unwanted = "a" * 64, "b" * 64
    shelf = Shelf()
    spool = spool_of(tmp_path, shelf, pinned=lambda: {wanted})
    for name in (wanted, unwanted):
        (tmp_path / "spool" / f"{name}.part").write_bytes(DATA[:9000])
    await spool.fetch(SHA, len(DATA))
    kept = {path.name for path in (tmp_path / "spool").iterdir()}
    assert kept == {f"{SHA}.gcode", f"{wanted}.part"}
    await spool.close()


async def test_a_spool_that_was_cleared_away_is_made_anew(tmp_path: Path) -> None:
    """It had refused every job until the agent was started again."""
    spool = spool_of(tmp_path, Shelf())
    (tmp_path / "spool").rmdir()
    assert (await spool.fetch(SHA, len(DATA))).read_bytes() == DATA
    await spool.close()


async def test_full_spool_says_what_is_full(tmp_path: Path) -> None:
    """A file that cannot fit is refused before a byte is asked for."""
    shelf = Shelf()
    spool = spool_of(tmp_path, shelf, capacity_bytes=1000)
    with pytest.raises(SpoolError, match="no room"):
        await spool.fetch(SHA, len(DATA))
    assert shelf.asked == []
    await spool.close()


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63])
async def test_name_that_is_no_hash_is_refused(tmp_path: Path, name: str) -> None:
    """An API cannot make the agent read or write elsewhere."""
    spool = spool_of(tmp_path, Shelf())
    with pytest.raises(SpoolError, match="no sha256"):
        await spool.fetch(name, 1)
    await spool.close()


async def test_full_disk_is_a_clear_error() -> None:
    """Safety R32: RLIMIT_FSIZE ends the write; the child says so and leaves no part."""
    code = f"""
import asyncio, resource, signal, sys, tempfile
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from tests.bridge.agent.test_spool import Shelf, spool_of
from bridge.agent.errors import SpoolError
async def main():
    directory = Path(tempfile.mkdtemp())
    spool = spool_of(directory, Shelf())
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
    try:
        await spool.fetch({SHA!r}, {len(DATA)})
    except SpoolError as error:
        print(error, list((directory / "spool").iterdir()))
    await spool.close()
asyncio.run(main())
"""
    root = Path(__file__).parents[3]
    result = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, cwd=root
    )
    assert "cannot be written" in result.stdout and result.stdout.endswith("[]\n"), result
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20000


# Over HTTP.


def bulk_of(handler: httpx.MockTransport) -> BulkSource:
    source = BulkSource(Address("http://127.0.0.1:1"), httpx.AsyncClient(transport=handler))
    source.set_token(BulkToken(token="t", life_s=60))
    return source


async def test_files_come_with_token_and_range(tmp_path: Path) -> None:
    """The link's token is a bearer; a resume asks with Range and reads Content-Range."""
    seen: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        wanted = request.headers.get("Range", "")
        seen.append((request.headers["Authorization"], wanted))
        assert request.url.path == f"/bridge/v1/files/{SHA}"
        if not wanted:
            return httpx.Response(200, content=DATA[:3000])
        span = {"Content-Range": f"bytes 3000-{len(DATA) - 1}/{len(DATA)}"}
        return httpx.Response(206, content=DATA[3000:], headers=span)

    source = bulk_of(httpx.MockTransport(answer))
    spool = Spool(tmp_path / "spool", source.open, sleep=no_sleep)
    assert (await spool.fetch(SHA, len(DATA))).read_bytes() == DATA
    assert seen == [("Bearer t", ""), ("Bearer t", "bytes=3000-")]
    await spool.close()
    await source.close()


@pytest.mark.parametrize(
    ("status", "retriable"), [(404, False), (403, False), (401, True), (500, True)]
)
async def test_http_errors_say_whether_trying_helps(status: int, retriable: bool) -> None:
    """401 is retriable: a new token may be on its way."""
    source = bulk_of(httpx.MockTransport(lambda request: httpx.Response(status)))
    with pytest.raises(TransferError, match=str(status)) as caught:
        async with source.open(SHA, 0):
            pass
    assert caught.value.retriable is retriable
    await source.close()


async def test_no_token_yet_is_said() -> None:
    """Before the first welcome no file can be had."""
    source = BulkSource(Address("http://127.0.0.1:1"))
    with pytest.raises(TransferError, match="no link"):
        async with source.open(SHA, 0):
            pass
    await source.close()

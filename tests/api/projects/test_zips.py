"""Zip files as they are written: whole, in pieces, and when nobody reads on."""

import io
import zipfile
from collections.abc import AsyncGenerator

from api.projects.zips import Entry, zipped


async def chunks_of(
    data: bytes, many: int, over: list[str] | None = None
) -> AsyncGenerator[bytes, None]:
    try:
        for _ in range(many):
            yield data
    finally:
        if over is not None:
            over.append("chunks")


async def test_what_is_written_is_whole() -> None:
    """Large entries come in pieces, empty and short ones whole."""
    noise = bytes(hash((n, "x")) % 251 for n in range(100_000))

    async def entries() -> AsyncGenerator[Entry, None]:
        yield Entry("large", 2**31, chunks_of(noise, 20))
        yield Entry("empty", 0, chunks_of(b"", 0))
        yield Entry("short", 5, chunks_of(b"short", 1))

    pieces = [piece async for piece in zipped(entries())]
    assert len(pieces) > 3
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as found:
        assert found.testzip() is None
        assert found.read("large") == noise * 20
        assert (found.read("empty"), found.read("short")) == (b"", b"short")


async def test_nothing_is_left_open_when_nobody_reads_on() -> None:
    """The client goes away in the middle: the file that was read is closed at once."""
    over: list[str] = []

    async def entries() -> AsyncGenerator[Entry, None]:
        try:
            yield Entry("large", 2**20, chunks_of(bytes(range(256)) * 4096, 50, over))
        finally:
            over.append("entries")

    written = zipped(entries())
    assert (await anext(written)).startswith(b"PK")
    await written.aclose()
    assert over == ["chunks", "entries"]

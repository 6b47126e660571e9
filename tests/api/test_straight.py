"""The middle of a large body comes straight from its socket, on a real server in this process."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypercorn.asyncio import serve

from api.container import listen
from api.server import WithoutLifespan, server_config
from api.straight import BUFFER_BYTES, LEAST_BYTES, TAIL_BYTES
from api.upload_body import Message, UploadBody, straight_body

BODY = random.Random(7).randbytes(5_000_003)
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def head(size_bytes: int, path: str = "/") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size_bytes}\r\n\r\n".encode()


@dataclass
class Reader:
    """An application that hashes what it is sent, at most as fast as *go_on* lets it."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    reads: list[int] = field(default_factory=list)
    straight: list[bool] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        way = straight_body(scope)
        self.straight.append(way is not None)
        body = UploadBody(receive, send, way)
        digest = hashlib.sha256()
        status = 413 if scope["path"] == "/refused" else 200
        more = status == 200
        while more:
            message = await body.receive()
            self.reads.append(len(message.get("body", b"")))
            digest.update(message.get("body", b""))
            more = message.get("more_body", False)
            if message["type"] == "http.disconnect":
                self.ends.append(message["type"])
                return
            if sum(self.reads) > LEAST_BYTES:
                await self.go_on.wait()
        answer = digest.hexdigest().encode()
        headers = [(b"content-length", str(len(answer)).encode())]
        await body.send({"type": "http.response.start", "status": status, "headers": headers})
        await body.send({"type": "http.response.body", "body": answer})
        self.ends.append("answered")


@asynccontextmanager
async def served(application: Reader, *, waits: bool = False) -> AsyncIterator[Stream]:
    """A connection to *application*, which reads at once unless it *waits*."""
    if not waits:
        application.go_on.set()
    stop = asyncio.Event()
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    config = server_config(listening)
    config.graceful_timeout = 0.1
    server = asyncio.create_task(
        serve(WithoutLifespan(application), config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        async with asyncio.timeout(20):
            yield reader, writer
    finally:
        writer.close()
        stop.set()
        await server


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The status and the body of the next answer."""
    told = await reader.readuntil(b"\r\n\r\n")
    return int(told.split()[1]), await reader.readexactly(64)


async def test_a_large_body_arrives_whole_and_its_connection_goes_on() -> None:
    """Every byte in its order, most of them in large pieces; then the next ones as well."""
    application = Reader()
    wanted = (200, hashlib.sha256(BODY).hexdigest().encode())
    async with served(application) as (reader, writer):
        for _ in range(3):
            writer.write(head(len(BODY)))
            writer.write(BODY)
            assert await answer(reader) == wanted
        writer.write(head(3) + b"abc")
        assert await answer(reader) == (200, hashlib.sha256(b"abc").hexdigest().encode())
    assert application.straight == [True, True, True, False]
    assert sum(application.reads) == 3 * len(BODY) + 3
    assert max(application.reads) <= BUFFER_BYTES


@pytest.mark.parametrize("cut", [1, TAIL_BYTES - 1, TAIL_BYTES, TAIL_BYTES + 1, BUFFER_BYTES])
async def test_pieces_of_any_size_and_a_request_behind_the_body_are_kept_apart(cut: int) -> None:
    """The last *cut* bytes come later, together with the next request."""
    application = Reader()
    async with served(application) as (reader, writer):
        writer.write(head(len(BODY)) + BODY[:100])
        await asyncio.sleep(0)
        writer.write(BODY[100:-cut])
        await writer.drain()
        writer.write(BODY[-cut:] + head(3) + b"abc")
        assert (await answer(reader))[1] == hashlib.sha256(BODY).hexdigest().encode()
        assert (await answer(reader))[1] == hashlib.sha256(b"abc").hexdigest().encode()
    assert application.straight == [True, False]


async def test_a_reader_that_waits_holds_its_client() -> None:
    """What nobody takes stays with the client, but for a buffer here and what the kernel keeps."""
    application = Reader()
    large = 12 * len(BODY)
    async with served(application, waits=True) as (reader, writer):
        writer.write(head(large))
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                writer.write(BODY)
                sent += len(BODY)
                async with asyncio.timeout(0.3):
                    await writer.drain()
        assert sent < large / 2
        application.go_on.set()
        for _ in range(sent, large, len(BODY)):
            writer.write(BODY)
            await writer.drain()
        assert (await answer(reader))[1] == hashlib.sha256(12 * BODY).hexdigest().encode()


@pytest.mark.parametrize("leaving", ["close", "write_eof", "abort"])
async def test_a_client_that_leaves_amid_its_body_is_told_of(leaving: str) -> None:
    """The application is told, whichever way the client ends, and its server goes on."""
    application = Reader()
    async with served(application) as (_, writer):
        writer.write(head(len(BODY)) + BODY[:3_000_000])
        await writer.drain()
        while sum(application.reads) < 2_000_000:
            await asyncio.sleep(0.001)
        getattr(writer.transport if leaving == "abort" else writer, leaving)()
        while not application.ends:
            await asyncio.sleep(0.001)
    assert application.ends == ["http.disconnect"]


async def test_who_is_refused_can_send_to_the_end_and_reads_why() -> None:
    """Nothing of the body is asked for; it is taken all the same, and the next request is heard."""
    application = Reader()
    async with served(application) as (reader, writer):
        writer.write(head(len(BODY), "/refused"))
        writer.write(BODY)
        assert (await answer(reader))[0] == 413
        writer.write(head(3) + b"abc")
        assert (await answer(reader))[0] == 200
    assert application.ends == ["answered", "answered"]


@pytest.mark.parametrize(
    "body",
    [
        head(LEAST_BYTES // 2) + BODY[: LEAST_BYTES // 2],
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"200000\r\n"
        + BODY[:0x200000]
        + b"\r\n0\r\n\r\n",
    ],
    ids=["small", "chunked"],
)
async def test_what_is_small_or_of_unknown_length_goes_the_usual_way(body: bytes) -> None:
    """And arrives."""
    application = Reader()
    async with served(application) as (reader, writer):
        writer.write(body)
        assert (await answer(reader))[0] == 200
    assert application.straight == [False]
    assert sum(application.reads) in (LEAST_BYTES // 2, 0x200000)

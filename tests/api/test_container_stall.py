"""A client that stops reading, on a real server in this process."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypercorn.asyncio import serve

from api import server as hypercorn_server
from api.container import listen
from api.server import server_config


async def test_a_client_that_takes_nothing_loses_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The application is told, and what was meant for the client is not kept (safety R16)."""
    monkeypatch.setattr(hypercorn_server, "STALLED_S", 0.2)
    over, stop = asyncio.Event(), asyncio.Event()

    async def application(
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(400):
            body = {"type": "http.response.body", "body": bytes(100_000), "more_body": True}
            await send(body)
        await send({"type": "http.response.body", "body": b""})
        over.set()

    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    config = server_config(listening)
    config.graceful_timeout = 0.1
    server = asyncio.create_task(serve(application, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
        await asyncio.get_running_loop().sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            await over.wait()
            taken = await asyncio.get_running_loop().run_in_executor(None, _drain, client)
        assert taken < 40_000_000  # the connection broke long before the whole answer
    stop.set()
    await server


def _drain(client: socket.socket) -> int:
    """Read to the end, be it a broken connection; how many bytes there were."""
    client.setblocking(True)
    taken = 0
    try:
        while some := client.recv(1 << 20):
            taken += len(some)
    except ConnectionResetError:
        pass
    return taken


async def test_an_answer_leaves_in_one_piece() -> None:
    """Head and body come together; a head whose body takes its time does not wait for it."""
    stop, go_on = asyncio.Event(), asyncio.Event()

    async def application(
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["path"] == "/slow":
            await go_on.wait()
        await send({"type": "http.response.body", "body": b"hello"})

    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    config = server_config(listening)
    server = asyncio.create_task(serve(application, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        for _ in range(3):  # on one connection
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.read(4096)).endswith(b"\r\n\r\nhello")
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read(4096)).endswith(b"\r\n\r\n")
        go_on.set()
        assert await reader.read(4096) == b"hello"
    writer.close()
    stop.set()
    await server


async def test_a_connection_that_asks_for_nothing_is_let_go() -> None:
    """After the keep-alive time since its last answer, not since it was opened."""
    stop = asyncio.Event()
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    config = server_config(listening)
    config.keep_alive_timeout = 0.3
    server = asyncio.create_task(serve(_hello, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        for _ in range(3):
            await asyncio.sleep(0.15)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.read(4096)).endswith(b"hello")
        answered = loop.time()
        assert await reader.read() == b""
    assert loop.time() - answered > 0.2
    writer.close()
    stop.set()
    await server


async def _live(
    receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    for moment in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{moment}.complete"})


async def _hello(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_a_head_that_comes_byte_by_byte_is_let_go() -> None:
    """After the keep-alive time, however busily it dribbles; who asks at once is answered beside
    fifty of them (safety S46).
    """
    stop = asyncio.Event()
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    config = server_config(listening)
    config.keep_alive_timeout = 0.5
    server = asyncio.create_task(serve(_hello, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
    slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
    over = [asyncio.create_task(reader.read()) for reader, _ in slow]
    async with asyncio.timeout(20):
        for number in range(1000):
            if all(task.done() for task in over):
                break
            for (_, writer), task in zip(slow, over, strict=True):
                if not task.done():
                    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " if not number else b"x")
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.read(4096)).endswith(b"hello")
            writer.close()
            await asyncio.sleep(0.05)
        ends = await asyncio.gather(*over, return_exceptions=True)
    assert not any(isinstance(end, bytes) and end.startswith(b"HTTP/1.1 200") for end in ends)
    for _, writer in slow:
        writer.close()
    stop.set()
    await server

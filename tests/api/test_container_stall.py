"""A client that stops reading, on a real server in this process."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypercorn.asyncio import serve

from api import container
from api.container import listen, server_config


async def test_a_client_that_takes_nothing_loses_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The application is told, and what was meant for the client is not kept (safety R16)."""
    monkeypatch.setattr(container, "STALLED_S", 0.2)
    over, stop = asyncio.Event(), asyncio.Event()

    async def application(
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            for moment in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{moment}.complete"})
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
            await asyncio.get_running_loop().run_in_executor(None, _drain, client)
    stop.set()
    await server


def _drain(client: socket.socket) -> None:
    """Read to the end: a broken connection, long before the whole answer."""
    client.setblocking(True)
    taken = 0
    try:
        while some := client.recv(1 << 20):
            taken += len(some)
    except ConnectionResetError:
        pass
    assert taken < 40_000_000

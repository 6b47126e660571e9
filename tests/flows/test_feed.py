"""The live side on a real server, with real websocket clients."""

import asyncio
import contextlib
import json
import struct
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.fakes.processes import ApiProcess

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    with ApiProcess(tmp_path_factory.mktemp("feed")) as api:
        yield api


@pytest.fixture(scope="module")
def admin(api: ApiProcess) -> Iterator[httpx.Client]:
    with contextlib.closing(api.admin()) as client:
        yield client


def token_of(admin: httpx.Client, name: str = "dashboard") -> tuple[int, str]:
    """A new API token: its id and its secret."""
    body = admin.post("/tokens", json={"name": name, "scopes": []}).raise_for_status().json()
    return body["id"], body["token"]


def printer_of(admin: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = admin.post("/printers", json={"name": name}).raise_for_status().json()
    return found


@contextlib.asynccontextmanager
async def dashboard(
    api: ApiProcess, token: str, query: str = "", path: str = "/ws"
) -> AsyncIterator[ClientConnection]:
    url = f"{api.url.replace('http', 'ws')}{path}?{query}"
    async with connect(url, additional_headers={"X-API-Key": token}) as socket:
        yield socket


async def hear(socket: ClientConnection, name: str) -> Any:
    """The next frame of this type."""
    async with asyncio.timeout(10):
        while True:
            frame = json.loads(await socket.recv())
            if frame.get("type") == name:
                return frame


async def close_code(socket: ClientConnection) -> int:
    """What the socket is closed with, within ten seconds."""
    async with asyncio.timeout(10):
        while True:
            try:
                await socket.recv()
            except ConnectionClosed:
                return socket.close_code or 1006


async def test_a_dashboard_goes_and_comes_back(api: ApiProcess, admin: httpx.Client) -> None:
    """A one-shot ticket in the URL, an event, a return with since; the ticket is in no log."""
    ticket = admin.post("/auth/ws-token").raise_for_status().json()["token"]
    url = api.url.replace("http", "ws")
    async with connect(f"{url}/api/v1/ws?token={ticket}") as socket:
        answer = socket.response
        assert answer is not None
        assert "Sec-WebSocket-Extensions" not in answer.headers
        seen = (await hear(socket, "hello"))["id"]
        await asyncio.to_thread(printer_of, admin, "Live one")
        assert (await hear(socket, "printer.created"))["id"] > seen
        await socket.send("ping")
        while await socket.recv() != "pong":
            pass
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{url}/ws?token={ticket}")
    assert refused.value.response.status_code == 403
    _, token = await asyncio.to_thread(token_of, admin)
    async with dashboard(api, token, f"since={seen}") as socket:
        assert (await hear(socket, "printer.created"))["data"]["name"] == "Live one"
    page = admin.get("/events", params={"since": seen}).json()
    assert [each["type"] for each in page].count("printer.created") == 1


async def test_a_revoked_token_ends_its_socket(api: ApiProcess, admin: httpx.Client) -> None:
    """4401 within five seconds (safety S12)."""
    token_id, token = await asyncio.to_thread(token_of, admin, "to be revoked")
    async with dashboard(api, token) as socket:
        await hear(socket, "hello")
        started = time.monotonic()
        await asyncio.to_thread(admin.delete, f"/tokens/{token_id}")
        assert await close_code(socket) == 4401
        assert time.monotonic() - started < 5


def frame(first: int, payload: bytes) -> bytes:
    """A masked frame, the mask being zero; *first*: its first byte."""
    if len(payload) < 126:
        length = bytes([0x80 | len(payload)])
    else:
        length = b"\xff" + struct.pack(">Q", len(payload))
    return bytes([first]) + length + bytes(4) + payload


async def test_hostile_frames_end_their_own_socket_only(
    api: ApiProcess, admin: httpx.Client
) -> None:
    """Deflate that was not agreed, no UTF-8, too large, fragments without end, reserved opcodes,
    a flood of messages; the socket beside them goes on (safety S47).

    Hypercorn drops a connection whose frames are broken; one that is only too large hears 1009.
    """
    hostile = {
        "deflated": (frame(0xC1, b"A"), {1006, 1002}),
        "not text": (frame(0x81, b"\xff\xfe"), {1006, 1007}),
        "opcode": (frame(0x83, b"x"), {1006, 1002}),
        "large": (frame(0x81, b"x" * 300_000), {1009}),
        "endless": (frame(0x01, b"x" * 60_000) + frame(0x00, b"x" * 60_000) * 5, {1006, 1009}),
        "flood": (frame(0x81, b"ping") * 500, {1008}),
    }
    _, token = await asyncio.to_thread(token_of, admin, "beside")
    async with dashboard(api, token) as beside:
        await hear(beside, "hello")
        for name, (bad, codes) in hostile.items():
            async with dashboard(api, token) as socket:
                await hear(socket, "hello")
                socket.transport.write(bad)
                assert await close_code(socket) in codes, name
        await asyncio.to_thread(printer_of, admin, "After all that")
        await hear(beside, "printer.created")


async def test_a_flood_of_pings_costs_nobody_else(api: ApiProcess, admin: httpx.Client) -> None:
    """100 000 pings of a client that reads no pong: others are answered, memory stays (S47)."""
    _, token = await asyncio.to_thread(token_of, admin, "flood")
    before = rss_bytes(api.process.pid)
    async with dashboard(api, token) as beside, dashboard(api, token) as socket:
        await hear(beside, "hello")
        socket.transport.pause_reading()
        for _ in range(100):
            socket.transport.write(frame(0x89, b"x" * 100) * 1000)
        slowest = 0.0
        for _ in range(10):
            started = time.monotonic()
            await beside.send("ping")
            async with asyncio.timeout(10):
                while await beside.recv() != "pong":
                    pass
            slowest = max(slowest, time.monotonic() - started)
            await asyncio.sleep(0.05)
        assert slowest < 2
        assert rss_bytes(api.process.pid) - before < 32 * 1024 * 1024
        socket.transport.abort()


def rss_bytes(pid: int) -> int:
    """The memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


@pytest.mark.parametrize("is_raw", [True, False], ids=["raw", "SockJS"])
async def test_an_app_gets_its_push(api: ApiProcess, admin: httpx.Client, is_raw: bool) -> None:
    """As phone apps do: passive login with a key, socket, auth, history, current."""
    printer = printer_of(admin, f"Pushed {is_raw}")
    made = admin.post(f"/printers/{printer['id']}/octoprint-key", json={"name": "app"})
    key = made.raise_for_status().json()["api_key"]
    base = f"{api.url}/octoprint/{printer['slug']}"
    async with httpx.AsyncClient(headers={"X-Api-Key": key}, timeout=30) as client:
        login = (await client.post(f"{base}/api/login", json={"passive": True})).json()
    auth = json.dumps({"auth": f"{login['name']}:{login['session']}"})
    path = "websocket" if is_raw else "000/abcdefgh/websocket"
    names: list[str] = []
    async with connect(f"{base.replace('http', 'ws')}/sockjs/{path}") as socket:
        await socket.send(auth if is_raw else json.dumps([auth]))
        async with asyncio.timeout(10):
            while "current" not in names:
                text = str(await socket.recv())
                if is_raw:
                    names += json.loads(text)
                elif text.startswith("a"):
                    names += json.loads(text[1:])[0]
                else:
                    names.append(text)
    first = [] if is_raw else ["o"]
    assert names == [*first, "connected", "history", "timelapse", "current"]


async def test_a_stop_sends_everybody_away_to_come_back(tmp_path: Path) -> None:
    """1012 on every socket, no error in the log, and no token either."""
    with ApiProcess(tmp_path) as own, contextlib.closing(own.admin()) as admin:
        _, token = await asyncio.to_thread(token_of, admin)
        url = own.url.replace("http", "ws")
        async with connect(f"{url}/ws?token={token}") as socket:
            await hear(socket, "hello")
            stopped = asyncio.create_task(asyncio.to_thread(own.stop))
            assert await close_code(socket) == 1012
            assert await stopped == 0
        assert '"level":"error"' not in own.log
        assert token not in own.log

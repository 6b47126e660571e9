"""The container process: its socket, its exits, and a bridge's life on a real server."""

import asyncio
import contextlib
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypercorn.protocol import ws_stream
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api.container import PortUnusable, listen, main
from api.server import server_config
from schemas.commands import CommandState
from schemas.facts import CommandFact, PrinterFact
from schemas.link import Cmd, CmdGot, Desired, LiveSnap, RemoteStop, Reported
from schemas.printer import Live, PrinterState, Temperature
from tests.fakes.calling import PORT, Agent
from tests.fakes.processes import ApiProcess

LOGIN_HEAD = (
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: farm\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n"
)
_ONCE = b"Connection: close\r\n\r\n"
_KNOCK = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def test_a_taken_port_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 4, and what to do, before anything else was started."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--data", str(tmp_path)]) == 4
    error = capsys.readouterr().err
    assert f"port {port}" in error and "--port" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", 70_000, "0 to 65535"),
        ("192.0.2.1", 0, "--host"),
        ("no.such.host", 0, "--host"),
    ],
)
def test_an_address_that_cannot_be_had_is_explained(host: str, port: int, words: str) -> None:
    """A wrong number, an address of another machine, a name that is none."""
    with pytest.raises(PortUnusable, match=words):
        listen(host, port)


def test_an_unmigrated_database_names_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 6, with the very command for this data directory."""
    assert main(["--port", "0", "--data", str(tmp_path)]) == 6
    assert f"python -m api.migrate --data {tmp_path}" in capsys.readouterr().err


def test_a_data_directory_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 5, and what to do."""
    (tmp_path / "file").write_text("not a directory")
    assert main(["--port", "0", "--data", str(tmp_path / "file")]) == 5
    assert "--data" in capsys.readouterr().err


def test_the_server_is_bounded() -> None:
    """No Server header, no websocket extensions, small messages, a long backlog."""
    config = server_config(listen("127.0.0.1", 0))
    socket.socket(fileno=int(config.bind[0].removeprefix("fd://"))).close()
    assert not config.include_server_header
    assert (config.websocket_max_message_size, config.backlog) == (256 * 1024, 2048)
    assert config.accesslog is None
    handshake: Any = vars(ws_stream)["server_extensions_handshake"]
    assert handshake(["permessage-deflate"], []) is None


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """`main` sets up the logs of a process; this process keeps its own."""
    import logging

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    with ApiProcess(tmp_path_factory.mktemp("farm")) as api:
        yield api


@pytest.fixture(scope="module")
def admin(api: ApiProcess) -> Iterator[httpx.Client]:
    with contextlib.closing(api.admin()) as client:
        yield client


@pytest.mark.flow
@pytest.mark.parametrize(
    ("request_line", "status_line"),
    [
        (b"GET /api/v1/health", b"HTTP/1.1 200 OK\r\n"),
        (b"GET /octoprint/none/api/version", b"HTTP/1.1 403 FORBIDDEN\r\n"),
        (b"GET /octoprint/none/api/nothing", b"HTTP/1.1 404 NOT FOUND\r\n"),
        (b"PUT /octoprint/none/api/version", b"HTTP/1.1 405 METHOD NOT ALLOWED\r\n"),
        (b"GET /plugin/appkeys/probe", b"HTTP/1.1 204 NO CONTENT\r\n"),
        (b"GET /sockjs/websocket", b"HTTP/1.1 101 Switching Protocols\r\n"),
    ],
)
def test_an_answer_says_its_reason(
    api: ApiProcess, request_line: bytes, status_line: bytes
) -> None:
    """Displays on small boards compare the whole status line with an OctoPrint's."""
    url = urlsplit(api.url)
    with socket.create_connection((url.hostname or "", url.port or 0), 10.0) as client:
        head = b" HTTP/1.1\r\nHost: farm\r\n"
        client.sendall(request_line + head + (_KNOCK if b"sockjs" in request_line else _ONCE))
        with client.makefile("rb") as answer:
            assert answer.readline() == status_line


async def test_a_command_reaches_its_bridge_and_its_outcome_comes_back(
    api: ApiProcess, admin: httpx.Client
) -> None:
    """Pair, connect, configure, command, facts, pictures, remote stop, revoke: on a real server."""
    agent = Agent(api.url)
    await asyncio.to_thread(agent.pair, admin)
    await agent.connect()
    desired = await agent.hear()
    assert isinstance(desired, Desired) and desired.printers == []

    bridge = admin.get("/bridges").json()[0]
    assert (bridge["online"], bridge["name"]) == (True, "Workshop")
    new = {"name": "Prusa", "bridge_id": bridge["id"], "port_id": PORT.port_id}
    printer = admin.post("/printers", json=new).raise_for_status().json()
    desired = await agent.hear()
    assert isinstance(desired, Desired)
    assert [(p.id, p.port_id) for p in desired.printers] == [(printer["id"], PORT.port_id)]
    await agent.say(Reported(version=desired.version))

    operational = PrinterState.OPERATIONAL
    await agent.tell(PrinterFact(printer=printer["id"], state=operational))
    temps = {"tool0": Temperature(210.5, 211.0)}
    live = Live(printer=printer["id"], state=operational, temps=temps)
    await agent.say(LiveSnap(printers=[live]))

    url = f"/printers/{printer['id']}"
    asked = asyncio.create_task(asyncio.to_thread(admin.post, f"{url}/disconnect"))
    command = await agent.hear()
    assert isinstance(command, Cmd) and command.printer == printer["id"]
    await agent.say(CmdGot(seq=command.seq))
    await agent.tell(
        CommandFact(id=command.id, state=CommandState.STARTED),
        PrinterFact(printer=printer["id"], state=PrinterState.OFFLINE),
        CommandFact(id=command.id, state=CommandState.DONE),
    )
    assert (await asked).status_code == 200

    stopped = asyncio.create_task(asyncio.to_thread(admin.post, f"{url}/remote-stop"))
    stop = await agent.hear()
    assert isinstance(stop, RemoteStop) and stop.printer == printer["id"]
    await agent.tell(
        CommandFact(id=stop.id, state=CommandState.DONE),
        PrinterFact(printer=printer["id"], state=PrinterState.HALTED),
    )
    assert (await stopped).status_code == 200

    started = time.monotonic()
    assert admin.delete(f"/bridges/{bridge['id']}").status_code == 204
    assert await agent.close_code() == 4401
    assert time.monotonic() - started < 5
    with pytest.raises(InvalidStatus) as refused:
        await agent.dial()
    assert refused.value.response.status_code == 403
    assert b"revoked" in (refused.value.response.body or b"")


@pytest.mark.flow
async def test_the_handshake_gives_nothing_away(api: ApiProcess, admin: httpx.Client) -> None:
    """No socket without a proof, no extensions, no Server header (safety S41, S47)."""
    url = api.url.replace("http", "ws") + "/bridge/v1/link"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url)
    assert refused.value.response.status_code == 401
    agent = Agent(api.url)
    await asyncio.to_thread(agent.pair, admin)
    socket = await agent.dial()
    answer = socket.response
    assert answer is not None
    assert "Sec-WebSocket-Extensions" not in answer.headers
    assert "Server" not in answer.headers
    await socket.close()


@pytest.mark.flow
async def test_hostile_frames_close_their_own_socket_only(
    api: ApiProcess, admin: httpx.Client
) -> None:
    """Compressed without agreement, no UTF-8, too large: that socket ends at once (safety S47).

    Hypercorn drops a connection whose frames are broken; one that is only too large hears 1009.
    """
    deflated = bytes([0xC1, 0x80 + 1, 0, 0, 0, 0, 0x41])  # RSV1 is set, no extension was agreed
    not_text = bytes([0x81, 0x80 + 2, 0, 0, 0, 0, 0xFF, 0xFE])
    large = b"\x81\xff" + struct.pack(">Q", 300_000) + bytes(4) + b"x" * 300_000
    for frame, code in ((deflated, 1006), (not_text, 1006), (large, 1009)):
        agent = Agent(api.url)
        await asyncio.to_thread(agent.pair, admin)
        await agent.connect()
        agent.socket.transport.write(frame)
        assert await agent.close_code() == code
    assert admin.get("/bridges").status_code == 200


@pytest.mark.flow
async def test_a_stop_tells_bridges_first_and_finishes_requests(tmp_path: Path) -> None:
    """1012 for bridges, an answer for who waits, then exit 0; bridges count as there afterwards."""
    with ApiProcess(tmp_path) as api, contextlib.closing(api.admin()) as admin:
        agent = Agent(api.url)
        await asyncio.to_thread(agent.pair, admin)
        await agent.connect()
        body = b'{"username": "admin", "password": "Correct-horse-9"}'
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        with contextlib.closing(writer):
            writer.write(LOGIN_HEAD % len(body) + body[:20])
            await asyncio.sleep(0.2)
            stopped = asyncio.create_task(asyncio.to_thread(api.stop))
            assert await agent.close_code() == 1012
            writer.write(body[20:])
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert await stopped == 0
        assert '"level":"error"' not in api.log
        assert "gantry-pair" not in api.log

        api.start()
        bridges = admin.get("/bridges").raise_for_status().json()
        assert [bridge["online"] for bridge in bridges] == [True]
        welcome = await agent.connect()
        assert welcome.epoch == 2
        assert await asyncio.to_thread(api.stop, signal.SIGINT) == 0


@pytest.mark.flow
def test_a_running_api_keeps_its_port(api: ApiProcess, tmp_path: Path) -> None:
    """A second process on the same port ends with status 4 and leaves the first alone."""
    second = subprocess.run(
        [sys.executable, "-m", "api.container", "--port", str(api.port), "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 4
    assert second.stderr.count("\n") == 1
    assert httpx.get(f"{api.url}/api/v1/version").status_code == 200


@pytest.mark.flow
def test_a_client_that_goes_away_leaves_nothing_behind(api: ApiProcess) -> None:
    """Its connection is let go at once, not after the keep-alive time: descriptors are few."""

    def descriptors() -> int:
        return len(list(Path(f"/proc/{api.process.pid}/fd").iterdir()))

    httpx.get(f"{api.url}/health", trust_env=False)
    before = descriptors()
    for _ in range(20):
        assert httpx.get(f"{api.url}/health", trust_env=False).status_code == 200
    deadline = time.monotonic() + 5
    while descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert descriptors() <= before

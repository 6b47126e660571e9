"""A farm's API as a bridge sees it: link, nonces and files. For tests of the agent.

`FakeApi` is the pure part: one object is the API through any number of connections; it keeps what
a database would keep. `MemorySocket` joins it to a client without a network, `serve()` with one.
"""

import asyncio
import hashlib
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from websockets.exceptions import ConnectionClosedError

from schemas.commands import Expect, StartArgs, Verb
from schemas.facts import AttemptFact, CommandFact, Fact, FactBatch
from schemas.link import (
    NONCE_PATH,
    Body,
    BulkToken,
    Cmd,
    CmdGot,
    Desired,
    FactAck,
    Hello,
    LiveSnap,
    RemoteStop,
    Reported,
    Sender,
    Welcome,
)
from schemas.printer import Live, PrinterConfig
from schemas.session import LinkSession, LinkState
from schemas.watching import TerminalGot, TerminalLines, TerminalText

BULK_TOKEN = "bulk-token"


@dataclass
class FakeApi:
    """What the API's rows would hold, and what it says."""

    desired: list[PrinterConfig] = field(default_factory=list)
    version: int = 1
    epoch: int = 0
    seq: int = 0
    hellos: list[Hello] = field(default_factory=list)
    facts: dict[str, list[Fact]] = field(default_factory=dict)  # by journal id
    repeats: int = 0  # facts that came more than once
    commands: list[Cmd] = field(default_factory=list)
    got: int = 0
    reported: list[int] = field(default_factory=list)
    lives: dict[int, Live] = field(default_factory=dict)
    snaps: int = 0
    live_s: float = 0.05
    terminal: list[TerminalText] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    authorizations: list[str] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)  # their Range headers
    nonces: int = 0
    refuse_upgrade: bool = False
    connections: "list[ApiConnection]" = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def command(self, printer: int, verb: Verb, args: object = None, **more: Any) -> Cmd:
        """Queue a command; it goes out now if a link stands, else with the next."""
        self.seq += 1
        cmd = Cmd(
            seq=self.seq,
            id=more.pop("id", f"cmd-{self.seq}"),
            printer=printer,
            verb=verb,
            args=msgspec.Raw(msgspec.json.encode(args if args is not None else {})),
            expect=Expect(grant=more.pop("grant", None)),
            ttl_left_ms=more.pop("ttl_left_ms", 30_000),
        )
        self.commands.append(cmd)
        for connection in self.connections:
            connection.say(cmd)
        return cmd

    def start(self, printer: int, grant: str, data: bytes, **more: Any) -> Cmd:
        """Queue a start of a file with these bytes."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.files[sha256] = data
        args = StartArgs(
            grant=grant,
            job=1,
            print=1,
            attempt=1,
            file_name="part.gcode",
            sha256=sha256,
            size_bytes=len(data),
        )
        return self.command(printer, Verb.START, args, **more)

    def remote_stop(self, printer: int, command_id: str) -> None:
        """Stop a printer on its own lane."""
        for connection in self.connections:
            connection.say(RemoteStop(id=command_id, printer=printer))

    def cut(self, code: int = 1012) -> None:
        """Close every link."""
        for connection in self.connections:
            connection.cut, connection.close_code = True, code
            connection.wake.set()

    def all_facts(self) -> list[Fact]:
        """Every fact of every journal, in the order the API numbered the journals."""
        return [fact for facts in self.facts.values() for fact in facts]

    def states(self, command_id: str) -> list[str]:
        """The states that were reported of a command, in order."""
        bodies = (fact.body for fact in self.all_facts())
        return [
            body.state.value
            for body in bodies
            if isinstance(body, CommandFact) and body.id == command_id
        ]

    def attempts(self, grant: str) -> list[str]:
        """The events that were reported of an attempt, in order."""
        bodies = (fact.body for fact in self.all_facts())
        return [
            body.event.value
            for body in bodies
            if isinstance(body, AttemptFact) and body.grant == grant
        ]

    async def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait until *condition* holds; it is looked at when anything arrives."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


class ApiConnection:
    """The API's end of one socket."""

    def __init__(self, api: FakeApi, now: float, lose_ack: Callable[[], bool] = lambda: False):
        self.api = api
        self.session = LinkSession(Sender.API, now)
        self.wake = asyncio.Event()
        self.cut = False
        self.close_code = 1012
        self._now = now
        self._lose_ack = lose_ack

    def say(self, body: Body) -> None:
        """Say *body* if the link stands."""
        if self.session.state is LinkState.OPEN:
            self.session.say(body, self._now)
            self.wake.set()

    def receive(self, text: str | bytes, now: float) -> None:
        """Act on a frame as the API does: rows first, then the answer."""
        self._now = now
        body = self.session.receive(text, now)
        match body:
            case Hello():
                self._greet(body)
            case FactBatch():
                self._store(body)
            case CmdGot(seq=seq):
                self.api.got = max(self.api.got, seq)
            case LiveSnap(printers=printers):
                self.api.snaps += 1
                self.api.lives.update({live.printer: live for live in printers})
            case TerminalLines(number=number, texts=texts):
                self.api.terminal += texts
                self.say(TerminalGot(number=number))
            case Reported(version=version):
                self.api.reported.append(version)
            case _:
                pass
        self.api.changed.set()

    def _greet(self, hello: Hello) -> None:
        api = self.api
        api.hellos.append(hello)
        api.epoch += 1
        known = api.facts.setdefault(hello.resume.journal_id, [])
        self.session.say(
            Welcome(
                session=f"s{api.epoch}",
                epoch=api.epoch,
                protocol=1,
                server_time="2026-01-01T00:00:00.000Z",
                fact_ack=FactAck(
                    journal_id=hello.resume.journal_id, seq=known[-1].seq if known else 0
                ),
                bulk=BulkToken(token=BULK_TOKEN, life_s=3600),
                live_s=api.live_s,
                desired_version=api.version,
            ),
            self._now,
        )
        self.say(Desired(version=api.version, printers=api.desired))
        for command in api.commands:
            if command.seq > api.got:
                self.say(command)
        api.connections.append(self)

    def _store(self, batch: FactBatch) -> None:
        known = self.api.facts.setdefault(batch.journal_id, [])
        for fact in batch.facts:
            last = known[-1].seq if known else 0
            if fact.seq <= last:
                self.api.repeats += 1
                continue
            assert fact.seq == last + 1, f"fact {fact.seq} after {last}"
            known.append(fact)
        if known and not self._lose_ack():
            self.say(FactAck(journal_id=batch.journal_id, seq=known[-1].seq))

    def closed(self) -> None:
        """The socket is gone."""
        if self in self.api.connections:
            self.api.connections.remove(self)


class MemorySocket:
    """A client's socket that ends in a `FakeApi`; it may break at any frame, either way."""

    def __init__(self, api: FakeApi, breaks_after: int, rng: random.Random) -> None:
        self._left = breaks_after
        self._connection = ApiConnection(api, 0.0, lambda: rng.random() < 0.3)
        self._broken = False

    async def send(self, message: str) -> None:
        """The API takes the frame, unless the line breaks first."""
        self._count()
        self._connection.receive(message, 0.0)
        await asyncio.sleep(0)

    async def recv(self) -> str:
        """The API's next frame."""
        while True:
            frame = self._connection.session.data_to_send()
            if frame is not None:
                self._count()
                await asyncio.sleep(0)
                return frame
            self._connection.wake.clear()
            await self._connection.wake.wait()
            self._count(0)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up."""
        self._broken = True
        self._connection.closed()

    def _count(self, frames: int = 1) -> None:
        self._left -= frames
        if self._left < 0 or self._broken:
            self._broken = True
            self._connection.closed()
            self._connection.wake.set()
            raise ConnectionClosedError(None, None)


@asynccontextmanager
async def serve(api: FakeApi, port: int = 0) -> AsyncIterator[str]:
    """The API on a loopback port: nonces, the link, files with Range. Gives its base URL."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.set_inheritable(False)
    bound = listener.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 0.1
    config.errorlog = None
    stop = asyncio.Event()
    server = asyncio.create_task(hypercorn_serve(AsgiApi(api), config, shutdown_trigger=stop.wait))
    try:
        yield f"http://127.0.0.1:{bound}"
    finally:
        api.cut()
        stop.set()
        await server


class AsgiApi:
    """A `FakeApi` as an ASGI application. *nonces* and *authorizations* are what it has seen."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._link(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await _lifespan(receive, send)

    async def _link(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        self.api.authorizations.append(headers.get(b"authorization", b"").decode())
        await receive()
        if self.api.refuse_upgrade:
            body = b'{"error": {"code": "revoked"}}'
            await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
            await send({"type": "websocket.http.response.body", "body": body})
            return
        await send({"type": "websocket.accept"})
        loop = asyncio.get_running_loop()
        connection = ApiConnection(self.api, loop.time())

        async def write() -> None:
            while not connection.cut:
                connection.wake.clear()
                while (frame := connection.session.data_to_send()) is not None:
                    await send({"type": "websocket.send", "text": frame})
                await connection.wake.wait()
            await send({"type": "websocket.close", "code": connection.close_code})

        writer = asyncio.create_task(write())
        try:
            while (message := await receive())["type"] == "websocket.receive":
                connection.receive(message["text"], loop.time())
                connection.wake.set()
        finally:
            connection.closed()
            writer.cancel()

    async def _http(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        status, body, headers = self._answer(scope)
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
        fields.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, scope: Any) -> tuple[int, bytes, dict[str, str]]:
        if scope["path"] == NONCE_PATH and scope["method"] == "POST":
            self.api.nonces += 1
            return 200, msgspec.json.encode({"nonce": f"n{self.api.nonces}", "expires_in": 60}), {}
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        data = self.api.files.get(scope["path"].rsplit("/", 1)[-1])
        if headers.get("authorization") != f"Bearer {BULK_TOKEN}":
            return 401, b"", {}
        if data is None:
            return 404, b"", {}
        self.api.downloads.append(headers.get("range", ""))
        if "range" not in headers:
            return 200, data, {}
        first = int(headers["range"].removeprefix("bytes=").split("-")[0])
        span = f"bytes {first}-{len(data) - 1}/{len(data)}"
        return 206, data[first:], {"Content-Range": span}


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return

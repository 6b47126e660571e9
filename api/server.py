"""Hypercorn as the container runs it: its settings, and what it does not do by itself."""

import asyncio
import gc
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from hypercorn.asyncio import run as hypercorn_run
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import h11, ws_stream
from hypercorn.protocol.events import Data, StreamClosed
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.typing import ASGISendEvent
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection
from wsproto.events import Event as WebsocketEvent
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason

from api.feed.sender import BATCHES, Receive, Scope, Send
from api.reasons import say_reasons
from api.straight import CONNECTION, straight
from api.upload_body import STRAIGHT

BACKLOG = 2048
GRACEFUL_S = 6.0  # for what is being answered at the end: a login beside much work takes seconds
KEEP_ALIVE_S = 30.0
KEEP_ALIVE_REQUESTS = 1_000_000
READ_BYTES = 256 * 1024  # at a time: what a read costs does not depend on how much it brings
STALLED_S = 30.0  # a client that takes no byte of an answer for this long is gone
MAX_MESSAGE_BYTES = 256 * 1024  # of a websocket, before it is refused by the server itself

_ANSWERS = (b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 5")  # heads, not 100 or 101


def server_config(listening: socket.socket) -> Config:
    """Hypercorn's settings; it takes *listening* over. Websocket extensions are off from now on."""
    refuse_extensions()
    say_reasons()
    hypercorn_run.TCPServer = _PromptServer  # type: ignore[attr-defined]
    h11.WSStream = _StrictSocket  # type: ignore[attr-defined]
    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.backlog = BACKLOG
    config.graceful_timeout = GRACEFUL_S
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.keep_alive_max_requests = KEEP_ALIVE_REQUESTS
    config.websocket_max_message_size = MAX_MESSAGE_BYTES
    config.include_server_header = False
    errors = logging.getLogger("hypercorn.error")
    errors.setLevel(logging.WARNING)
    config.errorlog = errors
    return config


class _PromptServer(TCPServer):
    """Lets go of a connection when its client does, or takes nothing of an answer any more.

    Hypercorn itself keeps a connection that the client has closed until the keep-alive time is
    over: a file descriptor for half a minute per client. And it waits for ever for a client that
    does not read, with what the kernel did not take from us in memory (safety R16).

    An answer leaves in one piece, not its head first, and its connection's idle time is watched by
    one task for all requests: half of what a small request costs in Hypercorn.
    """

    _head = b""  # of an answer, until its first bytes follow or the loop turns
    _is_gone = False  # the client; the protocol has been told
    _idle_since: float | None = None  # of the loop's clock; None while a request runs

    async def run(self) -> None:
        CONNECTION.set(self)
        await super().run()

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, Updated):
            self._idle_since = self.loop.time() if event.idle else None
        elif not isinstance(event, RawData):
            self._send_head()
            await self._patiently(event)
        elif event.data.startswith(_ANSWERS) and not self._head:
            self._head = event.data
            self.loop.call_soon(self._send_head)
        else:
            await self._write(event.data)

    async def _write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        transport = self.writer.transport
        if transport.is_closing():
            await self._gone()
            return
        if head or data:
            transport.write(head + data if head else data)
        if transport.get_write_buffer_size() or transport.is_closing():
            await self._patiently(RawData(b""))

    def _send_head(self) -> None:
        head, self._head = self._head, b""
        if head and not self.writer.transport.is_closing():
            self.writer.transport.write(head)

    async def _gone(self) -> None:
        """Say once that nobody reads: writing on made a line of log for each of 100 000 pongs."""
        if not self._is_gone:
            self._is_gone = True
            await self.protocol.handle(Closed())

    async def _patiently(self, event: Event) -> None:
        try:
            async with asyncio.timeout(STALLED_S):
                await super().protocol_send(event)
        except TimeoutError:
            self.writer.transport.abort()

    async def _idle_timeout(self) -> None:
        self._idle_since = self.loop.time()
        while (left_s := self._idle_left_s()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    await self.context.terminated.wait()
            except TimeoutError:
                continue
            if self._is_busy():
                return  # the request that runs is the last: the protocol ends the connection
            break
        await asyncio.shield(self._initiate_server_close())

    def _is_busy(self) -> bool:
        return self._idle_since is None

    def _idle_left_s(self) -> float:
        if self._idle_since is None:
            return self.config.keep_alive_timeout
        return self._idle_since + self.config.keep_alive_timeout - self.loop.time()

    async def _read_data(self) -> None:
        with suppress(OSError):
            while not self.reader.at_eof():
                data = await self.reader.read(READ_BYTES)
                await self.protocol.handle(RawData(data))
        await self.protocol.handle(Closed())
        await self.idle_task.stop()


class _StrictSocket(WSStream):
    """Lets go of a client when the application does, and ends with a message that is too large.

    Hypercorn itself waits for the application to take what the client says, also when it has ended:
    a client that said much at the end keeps its connection and our memory for ever. And after 1009
    it keeps the connection, while the application goes on speaking to nobody (safety S47).
    """

    async def app_send(self, message: ASGISendEvent | None) -> None:
        frames: Any = None if message is None else message.get("frames")
        if frames is not None:
            if not self.closed and self.connection.state is ConnectionState.OPEN:
                await self.send(Data(stream_id=self.stream_id, data=frames))
            return
        if message is None:
            self._forget_the_unheard()
        await super().app_send(message)

    def _forget_the_unheard(self) -> None:
        if self.app_put is not None:
            unheard = getattr(self.app_put, "__self__", None)
            self.app_put = _ignore
            while isinstance(unheard, asyncio.Queue) and not unheard.empty():
                unheard.get_nowait()

    async def _send_wsproto_event(self, event: WebsocketEvent) -> None:
        await super()._send_wsproto_event(event)
        if isinstance(event, CloseConnection) and event.code == CloseReason.MESSAGE_TOO_BIG:
            await self.send(StreamClosed(stream_id=self.stream_id))


async def _ignore(message: object) -> None:
    """What is said to an application that has ended."""


#: New objects to the first look, looks of each kind to the next; Python's own are 700, 10, 10.
GC_THRESHOLDS = (5_000, 20, 20)


def settle() -> None:
    """What has been made until now lives as long as the process: no garbage is looked for in it.

    To look through a quarter of a million objects keeps every request waiting for 0.16 s. Nor is it
    looked for often in what a thousand printers and their links add later, which lives long too:
    that took 0.07 s every few seconds, and made the slowest command slower by as much.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def refuse_extensions() -> None:
    """Never negotiate permessage-deflate.

    Hypercorn offers it to every client and cannot bound it: 200 KB on the wire became 400 MB of
    memory (safety S47). It has no switch for it.
    """

    def none_of_them(requested: Iterable[str], supported: list[Extension]) -> bytes | None:
        return None

    ws_stream.server_extensions_handshake = none_of_them  # type: ignore[attr-defined]


class WithoutLifespan:
    """The application for a server that need not start and stop it: we do, and hear of errors.

    Its websockets may be sent ready-made frames (`api.feed.sender`), and who reads a large body may
    ask for its middle `straight` from the socket (`api.upload_body`).
    """

    def __init__(self, application: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            scope["extensions"][BATCHES] = {}
        elif scope["type"] == "http":
            scope["extensions"][STRAIGHT] = straight
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        for moment in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{moment}.complete"})

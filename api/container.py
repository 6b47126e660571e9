"""``python -m api.container``: the API as one long-running process, Hypercorn in asyncio.

exit status: 0 stopped by SIGTERM or Ctrl-C, 2 wrong arguments or settings, 4 the port cannot be
had, 5 the database cannot be opened or written, 6 its tables are not up to date. On a stop bridges
are told first (1012), requests that run are finished, then the database is closed.
"""

import argparse
import asyncio
import errno
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypercorn.asyncio import run as hypercorn_run
from hypercorn.asyncio import serve
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import h11, ws_stream
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.typing import ASGISendEvent
from wsproto.events import CloseConnection
from wsproto.events import Event as WebsocketEvent
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason

from api.app import Application, Receive, Scope, Send
from api.config import SettingError, Settings, load
from api.db import DatabaseUnusable
from api.logs import log_json
from api.migrate import command, pending, place
from api.production import insecurities
from api.reasons import say_reasons
from api.running import InUse, using

EXIT_USAGE = 2
EXIT_PORT = 4
EXIT_DATABASE = 5
EXIT_UNMIGRATED = 6

BACKLOG = 2048
GRACEFUL_S = 3.0
KEEP_ALIVE_S = 30.0
KEEP_ALIVE_REQUESTS = 1_000_000
READ_BYTES = 256 * 1024  # at a time: what a read costs does not depend on how much it brings
STALLED_S = 30.0  # a client that takes no byte of an answer for this long is gone
MAX_MESSAGE_BYTES = 256 * 1024  # of a websocket, before it is refused by the server itself

_ANSWERS = (b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 5")  # heads, not 100 or 101

_log = logging.getLogger("gantry.container")


class PortUnusable(RuntimeError):
    """The address cannot be listened to; the text says why and what to do."""


class Unmigrated(RuntimeError):
    """The tables are not those of this version; the text says which command helps."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; the exit status."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)  # what we write is for this user alone
    log_json()
    try:
        settings = load(**{k: v for k, v in vars(options).items() if k != "ready_fd"})
        if settings.production and (found := insecurities(settings, os.environ)):
            return _fail("not in production:\n" + "\n".join(found), EXIT_USAGE)
        with listen(settings.host, settings.port) as listening:
            if settings.workers > 1:
                return serve_many(settings, listening, options.ready_fd)
            asyncio.run(run(settings, listening, options.ready_fd))
    except SettingError as error:
        return _fail(str(error), EXIT_USAGE)
    except PortUnusable as error:
        return _fail(str(error), EXIT_PORT)
    except (DatabaseUnusable, InUse) as error:
        return _fail(str(error), EXIT_DATABASE)
    except Unmigrated as error:
        return _fail(str(error), EXIT_UNMIGRATED)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m api.container", description="Run the API.")
    parser.add_argument("--host", help="address to listen on (GANTRY_HOST; 127.0.0.1)")
    parser.add_argument("--port", type=int, help="0 takes a free one (GANTRY_PORT; 8000)")
    parser.add_argument(
        "--data", dest="data_dir", type=Path, help="data directory (GANTRY_DATA_DIR; ./data)"
    )
    parser.add_argument("--database-url", help="instead of SQLite there (GANTRY_DATABASE_URL)")
    parser.add_argument("--storage-url", help="instead of files there (GANTRY_STORAGE_URL)")
    parser.add_argument("--bus-url", help="instead of this process (GANTRY_BUS_URL)")
    parser.add_argument("--max-upload-bytes", type=int, help="(GANTRY_MAX_UPLOAD_BYTES; 1 GiB)")
    parser.add_argument("--ready-fd", type=int, help="write one JSON line there once it listens")
    return parser


def _fail(text: str, status: int) -> int:
    sys.stderr.write(f"api.container: {text}\n")
    return status


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, so that a taken port is known before anything starts.

    Raises `PortUnusable`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise PortUnusable(_why_not(host, port, error)) from None
    except OverflowError:
        listening.close()
        raise PortUnusable(f"there is no port {port}: --port takes 0 to 65535.") from None
    return listening


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is taken: stop what listens there, or choose another port "
            "with --port (GANTRY_PORT)."
        )
    if error.errno == errno.EACCES:
        return f"port {port} needs rights that this user does not have: choose one above 1023."
    return f"cannot listen on {host} port {port}: {error.strerror or error}. Look at --host."


def serve_many(settings: Settings, listening: socket.socket, ready_fd: int | None) -> int:
    """Serve in `settings.workers` processes on one socket; the worst of their exit statuses.

    They share nothing but the socket. When one ends, all are stopped: whoever watches this process
    starts it again. The first of them says when it is ready.
    """
    pids = []
    for number in range(settings.workers):
        pid = os.fork()
        if pid == 0:
            os._exit(_work(settings, listening, ready_fd if number == 0 else None))
        pids.append(pid)

    def stop(*_: object) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    statuses: list[int] = []
    while len(statuses) < len(pids):
        _, status = os.wait()
        statuses.append(os.waitstatus_to_exitcode(status))
        stop()
    return max(abs(status) for status in statuses)


def _work(settings: Settings, listening: socket.socket, ready_fd: int | None) -> int:
    """The life of one of several processes; its exit status."""
    try:
        asyncio.run(run(settings, listening, ready_fd))
    except (DatabaseUnusable, InUse, Unmigrated) as error:
        return _fail(str(error), EXIT_DATABASE)
    return 0


async def run(settings: Settings, listening: socket.socket, ready_fd: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises `DatabaseUnusable`, `InUse`, `Unmigrated`."""
    missing = await pending(settings)
    if missing:
        raise Unmigrated(
            f"the database {place(settings)} lacks {', '.join(missing)}: run "
            f"`{command(settings)}` first."
        )
    with using(settings.data_dir.absolute()):
        await _serve(settings, listening, ready_fd)


async def _serve(settings: Settings, listening: socket.socket, ready_fd: int | None) -> None:
    application = Application(settings)
    await application.startup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    host, port = listening.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def until_stopped() -> None:
        _log.info("listening on %s, data in %s", url, settings.data_dir.absolute())
        _tell_ready(ready_fd, {"url": url, "port": port, "pid": os.getpid()})
        await stop.wait()
        _log.info("stopping")
        application.readiness.is_stopping = True
        await asyncio.sleep(settings.drain_s)  # so that load balancers send no more requests
        await application.drain()

    try:
        served = _WithoutLifespan(application)
        await serve(served, server_config(listening), shutdown_trigger=until_stopped)  # type: ignore[arg-type]
    finally:
        await application.shutdown()


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
        if message is None and self.app_put is not None:
            unheard = getattr(self.app_put, "__self__", None)
            self.app_put = _ignore
            while isinstance(unheard, asyncio.Queue) and not unheard.empty():
                unheard.get_nowait()
        await super().app_send(message)

    async def _send_wsproto_event(self, event: WebsocketEvent) -> None:
        await super()._send_wsproto_event(event)
        if isinstance(event, CloseConnection) and event.code == CloseReason.MESSAGE_TOO_BIG:
            await self.send(StreamClosed(stream_id=self.stream_id))


async def _ignore(message: object) -> None:
    """What is said to an application that has ended."""


def refuse_extensions() -> None:
    """Never negotiate permessage-deflate.

    Hypercorn offers it to every client and cannot bound it: 200 KB on the wire became 400 MB of
    memory (safety S47). It has no switch for it.
    """

    def none_of_them(requested: Iterable[str], supported: list[Extension]) -> bytes | None:
        return None

    ws_stream.server_extensions_handshake = none_of_them  # type: ignore[attr-defined]


class _WithoutLifespan:
    """The application for a server that need not start and stop it: we do, and hear of errors."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        for moment in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{moment}.complete"})


def _tell_ready(ready_fd: int | None, facts: dict[str, Any]) -> None:
    if ready_fd is None:
        return
    with os.fdopen(ready_fd, "w") as pipe:
        pipe.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    sys.exit(main())

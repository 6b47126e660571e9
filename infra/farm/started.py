"""A farm as its own process, for benchmarks and flow tests: up when the ready file is there."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 60.0


class DidNotStart(RuntimeError):
    """The farm ended or was not ready in time; the text is what it printed."""


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class StartedFarm:
    """`with StartedFarm(directory, "--printers", "1") as farm:`; stopped by Ctrl-C's signal."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.ready_file = directory / "ready.json"
        self.output = directory / "farm.log"
        self._arguments = (
            *("--port", str(self.port), "--data", str(directory / "data")),
            *("--ready-file", str(self.ready_file), *arguments),
        )
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "StartedFarm":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until every printer is operational. Raises `DidNotStart`."""
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.farm", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.ready_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise DidNotStart(self.output.read_text(encoding="utf-8", errors="replace"))
            time.sleep(0.05)

    @property
    def ready(self) -> dict[str, Any]:
        """The ready file as it is now."""
        found: dict[str, Any] = json.loads(self.ready_file.read_text(encoding="utf-8"))
        return found

    def stop(self) -> int:
        """Stop it as Ctrl-C does; its exit status."""
        process = self.process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            return process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

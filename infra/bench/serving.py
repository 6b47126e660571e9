"""A sender with an owner, as on a bridge: black box and line journal are written.

    python -m infra.bench.serving PORT FILE

prints FILE and ends, and leaves what it has written beside FILE. The process is the sender's own,
so that what it costs can be measured; its owner is a child that looks at nothing but the end.
"""

import hashlib
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from bridge.control.framing import encode, from_sender_reader
from bridge.control.messages import (
    Adopt,
    AttemptChanged,
    Configure,
    Event,
    FromSender,
    JobSpec,
    Outcome,
    Quit,
    Start,
    Status,
    ToSender,
    Verdict,
)
from schemas.jobs import ATTEMPT_OVER
from schemas.printer import PrinterConfig, PrinterState

_READ_BYTES = 65536
_PATIENCE_S = 60.0


class Owner:
    """An agent's end of a sender's control socket."""

    def __init__(self, path: Path) -> None:
        end = time.monotonic() + _PATIENCE_S
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                self._socket.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        self._reader = from_sender_reader()
        self._heard: deque[FromSender] = deque()
        self.send(Adopt(epoch=1, agent_pid=os.getpid(), live_interval_s=0.05))

    def send(self, message: ToSender) -> None:
        """Say something."""
        self._socket.sendall(encode(message))

    def answered(self, token: str) -> None:
        """Wait for the outcome of *token*. Raises RuntimeError when it is refused."""
        outcome = self._until(lambda one: isinstance(one, Outcome) and one.id == token)
        if not isinstance(outcome, Outcome) or outcome.verdict is not Verdict.DONE:
            raise RuntimeError(f"the sender says: {outcome}")

    def reached(self, state: PrinterState) -> None:
        """Wait until the printer is in *state*."""
        self._until(lambda one: isinstance(one, Status) and one.live.state is state)

    def over(self) -> None:
        """Wait for the end of the attempt."""
        self._until(
            lambda one: (
                isinstance(one, Event)
                and isinstance(one.body, AttemptChanged)
                and one.body.state in ATTEMPT_OVER
            )
        )

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _until(self, is_it: Callable[[FromSender], bool]) -> FromSender:
        """Read until something *is_it*; what comes behind that is kept."""
        while True:
            while self._heard:
                if is_it(one := self._heard.popleft()):
                    return one
            self._heard += self._reader.feed(self._socket.recv(_READ_BYTES))


def job_of(file: Path) -> JobSpec:
    """The order to print *file*."""
    return JobSpec(
        grant="G",
        job=1,
        file_name=file.name,
        path=str(file),
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        size_bytes=file.stat().st_size,
    )


def _own(home: Path, port: str, file: Path) -> None:
    owner = Owner(home / "1.sock")
    config = PrinterConfig(id=1, slug="p", name="p", port_id="x", baud=115_200)
    owner.send(Configure(id="c", config=config, device=port))
    owner.reached(PrinterState.OPERATIONAL)
    owner.send(Start(id="s", job=job_of(file)))
    owner.over()
    owner.send(Quit(id="q"))
    owner.answered("q")
    owner.close()


def main() -> None:
    """Become the sender; its owner is the child."""
    port, file = sys.argv[1:]
    home = Path(file).parent
    if os.fork() == 0:
        _own(home, port, Path(file))
        return
    options = ["--socket", str(home / "1.sock"), "--printer", "1", "--state-dir", str(home)]
    os.execv(sys.executable, [sys.executable, "-m", "bridge.sender", *options])  # noqa: S606


if __name__ == "__main__":
    main()

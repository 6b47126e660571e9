"""Real processes for flow tests: a simulated printer, a sender, and an owner that can vanish."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bridge.control.framing import encode, from_sender_reader
from bridge.control.messages import (
    Adopt,
    Adopted,
    Alarm,
    AttemptChanged,
    Configure,
    Event,
    EventAck,
    FromSender,
    JobSpec,
    Outcome,
    Start,
    Status,
    ToSender,
    WatchTerminal,
)
from schemas.jobs import AttemptState
from schemas.printer import PrinterConfig, PrinterState

M = TypeVar("M", bound=FromSender)

ROOT = Path(__file__).parents[2]
CUBE = ROOT / "tests" / "data" / "cube_small.gcode"
PATIENCE_S = 30.0
#: A simulator writes its log with this delay at most.
LOG_DELAY_S = 0.25


def commands_of(path: Path) -> list[bytes]:
    """What a printer must execute for the file *path*."""
    stripped = (line.split(b";")[0].strip() for line in path.read_bytes().split(b"\n"))
    return [line for line in stripped if line]


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Look again and again until *condition* holds."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)


class Processes:
    """Everything that a test has started; `close` ends it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._running: list[subprocess.Popen[bytes]] = []
        self._owners: list[Owner] = []

    def run(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start *module* in the background."""
        with Path(self.directory, f"{module}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running.append(process)
        return process

    def simulator(self, *arguments: str, name: str = "sim") -> "Simulated":
        """A simulated printer, ready."""
        simulated = Simulated(self.directory / name, self.directory / f"{name}.executed")
        simulated.process = self.run(
            "bridge.simulator",
            *("--name", name, "--link", str(simulated.link)),
            *("--log", str(simulated.log)),
            *(arguments or ("--speed", "0")),
        )
        wait_for(simulated.link.exists, "the simulator")
        return simulated

    def sender(self, printer: int = 7) -> "Sender":
        """A sender that serves a socket, ready."""
        sender = Sender(self.directory / f"{printer}.sock")
        sender.process = self.run(
            "bridge.sender",
            *("--socket", str(sender.path), "--printer", str(printer)),
            *("--state-dir", str(self.directory / "state")),
        )
        wait_for(sender.answers, "the sender")
        return sender

    def owner(self, sender: "Sender", epoch: int) -> "Owner":
        """An owner that the sender has accepted."""
        owner = Owner(sender, epoch)
        self._owners.append(owner)
        owner.greet()
        return owner

    def close(self) -> None:
        """End everything."""
        for owner in self._owners:
            owner.vanish()
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.wait()


class Simulated:
    """A running simulator."""

    process: subprocess.Popen[bytes]

    def __init__(self, link: Path, log: Path) -> None:
        self.link, self.log = link, log

    def executed(self) -> list[bytes]:
        """Lines that are in its log so far, its own notes left out."""
        lines = self.log.read_bytes().splitlines() if self.log.exists() else []
        return [line for line in lines if not line.startswith(b"\t")]

    def printed(self) -> list[bytes]:
        """What it has executed until now, without what a host asks for itself."""
        time.sleep(LOG_DELAY_S)
        own = (b"M110", b"M115", b"M154", b"M155", b"M105", b"M113", b"M400", b"M114", b"M27")
        return [line for line in self.executed() if not line.startswith(own)]


class Sender:
    """A running sender process."""

    process: subprocess.Popen[bytes]

    def __init__(self, path: Path) -> None:
        self.path = path

    def answers(self) -> bool:
        """Whether its socket takes connections."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.path))
            except OSError:
                return False
            return True

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Owner:
    """An agent's end of the control socket, blocking, with everything it has heard."""

    def __init__(self, sender: Sender, epoch: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(sender.path))
        self._reader = from_sender_reader()
        self._count = 0
        self._epoch = epoch
        self.heard: list[FromSender] = []
        self.adopted: Adopted

    def greet(self) -> None:
        """Adopt the sender."""
        self.send(Adopt(epoch=self._epoch, agent_pid=os.getpid(), live_interval_s=0.05))
        self.adopted = self.expect(Adopted, lambda _: True)

    def send(self, message: ToSender) -> None:
        """Say something."""
        self._socket.sendall(encode(message))

    def id(self) -> str:
        """A fresh command id."""
        self._count += 1
        return f"{self._epoch}-{self._count}"

    def ask(self, message: ToSender) -> Outcome:
        """Send a command and wait for its answer."""
        assert not isinstance(message, Adopt | EventAck | WatchTerminal)
        self.send(message)
        return self.expect(Outcome, lambda outcome: outcome.id == message.id)

    def expect(self, kind: type[M], condition: Callable[[M], bool]) -> M:
        """The first message of *kind*, heard already or not, for which *condition* holds."""
        seen = 0
        end = time.monotonic() + PATIENCE_S
        while True:
            for message in self.heard[seen:]:
                if isinstance(message, kind) and condition(message):
                    return message
            seen = len(self.heard)
            self._socket.settimeout(max(0.001, end - time.monotonic()))
            data = self._socket.recv(65536)
            if not data:
                raise EOFError("the sender has hung up")
            self.heard += self._reader.feed(data)

    def listen(self, seconds: float) -> None:
        """Hear what comes within *seconds*."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                self.heard += self._reader.feed(self._socket.recv(65536))
            except TimeoutError:
                return

    def connect(self, device: Path, **config: Any) -> None:
        """Configure the printer on *device* and wait until it is operational."""
        settings = PrinterConfig(
            id=self.adopted.printer, slug="p", name="p", port_id="path:x", **config
        )
        self.ask(Configure(id=self.id(), config=settings, device=str(device)))
        self.state(PrinterState.OPERATIONAL)

    def start(self, path: Path = CUBE, grant: str = "G1") -> Outcome:
        """Start to print *path*."""
        return self.ask(
            Start(
                id=self.id(),
                job=JobSpec(
                    grant=grant,
                    job=1,
                    file_name=path.name,
                    path=str(path),
                    sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                    size_bytes=path.stat().st_size,
                ),
            )
        )

    def state(self, state: PrinterState) -> Status:
        """Wait until a picture shows *state*, looking only at what comes from now on."""
        self.heard = [one for one in self.heard if not isinstance(one, Status)]
        return self.expect(Status, lambda status: status.live.state is state)

    def attempt(self, state: AttemptState) -> AttemptChanged:
        """Wait until an event tells that the attempt is in *state*."""
        event = self.expect(
            Event,
            lambda one: isinstance(one.body, AttemptChanged) and one.body.state is state,
        )
        assert isinstance(event.body, AttemptChanged)
        return event.body

    def alarm(self, code: str) -> Alarm:
        """Wait until an event tells that *code* has happened."""
        event = self.expect(
            Event, lambda one: isinstance(one.body, Alarm) and one.body.code == code
        )
        assert isinstance(event.body, Alarm)
        return event.body

    def events(self) -> list[Event]:
        """The events heard so far."""
        return [one for one in self.heard if isinstance(one, Event)]

    def vanish(self) -> None:
        """Die like a killed agent: the socket closes, nothing is said."""
        self._socket.close()

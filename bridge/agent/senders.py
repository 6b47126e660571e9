"""Finding, starting and talking to sender processes (DESIGN section 7, "Agent and sender")."""

import asyncio
import os
import signal
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol

from bridge.agent.detached import Children
from bridge.agent.errors import SenderLost
from bridge.control.framing import encode, from_sender_reader
from bridge.control.lock import is_held, read_pid
from bridge.control.messages import Adopt, Adopted, FromSender, Refused, ToSender
from bridge.control.paths import lock_path, socket_path
from bridge.errors import ControlError

SENDER_MODULE = "bridge.sender"
#: A sender that has not answered `Adopt` by then is stuck.
ADOPT_S = 5.0
#: A sender that does not read this much is stuck.
MAX_UNREAD_BYTES = 1024 * 1024
_READ_BYTES = 64 * 1024


class Line(Protocol):
    """An open conversation with an adopted sender."""

    adopted: Adopted

    def send(self, message: ToSender) -> None:
        """Write *message*; never waits. Raises `SenderLost`."""

    async def receive(self) -> list[FromSender]:
        """What has arrived, at least one message. Raises `SenderLost` at the end."""

    def close(self) -> None:
        """Hang up; the sender goes on."""


class Home(Protocol):
    """Where the senders of this bridge live."""

    def pid(self, printer: int) -> int | None:
        """The process of a printer's sender; None: it does not run."""

    def start(self, printer: int, given_up: str | None) -> int:
        """Start a printer's sender; its pid. Raises `OSError`.

        *given_up*: an attempt that is told to be over; a life before may have left it running.
        """

    def ended(self, pid: int) -> bool:
        """Whether the sender that `start` gave this pid has ended."""

    def kill(self, printer: int) -> None:
        """End a sender that does not answer any more."""

    def running(self) -> list[int]:
        """Printers whose sender runs."""

    async def adopt(self, printer: int, adopt: Adopt) -> Line:
        """Become the owner of a running sender. Raises `SenderLost`."""

    def log_of(self, printer: int) -> Path:
        """Where a sender writes what it has to say."""


class SenderLine:
    """One unix socket to one sender."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = from_sender_reader()
        self._early: list[FromSender] = []
        self.adopted: Adopted

    async def greet(self, adopt: Adopt) -> None:
        """Say `Adopt` and wait for the answer. Raises `SenderLost`."""
        self.send(adopt)
        answer, *self._early = await self.receive()
        if isinstance(answer, Refused):
            raise SenderLost(f"the sender refuses this agent: {answer.reason}")
        if not isinstance(answer, Adopted):
            raise SenderLost(f"the sender answered {type(answer).__name__} to the greeting")
        self.adopted = answer

    def send(self, message: ToSender) -> None:
        """Write *message*; never waits. Raises `SenderLost`."""
        transport = self._writer.transport
        if transport.is_closing():
            raise SenderLost("the sender's socket is closed")
        self._writer.write(encode(message))
        if transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self.close()
            raise SenderLost("the sender does not read")

    async def receive(self) -> list[FromSender]:
        """What has arrived, at least one message. Raises `SenderLost` at the end."""
        if self._early:
            early, self._early = self._early, []
            return early
        while True:
            try:
                data = await self._reader.read(_READ_BYTES)
                messages = self._frames.feed(data)
            except (OSError, ControlError) as error:
                raise SenderLost(f"the sender's socket broke: {error}") from error
            if not data:
                raise SenderLost("the sender has closed its socket")
            if messages:
                return messages

    def close(self) -> None:
        """Hang up; the sender goes on."""
        self._writer.close()


class SenderHome:
    """The senders of one bridge, by their files in *runtime*."""

    def __init__(self, runtime: Path, state_dir: Path, children: Children) -> None:
        self._runtime = runtime
        self._state_dir = state_dir
        self._children = children

    def pid(self, printer: int) -> int | None:
        """The process of a printer's sender; None: it does not run."""
        lock = self._lock(printer)
        return (read_pid(lock) or 0) if is_held(lock) else None

    def start(self, printer: int, given_up: str | None) -> int:
        """Start a printer's sender, which does not take up *given_up*. Raises `OSError`."""
        arguments = ["-m", SENDER_MODULE, "--socket", str(socket_path(self._runtime, printer))]
        arguments += ["--printer", str(printer), "--state-dir", str(self._state_dir)]
        arguments += ["--given-up", given_up] if given_up is not None else []
        return self._children.start(f"sender-{printer}", arguments)

    def ended(self, pid: int) -> bool:
        """Whether the sender that `start` gave this pid has ended."""
        return self._children.ended(pid)

    def kill(self, printer: int) -> None:
        """End a sender that does not answer any more."""
        pid = self.pid(printer)
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def running(self) -> list[int]:
        """Printers whose sender runs."""
        numbers = [int(path.stem) for path in self._runtime.glob("*.lock") if path.stem.isdecimal()]
        return sorted(number for number in numbers if self.pid(number) is not None)

    async def adopt(self, printer: int, adopt: Adopt) -> SenderLine:
        """Become the owner of a running sender. Raises `SenderLost`."""
        path = socket_path(self._runtime, printer)
        try:
            async with asyncio.timeout(ADOPT_S):
                reader, writer = await asyncio.open_unix_connection(path)
                line = SenderLine(reader, writer)
                with ExitStack() as undo:
                    undo.callback(line.close)
                    await line.greet(adopt)
                    undo.pop_all()
                return line
        except TimeoutError:
            raise SenderLost(f"the sender did not answer within {ADOPT_S:.0f} s") from None
        except OSError as error:
            raise SenderLost(f"cannot reach the sender at {path}: {error.strerror}") from error

    def log_of(self, printer: int) -> Path:
        """Where a sender writes what it has to say."""
        return self._children.log_path(f"sender-{printer}")

    def _lock(self, printer: int) -> Path:
        return lock_path(socket_path(self._runtime, printer))

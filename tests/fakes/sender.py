"""A sender as an agent meets it, without a printer: adoption, stored outcomes, replayed events.

`FakeSender` is one printer's sender through several lives; it executes a command exactly when a
real one would and writes that down. `FakeHome` keeps senders in memory, `serve()` puts one behind a
real unix socket.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bridge.agent.errors import SenderLost
from bridge.control.framing import encode, to_sender_reader
from bridge.control.messages import (
    PROTOCOL,
    WITH_TERMINAL,
    Adopt,
    Adopted,
    AttemptChanged,
    Configure,
    Event,
    EventAck,
    FromSender,
    Happening,
    Outcome,
    Quit,
    Refused,
    Start,
    StateChanged,
    Status,
    ToSender,
    Verdict,
    WatchTerminal,
)
from schemas.jobs import ATTEMPT_TRANSITIONS, AttemptEvent, AttemptState
from schemas.printer import Live, PrinterState


@dataclass
class FakeSender:
    """The sender of one printer. *executed* lists what took effect, over all its lives."""

    printer: int = 1
    life: int = 1
    alive: bool = True
    epoch: int = -1
    executed: list[ToSender] = field(default_factory=list)
    configured: list[Configure] = field(default_factory=list)
    quits: list[bool] = field(default_factory=list)
    grant: str | None = None
    attempt: AttemptState = AttemptState.GRANTED
    waiting: list[Event] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    silent: bool = False  # takes commands and does not answer
    refuses: Outcome | None = None  # what is not executed is answered like this
    protocol: int = PROTOCOL
    watches: list[WatchTerminal] = field(default_factory=list)
    seq: int = 0
    owner: "MemoryLine | None" = None

    @property
    def boot(self) -> str:
        return f"life-{self.life}"

    def live(self) -> Live:
        state = PrinterState.PRINTING if self.grant else PrinterState.OPERATIONAL
        return Live(printer=self.printer, state=state, grant=self.grant)

    def adopted(self) -> Adopted:
        oldest = self.waiting[0].seq if self.waiting else self.seq + 1
        return Adopted(
            protocol=self.protocol,
            printer=self.printer,
            pid=1000 + self.life,
            boot=self.boot,
            live=self.live(),
            oldest_event=oldest,
            newest_event=self.seq,
        )

    def happen(self, body: Happening) -> None:
        """Number an event, keep it, tell the owner."""
        self.seq += 1
        event = Event(boot=self.boot, seq=self.seq, at_ms=self.seq, body=body)
        self.waiting.append(event)
        self.tell(event)

    def tell(self, message: FromSender) -> None:
        if self.owner is not None:
            self.owner.put(message)

    def move(self, event: AttemptEvent) -> None:
        """The running attempt takes a step."""
        assert self.grant is not None
        self.attempt = ATTEMPT_TRANSITIONS[self.attempt][event]
        grant = self.grant
        if not ATTEMPT_TRANSITIONS[self.attempt]:
            self.grant = None
        self.happen(AttemptChanged(grant=grant, job=1, event=event, state=self.attempt))
        self.tell(Status(live=self.live()))

    def handle(self, message: ToSender) -> None:
        """Do what the owner says, each id once."""
        match message:
            case EventAck(boot=boot, seq=seq):
                self.waiting = [e for e in self.waiting if e.boot != boot or e.seq > seq]
            case Configure():
                self.configured.append(message)
                self.tell(Outcome(id=message.id, verdict=Verdict.DONE))
            case WatchTerminal():
                assert self.protocol >= WITH_TERMINAL, "an old sender hangs up on this"
                self.watches.append(message)
            case Quit(drain=drain):
                self.quits.append(drain)
                if not drain or self.grant is None:
                    self.die()
            case Adopt():
                pass
            case _:
                self._command(message)

    def _command(self, message: ToSender) -> None:
        known = self.outcomes.get(message.id)  # type: ignore[union-attr]
        if known is None:
            known = self._execute(message)
            self.outcomes[known.id] = known
        if not self.silent:
            self.tell(known)

    def _execute(self, message: ToSender) -> Outcome:
        command_id: str = message.id  # type: ignore[union-attr]
        if isinstance(message, Start):
            if self.grant is not None:
                return Outcome(id=command_id, verdict=Verdict.REJECTED, code="printer_busy")
            self.grant, self.attempt = message.job.grant, AttemptState.GRANTED
            self.executed.append(message)
            self.move(AttemptEvent.STARTED)
            return Outcome(id=command_id, verdict=Verdict.DONE)
        if self.refuses is not None:
            return msgspec.structs.replace(self.refuses, id=command_id)
        self.executed.append(message)
        return Outcome(id=command_id, verdict=Verdict.DONE)

    def die(self) -> None:
        """kill -9: memory is gone, what nobody acknowledged as well."""
        self.alive = False
        if self.owner is not None:
            self.owner.end("the sender died")
        self.grant, self.waiting, self.outcomes, self.seq = None, [], {}, 0
        self.epoch = -1

    def rise(self) -> None:
        """The next life."""
        self.life += 1
        self.alive = True
        moved = StateChanged(state=PrinterState.OPERATIONAL, previous=PrinterState.OFFLINE)
        self.happen(moved)


class MemoryLine:
    """A line between an agent and a `FakeSender` without a socket."""

    def __init__(self, sender: FakeSender) -> None:
        self.adopted = sender.adopted()
        self._sender = sender
        self._messages: list[FromSender] = []
        self._arrived = asyncio.Event()
        self._ended: str | None = None

    def put(self, message: FromSender) -> None:
        self._messages.append(message)
        self._arrived.set()

    def end(self, reason: str) -> None:
        self._ended = self._ended or reason
        if self._sender.owner is self:
            self._sender.owner = None
        self._arrived.set()

    def send(self, message: ToSender) -> None:
        if self._ended is not None:
            raise SenderLost(self._ended)
        self._sender.handle(message)

    async def receive(self) -> list[FromSender]:
        while not self._messages:
            if self._ended is not None:
                raise SenderLost(self._ended)
            self._arrived.clear()
            await self._arrived.wait()
        messages, self._messages = self._messages, []
        return messages

    def close(self) -> None:
        self.end("closed by the agent")


class FakeHome:
    """Senders of printers in memory; *starts* counts what was started, *broken* starts nothing."""

    def __init__(self, *senders: FakeSender) -> None:
        self.senders = {sender.printer: sender for sender in senders}
        self.starts: list[int] = []
        self.kills: list[int] = []
        self.given_up: str | None = None  # what the last one that was started was told of
        self.broken = False
        self.deaf = False  # runs and does not answer
        self.on_adopt: Callable[[FakeSender], None] = lambda sender: None

    def pid(self, printer: int) -> int | None:
        sender = self.senders.get(printer)
        return 1000 + sender.life if sender is not None and sender.alive else None

    def start(self, printer: int, given_up: str | None) -> int:
        self.starts.append(printer)
        self.given_up = given_up
        if self.broken:
            return 1
        sender = self.senders.setdefault(printer, FakeSender(printer, life=0, alive=False))
        sender.rise()
        return 1000 + sender.life

    def ended(self, pid: int) -> bool:
        return self.broken

    def kill(self, printer: int) -> None:
        self.kills.append(printer)
        self.senders[printer].die()

    def running(self) -> list[int]:
        return sorted(number for number, sender in self.senders.items() if sender.alive)

    async def adopt(self, printer: int, adopt: Adopt) -> MemoryLine:
        sender = self.senders.get(printer)
        if self.broken or self.deaf or sender is None or not sender.alive:
            raise SenderLost("nobody answers")
        if adopt.epoch <= sender.epoch:
            raise SenderLost(f"epoch {adopt.epoch} is not newer than {sender.epoch}")
        if sender.owner is not None:
            sender.owner.end("replaced")
        sender.epoch = adopt.epoch
        line = MemoryLine(sender)
        sender.owner = line
        for event in sender.waiting:
            line.put(event)
        self.on_adopt(sender)
        return line

    def log_of(self, printer: int) -> Path:
        return Path(f"/log/sender-{printer}.log")


async def serve(sender: FakeSender, path: Path) -> asyncio.Server:
    """The sender behind a unix socket at *path*, in the control protocol's own frames."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = to_sender_reader()
        line: MemoryLine | None = None
        while data := await reader.read(65536):
            for message in frames.feed(data):
                if isinstance(message, Adopt):
                    if message.epoch <= sender.epoch:
                        writer.write(encode(Refused(reason="older epoch")))
                        continue
                    sender.epoch = message.epoch
                    writer.write(encode(sender.adopted()))
                    line = sender.owner = MemoryLine(sender)
                else:
                    sender.handle(message)
            if line is not None:
                for answer in line._messages:
                    writer.write(encode(answer))
                line._messages.clear()
        writer.close()

    return await asyncio.start_unix_server(talk, path)

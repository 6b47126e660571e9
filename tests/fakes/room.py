"""A printer room without wires: speaks to the API through the link's handler, obeys at once.

It is the other side of the link, not one of our classes in disguise: every order comes out of
`LinkHandler.outgoing`, every answer goes back as facts and pictures.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from api.app import Application
from api.bridges.service import Bridge
from api.link.handler import LinkHandler
from schemas.commands import CARD_PRINT, CardAction, CommandState, Verb
from schemas.facts import (
    AttemptFact,
    CardFact,
    CardWrittenFact,
    CommandFact,
    Fact,
    FactBatch,
    FactBody,
    PrinterFact,
)
from schemas.jobs import AttemptEvent, AttemptState
from schemas.link import (
    Cmd,
    CmdGot,
    Desired,
    Hello,
    LiveSnap,
    RemoteStop,
    Reported,
    Resume,
    Welcome,
)
from schemas.printer import CardFile, Doing, Live, PrinterState, Progress, Prompt, Temperature
from schemas.watching import Interest, TerminalGot, TerminalLines, TerminalText

_S, _E, _A = PrinterState, AttemptEvent, AttemptState
JOURNAL = "journal-1"


@dataclass(slots=True)
class Machine:
    """One printer of the room."""

    id: int
    state: PrinterState = PrinterState.OPERATIONAL
    grant: str | None = None
    size_bytes: int = 0
    progress: Progress | None = None
    temps: dict[str, Temperature] = field(default_factory=dict)
    error: str | None = None
    file_name: str | None = None
    card: list[CardFile] = field(default_factory=list)
    prompt: Prompt | None = None
    doings: tuple[Doing, ...] = ()

    def live(self) -> Live:
        return Live(
            printer=self.id,
            state=self.state,
            grant=self.grant,
            temps=self.temps,
            progress=self.progress,
            error=self.error,
            file_name=self.file_name,
            prompt=self.prompt,
            doings=self.doings,
            port="/dev/pts/7",
            baud=115200,
        )


class FakeRoom:
    """Connect it, and its printers obey; `refuses` makes them reject the next orders."""

    def __init__(self, application: Application, bridge: Bridge) -> None:
        self._handler = LinkHandler(application.rooms, application.clock, application.settings)
        self._application = application
        self._bridge = bridge
        self._epoch = 0
        self._seq = 0
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # never cancelled within a transaction
        self.machines: dict[int, Machine] = {}
        self.orders: list[tuple[str, Any]] = []
        self.refuses = ""
        #: files for cards are being fetched: their printers open them when the test says so
        self.fetches = False
        self.writes: list[tuple[str, Any]] = []

    async def connect(self) -> None:
        welcome = await self._handler.hello(
            self._bridge,
            Hello(
                protocols=(1, 1),
                bridge_id=self._bridge.uid,
                boot_id="boot",
                boot_count=1,
                agent_version="1",
                resume=Resume(journal_id=JOURNAL),
            ),
        )
        assert isinstance(welcome, Welcome)
        self._epoch, self._seq = welcome.epoch, welcome.fact_ack.seq
        await self._look()
        for machine in self.machines.values():
            await self.report(machine)
        self._task = asyncio.create_task(self._obey())

    async def leave(self) -> None:
        if self._task is not None:
            async with self._turn:
                self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._handler.closed(self._bridge, self._epoch)

    async def report(self, machine: Machine, *facts: FactBody) -> None:
        """Facts first, as the agent does, then the picture."""
        await self.fact(machine, *facts)
        await self.show(machine)

    async def fact(self, machine: Machine, *facts: FactBody) -> None:
        """*facts* and its state alone."""
        state = PrinterFact(printer=machine.id, state=machine.state, grant=machine.grant)
        await self._say(*facts, state)

    async def show(self, machine: Machine) -> None:
        snap = LiveSnap(printers=[machine.live()])
        await self._handler.incoming(self._bridge, self._epoch, snap)

    def read(self) -> list[int]:
        """The printers whose terminal is read."""
        said = self._handler.interest(self._bridge.id)
        return [
            each.printer for body in said if isinstance(body, Interest) for each in body.terminals
        ]

    async def type_out(self, machine: Machine, *lines: str, dropped: int | None = 0) -> None:
        """Lines of a terminal, as an agent that is asked for them says them."""
        text = TerminalText(printer=machine.id, lines=list(lines), cursor="c", dropped=dropped)
        said = TerminalLines(number=1, texts=[text])
        answers = await self._handler.incoming(self._bridge, self._epoch, said)
        assert answers == [TerminalGot(number=1)], answers

    async def advance(self, machine: Machine, share: float) -> None:
        """The print is at *share* of its file."""
        done = int(machine.size_bytes * share)
        machine.progress = Progress(
            file_bytes=done,
            size_bytes=machine.size_bytes,
            lines=done,
            print_time_s=60 * share,
            time_left_s=60 * (1 - share),
        )
        await self.show(machine)

    async def finish(self, machine: Machine) -> None:
        await self.advance(machine, 1.0)
        await self._end(machine, _E.COMPLETED, _A.COMPLETED)

    async def open_file(self, machine: Machine) -> None:
        """The printer has opened the file that it is to write to its card."""
        command_id, args = self.writes[-1]
        machine.state, machine.file_name = _S.TRANSFERRING, args["name"]
        machine.size_bytes = args["size_bytes"]
        await self.report(machine, CommandFact(id=command_id, state=CommandState.DONE))
        await self.advance(machine, 0.0)

    async def close_file(self, machine: Machine, reason: str = "") -> None:
        """That file is on the card (listed in capitals), or for *reason* it is not."""
        _, args = self.writes[-1]
        if not reason:
            machine.card = [*machine.card, CardFile(args["name"].upper(), args["size_bytes"])]
        machine.state, machine.progress, machine.file_name = _S.OPERATIONAL, None, None
        told = CardWrittenFact(
            printer=machine.id, name=args["name"], time_s=12.5, reason=reason[:300]
        )
        listed = CardFact(printer=machine.id, present=True, files=machine.card)
        await self.report(machine, told, listed)
        if not reason and args["then"] == CardAction.START:
            machine.state, machine.file_name = _S.PRINTING, args["name"].upper()
            await self.report(machine)

    async def _say(self, *bodies: FactBody) -> None:
        facts = []
        for body in bodies:
            self._seq += 1
            facts.append(Fact(seq=self._seq, at_ms=0, boot_id="boot", body=body))
        batch = FactBatch(journal_id=JOURNAL, facts=facts)
        answers = await self._handler.incoming(self._bridge, self._epoch, batch)
        assert len(answers) == 1, answers

    async def _obey(self) -> None:
        with self._application.bus.listen(f"bridge:{self._bridge.id}") as listener:
            while True:
                await listener.wait(None)
                async with self._turn:
                    await self._look()

    async def _look(self) -> None:
        outgoing = await self._handler.outgoing(self._bridge.id, self._epoch)
        for body in outgoing.bodies:
            match body:
                case Desired():
                    for config in body.printers:
                        self.machines.setdefault(config.id, Machine(config.id))
                    told = Reported(version=body.version)
                    await self._handler.incoming(self._bridge, self._epoch, told)
                case Cmd():
                    got = CmdGot(seq=body.seq)
                    await self._handler.incoming(self._bridge, self._epoch, got)
                    await self._do(body)
                case RemoteStop():
                    self.orders.append((Verb.REMOTE_STOP, None))
                    machine = self.machines[body.printer]
                    machine.state = _S.HALTED
                    await self.report(machine, CommandFact(id=body.id, state=CommandState.DONE))
                case _:
                    pass

    async def _do(self, command: Cmd) -> None:
        args = msgspec.json.decode(command.args)
        self.orders.append((command.verb, args))
        if self.refuses:
            await self._say(
                CommandFact(id=command.id, state=CommandState.REJECTED, reason=self.refuses)
            )
            return
        machine = self.machines[command.printer]
        done = CommandFact(id=command.id, state=CommandState.DONE)
        if command.verb == Verb.CARD_WRITE:
            self.writes.append((command.id, args))
            if not self.fetches:
                await self.open_file(machine)
            return
        if command.verb == Verb.CARD or command.expect.grant == CARD_PRINT:
            await self._card(machine, command.verb, args, done)
            return
        match command.verb:
            case Verb.START:
                machine.grant, machine.size_bytes = args["grant"], args["size_bytes"]
                machine.state = _S.PRINTING
                await self.report(machine, done, self._step(machine, _E.STARTED, _A.STARTED))
                await self.advance(machine, 0.0)
            case Verb.PAUSE:
                machine.state = _S.PAUSED
                await self.report(machine, done, self._step(machine, _E.PAUSED, _A.PAUSED))
            case Verb.RESUME:
                machine.state = _S.PRINTING
                await self.report(machine, done, self._step(machine, _E.RESUMED, _A.STARTED))
            case Verb.CANCEL:
                await self._say(done)
                await self._end(machine, _E.CANCELLED, _A.CANCELLED)
            case Verb.TEMPERATURE:
                for heater, target_c in args["targets_c"].items():
                    machine.temps = {**machine.temps, heater: Temperature(21.5, target_c)}
                await self.report(machine, done)
            case Verb.CONNECT | Verb.DISCONNECT:
                connects = command.verb == Verb.CONNECT
                machine.state = _S.OPERATIONAL if connects else _S.OFFLINE
                await self.report(machine, done)
            case _:
                await self._say(done)

    async def _card(
        self, machine: Machine, verb: str, args: dict[str, Any], done: CommandFact
    ) -> None:
        """The card in the slot, what is printed from it, and what is written to it."""
        if verb == Verb.CANCEL and machine.state is _S.TRANSFERRING:
            await self.close_file(machine, "It was cancelled.")
            await self._say(done)
            return
        action = args.get("action")
        after: dict[str, PrinterState] = {
            Verb.PAUSE: _S.PAUSED,
            Verb.RESUME: _S.PRINTING,
            Verb.CANCEL: _S.OPERATIONAL,
        }
        machine.state = after.get(verb, machine.state)
        if action == CardAction.START:
            machine.state, machine.file_name = _S.PRINTING, args["name"]
        elif action == CardAction.DELETE:
            machine.card = [file for file in machine.card if file.name != args["name"]]
        present = action != CardAction.RELEASE
        fact = CardFact(printer=machine.id, present=present, files=machine.card if present else [])
        await self.report(machine, *([fact] if verb == Verb.CARD else []), done)

    def _step(self, machine: Machine, event: AttemptEvent, state: AttemptState) -> AttemptFact:
        assert machine.grant is not None
        return AttemptFact(
            printer=machine.id,
            grant=machine.grant,
            event=event,
            state=state,
            progress=machine.progress,
        )

    async def _end(self, machine: Machine, event: AttemptEvent, state: AttemptState) -> None:
        ended = self._step(machine, event, state)
        machine.grant, machine.progress, machine.state = None, None, _S.OPERATIONAL
        await self.report(machine, ended)

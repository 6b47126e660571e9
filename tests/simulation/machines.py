"""Printers with their senders: the control contract, and what is true at the machine.

A `Machine` is one printer through all lives of its sender. What an agent may rely on is exactly
what `bridge/sender` promises: one owner by epoch, outcomes kept by id, numbered events until they
are acknowledged (`EventLog`, the real one), a latch and a running print that survive a death. The
history gets what *happened at the machine*, whatever anybody reports.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.agent.errors import SenderLost
from bridge.control.messages import (
    Adopt,
    Adopted,
    Alarm,
    AttemptChanged,
    Cancel,
    Configure,
    Connect,
    Disconnect,
    EventAck,
    FromSender,
    Gcode,
    Happening,
    JobSpec,
    Outcome,
    Pause,
    Quit,
    RemoteStop,
    ResetStop,
    Resume,
    SetTargets,
    Start,
    StateChanged,
    Status,
    Timed,
    ToSender,
    Verdict,
    WatchTerminal,
)
from bridge.sender.eventlog import EventLog
from schemas.jobs import ATTEMPT_OVER, ATTEMPT_TRANSITIONS, AttemptEvent, AttemptState
from schemas.printer import ACTIVE, CONNECTED, PRINTER_TRANSITIONS, Live, PrinterEvent, PrinterState
from tests.simulation.history import History
from tests.simulation.time import check_alive

_S, _E, _AE = PrinterState, PrinterEvent, AttemptEvent
#: How the moves by hand of these tests begin.
JOG = "G91"
_MOVES = {Pause: "pause", Resume: "resume", Cancel: "cancel"}


@dataclass
class Run:
    """A print that is bound to the printer."""

    job: JobSpec
    state: AttemptState = AttemptState.GRANTED
    left_s: float = 20.0


@dataclass
class Plate:
    """What really lies there. *clears_itself*: a printer of that kind."""

    clears_itself: bool
    occupied: bool = False


class Refusal(Exception):
    """Not possible here and now."""


class Machine:
    """One printer. *latches* False is a planted fault."""

    latches = True

    def __init__(self, number: int, history: History, rng: random.Random, plate: Plate) -> None:
        self.number = number
        self.history = history
        self.rng = rng
        self.plate = plate
        self.alive = False
        self.lives = 0
        # What the sender keeps over its death.
        self.halted = False
        self.kept: Run | None = None
        # What it forgets.
        self.owner: Line | None = None
        self.epoch = -1
        self.state = _S.OFFLINE
        self.run: Run | None = None
        self.log = EventLog("none")
        self.outcomes: dict[str, Outcome] = {}
        self.open: set[str] = set()  # taken, and not answered yet
        self.connecting: list[str] = []
        self.grants: set[str] = set()
        self.autoconnect = False
        self.version_told = ""
        self._timers: list[asyncio.TimerHandle] = []
        # Its host.
        self.clock: Callable[[], float] = lambda: 0.0
        self.thaws_at = 0.0  # it reads nothing before

    # Lives.

    def rise(self, given_up: str | None = None) -> None:
        """A new sender process, which does not take up *given_up*."""
        self.lives += 1
        self.alive, self.epoch, self.owner = True, -1, None
        self.log = EventLog(f"life-{self.number}-{self.lives}")
        self.outcomes, self.connecting, self.grants = {}, [], set()
        self.open = set()
        self.run, self.autoconnect = None, False
        self.state = _S.OFFLINE
        self.history.add("machine", "rise", printer=self.number, life=self.log.boot)
        if self.halted:
            self._step(_E.HALT)
        kept, self.kept = self.kept, None
        if kept is not None:
            self.grants.add(kept.job.grant)
            self._come_back(kept, given_up)

    def die(self) -> None:
        """kill -9 of the sender: the machine stands."""
        if not self.alive:
            return
        self.alive = False
        self.history.add("machine", "die", printer=self.number, life=self.log.boot)
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self.owner is not None:
            self.owner.end("the sender died")
        self.owner = None

    def _come_back(self, kept: Run, given_up: str | None) -> None:
        """Go on exactly, or say that nobody knows."""
        may = not self.halted and kept.job.grant != given_up
        if may and self.rng.random() < 0.5:
            self.run = kept
            self.kept = kept
            self.state = _S.CONNECTING
            self._later(0.5, self._regain)
            return
        event = _AE.INTERRUPTED
        self._log(AttemptChanged(grant=kept.job.grant, job=1, event=event, state=_AS[event]))
        self._over(kept, event)

    def _regain(self) -> None:
        if self.state is _S.CONNECTING and self.run is not None:
            paused = self.run.state is AttemptState.PAUSED
            self._step(_E.REGAIN)
            if paused:
                self._attempt(_AE.RESUMED)
            self._stream()

    # The owner.

    def picture(self) -> Live:
        """What it shows."""
        grant = self.run.job.grant if self.run is not None else None
        return Live(printer=self.number, state=self.state, grant=grant)

    def adopted(self) -> Adopted:
        """The answer to an adoption."""
        return Adopted(
            protocol=1,
            printer=self.number,
            pid=1000 * self.number + self.lives,
            boot=self.log.boot,
            live=self.picture(),
            oldest_event=self.log.oldest,
            newest_event=self.log.newest,
        )

    def hear(self, message: ToSender) -> None:
        """Do what the owner says, each id once."""
        if isinstance(message, EventAck):
            self.log.acknowledge(message.boot, message.seq)
            return
        if isinstance(message, Adopt | WatchTerminal):
            return  # its owner is known, and nobody types here
        known = self.outcomes.get(message.id)
        if known is not None:
            self._tell(known)
            return
        if message.id in self.open:
            return  # it is at it, and answers once
        self.open.add(message.id)
        try:
            answer = self._do(message)
        except Refusal as refusal:
            answer = Outcome(id=message.id, verdict=Verdict.REJECTED, code=str(refusal))
        if answer is not None:
            self._answer(answer)

    def _answer(self, answer: Outcome) -> None:
        self.outcomes[answer.id] = answer
        self._tell(answer)

    def _do(self, message: Any) -> Outcome | None:
        before_ms = message.before_ms if isinstance(message, Timed) else None
        if before_ms is not None and self.clock() * 1000 >= before_ms:
            raise Refusal("expired")
        done = Outcome(id=message.id, verdict=Verdict.DONE)
        if isinstance(message, Configure):
            self.history.add("machine", "configured", printer=self.number, name=message.config.name)
            self.autoconnect = message.autoconnect
            if self.autoconnect and self.state in (_S.OFFLINE, _S.ERROR):
                self._open()
        elif isinstance(message, Quit):
            self._tell(done)
            self._later(0.1, self.die)
            return None
        elif isinstance(message, RemoteStop):
            self._effect("stop", message.id)
            self._halt()
        elif self.state is _S.HALTED and self.latches and not isinstance(message, ResetStop):
            raise Refusal("stopped")
        else:
            return self._work(message, done)
        return done

    def _work(self, message: Any, done: Outcome) -> Outcome | None:
        if isinstance(message, ResetStop):
            if self.state is not _S.HALTED:
                raise Refusal("not_stopped")
            self._effect("reset_stop", message.id)
            self.halted = False
            self._step(_E.RESET)
            if self.autoconnect:
                self._open()
        elif isinstance(message, Start):
            self._start(message)
        elif isinstance(message, Pause | Resume | Cancel):
            self._steer(message)
        elif isinstance(message, Connect):
            if self.state in CONNECTED:
                return done
            self.connecting.append(message.id)
            self.autoconnect = True
            self._open()
            return None
        elif isinstance(message, Disconnect):
            if self.state in ACTIVE:
                raise Refusal("printer_busy")
            self.autoconnect = False
            if self.state is not _S.OFFLINE:
                self._step(_E.CLOSE)
        elif isinstance(message, Gcode | SetTargets):
            if self.state not in CONNECTED:
                raise Refusal("printer_not_operational")
            if isinstance(message, Gcode):
                self._effect("gcode", message.id, jog=message.lines[0] == JOG)
            else:
                self._effect("temperature", message.id)
            if self.rng.random() < 0.03:
                self.die()  # it has happened, and nobody will ever say so
            else:
                self._later(0.2, self._answer, done)
            return None
        return done

    def _open(self) -> None:
        if self.state in (_S.OFFLINE, _S.ERROR):
            self._step(_E.OPEN)
            self._later(self.rng.uniform(0.2, 1.0), self._ready)

    def _ready(self) -> None:
        if self.state is _S.CONNECTING and self.run is None:
            self._step(_E.READY)
            self._connected(Verdict.DONE)

    def _connected(self, verdict: Verdict, code: str = "") -> None:
        waiting, self.connecting = self.connecting, []
        for command in waiting:
            self._answer(Outcome(id=command, verdict=verdict, code=code))

    # Printing.

    def _start(self, message: Start) -> None:
        if message.job.grant in self.grants:
            raise Refusal("grant_used")
        if self.state is not _S.OPERATIONAL:
            raise Refusal("printer_busy" if self.state in ACTIVE else "printer_not_operational")
        self.grants.add(message.job.grant)
        self.run = Run(message.job, left_s=self.rng.uniform(5.0, 25.0))
        self._effect("accept", message.id, grant=message.job.grant)
        self._step(_E.JOB)
        self._later(0.3, self._first_line)

    def _first_line(self) -> None:
        """The first line leaves: from now on something lies on the plate."""
        if self.state is not _S.STARTING or self.run is None:
            return
        grant = self.run.job.grant
        self.history.add(
            "machine",
            "start",
            printer=self.number,
            grant=grant,
            was_occupied=self.plate.occupied,
        )
        self.plate.occupied = not self.plate.clears_itself
        if self.rng.random() < 0.02:
            self.die()  # before anybody could write down that it has begun
            return
        self._attempt(_AE.STARTED)
        self._step(_E.STREAM)
        self._stream()

    def _stream(self) -> None:
        assert self.run is not None
        self._later(self.run.left_s, self._last_line)

    def _last_line(self) -> None:
        if self.state is not _S.PRINTING:
            return
        self._step(_E.LAST_LINE)
        ending = _AE.FAILED if self.rng.random() < 0.05 else _AE.COMPLETED
        self._later(0.5, self._finished, ending)

    def _finished(self, event: AttemptEvent) -> None:
        if self.run is None or self.state not in (_S.FINISHING, _S.CANCELLING):
            return
        self._attempt(event)
        self._step(_E.JOB_OVER)

    def _steer(self, message: Pause | Resume | Cancel) -> None:
        if self.run is None or self.run.job.grant != message.grant:
            raise Refusal("wrong_job")
        event = {Pause: _E.PAUSE, Resume: _E.RESUME, Cancel: _E.CANCEL}[type(message)]
        if event not in PRINTER_TRANSITIONS[self.state]:
            raise Refusal("not_possible")
        self._effect(_MOVES[type(message)], message.id, grant=message.grant)
        started = self.run.state is not AttemptState.GRANTED
        self._step(event)
        if event is _E.PAUSE:
            self._later(0.5, self._parked)
        elif event is _E.RESUME:
            self._later(0.5, self._resumed)
        else:
            self._later(1.0, self._finished, _AE.CANCELLED if started else _AE.NOT_STARTED)

    def _parked(self) -> None:
        if self.state is _S.PAUSING and self.run is not None:
            if self.run.state is AttemptState.GRANTED:
                self._attempt(_AE.STARTED)
                self.plate.occupied = not self.plate.clears_itself
            if self.run.state is not AttemptState.PAUSED:  # it was still: paused while resuming
                self._attempt(_AE.PAUSED)
            self._step(_E.PARKED)

    def _resumed(self) -> None:
        if self.state is _S.RESUMING:
            self._attempt(_AE.RESUMED)
            self._step(_E.STREAM)
            self._stream()

    def _halt(self) -> None:
        self.halted = self.latches
        if not self.latches:
            return
        run = self.run
        if run is not None:
            begun = run.state is not AttemptState.GRANTED
            self._attempt(_AE.FAILED if begun else _AE.NOT_STARTED)
        self._step(_E.HALT)

    # What it reports.

    def _attempt(self, event: AttemptEvent) -> None:
        run = self.run
        assert run is not None
        run.state = ATTEMPT_TRANSITIONS[run.state][event]
        self._log(AttemptChanged(grant=run.job.grant, job=1, event=event, state=run.state))
        if run.state in ATTEMPT_OVER:
            self._over(run, event)
        else:
            self.kept = run

    def _over(self, run: Run, event: AttemptEvent) -> None:
        self.history.add(
            "machine", "over", printer=self.number, grant=run.job.grant, event=event.value
        )
        self.run = self.kept = None

    def _step(self, event: PrinterEvent) -> None:
        before = self.state
        self.state = PRINTER_TRANSITIONS[before][event]
        grant = self.run.job.grant if self.run is not None else None
        self._log(StateChanged(state=self.state, previous=before, grant=grant))
        self._tell(Status(live=self.picture()))
        if self.state in (_S.OFFLINE, _S.ERROR, _S.HALTED):  # `bridge.sender.commands` does so
            self._connected(Verdict.FAILED, "connect_failed")

    def _log(self, body: Happening) -> None:
        for event in self.log.add(body, int(self.history.now() * 1000)):
            self._tell(event)

    def alarm(self, text: str) -> None:
        """Something that a person should know."""
        self._log(Alarm(code="simulated", text=text))

    def _effect(self, what: str, command: str, **more: Any) -> None:
        self.history.add("machine", what, printer=self.number, id=command, **more)

    def _tell(self, message: FromSender) -> None:
        if self.owner is not None:
            self.owner.put(message)

    def _later(self, delay_s: float, work: Any, *args: Any) -> None:
        loop = asyncio.get_running_loop()
        self._timers = [t for t in self._timers if t.when() > loop.time() and not t.cancelled()]
        self._timers.append(loop.call_later(delay_s, work, *args))


_AS = {event: ATTEMPT_TRANSITIONS[AttemptState.STARTED][event] for event in (_AE.INTERRUPTED,)}


class Line:
    """An agent's conversation with one sender: what was written arrives, unless the reader dies."""

    def __init__(self, machine: Machine) -> None:
        self.adopted = machine.adopted()
        self._machine = machine
        self._messages: list[FromSender] = []
        self._arrived = asyncio.Event()
        self._ended: str | None = None
        self._last_at = 0.0

    def put(self, message: FromSender) -> None:
        """The sender says something."""
        self._messages.append(message)
        self._arrived.set()

    def end(self, reason: str) -> None:
        """The sender has gone, or has another owner."""
        self._ended = self._ended or reason
        self._arrived.set()

    def send(self, message: ToSender) -> None:
        check_alive()
        if self._ended is not None:
            raise SenderLost(self._ended)
        identity = getattr(message, "id", "")
        self._machine.history.add(
            "room", "handed", id=identity, kind=type(message).__name__, printer=self.adopted.printer
        )
        loop = asyncio.get_running_loop()
        at = max(self._last_at + 1e-6, loop.time() + self._machine.rng.choice((0.0005, 0.003)))
        self._last_at = at
        loop.call_at(at, self._arrive, message)

    def _arrive(self, message: ToSender) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._machine.thaws_at:
            self._last_at = at = max(self._last_at + 1e-6, self._machine.thaws_at)
            loop.call_at(at, self._arrive, message)
            return
        if self._machine.owner is self and self._machine.alive:
            self._machine.hear(message)

    async def receive(self) -> list[FromSender]:
        while not self._messages:
            if self._ended is not None:
                check_alive()
                raise SenderLost(self._ended)
            self._arrived.clear()
            await self._arrived.wait()
        check_alive()
        messages, self._messages = self._messages, []
        return messages

    def close(self) -> None:
        check_alive()
        self.hang_up()

    def hang_up(self) -> None:
        """The agent has gone; what it wrote is still read."""
        self.end("closed by the agent")

        def gone() -> None:
            if self._machine.owner is self:
                self._machine.owner = None

        asyncio.get_running_loop().call_later(0.004, gone)


class Machines:
    """The senders' home: finds, starts, adopts (`bridge.agent.senders.Home`)."""

    def __init__(self, *machines: Machine) -> None:
        self.machines = {machine.number: machine for machine in machines}
        self.lines: list[Line] = []

    def pid(self, printer: int) -> int | None:
        check_alive()
        machine = self.machines[printer]
        return 1000 * printer + machine.lives if machine.alive else None

    def start(self, printer: int, given_up: str | None) -> int:
        check_alive()
        machine = self.machines[printer]
        if not machine.alive:
            machine.rise(given_up)
        return 1000 * printer + machine.lives

    def ended(self, pid: int) -> bool:
        check_alive()
        machine = self.machines[pid // 1000]
        return not machine.alive or machine.lives != pid % 1000

    def kill(self, printer: int) -> None:
        check_alive()
        self.machines[printer].die()

    def running(self) -> list[int]:
        check_alive()
        return sorted(number for number, each in self.machines.items() if each.alive)

    async def adopt(self, printer: int, adopt: Adopt) -> Line:
        await asyncio.sleep(0.002)
        check_alive()
        machine = self.machines[printer]
        if not machine.alive:
            raise SenderLost("nobody answers")
        if adopt.epoch <= machine.epoch:
            raise SenderLost(f"epoch {adopt.epoch} is not newer than {machine.epoch}")
        if machine.owner is not None:
            machine.owner.end("replaced")
        machine.epoch = adopt.epoch
        machine.owner = line = Line(machine)
        for event in machine.log.waiting():
            line.put(event)
        self.lines.append(line)
        return line

    def log_of(self, printer: int) -> Path:
        return Path(f"/log/sender-{printer}.log")

    def agent_died(self) -> None:
        """The kernel closes the sockets of a dead agent."""
        for line in self.lines:
            line.hang_up()
        self.lines.clear()

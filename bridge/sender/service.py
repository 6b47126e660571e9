"""A sender that serves an agent: facts until acknowledged, commands once, orphan rules.

The socket is only a way to talk to the printer: that nobody is there changes no byte on the wire.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from msgspec.structs import replace

from bridge.control.lock import Lock
from bridge.control.messages import (
    Adopt,
    Adopted,
    Alarm,
    EventAck,
    Outcome,
    StateChanged,
    Status,
    ToSender,
    WatchTerminal,
)
from bridge.control.messages import Happening as Fact
from bridge.control.paths import lines_path, lock_path, state_path
from bridge.control.server import Listener
from bridge.errors import JobFileError, PortError
from bridge.gcode.cardwrite import PARTIAL
from bridge.gcode.happenings import (
    AttemptMoved,
    CardListed,
    CardWritten,
    Happening,
    Identified,
    OrderDone,
    OrderLost,
    StateMoved,
    Warned,
)
from bridge.sender import comeback, facts, memory
from bridge.sender.adoption import Adoption
from bridge.sender.blackbox import BlackBox
from bridge.sender.board import KnownBoard, board_path
from bridge.sender.commands import Commands
from bridge.sender.device import Device
from bridge.sender.eventlog import EventLog
from bridge.sender.lifecycle import Lifecycle, Situation, Step
from bridge.sender.linejournal import LineJournal, open_journal
from bridge.sender.loop import Loop
from bridge.sender.memory import Kept, Memory, Running
from bridge.sender.terminal import Terminal
from schemas.jobs import ATTEMPT_OVER, AttemptState
from schemas.printer import CONNECTED, PrinterConfig, PrinterState

_S = PrinterState
#: Between two tries to open a port that is not there.
RECONNECT_S = 2.0
#: The token of our own heaters-off; an agent's ids never look like this.
_COOL = "sender:cool"


class Service:
    """One printer's sender. The caller holds the lock beside *socket* for its whole life."""

    def __init__(
        self, socket: Path, printer: int, state_dir: Path, given_up: str | None = None
    ) -> None:
        """Listen at *socket*; *given_up* is not taken up. Raises `ControlError` if it cannot."""
        now = time.monotonic()
        left = memory.load(state_path(socket))
        self._memory = Memory(halted=left.halted, stop=left.stop, may_save=left.may_save)
        self._memory_path = state_path(socket)
        self._box = BlackBox(state_dir / "blackbox" / f"printer-{printer}")
        self._box_problem: str | None = None
        self._board = KnownBoard(board_path(state_dir, printer))
        self._journal = _journal_at(lines_path(socket))
        self._device = Device(
            PrinterConfig(id=printer, slug="", name="", port_id="", enabled=False),
            journal=self._journal,
            keep=self._keep,
            box=self._box,
            good_baud=self._board.baud,
        )
        self._loop = Loop(self._device)
        self._log = EventLog(os.urandom(8).hex(), left.events)
        self._terminal = Terminal(self._box, self._log.boot)
        self._life = Lifecycle(now)
        self._adoption = Adoption(Listener(socket), self._loop, self._adopted, self._heard)
        self._commands = Commands(self._device, self._life, self._answer)
        self._commands.stopped_by(left.stop, now)
        self._live_every_s = 1.0
        self._live_at = now
        self._shown = self._picture()
        self._reconnect_at = now
        comeback.host_boot()
        self._inherit(left, given_up, now)

    def run(self) -> None:
        """Serve until it is time to end; the heaters are off then, if the printer listens."""
        self._loop.catch(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._loop.run(self)
        now = time.monotonic()
        self._device.close(now)
        for happening in self._device.events():
            self.happened(happening, now)
        self._box.close(now)
        left = self._log.waiting()
        self._save(replace(self._memory, clean=True, running=None, events=left))
        self._adoption.close()
        self._loop.close()

    # What the loop calls.

    def tick(self, now: float) -> float | None:
        """Signals, reconnection, life, status; when to come back at the latest."""
        if self._loop.signals:
            self._signalled(now)
        if now >= self._reconnect_at and self._wants_port():
            self._reconnect_at = now + RECONNECT_S
            self._device.open(self._commands.plugged_at, now)
        self._live_on(now)
        self._watch_box(now)
        self._show(now)
        later = min(self._live_at, self._terminal.read_out(self._adoption, now))
        return min(later, self._reconnect_at) if self._wants_port() else later

    def happened(self, happening: Happening, now: float) -> None:
        """Turn what the printer core reports into facts and answers."""
        match happening:
            case StateMoved():
                self._state_moved(happening, now)
            case AttemptMoved():
                self._attempt_moved(happening, now)
            case Warned(code, text, grant):
                self._fact(Alarm(code=code, text=text, grant=grant), now)
            case Identified():
                self._fact(facts.firmware(happening), now)
                self._recognise(happening.uuid, now)
            case CardListed() | CardWritten():
                self._card_moved(happening, now)
            case OrderDone(token=token) | OrderLost(token=token) if token == _COOL:
                self._life.cooled()
            case OrderDone(token):
                self._commands.order_done(token)
            case OrderLost(token, reason):
                self._commands.order_lost(token, reason)

    # What the owner says.

    def _adopted(self, adopt: Adopt, protocol: int, now: float) -> None:
        self._live_every_s = adopt.live_interval_s
        self._terminal.stop()
        self._adoption.send(
            Adopted(
                protocol=protocol,
                printer=self._device.printer.config.id,
                pid=os.getpid(),
                boot=self._log.boot,
                live=self._device.live(now),
                oldest_event=self._log.oldest,
                newest_event=self._log.newest,
            )
        )
        for event in self._log.waiting():
            self._adoption.send(event)

    def _heard(self, message: ToSender, now: float) -> None:
        if isinstance(message, EventAck):
            self._log.acknowledge(message.boot, message.seq)
        elif isinstance(message, WatchTerminal):
            self._terminal.watch(message, now)
        elif not isinstance(message, Adopt):
            self._commands.handle(message, now)

    def _answer(self, outcome: Outcome) -> None:
        self._device.remember()  # before: what was acknowledged holds in the next life too
        self._keep_offsets()
        self._keep_latch()
        self._adoption.send(outcome)

    def _keep_latch(self) -> None:
        """A stop, and its reset, holds in the next life before anybody is told of it (M10)."""
        printer, stop = self._device.printer, self._commands.last_stop
        halted = (printer.error or "stopped") if printer.state is _S.HALTED else None
        if (halted, stop) != (self._memory.halted, self._memory.stop):
            self._save(replace(self._memory, halted=halted, stop=stop))

    # What the printer reports.

    def _state_moved(self, moved: StateMoved, now: float) -> None:
        self._fact(
            StateChanged(
                state=moved.state, previous=moved.previous, grant=moved.grant, reason=moved.reason
            ),
            now,
        )
        self._box.mark(now, f"{moved.previous} -> {moved.state} {moved.reason}".rstrip())
        self._commands.state_moved(moved.state, moved.reason)
        if moved.state in (_S.ERROR, _S.HALTED):
            self._box.flush(now)
        if moved.previous is _S.CONNECTING and moved.state in CONNECTED:
            self._keep_board()
        self._keep_latch()
        self._remember_transfer(moved.state)

    def _card_moved(self, happening: CardListed | CardWritten, now: float) -> None:
        if isinstance(happening, CardListed):
            self._fact(facts.card_seen(happening), now)
            return
        self._fact(facts.card_written(happening), now)
        self._save(replace(self._memory, transfer=None))

    def _remember_transfer(self, state: PrinterState) -> None:
        """A later life must know that the printer may be writing a file to its card."""
        job = self._device.printer.card_write.job
        if state is _S.TRANSFERRING and job is not None:
            self._save(replace(self._memory, transfer=job.name, may_save=True))
        elif state is _S.OPERATIONAL and self._memory.may_save:
            self._save(replace(self._memory, may_save=False))

    def _recognise(self, uuid: str | None, now: float) -> None:
        """A board that is not this printer's is let go before a line of a job reaches it."""
        printer, asked = self._device.printer, self._commands.was_asked()
        try:
            problem = self._board.stranger(printer.config.port_id, uuid, asked=asked)
        except OSError as error:
            _complain(f"cannot keep which board this printer has: {error}")
            return
        if problem is not None:
            self._commands.autoconnect = False
            self._fact(Alarm(code="wrong_printer", text=problem), now)
            printer.lost(problem, now)
        else:
            self._keep_board()  # it may have been slow to say who it is

    def _keep_board(self) -> None:
        try:
            self._board.follow(self._device)
        except OSError as error:
            _complain(f"cannot keep what this printer's firmware is: {error}")

    def _attempt_moved(self, moved: AttemptMoved, now: float) -> None:
        if moved.state in ATTEMPT_OVER:
            self._tell(moved, now)
            self._remember(None)
        else:  # what is told is known in the next life too
            self._remember(Running(moved.grant, moved.job, self._device.keepsake()))
            self._tell(moved, now)
        if moved.state in (AttemptState.FAILED, AttemptState.INTERRUPTED):
            self._box.flush(now)

    def _keep(self, kept: Kept) -> None:
        self._remember(Running(kept.grant, kept.job, kept))

    def _remember(self, running: Running | None) -> None:
        if running != self._memory.running:
            self._save(replace(self._memory, running=running))

    def _tell(self, moved: AttemptMoved, now: float) -> None:
        self._fact(facts.attempt_changed(moved, self._device.quality()), now)

    def _fact(self, fact: Fact, now: float) -> None:
        for event in self._log.add(fact, int(now * 1000)):
            self._adoption.send(event)

    # What time brings.

    def _signalled(self, now: float) -> None:
        count = len(self._loop.signals)
        self._loop.signals.clear()
        if self._life.ending or count > 1:
            self._loop.stop()
        self._life.end(now)

    def _wants_port(self) -> bool:
        """Whether the port should be opened as soon as that works."""
        return (
            self._commands.autoconnect
            and self._commands.plugged_at is not None
            and not self._life.ending
            and self._device.printer.state in (_S.OFFLINE, _S.ERROR)
        )

    def _live_on(self, now: float) -> None:
        printer = self._device.printer
        heating = printer.link.status.heating
        match self._life.step(now, Situation(printer.state, self._adoption.owned, heating)):
            case Step.COOL:
                printer.cool(_COOL)
            case Step.CANCEL if printer.card_print.active:
                self._loop.stop()  # it needs no host
            case Step.CANCEL if printer.state is not _S.CANCELLING:
                printer.cancel(now, "the sender was told to end")
            case Step.EXIT:
                self._loop.stop()
            case _:
                pass

    def _picture(self) -> tuple[PrinterState, str | None]:
        """What is shown at once when it changes."""
        return self._device.printer.state, self._device.printer.error

    def _show(self, now: float) -> None:
        picture = self._picture()
        if now < self._live_at and picture == self._shown:
            return
        self._live_at, self._shown = now + self._live_every_s, picture
        if self._adoption.owned and not self._adoption.slow:
            self._adoption.send(Status(live=self._device.live(now)))

    # What is kept.

    def _inherit(self, left: Memory, given_up: str | None, now: float) -> None:
        """Act on what the last life left: a latch, an attempt that lost its sender."""
        if left.running is not None:
            self._commands.used(left.running.grant)
            problem = left.halted
            if problem is None and left.running.grant == given_up:
                problem = "its end has been told already"
            if problem is None:
                problem = self._come_back(left.running, now)
            if problem is not None:
                self._interrupted(left.running, problem, now)
        self._device.printer.card_write.may_save = left.may_save
        if left.transfer is not None:
            reason = f"the sender died while it sent the file; {PARTIAL}"
            lost = facts.card_written(CardWritten(left.transfer, 0.0, reason))
            self._log.add(lost, int(now * 1000))
        if left.halted is not None:
            self._device.stop(left.halted, now)
        if not left.clean:  # killed: who knows what it had heated (safety M01)
            self._device.printer.distrust()
        self._save(self._memory)

    def _come_back(self, running: Running, now: float) -> str | None:
        """Try to take the print up; why that is not possible, None when it is tried."""
        kept, standing = running.kept, self._journal.standing()
        problem = comeback.problem_of(kept, standing, now)
        if problem is not None or kept is None or standing is None:
            return problem
        try:
            self._device.come_back(kept, standing, now)
        except (JobFileError, PortError) as error:
            return str(error)
        self._memory = replace(self._memory, running=running)
        return None

    def _interrupted(self, running: Running, problem: str, now: float) -> None:
        self._log.add(facts.lost(running, problem), int(now * 1000))
        self._device.printer.distrust()

    def _keep_offsets(self) -> None:
        offsets_c = self._device.printer.config.offsets_c
        kept = memory.with_offsets(self._memory, offsets_c)
        if kept is not self._memory:
            self._save(kept)

    def _save(self, kept: Memory) -> None:
        self._memory = kept
        try:
            memory.save(self._memory_path, kept)
        except OSError as error:  # a full disk must not end a sender
            _complain(f"cannot write {self._memory_path}: {error}")

    def _watch_box(self, now: float) -> None:
        """Tell once that nothing is recorded, and once more that it is again."""
        problem = self._box.problem
        if problem == self._box_problem:
            return
        self._box_problem = problem
        text = problem or "the black box is being written again"
        self._fact(Alarm(code="blackbox", text=text), now)


def _journal_at(path: Path) -> LineJournal:
    """The line journal at *path*; one in memory where the disk takes none."""
    try:
        return open_journal(path)
    except OSError as error:
        _complain(f"cannot keep line numbers in {path}: {error}")
        return LineJournal(bytearray(LineJournal.SIZE_BYTES))


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):  # the log may lie on the disk that is full
        sys.stderr.write(f"bridge.sender: {text}\n")
        sys.stderr.flush()


def serve(socket: Path, printer: int, state_dir: Path, given_up: str | None = None) -> None:
    """Run the sender of *printer* to its end. Raises `LockHeld` or `ControlError`."""
    lock = Lock(lock_path(socket))
    try:
        Service(socket, printer, state_dir, given_up).run()
    finally:
        lock.release()

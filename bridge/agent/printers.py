"""One printer of the room: its sender is found or started, adopted, told, listened to.

`PrinterKeeper` owns the sender's process and socket: adopt what runs, start what does not, wait
between deaths, give up after five in a minute. What it hears goes, in order, to `PrinterWork`. A
sender that hangs or floods costs its own printer only: what it says waits in a bounded queue
(above `MAX_HEARD` its socket is not read), what it is told is bounded by its line.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from bridge.agent.commands import CommandRow
from bridge.agent.errors import SenderLost
from bridge.agent.handover import stop_row
from bridge.agent.live import LiveSlots
from bridge.agent.restarts import Restarts
from bridge.agent.senders import Home, Line
from bridge.agent.together import until_one_ends
from bridge.agent.work import PrinterWork
from bridge.agent.work_items import Adoption, CutOff, Death, Loss, Removal, Stop
from bridge.control.messages import (
    WITH_TERMINAL,
    Adopt,
    Configure,
    Event,
    FromSender,
    Outcome,
    Quit,
    RemoteStop,
    Status,
    TerminalSaid,
    WatchTerminal,
)
from schemas import link
from schemas.facts import AlarmFact
from schemas.printer import Live, PrinterConfig, PrinterState

log = logging.getLogger(__name__)

MAX_HEARD = 2000
#: How long a started sender may take to open its socket.
START_S = 15.0
_POLL_S = 0.02
#: A sender that runs but cannot be adopted is tried again after this, and ended after some tries.
ADOPT_AGAIN_S = 1.0
ADOPT_TRIES = 5
#: A sender shows its printer once a second. One that says nothing for so long hangs or is stopped;
#: it may go on with its print, so it is left alone, but what is shown of it is old (safety M21).
SILENT_S = 5.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What every keeper shares. *clock* is monotonic seconds, *owner_epoch* rises for ever."""

    home: Home
    live: LiveSlots
    clock: Callable[[], float]
    owner_epoch: Callable[[], int]
    agent_pid: int
    on_picture: Callable[[], None]  # a picture is urgent
    on_terminal: Callable[[], None] = lambda: None  # terminal lines wait


class PrinterKeeper:
    """Supervises one printer's sender. `run()` ends when the printer is not wanted any more."""

    def __init__(self, printer: int, tools: Tools, work: PrinterWork) -> None:
        self.printer = printer
        self.work = work
        self.config: PrinterConfig | None = None
        self.device: str | None = None
        self.line: Line | None = None
        self.adopted = False  # this agent found it running
        self._tools = tools
        self._restarts = Restarts()
        self._silent = False
        self._changed = asyncio.Event()

    # What the rest of the agent asks for.

    def configure(self, config: PrinterConfig | None, device: str | None) -> None:
        """Work by *config* from now on, with the port at *device*; None: finish and end."""
        if (config, device) == (self.config, self.device):
            return
        if config != self.config:
            self._pardon()
        self.config, self.device = config, device
        if self.line is not None:
            self._tell(self.line)

    def add(self, row: CommandRow) -> None:
        """Take a journalled command; asking for the connection ends a quarantine."""
        self.work.add(row)
        if self.work.wants_connect():
            self._pardon()

    def remote_stop(self, stop: link.RemoteStop, *, repeated: bool) -> None:
        """M112, before the journal and past every queue; *repeated*: only answer again."""
        row = stop_row(stop, int(self._tools.clock() * 1000))
        if self.line is not None and not repeated:
            try:
                self.line.send(RemoteStop(id=stop.id))
                row.sender_boot = self.line.adopted.boot
            except SenderLost:
                pass  # it waits in the book for the next life
        self.work.hear(Stop(row))

    def watch_terminal(self, watch: WatchTerminal) -> None:
        """Somebody reads the terminal; a sender from before there were any is not asked."""
        if self.line is None or self.line.adopted.protocol < WITH_TERMINAL:
            return
        try:
            self.line.send(watch)
        except SenderLost as error:
            log.info("printer %d: %s", self.printer, error)  # the reader sees the same and goes on

    def cut_off(self, away_s: Callable[[], float | None]) -> CutOff:
        """What its work looks at before it goes on alone."""
        return CutOff(away_s, self.picture)

    def picture(self) -> Live | None:
        """What the printer reported last, None before its first report."""
        return self._tools.live.picture(self.printer)

    def state(self) -> str:
        """One word for the sender in `bridge status`."""
        if self.line is not None:
            return "silent" if self._silent else "running"
        return "quarantined" if self._restarts.quarantined else "starting"

    def _pardon(self) -> None:
        self._restarts.pardon()
        self._changed.set()

    # The sender's life.

    async def run(self) -> None:
        """Keep the sender until the printer is not wanted and its sender has ended."""
        tasks = (
            asyncio.create_task(self.work.run(), name=f"work of printer {self.printer}"),
            asyncio.create_task(self._keep(), name=f"sender of printer {self.printer}"),
        )
        await until_one_ends(tasks)

    async def _keep(self) -> None:
        tries = 0
        while self.config is not None or self._runs():
            try:
                line = await (self._adopt() if self._runs() else self._start())
                tries = 0
                await self._serve(line)
            except SenderLost as error:
                log.warning("printer %d: %s", self.printer, error)
                tries += 1
                await (self._lost(tries) if self._runs() else self._died(str(error)))
        removal = Removal()
        self.work.hear(removal)
        await removal.done.wait()
        await self.work.room(0)

    def _runs(self) -> bool:
        return self._tools.home.pid(self.printer) is not None

    async def _adopt(self) -> Line:
        adopt = Adopt(epoch=self._tools.owner_epoch(), agent_pid=self._tools.agent_pid)
        line = await self._tools.home.adopt(self.printer, adopt)
        self.adopted = True
        return line

    async def _start(self) -> Line:
        home = self._tools.home
        given_up = await self.work.given_up()
        try:
            pid = home.start(self.printer, given_up)
        except OSError as error:
            raise SenderLost(f"its sender cannot be started: {error}") from error
        deadline = self._tools.clock() + START_S
        while True:
            try:
                line = await self._adopt()
                self.adopted = False
                return line
            except SenderLost as error:
                if home.ended(pid):
                    text = f"its sender ended at once, see {home.log_of(self.printer)}"
                    raise SenderLost(text) from error
                if self._tools.clock() >= deadline:
                    raise
            await asyncio.sleep(_POLL_S)

    async def _serve(self, line: Line) -> None:
        """Listen until the line ends, which it does with `SenderLost`."""
        self.line = line
        self._put(line.adopted.live)
        self.work.hear(Adoption(line))
        self._tell(line)
        if (
            watch := self._tools.live.terminal.again(self.printer, self._tools.clock())
        ) is not None:
            self.watch_terminal(watch)
        try:
            while True:
                await self._listen(line)
                await self.work.room(MAX_HEARD)
        finally:
            self.line, self._silent = None, False
            line.close()

    async def _listen(self, line: Line) -> None:
        """Hear what has arrived; a sender that says nothing is shown as what it is."""
        try:
            async with asyncio.timeout(SILENT_S):
                said = await line.receive()
        except TimeoutError:
            self._show_silence(line)
            return
        self._silent = False
        for message in said:
            self._hear(message)

    def _show_silence(self, line: Line) -> None:
        picture = self.picture()
        if self._silent or picture is None:
            return
        self._silent = True
        text = f"its sender (process {line.adopted.pid}) has said nothing for {SILENT_S:.0f} s"
        log.warning("printer %d: %s", self.printer, text)
        self._put(msgspec.structs.replace(picture, temps_stale=True, error=text))

    def _hear(self, message: FromSender) -> None:
        match message:
            case Status(live=live):
                self.work.grant = live.grant
                self._put(live)
            case Event() | Outcome():
                self.work.hear(message)
            case TerminalSaid():
                if self._tools.live.terminal.put(self.printer, message):
                    self._tools.on_terminal()
            case _:
                log.warning("printer %d: unexpected %s", self.printer, type(message).__name__)

    def _put(self, live: Live) -> None:
        if live.printer == self.printer and self._tools.live.put(live):
            self._tools.on_picture()

    def _tell(self, line: Line) -> None:
        """Configure the sender, or let it go when nobody wants the printer."""
        message_id = f"agent.{self._tools.agent_pid}.{self._tools.owner_epoch()}"
        try:
            if self.config is None:
                line.send(Quit(id=message_id, drain=True))
            else:
                line.send(Configure(id=message_id, config=self.config, device=self.device))
        except SenderLost as error:
            log.info("printer %d: %s", self.printer, error)  # the reader sees the same and goes on

    async def _lost(self, tries: int) -> None:
        """The line broke and the sender goes on: adopt it again, end it if that fails often."""
        self.work.hear(Loss())
        if tries >= ADOPT_TRIES:
            log.error("printer %d: its sender does not answer and is ended", self.printer)
            self._tools.home.kill(self.printer)
        if tries > 1:
            await asyncio.sleep(ADOPT_AGAIN_S)

    async def _died(self, reason: str) -> None:
        """The sender has ended: start it again soon, or wait until a person wants it."""
        self._put(Live(printer=self.printer, state=PrinterState.OFFLINE, error=reason))
        if self.config is None:
            return
        delay_s = self._restarts.died(self._tools.clock())
        if delay_s is not None:
            self.work.hear(Death(reason))
            await asyncio.sleep(delay_s)
            return
        log_path = self._tools.home.log_of(self.printer)
        text = (
            f"the sender of this printer died repeatedly and stays down: {reason}. Nobody cools or "
            f"watches the printer until it is connected, which starts it again; see {log_path}"
        )
        self._put(Live(printer=self.printer, state=PrinterState.OFFLINE, error=text))
        alarm = AlarmFact(printer=self.printer, code="sender_failed", text=text)
        self.work.hear(Death(text, alarm))
        while self._restarts.quarantined:
            self._changed.clear()
            await self._changed.wait()
        await self.work.room(0)  # what the print came to is in the journal

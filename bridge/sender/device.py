"""The printer core on a real port: bytes, baud detection, the job file, the black box.

Errors of the port become states of the printer; nothing here raises because a cable was pulled.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from bridge.errors import GateRefusal, JobFileError, PortError
from bridge.gcode.continuation import skip
from bridge.gcode.greeting import CLOSE
from bridge.gcode.happenings import Happening
from bridge.gcode.picture import picture
from bridge.gcode.prepare import Prepared
from bridge.gcode.printer import Printer
from bridge.gcode.run import JobFacts
from bridge.sender.blackbox import IDLE, BlackBox
from bridge.sender.cardfile import CardFeed
from bridge.sender.comeback import Comeback, keepsake, open_again, read_on
from bridge.sender.jobfile import JobFile
from bridge.sender.linejournal import LineJournal, Standing
from bridge.sender.memory import Kept
from bridge.sender.quality import Meter, Place
from bridge.sender.silence import why_silent
from bridge.serial.port import BAUD_RATES, SerialPort
from schemas.printer import ACTIVE, Live, PrinterConfig, PrinterState, Quality

_S = PrinterState
#: Between two signs of life in the journal.
BEAT_S = 0.5


class OpenPort(Protocol):
    """How a port is opened. Raises `PortError`."""

    def __call__(self, device: str, baud: int, *, reset: bool = False) -> SerialPort:
        """Open *device*; see `SerialPort`."""


class Device:
    """One printer and its port, if it is open."""

    def __init__(
        self,
        config: PrinterConfig,
        *,
        journal: LineJournal | None = None,
        keep: Callable[[Kept], None] | None = None,
        box: BlackBox | None = None,
        open_port: OpenPort = SerialPort,
        good_baud: int | None = None,
    ) -> None:
        """*journal*: where line numbers are kept for a later life, and *keep* what a print is at;
        None keeps nothing.

        *good_baud*: the rate that worked in an earlier life, which is tried first.
        """
        self.printer = Printer(config)
        self._journal = journal
        self._keep = keep
        self._kept_serial = 0
        self._open_port = open_port
        self._comeback: Comeback | None = None
        self._beat_at = 0.0
        self.port: SerialPort | None = None
        self.box = box or BlackBox()
        self.meter = Meter()
        self.card = CardFeed(self.printer)
        self.job: JobFile | None = None
        self._unsent = b""
        self._ready: deque[Prepared] = deque()
        self._bauds: list[int] = []
        self._good_baud = good_baud
        self._was_halted = False  # and has not answered since
        self._rereading = False  # the file, up to where an earlier life died
        self._ordinal = 0  # job lines that an earlier life has printed

    # Public: the port.

    def open(self, device: str | None, now: float) -> None:
        """Open *device* and greet the firmware; what goes wrong is a state of the printer."""
        printer, wanted = self.printer, self.printer.config.baud
        if device is None:
            printer.lost("the printer's port is not plugged in", now)
            return
        self._drop_port()  # a stop keeps it open until the latch is released
        try:
            self.port = self._open_port(
                device,
                wanted or self._good_baud or BAUD_RATES[0],
                reset=printer.config.reset_on_open == "always",
            )
        except PortError as error:
            printer.lost(str(error), now)
            return
        link = self.port.link
        self._bauds = []
        if not wanted and link.real_baud:
            self._bauds = [rate for rate in BAUD_RATES if rate != self.port.baud]
        policy = printer.config.reset_on_open
        boots = policy == "always" or (link.boots and policy == "auto")
        printer.opened(now, boots=boots, lossless=link.lossless, trying=bool(self._bauds))

    def close(self, now: float) -> None:
        """Close the port; a bound attempt is interrupted, a file on the card is closed."""
        if self.port is not None and self.printer.card_write.may_save:
            with suppress(PortError):
                self.port.write(CLOSE)
        self._drop_port()
        self.printer.closed(now)

    @property
    def wants_to_write(self) -> bool:
        """Whether bytes wait for the port to take them."""
        return bool(self._unsent)

    # Public: a print.

    def quality(self) -> Quality:
        """How steadily the lines of the newest attempt have reached the printer until now."""
        return self.meter.quality(self.printer.link.stream.strays.count)

    def start(self, facts: JobFacts, file: JobFile) -> None:
        """Bind *file*. Raises `LocalProtocolError` when the printer cannot start now."""
        self._kept_serial = self.printer.printing.errands.serial
        self.printer.start(facts)
        self._ready.clear()
        self._ordinal = 0
        self.meter.restart(self.printer.link.stream.strays.count)
        self.job = file
        if self._journal is not None:
            self._journal.begin(self.printer, 0)
            self._journal.beat(0.0, 0.0)

    @property
    def busy(self) -> bool:
        """Whether a file is still being checked or read again: come back at once."""
        if self.job is None:
            return self.card.busy
        return not self.job.checked or self._rereading

    def keepsake(self) -> Kept | None:
        """What a later life needs to take up the running print; None when none runs."""
        job, port = self.job, self.port
        if job is None or port is None or self.printer.run is None:
            return None
        return keepsake(self.printer, job, port.device, port.baud)

    def remember(self) -> None:
        """Have written down what the print is at now, if that is news.

        Before its bytes leave, and before anybody is told that it is done.
        """
        serial = self.printer.printing.errands.serial
        if serial == self._kept_serial or self._keep is None:
            return
        if (kept := self.keepsake()) is not None:
            self._kept_serial = serial
            self._keep(kept)

    def come_back(self, kept: Kept, standing: Standing, now: float) -> None:
        """Take up the print of an earlier life; happenings tell how that ends.

        Raises `JobFileError` or `PortError` when it cannot be tried; nothing is open then.
        """
        job = open_again(kept)
        try:
            port = self._open_port(kept.device, kept.baud)
        except PortError:
            job.close()
            raise
        self.printer.config = kept.config
        self.port, self.job = port, job
        self._comeback = Comeback(kept, standing, now)
        self._rereading = True
        self._comeback.begin(self.printer, lossless=port.link.lossless)
        self._kept_serial = self.printer.printing.errands.serial

    def stop(self, reason: str, now: float) -> None:
        """Remote stop: M112 before everything that waits, here and in the kernel."""
        self.printer.halt(reason, now)
        if self.port is None:
            return
        self._unsent = b""
        try:
            self.port.discard_output()
        except PortError as error:
            self._port_lost(error, now)
            return
        self.pump(now)

    # Public: the poll loop calls these.

    def readable(self, now: float) -> None:
        """The port has bytes, or is gone."""
        port = self.port
        if port is None:
            return
        try:
            data = port.read()
        except PortError as error:
            self._port_lost(error, now)
            return
        if data:
            self.box.note(now, False, data)
            self.printer.receive(data, now)
            if self.job is not None:
                self._measure(now)
            if self._comeback is not None:
                self._step_back(self._comeback, now)

    def pump(self, now: float) -> None:
        """Prepare lines ahead of need and write what may go out."""
        printer = self.printer
        if self.job is not None and printer.run is not None and (printer.wants_lines or self.busy):
            self._prepare(self.job, now)
        self.card.pump(now)
        port = self.port
        data = self._unsent or (self.printer.take(now) if port is not None else b"")
        if port is None or not data:
            return
        if self.job is not None and self._comeback is None:
            self.remember()
            if self._journal is not None:
                self._journal.follow(self.printer)
        self._label(now)
        try:
            written = port.write(data)
        except PortError as error:
            self._port_lost(error, now)
            return
        if written:
            self.box.note(now, True, data[:written])
            self.meter.wrote(now, self.printer.link.stream.sent)
        self._unsent = data[written:]

    def tick(self, now: float) -> None:
        """Act on what is due."""
        printer = self.printer
        printer.tick(now)
        self.box.tick(now)
        if self._comeback is not None:
            self._step_back(self._comeback, now)
        elif printer.state is _S.CONNECTING and printer.silent:
            self._try_next_baud(now)
        elif printer.state is _S.HALTED:
            self._was_halted = True
        elif printer.state is _S.OPERATIONAL and self.port is not None:
            self._good_baud = self.port.baud
            self._was_halted = False
        if printer.state in (_S.ERROR, _S.OFFLINE) and self.port is not None:
            self._drop_port()
        if self.job is not None and printer.run is None:
            self.job.close()
            self.job, self._rereading = None, False
        elif printer.run is not None and self._comeback is None and self._journal is not None:
            self.remember()
            self._journal.follow(printer)  # a pause may begin without a line that leaves
            if now >= self._beat_at:
                self._beat_at = now + BEAT_S
                self._journal.beat(now, printer.run.elapsed_s(now))

    def deadline(self) -> float | None:
        """When `tick` is due at the latest; None: never."""
        return self.printer.deadline()

    def events(self) -> list[Happening]:
        """What has happened since the last call, oldest first."""
        return self.printer.events()

    def live(self, now: float) -> Live:
        """The freshest picture."""
        port = self.port
        return picture(
            self.printer,
            now,
            port=port.device if port else None,
            baud=port.baud if port else None,
        )

    # Private.

    def _prepare(self, job: JobFile, now: float) -> None:
        printer = self.printer
        try:
            if self._rereading:
                self._reread(job, now)
            elif printer.state not in ACTIVE:
                return
            elif job.checked:
                self._feed(job)
            elif job.check():
                printer.expect(job.estimate.print_s, job.estimate.layers)
                self._feed(job)
        except GateRefusal as error:
            self._unprintable("gate_refused", str(error), now)
        except JobFileError as error:
            self._unprintable("file_unusable", str(error), now)

    def _unprintable(self, code: str, reason: str, now: float) -> None:
        if self.printer.state in ACTIVE:
            self.printer.fail(code, reason, now)
        else:
            self.printer.lost(reason, now)

    def _reread(self, job: JobFile, now: float) -> None:
        """Read a slice of what an earlier life has printed again, for what it tells."""
        comeback = self._comeback
        if comeback is None:  # something else has ended it
            self._rereading = False
            return
        ordinal = comeback.ordinal
        self._rereading = not read_on(self.printer, job, self._ready, ordinal)
        if self._rereading or not comeback.located:
            return
        if self._ready:  # in the middle of this batch it stopped; its lines before count too
            skip(self.printer, self._ready.popleft(), ordinal)
        self._step_back(comeback, now)

    def _feed(self, job: JobFile) -> None:
        printer = self.printer
        while printer.wants_lines:
            if self._ready:
                skip(printer, self._ready.popleft(), self._ordinal)
            elif (batch := job.next_lines()) is not None:
                self._ready.extend(batch)
            else:
                printer.source_over()

    def _measure(self, now: float) -> None:
        printer = self.printer
        stream = printer.link.stream
        if printer.state is not _S.PRINTING or stream.out.blocked(stream.acked):
            self.meter.paused()
        else:
            self.meter.heard(now, stream.acked, stream.resends, self._place)

    def _place(self) -> Place:
        stream, run = self.printer.link.stream, self.printer.run
        layer = run.layer if run is not None else None
        return Place(stream.out.ordinal_of(stream.acked), layer)

    def _label(self, now: float) -> None:
        """Record a print in a file of its own."""
        run = self.printer.run
        if run is None:
            self.box.begin(now, IDLE)
        else:
            facts = run.facts
            self.box.begin(now, facts.grant, job=facts.job, file=facts.file_name)

    def _step_back(self, comeback: Comeback, now: float) -> None:
        """The print of an earlier life: does it go on?"""
        printer = self.printer
        assert self._journal is not None
        if printer.state is not _S.CONNECTING:  # something else has ended it
            self._comeback = None
        elif comeback.step(printer):
            if not comeback.located:  # read up to there what is not read yet
                comeback.located = self._rereading = True
            elif not self._rereading:
                self._comeback, self._ordinal = None, comeback.ordinal
                comeback.go_on(printer, self._journal, now)
                printer.warn("resumed", comeback.text)
        elif comeback.reason:
            self._comeback, self._rereading = None, False
            self._drop_port()
            printer.lost(comeback.lost(printer.bound()), now)

    def _try_next_baud(self, now: float) -> None:
        port = self.port
        if port is not None and self._bauds:
            try:
                port.set_baud(self._bauds.pop(0))
            except PortError as error:
                self._port_lost(error, now)
                return
            self.printer.opened(now, boots=False, lossless=port.link.lossless, trying=True)
            return
        text = why_silent(self.printer, port, was_halted=self._was_halted)
        self._drop_port()
        self.printer.lost(text, now)

    def _port_lost(self, error: PortError, now: float) -> None:
        self._drop_port()
        hot = "; its heaters may still be on" if self.printer.link.status.heating else ""
        self.printer.warn("port_lost", f"{error}{hot}")
        self.printer.lost(str(error), now)

    def _drop_port(self) -> None:
        self._unsent = b""
        if self.port is not None:
            self.port.close()
            self.port = None

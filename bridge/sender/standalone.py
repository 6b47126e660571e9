"""One file to one printer, without agent and API: `--port … --file … --exit-when-done`."""

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import TextIO

from bridge.errors import JobFileError
from bridge.gcode.happenings import AttemptMoved, Happening, StateMoved, Warned
from bridge.gcode.run import JobFacts
from bridge.gcode.terminal import printable
from bridge.sender.device import Device, OpenPort
from bridge.sender.jobfile import JobFile
from bridge.sender.keyboard import Keyboard
from bridge.sender.loop import Loop
from bridge.serial.port import SerialPort
from schemas.jobs import ATTEMPT_OVER, AttemptState
from schemas.printer import ACTIVE, PrinterConfig, PrinterState, Profile, Progress

_S = PrinterState
#: Between two lines of progress, on a terminal and in a log.
_TTY_EVERY_S = 0.5
_LOG_EVERY_S = 5.0
_BAR_CHARS = 30
#: How a person goes on from here.
_GO_ON = "press Enter, or send this process SIGUSR1 (kill -USR1 {pid}), to go on; Ctrl-C ends it"
_ANSWER = "type the number of the answer and Enter"
#: What the firmware waits for within a command.
_WAITS = frozenset({"printer_waits", "printer_asks"})


class Exit(IntEnum):
    """The exit codes."""

    DONE = 0
    PRINT_FAILED = 1
    USAGE = 2
    FILE = 3
    PORT = 4
    REFUSED = 5
    CANCELLED = 6
    RUNNING = 7


#: Warnings that end it.
_ENDING = {"gate_refused": Exit.REFUSED, "file_unusable": Exit.FILE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the command line asks for. Ceilings in degrees Celsius."""

    port: str
    baud: int
    file: str
    sha256: str | None = None
    max_nozzle_c: float
    max_bed_c: float


class Standalone:
    """The owner of the device while one file prints."""

    def __init__(self, order: Order, out: TextIO, open_port: OpenPort = SerialPort) -> None:
        profile = Profile(max_nozzle_c=order.max_nozzle_c, max_bed_c=order.max_bed_c)
        config = PrinterConfig(
            id=0, slug="", name=order.port, port_id=order.port, baud=order.baud, profile=profile
        )
        self._order = order
        self._out = out
        self._bar = out.isatty()
        self._device = Device(config, open_port=open_port)
        self._loop = Loop(self._device)
        self._next_line = 0.0
        self._exit: Exit | None = None
        self._why = ""
        self._file: JobFile | None = None
        self._keyboard = Keyboard(self._loop, sys.stdin.fileno() if sys.stdin else -1, self._typed)

    def run(self) -> Exit:
        """Print. Says why on the error stream when the result is not `Exit.DONE`."""
        try:
            self._file = JobFile(
                self._order.file, self._order.sha256, self._device.printer.config.profile
            )
        except JobFileError as error:
            self._line(f"bridge.sender: {error}")
            return Exit.FILE
        now = time.monotonic()
        self._loop.catch(signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
        self._device.open(self._order.port, now)
        self._loop.run(self)
        self._device.close(time.monotonic())
        self._loop.close()
        result = Exit.PRINT_FAILED if self._exit is None else self._exit
        if result is not Exit.DONE:
            self._line(f"bridge.sender: {self._why}")
        return result

    def tick(self, now: float) -> float | None:
        """Show progress; end on signals: the first cancels, the second leaves at once.

        SIGUSR1 goes on instead, as Enter does: behind a pause, or a wait of the firmware.
        """
        printer = self._device.printer
        while signal.SIGUSR1 in self._loop.signals:
            self._loop.signals.remove(signal.SIGUSR1)
            self._typed("", now)
        if self._loop.signals:
            self._interrupt(now)
        self._keyboard.follow(wanted=self._waits)
        progress = printer.progress(now)
        if progress is not None and now >= self._next_line and printer.state is not _S.STARTING:
            self._next_line = now + (_TTY_EVERY_S if self._bar else _LOG_EVERY_S)
            self._show(progress)
        return self._next_line if progress is not None else None

    def happened(self, happening: Happening, now: float) -> None:
        """Start when the printer is there; leave when the attempt is over."""
        match happening:
            case StateMoved(state=_S.OPERATIONAL) if self._file is not None:
                file, self._file = self._file, None
                facts = JobFacts(
                    grant="standalone",
                    job=0,
                    file_name=os.path.basename(file.path),  # noqa: PTH119 - a name for people
                    size_bytes=file.size_bytes,
                )
                self._device.start(facts, file)
            case StateMoved(state=_S.PAUSED):
                self._line(f"paused: {_GO_ON.format(pid=os.getpid())}")
            case StateMoved(state=_S.ERROR | _S.HALTED, reason=reason):
                self._leave(Exit.PORT if self._file is not None else Exit.PRINT_FAILED, reason)
            case Warned():
                self._warned(happening)
            case AttemptMoved(state=state) if state in ATTEMPT_OVER:
                self._attempt_over(happening, now)
            case _:
                pass

    def _warned(self, warned: Warned) -> None:
        code, text = warned.code, warned.text
        if code in _ENDING:
            self._leave(_ENDING[code], text, now_over=False)
            return
        self._line(text)
        if code in _WAITS and self._device.printer.printing.waits.hears:
            self._line(_ANSWER if code == "printer_asks" else _GO_ON.format(pid=os.getpid()))

    @property
    def _waits(self) -> bool:
        """Whether nothing goes on before a person says so."""
        printer = self._device.printer
        if printer.state is _S.PAUSED:
            return True
        waits = printer.link.stream.patience.human or printer.link.status.prompt is not None
        return waits and printer.state in ACTIVE and printer.printing.waits.hears

    def _typed(self, line: str, now: float) -> None:
        """A person says to go on, or which answer he gives; nothing when nobody waits for that."""
        printer = self._device.printer
        if not self._waits or printer.state is _S.CANCELLING:
            return
        if printer.link.status.prompt is not None and line.isascii() and line.isdigit():
            printer.order([f"M876 S{int(line[:3])}"], "answer")
        elif printer.state is _S.PAUSED:
            printer.resume(now)
        else:
            printer.order(["M108"], "answer")

    def _attempt_over(self, moved: AttemptMoved, now: float) -> None:
        if moved.state is AttemptState.COMPLETED:
            if moved.progress is not None:
                self._show(moved.progress)
            if self._bar:
                self._line("")
            self._leave(Exit.DONE, "")
        elif moved.state is AttemptState.CANCELLED:
            self._leave(Exit.CANCELLED, moved.reason or "cancelled")
        else:
            self._leave(Exit.PRINT_FAILED, moved.reason)

    def _leave(self, result: Exit, why: str, *, now_over: bool = True) -> None:
        """The first reason is the one that counts; a refused file still runs its last script."""
        if self._exit is None:
            self._exit, self._why = result, why
        if now_over:
            self._loop.stop()

    def _interrupt(self, now: float) -> None:
        count, printer = len(self._loop.signals), self._device.printer
        if printer.run is None or count > 1:
            self._leave(Exit.CANCELLED, "interrupted")
        elif printer.state is not _S.CANCELLING:
            printer.cancel(now, "interrupted")

    def _show(self, progress: Progress) -> None:
        left = "" if progress.time_left_s is None else f", {_clock(progress.time_left_s)} left"
        text = (
            f"{progress.completion:5.1f} % · {progress.lines} lines · "
            f"{_clock(progress.print_time_s)}{left}"
        )
        if not self._bar:
            self._line(text)
            return
        full = int(progress.completion / 100 * _BAR_CHARS)
        self._line(f"\r[{'#' * full:{_BAR_CHARS}}] {text} ", end="")

    def _line(self, text: str, end: str = "\n") -> None:
        if end == "\n":  # else it is the bar of ours
            text = printable(text)
        with suppress(OSError):  # a full disk or a reader that left costs the text, not the print
            print(text, end=end, file=self._out, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def print_file(order: Order) -> Exit:
    """Print one file; progress and errors go to the error stream."""
    return Standalone(order, sys.stderr).run()

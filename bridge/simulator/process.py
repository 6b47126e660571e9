"""The process: a select loop between the device, the cable with its faults, and the firmware.

No threads, no asyncio. SIGTERM and SIGINT end it cleanly, SIGUSR1 presses the reset button, SIGHUP
is ignored so that it outlives the terminal and whoever started it.
"""

import os
import select
import signal
import time
from math import inf
from pathlib import Path

from bridge.simulator.device import Device, lock
from bridge.simulator.executed import ExecutedLog
from bridge.simulator.faults import Cable, Reset, Unplug
from bridge.simulator.firmware import EXTERNAL_RESET, Firmware
from bridge.simulator.pace import Pace
from bridge.simulator.virtual import VirtualPrinter

# What nobody reads is kept up to here; then the board stops reading, and its reports are lost.
_BACKLOG_BYTES = 16_384
_LONGEST_SLEEP_S = 3600.0
# Without its own end of the slave the process has to look whether a host has opened the port.
_OPEN_POLL_S = 0.02


class Simulator:
    """A running simulated printer. Raises DeviceError or OSError if it cannot start."""

    def __init__(self, printer: VirtualPrinter, link: Path) -> None:
        self._hold_open = not printer.reset_on_open
        self._link = link
        self._lock = lock(link)
        self._log = ExecutedLog(Path(printer.log)) if printer.log else None
        self._cable = Cable(printer.planned_faults())
        self._firmware = Firmware(printer.profile(), Pace(printer.speed))
        self._device: Device | None = Device(link, self._hold_open)
        self._hosted = self._hold_open
        self._plug_in_at = inf
        self._backlog = b""
        self._running = True
        self._wake_up, self._signals = os.pipe()
        self._take_signals()

    @property
    def node(self) -> str:
        """The terminal behind the link."""
        return self._device.node if self._device else ""

    def power_on(self) -> None:
        """Switch the board on; its boot text waits in the terminal for the first host."""
        now = time.monotonic()
        self._firmware.power_on(now)
        self._send(now)

    def run(self) -> None:
        """Live until SIGTERM or SIGINT; then the link is gone and the log is complete.

        Raises OSError if the log cannot be written any more; the link is gone then too.
        """
        try:
            while self._running:
                self._turn()
        finally:
            if self._device is not None:
                self._device.unplug()
            os.ftruncate(self._lock, 0)
            if self._log is not None:
                self._log.close()

    # One turn of the loop

    def _turn(self) -> None:
        readable = self._wait()
        now = time.monotonic()
        if self._wake_up in readable:
            self._take_signal(now)
        if self._device is None:
            if now >= self._plug_in_at:
                self._plug_in()
        elif self._device.fd in readable or not self._hosted:
            self._receive(self._device, now)
        self._firmware.tick(now)
        self._send(now)
        self._record(now)

    def _wait(self) -> list[int]:
        reads, writes = [self._wake_up], []
        if self._device is not None and self._hosted:
            if self._wants_bytes():
                reads.append(self._device.fd)
            if self._backlog:
                writes.append(self._device.fd)
        sleep_s = min(self._deadline() - time.monotonic(), _LONGEST_SLEEP_S)
        return select.select(reads, writes, [], max(0.0, sleep_s))[0]

    def _wants_bytes(self) -> bool:
        return self._firmware.room() > 0 and len(self._backlog) < _BACKLOG_BYTES

    def _deadline(self) -> float:
        deadline = min(self._firmware.deadline(), self._cable.deadline(), self._plug_in_at)
        if self._log is not None:
            deadline = min(deadline, self._log.deadline)
        if not self._hosted and self._device is not None:
            deadline = min(deadline, time.monotonic() + _OPEN_POLL_S)
        return deadline

    def _receive(self, device: Device, now: float) -> None:
        try:
            data = os.read(device.fd, self._firmware.room())
        except BlockingIOError:
            self._see_host(True, now)
            return
        except OSError:
            self._see_host(False, now)
            return
        self._see_host(True, now)
        arrived, event = self._cable.to_printer(data)
        self._firmware.receive(arrived, now)
        match event:
            case Reset():
                self._firmware.power_on(now)
            case Unplug(seconds):
                device.unplug()
                self._device = None
                self._plug_in_at = now + seconds
                self._backlog = b""

    def _see_host(self, hosted: bool, now: float) -> None:
        """A host that opens the port resets the board, if that kind of board is simulated."""
        if hosted and not self._hosted:
            self._firmware.power_on(now, EXTERNAL_RESET)
        self._hosted = hosted

    def _plug_in(self) -> None:
        self._device = Device(self._link, self._hold_open)
        self._hosted = self._hold_open
        self._plug_in_at = inf

    def _send(self, now: float) -> None:
        data = self._cable.to_host(self._firmware.data_to_send(), now)
        if self._device is None or not self._hosted:
            self._backlog = b""
            return
        if len(self._backlog) < _BACKLOG_BYTES:
            self._backlog += data
        if not self._backlog:
            return
        try:
            self._backlog = self._backlog[os.write(self._device.fd, self._backlog) :]
        except BlockingIOError:
            pass
        except OSError:
            self._see_host(False, now)

    def _record(self, now: float) -> None:
        executed = self._firmware.take_executed()
        if self._log is None:
            return
        if executed:
            self._log.append(executed, now)
        elif now >= self._log.deadline:
            self._log.flush()

    # Signals

    def _take_signals(self) -> None:
        os.set_blocking(self._signals, False)
        signal.set_wakeup_fd(self._signals, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _take_signal(self, now: float) -> None:
        for number in os.read(self._wake_up, 64):
            if number == signal.SIGUSR1:
                self._firmware.power_on(now, EXTERNAL_RESET)
            else:
                self._running = False

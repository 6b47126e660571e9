"""The poll loop: the port first, everything else when it is ready, timers when they are due.

The hot path is poll, read, hand over, write. Deadlines only move later while answers come, so they
are looked at when one is due or when something happened, not for every answer.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from typing import Protocol

from bridge.gcode.happenings import Happening
from bridge.sender.device import Device
from bridge.sender.priority import Priority

Handler = Callable[[int, float], None]
#: However quiet it is, timers are looked at so often.
_MAX_SLEEP_S = 1.0
_READ = select.POLLIN | select.POLLPRI


class Owner(Protocol):
    """Whoever decides what the device does."""

    def happened(self, happening: Happening, now: float) -> None:
        """Something happened at the printer."""

    def tick(self, now: float) -> float | None:
        """Act on what is due; when to call again at the latest, None for no matter."""


class Loop:
    """Runs one device for one owner until `stop` is called."""

    def __init__(self, device: Device) -> None:
        self.signals: list[int] = []
        self._device = device
        self._caught: set[int] = set()
        self._priority = Priority()
        self._poll = select.poll()
        self._handlers: dict[int, Handler] = {}
        self._port_fd: int | None = None
        self._port_mask = 0
        self._going = True
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.watch(self._wake[0], select.POLLIN, self._signalled)

    def catch(self, *numbers: int) -> None:
        """Put these signals into `signals` instead of dying of them."""
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        self._caught.update(numbers)
        for number in numbers:
            signal.signal(number, lambda *_: None)

    def watch(self, fd: int, mask: int, handler: Handler) -> None:
        """Call *handler* with the poll mask and the time whenever *fd* is ready."""
        self._handlers[fd] = handler
        self._poll.register(fd, mask)

    def change(self, fd: int, mask: int) -> None:
        """Wait for something else on a watched *fd*."""
        self._poll.modify(fd, mask)

    def forget(self, fd: int) -> None:
        """Stop watching *fd*, before it is closed."""
        del self._handlers[fd]
        self._poll.unregister(fd)

    def stop(self) -> None:
        """Leave `run` after this round."""
        self._going = False

    def run(self, owner: Owner) -> None:
        """Go on until `stop`."""
        device, clock = self._device, time.monotonic
        due = 0.0
        while self._going:
            now = clock()
            if device.port is None or now >= due or device.wants_to_write or device.printer.news:
                due = self._slow(owner, now)
            timeout_ms = 0 if device.busy else max(0, int((due - now) * 1000) + 1)
            ready = self._poll.poll(timeout_ms)
            now = clock()
            for fd, mask in ready:
                if fd == self._port_fd:
                    device.readable(now)
                    self._tell(owner, now)  # before a command meets a board nobody has recognised
                else:
                    if handler := self._handlers.get(fd):  # none: closed by one before it
                        handler(mask, now)
                    due = now
            device.pump(now)

    def close(self) -> None:
        """Close what the loop itself has opened."""
        signal.set_wakeup_fd(-1)
        for fd in self._wake:
            os.close(fd)

    def _slow(self, owner: Owner, now: float) -> float:
        """Timers and happenings; when to come back."""
        device = self._device
        device.tick(now)
        self._priority.follow(device.job is not None and not device.busy)
        self._tell(owner, now)  # what a picture shows has been written down
        later = owner.tick(now)
        self._tell(owner, now)
        self._follow_port()
        due = now + _MAX_SLEEP_S
        for moment in (device.deadline(), later):
            if moment is not None:
                due = min(due, moment)
        return due

    def _tell(self, owner: Owner, now: float) -> None:
        if self._device.printer.news:
            for happening in self._device.events():
                owner.happened(happening, now)

    def _follow_port(self) -> None:
        port = self._device.port
        fd = port.fd if port is not None else None
        mask = _READ | (select.POLLOUT if self._device.wants_to_write else 0)
        if fd == self._port_fd and mask == self._port_mask:
            return
        gone = self._port_fd
        if gone is not None and gone != fd and gone not in self._handlers:
            self._poll.unregister(gone)  # its number may be that of a new connection already
        if fd is not None:
            self._poll.register(fd, mask)
        self._port_fd, self._port_mask = fd, mask

    def _signalled(self, _mask: int, _now: float) -> None:
        self.signals += [one for one in os.read(self._wake[0], 64) if one in self._caught]

"""The keyboard of who started a standalone print, read only while the print waits for him.

What was typed before is thrown away: it was meant for something else. A process in the background
has no keyboard; reading it would stop the process, and with it the print.
"""

import os
import select
import signal
import termios
from collections.abc import Callable

from bridge.sender.loop import Loop

#: Longer lines are no answers.
_MAX_BYTES = 1024


class Keyboard:
    """The terminal at file descriptor *fd*, if it is one. *typed*: called with each whole line."""

    def __init__(self, loop: Loop, fd: int, typed: Callable[[str, float], None]) -> None:
        self._loop = loop
        self._fd = fd
        self._typed = typed
        self._listening = False
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)  # reading fails then, where it would stop us

    def follow(self, *, wanted: bool) -> None:
        """Listen while an answer is *wanted*; call it now and then."""
        if not wanted:
            self._rest()
        elif not self._listening and self._in_front():
            termios.tcflush(self._fd, termios.TCIFLUSH)
            self._loop.watch(self._fd, select.POLLIN, self._readable)
            self._listening = True

    # Private.

    def _in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:  # no terminal, or not ours
            return False

    def _rest(self) -> None:
        if self._listening:
            self._listening = False
            self._loop.forget(self._fd)

    def _readable(self, _mask: int, now: float) -> None:
        try:
            data = os.read(self._fd, _MAX_BYTES)
        except OSError:  # we are in the background by now, or the terminal is gone
            data = b""
        if not data:
            self._rest()
            return
        for line in data.decode("utf-8", "replace").splitlines():
            self._typed(line.strip(), now)

"""The smallest printer that a host believes in: a pty that says ok, and knows when bytes came."""

import os
import pty
import select
import threading
import time
import tty

_M115 = (
    b"FIRMWARE_NAME:Marlin 2.1.2 (bench) PROTOCOL_VERSION:1.0 MACHINE_TYPE:Responder "
    b"EXTRUDER_COUNT:1 UUID:00000000-0000-4000-8000-000000000001\n"
    b"Cap:EMERGENCY_PARSER:1\nCap:AUTOREPORT_TEMP:0\nok\n"
)
_M105 = b"ok T:24.0 /0.0 B:24.0 /0.0 @:0 B@:0\n"


class Responder:
    """Answers every line at once in a thread of its own. *device* is what a host opens."""

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._master)
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self.lines = 0
        self._stopping = False
        self._is_held = False
        self._held: list[bytes] = []
        self._marks: dict[bytes, float] = {}
        self._seen = threading.Condition()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Unplug it."""
        self._stopping = True
        self._thread.join(2.0)
        os.close(self._master)
        os.close(self._slave)

    def hold(self) -> None:
        """Take lines and answer none: what the host has for it stays in the host's queue."""
        self._is_held = True

    def release(self) -> None:
        """Answer what was held back, and everything from now on."""
        self._is_held = False

    def watch(self, text: bytes) -> None:
        """Remember when a line with *text* comes."""
        with self._seen:
            self._marks[text] = 0.0

    def arrived(self, text: bytes, timeout_s: float) -> float | None:
        """`time.perf_counter()` of the first byte read with *text*; None when it did not come."""
        deadline = time.monotonic() + timeout_s
        with self._seen:
            while not self._marks[text]:
                left = deadline - time.monotonic()
                if left <= 0 or not self._seen.wait(left):
                    return None
            return self._marks.pop(text)

    def _serve(self) -> None:
        pending = b""
        while not self._stopping:
            if self._held and not self._is_held:
                os.write(self._master, b"".join(map(_answer, self._held)))
                self._held = []
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            data = os.read(self._master, 65536)
            now = time.perf_counter()
            self._mark(data, now)
            *lines, pending = (pending + data).split(b"\n")
            self.lines += len(lines)
            if self._is_held:
                self._held += lines
            else:
                os.write(self._master, b"".join(map(_answer, lines)))

    def _mark(self, data: bytes, now: float) -> None:
        with self._seen:
            for text, at in self._marks.items():
                if not at and text in data:
                    self._marks[text] = now
                    self._seen.notify_all()


def _answer(line: bytes) -> bytes:
    if b"M115" in line:
        return _M115
    if b"M105" in line:
        return _M105
    return b"ok\n" if line.strip() else b""

"""Many senders at once, and a stop in the thick of it.

`crowd`: printers that take 500 lines/s each, all in one process; what counts is the gap between two
lines as the printers see it, also when another printer misbehaves: floods its host with noise,
falls silent in mid-print, or asks for every line again and again. It is measured while all of them
print: their planners stand until the last has its first move, and nothing counts once one of them
is done.
`stop_ms`: from the control socket to the wire, past a full queue and a port that takes nothing.
"""

import argparse
import json
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from bridge.control.messages import Configure, RemoteStop, Start
from infra.bench.board import SEGMENT_S, Wire, board_clock
from infra.bench.sender import text
from infra.bench.serving import Owner, job_of
from schemas.printer import PrinterConfig, PrinterState

_READ_BYTES = 65536
_PATIENCE_S = 60.0


# --- the printers ----------------------------------------------------------------------------


class Printer:
    """One planner behind a pty."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        self.path, self._slave = os.ttyname(slave), slave
        self._wire = Wire("planner2ms")
        self._due: list[float] = []
        self._rest = b""  # of a line that has not ended
        self.gaps: list[float] = []
        self.moves = 0
        self._last = 0.0

    def due(self) -> float:
        """When the next answer leaves."""
        return self._due[0] if self._due else float("inf")

    def answer(self, now: float) -> None:
        """Say what is due."""
        ready = sum(moment <= now for moment in self._due)
        if ready:
            del self._due[:ready]
            os.write(self.master, b"ok\n" * ready)

    def stand(self, now: float) -> None:
        """Nothing moves yet: what has come counts from *now*."""
        self._wire = Wire("planner2ms")
        self._due = self._wire.answers(b"\n" * len(self._due), now)
        self.gaps, self._last = [], now

    def read(self, now: float) -> bool:
        """Take lines; False when the host has gone."""
        try:
            data = self._rest + os.read(self.master, _READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1
        end = data.rfind(b"\n") + 1
        data, self._rest = data[:end], data[end:]
        moves = data.count(b" G1 ")
        if not moves:
            os.write(self.master, b"ok\n" * data.removeprefix(b"\n").count(b"\n"))
            return True
        self.moves += moves
        if self._last:
            self.gaps += [now - self._last] + [0.0] * (moves - 1)
        self._last = now
        self._due += self._wire.answers(data, now)
        return True


class Flood(Printer):
    """A board gone mad: it says a megabyte of noise a second and takes nothing in."""

    _CHUNK, _EVERY_S = b"\xff\x00T:9" * 800, 0.004

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def due(self) -> float:
        """When the next noise leaves."""
        return self._next

    def answer(self, now: float) -> None:
        """Make noise, as far as somebody reads it."""
        if now >= self._next:
            self._next = now + self._EVERY_S
            with suppress(OSError):
                os.write(self.master, self._CHUNK)

    def read(self, now: float) -> bool:
        """Swallow everything."""
        with suppress(OSError):
            os.read(self.master, _READ_BYTES)
        return True


class Silence(Printer):
    """A board that is there, and dies in mid-print without a word."""

    _MOVES = 50

    def due(self) -> float:
        """Never again, once it is dead."""
        return super().due() if self.moves < self._MOVES else float("inf")

    def answer(self, now: float) -> None:
        """Nothing, once it is dead."""
        if self.moves < self._MOVES:
            super().answer(now)

    def read(self, now: float) -> bool:
        """Take lines while it lives; swallow them then."""
        if self.moves < self._MOVES:
            return super().read(now)
        with suppress(OSError):
            os.read(self.master, _READ_BYTES)
        return True


class Storm(Printer):
    """A board that finds damage everywhere: each line is asked for again, as fast as it comes."""

    _NUMBERED, _TIMES = re.compile(rb"N(\d+) (?!M110)"), 5

    def __init__(self) -> None:
        super().__init__()
        self._seen = 0

    def read(self, now: float) -> bool:
        """Refuse most lines, take one now and then."""
        try:
            lines = os.read(self.master, _READ_BYTES).split(b"\n")
        except OSError:
            return True
        with suppress(OSError):
            os.write(self.master, b"".join(map(self._reply, filter(None, lines))))
        return True

    def _reply(self, line: bytes) -> bytes:
        found = self._NUMBERED.match(line)
        self._seen += found is not None
        if found is None or self._seen % self._TIMES == 0:
            return b"ok\n"
        number = int(found[1])
        return b"Error:checksum mismatch, Last Line: %d\nResend: %d\nok\n" % (number - 1, number)


MAD: dict[str, type[Printer]] = {"flood": Flood, "silence": Silence, "storm": Storm}


class Hall:
    """All printers, from the first move of the last one to the last move of the first one."""

    def __init__(self, count: int, mad: Sequence[str], lines: int) -> None:
        """*mad*: the kinds of the further ones that misbehave."""
        self._clock = board_clock()
        self._lines = lines
        self.printers = [Printer() for _ in range(count)]
        self._mad = [MAD[kind]() for kind in mad]
        self._all = {one.master: one for one in [*self.printers, *self._mad]}
        self._gaps: list[float] = []
        self._began = self._ended = 0.0

    @property
    def paths(self) -> list[str]:
        """Where hosts find them."""
        return [printer.path for printer in self._all.values()]

    def live(self) -> None:
        """Until the hosts of all but the mad ones have gone."""
        left = {printer.master for printer in self.printers}
        while left:
            now = self._clock()
            self._follow(now)
            for printer in self._all.values():
                if self._began or not printer.moves:
                    printer.answer(now)
            due = min(one.due() for one in self._all.values() if self._began or not one.moves)
            for fd in select.select(list(self._all), [], [], max(0.0, min(due - now, 0.5)))[0]:
                if not self._all[fd].read(self._clock()):
                    left.discard(fd)
                    del self._all[fd]

    def figures(self) -> dict[str, float]:
        """p99 of the gaps in s, lines/s of each printer; the fewest moves that one has seen."""
        gaps = sorted(self._gaps)
        rate = len(gaps) / len(self.printers) / (self._ended - self._began)
        fewest = min(printer.moves for printer in self.printers)
        return {"p99": gaps[int(len(gaps) * 0.99)], "rate": rate, "fewest": fewest}

    def _follow(self, now: float) -> None:
        """Begin when all have a move, end when one has its last."""
        if not self._began and all(printer.moves for printer in self.printers):
            self._began = now
            for printer in self.printers:
                printer.stand(now)
        if not self._ended and any(one.moves >= self._lines for one in self.printers):
            self._ended = now
            self._gaps = [gap for printer in self.printers for gap in printer.gaps]


def crowd(count: int, lines: int, mad: Sequence[str] = ()) -> tuple[float, float]:
    """*count* senders print *lines* each at once: p99 of the gaps in ms, lines/s of each.

    More have a printer of the kinds *mad*, see `MAD`. Raises RuntimeError for a line that is lost.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = directory / "f.gcode"
        file.write_text("".join(f"{text(index)}\n" for index in range(lines)), "ascii")
        options = ["--printers", str(count), "--lines", str(lines), "--mad", *mad]
        printers = subprocess.Popen(
            [sys.executable, "-m", "infra.bench.crowd", *options], stdout=subprocess.PIPE, text=True
        )
        stack.callback(printers.wait)
        stack.callback(printers.kill)
        assert printers.stdout is not None
        stack.enter_context(printers.stdout)
        senders = [
            subprocess.Popen(
                _sender("--port", path, "--baud", "115200", "--file", str(file)),
                stderr=subprocess.DEVNULL,
            )
            for path in json.loads(printers.stdout.readline())
        ]
        for sender in senders:
            stack.callback(sender.wait)
            stack.callback(sender.kill)
        for sender in senders[:count]:
            if sender.wait(_PATIENCE_S + lines * SEGMENT_S * 4) != 0:
                raise RuntimeError("a sender did not print its file")
        seen = json.loads(printers.stdout.readline())
        if seen["fewest"] != lines:
            raise RuntimeError(f"a printer saw {seen['fewest']} of {lines} lines")
        return seen["p99"] * 1000, seen["rate"]


def _sender(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bridge.sender", *arguments]


# --- the stop --------------------------------------------------------------------------------


def stop_ms() -> float:
    """One stop: from the control socket to the wire, in ms; the port takes nothing before."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="g")))
        file = directory / "f.gcode"
        file.write_text("M117 " + "x" * 60 + "\n" + "G1 X1 Y1 F900\n" * 20_000, "ascii")
        master, slave = pty.openpty()
        stack.callback(os.close, master)
        tty.setraw(slave)
        path = os.ttyname(slave)
        sender = subprocess.Popen(
            _sender("--socket", str(directory / "1.sock"), "--printer", "1"),
            stderr=subprocess.DEVNULL,
        )
        stack.callback(sender.wait)
        stack.callback(sender.kill)
        owner = Owner(directory / "1.sock")
        stack.callback(owner.close)
        config = PrinterConfig(
            id=1, slug="p", name="p", port_id="x", dialect="klipper", window_lines=32
        )
        owner.send(Configure(id="c", config=config, device=path))
        _talk_until_operational(owner, master)
        os.close(slave)
        os.set_blocking(master, True)
        owner.send(Start(id="s", job=job_of(file)))
        owner.answered("s")
        time.sleep(0.3)  # the window is out; nobody reads it
        began = time.perf_counter()
        owner.send(RemoteStop(id="stop"))
        owner.answered("stop")
        took_s = time.perf_counter() - began
        wire = b""
        while select.select([master], [], [], 0.2)[0]:
            wire += os.read(master, _READ_BYTES)
        if b"\nM112\n" not in wire:
            raise RuntimeError("the stop is not on the wire")
        return took_s * 1000


def _talk_until_operational(owner: Owner, master: int) -> None:
    child = os.fork()
    if child == 0:  # the printer, as long as it is greeted
        while True:
            data = os.read(master, _READ_BYTES)
            os.write(master, b"ok\n" * data.removeprefix(b"\n").count(b"\n"))
    owner.reached(PrinterState.OPERATIONAL)
    time.sleep(0.3)
    os.kill(child, 9)
    os.waitpid(child, 0)


def main() -> None:
    """How the benchmark starts its printers."""
    parser = argparse.ArgumentParser(prog="python -m infra.bench.crowd", description=__doc__)
    parser.add_argument("--printers", type=int, required=True)
    parser.add_argument("--lines", type=int, required=True)
    parser.add_argument("--mad", nargs="*", choices=MAD, default=[])
    asked = parser.parse_args()
    hall = Hall(asked.printers, asked.mad, asked.lines)
    print(json.dumps(hall.paths), flush=True)
    hall.live()
    print(json.dumps(hall.figures()), flush=True)


if __name__ == "__main__":
    main()

"""Many senders at once, and a stop in the thick of it.

`crowd`: printers that take 500 lines/s each, all in one process; what counts is the gap between two
lines as the printers see it, also when another printer floods its host with noise.
`stop_ms`: from the control socket to the wire, past a full queue and a port that takes nothing.
"""

import argparse
import hashlib
import json
import os
import pty
import select
import socket
import subprocess
import sys
import tempfile
import time
import tty
from contextlib import ExitStack, suppress
from pathlib import Path

from bridge.control.framing import encode, from_sender_reader
from bridge.control.messages import (
    Adopt,
    Configure,
    JobSpec,
    Outcome,
    RemoteStop,
    Start,
    Status,
    ToSender,
)
from infra.bench.sender import SEGMENT_S, Wire, text
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
        self.gaps: list[float] = []
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

    def read(self, now: float) -> bool:
        """Take lines; False when the host has gone."""
        try:
            data = os.read(self.master, _READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1
        moves = data.count(b" G1 ")
        if not moves:
            os.write(self.master, b"ok\n" * data.removeprefix(b"\n").count(b"\n"))
            return True
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


def be_printers(count: int, floods: int) -> None:
    """Be *count* printers until their hosts have gone, and *floods* mad ones; print the gaps."""
    printers = [Printer() for _ in range(count)]
    mad = [Flood() for _ in range(floods)]
    print(json.dumps([printer.path for printer in [*printers, *mad]]), flush=True)
    everybody = {printer.master: printer for printer in [*printers, *mad]}
    living = {printer.master: printer for printer in printers}
    while living:
        now = time.perf_counter()
        for printer in everybody.values():
            printer.answer(now)
        wait_s = max(0.0, min(min(p.due() for p in everybody.values()) - now, 1.0))
        for fd in select.select(list(everybody), [], [], wait_s)[0]:
            if not everybody[fd].read(time.perf_counter()):
                del living[fd], everybody[fd]
    gaps = sorted(gap for printer in printers for gap in printer.gaps)
    lines = sum(len(printer.gaps) for printer in printers)
    print(json.dumps({"p99": gaps[int(len(gaps) * 0.99)], "lines": lines}), flush=True)


def crowd(count: int, lines: int, *, floods: int = 0) -> tuple[float, float]:
    """*count* senders print *lines* each at once: p99 of the gaps in ms, lines/s of each.

    *floods* more have a printer that only makes noise.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = directory / "f.gcode"
        file.write_text("".join(f"{text(index)}\n" for index in range(lines)), "ascii")
        printers = subprocess.Popen(
            [
                *(sys.executable, "-m", "infra.bench.crowd"),
                *("--printers", str(count), "--floods", str(floods)),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(printers.kill)
        assert printers.stdout is not None
        paths = json.loads(printers.stdout.readline())
        began = time.perf_counter()
        senders = [
            subprocess.Popen(
                _sender("--port", path, "--baud", "115200", "--file", str(file)),
                stderr=subprocess.DEVNULL,
            )
            for path in paths
        ]
        for sender in senders[count:]:
            stack.callback(sender.wait)
            stack.callback(sender.kill)
        for sender in senders[:count]:
            if sender.wait(_PATIENCE_S + lines * SEGMENT_S * 4) != 0:
                raise RuntimeError("a sender did not print its file")
        seconds = time.perf_counter() - began
        seen = json.loads(printers.stdout.readline())
        return seen["p99"] * 1000, seen["lines"] / count / seconds


def _sender(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bridge.sender", *arguments]


# --- the stop --------------------------------------------------------------------------------


class Owner:
    """An agent's end of a sender's control socket."""

    def __init__(self, path: Path) -> None:
        end = time.monotonic() + _PATIENCE_S
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                self._socket.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        self._reader = from_sender_reader()
        self.send(Adopt(epoch=1, agent_pid=os.getpid(), live_interval_s=0.05))

    def send(self, message: ToSender) -> None:
        """Say something."""
        self._socket.sendall(encode(message))

    def answered(self, token: str) -> None:
        """Wait for the outcome of *token*."""
        while True:
            for message in self._reader.feed(self._socket.recv(_READ_BYTES)):
                if isinstance(message, Outcome) and message.id == token:
                    return

    def reached(self, state: PrinterState) -> None:
        """Wait until the printer is in *state*."""
        while True:
            for message in self._reader.feed(self._socket.recv(_READ_BYTES)):
                if isinstance(message, Status) and message.live.state is state:
                    return

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


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
        job = JobSpec(
            grant="G",
            job=1,
            file_name="f",
            path=str(file),
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            size_bytes=file.stat().st_size,
        )
        os.set_blocking(master, True)
        owner.send(Start(id="s", job=job))
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
    parser.add_argument("--floods", type=int, default=0)
    asked = parser.parse_args()
    be_printers(asked.printers, asked.floods)


if __name__ == "__main__":
    main()

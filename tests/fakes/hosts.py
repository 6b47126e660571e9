"""Hosts that die: a `Device` on a port in memory, before a simulated board that goes on living.

A `Bench` is the board, its cable and what the kernel and the disk keep; `Bench.host` is the process
of the moment. `Killed` is raised in the middle of whatever the host does, like kill -9.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from bridge.errors import PortError, PortProblem
from bridge.gcode.happenings import AttemptMoved, Happening
from bridge.gcode.run import JobFacts
from bridge.sender.blackbox import BlackBox
from bridge.sender.device import Device
from bridge.sender.jobfile import JobFile
from bridge.sender.linejournal import LineJournal, Standing
from bridge.sender.memory import Kept
from bridge.serial.links import PTY, Link
from bridge.simulator.families import MARLIN, Family
from bridge.simulator.faults import Cable, Faults
from bridge.simulator.firmware import Firmware
from bridge.simulator.pace import Pace
from bridge.simulator.profile import Profile
from schemas.jobs import ATTEMPT_OVER, AttemptState
from schemas.printer import PrinterConfig, PrinterState

CONFIG = PrinterConfig(id=7, slug="p", name="p", port_id="x")
#: What the kernel takes for a port before it says that it is full.
PIPE_BYTES = 4096
#: Commands that a host asks by itself.
OWN = (b"M110", b"M115", b"M154", b"M155", b"M105", b"M113", b"M400", b"M118", b"M27", b"M114")


_KEPT = msgspec.msgpack.Decoder(Kept | None)


class Killed(BaseException):
    """kill -9."""


class MemoryPort:
    """One end of the cable, like `SerialPort`; it dies with its host."""

    fd = -1

    def __init__(self, bench: "Bench", device: str, baud: int) -> None:
        self.device, self.baud = device, baud
        self.link: Link = PTY
        self._bench = bench

    def read(self) -> bytes:
        """What has arrived."""
        self._bench.act()
        data = bytes(self._bench.down)
        self._bench.down.clear()
        return data

    def write(self, data: bytes) -> int:
        """What the kernel takes; a kill in the middle leaves a part of it on the way."""
        bench = self._bench
        taken = data[: PIPE_BYTES - len(bench.up)]
        try:
            bench.act()
        except Killed:
            bench.up += taken[: bench.random.randrange(len(taken) + 1)]
            raise
        bench.up += taken
        return len(taken)

    def discard_input(self) -> None:
        """Forget what has arrived."""
        self._bench.down.clear()

    def discard_output(self) -> None:
        """Forget what has not left."""
        self._bench.up.clear()

    def set_baud(self, baud: int) -> None:
        """Another rate."""
        self.baud = baud

    def close(self) -> None:
        """Hang up."""


class Bench:
    """A board that lives longer than its hosts. *seed* decides everything that is left open."""

    def __init__(
        self,
        seed: int,
        file: Path,
        *,
        speed: float = 0.0,
        faults: Faults | None = None,
        config: PrinterConfig = CONFIG,
        box: BlackBox | None = None,
        family: Family = MARLIN,
        board: Profile | None = None,
    ) -> None:
        self.random = Random(seed)
        self.now = 1000.0
        self.up, self.down = bytearray(), bytearray()
        self.happened: list[Happening] = []
        self.kept: Kept | None = None
        self.executed: list[bytes] = []
        self.file = file
        self.missing = False  # the port is
        #: the host writes at once behind what it has read, as `Loop` does
        self.eager = False
        #: what people do, called whenever the host has had its turn
        self.people: Callable[[], None] = lambda: None
        self.actions = 0
        self._kill_at: int | None = None
        self._config = config
        self._box = box
        self.page = bytearray(LineJournal.SIZE_BYTES)
        self._cable = Cable(faults or Faults())
        self.firmware = Firmware(board or Profile(family=family), Pace(speed))
        self.firmware.power_on(self.now)
        self.host = self._new_host()

    # What a test does.

    def start(self) -> None:
        """Connect and start to print."""
        self.host.open("port", self.now)
        self.run_until(lambda: self.host.printer.state is PrinterState.OPERATIONAL)
        job = JobFile(str(self.file), None, self._config.profile)
        facts = JobFacts(grant="G", job=1, file_name="f", size_bytes=job.size_bytes)
        self.host.start(facts, job)
        self.run_until(lambda: self.kept is not None)

    def kill_after(self, actions: int) -> bool:
        """Go on and die at a moment; False when the print was over before."""
        self._kill_at = self.actions + actions
        try:
            self.run_until(self.over)
        except Killed:
            return True
        finally:
            self._kill_at = None
        return False

    def come_back(self, gap_s: float = 1.0) -> None:
        """The next host takes the print up."""
        self._live(gap_s)
        if self.host.job is not None:
            self.host.job.close()  # as the end of its process has
        self.host = self._new_host()
        standing = self.standing()
        assert self.kept is not None
        assert standing is not None
        self.host.come_back(self.kept, standing, self.now)

    def standing(self) -> Standing | None:
        """What the dead host has left."""
        return LineJournal(self.page).standing()

    def over(self) -> bool:
        """Whether the attempt has ended."""
        return self.ending is not None

    @property
    def ending(self) -> AttemptState | None:
        """How the attempt has ended, None while it runs."""
        states = [one.state for one in self.happened if isinstance(one, AttemptMoved)]
        return next((state for state in states if state in ATTEMPT_OVER), None)

    @property
    def printed(self) -> list[bytes]:
        """What the board has executed, without what a host asks by itself."""
        return [
            line for line in self.executed if not line.startswith(b"\t") and line[:4] not in OWN
        ]

    def run_until(self, condition: Callable[[], bool]) -> None:
        """Let host and board live until it holds."""
        for _ in range(200_000):
            if condition():
                return
            self._turn()
        raise AssertionError("it never came to an end")

    # Inside.

    def act(self) -> None:
        """The host does something; this may be its last moment."""
        self.actions += 1
        if self._kill_at is not None and self.actions >= self._kill_at:
            raise Killed

    def _new_host(self) -> Device:
        return Device(
            self._config,
            journal=LineJournal(self.page),
            keep=self._keep,
            box=self._box,
            open_port=self._open,  # type: ignore[arg-type]
        )

    def _keep(self, kept: Kept | None) -> None:
        """What goes to the disk; the host may die before it is there, and behind that."""
        data = msgspec.msgpack.encode(kept)
        self.act()
        self.kept = _KEPT.decode(data)
        self.act()

    def _open(self, device: str, baud: int, *, reset: bool = False) -> MemoryPort:
        if self.missing:
            raise PortError(device, PortProblem.MISSING, f"there is no port {device}")
        return MemoryPort(self, device, baud)

    def _turn(self) -> None:
        host, before = self.host, self.actions
        self.act()
        host.tick(self.now)
        host.pump(self.now)
        for happening in host.events():
            self.happened.append(happening)
            if isinstance(happening, AttemptMoved):
                self._keep(host.keepsake() or self.kept)
        self.people()
        self._deliver()
        if self.down and host.port is not None:
            host.readable(self.now)
            if self.eager:
                host.pump(self.now)
        if self.actions - before <= 1 and not host.busy:
            self._live(0.01)

    def _deliver(self) -> None:
        """Some of what is on the way arrives; the board answers."""
        size = min(len(self.up), self.firmware.room())
        if size:
            size = self.random.randint(1, size)
            data, event = self._cable.to_printer(bytes(self.up[:size]))
            assert event is None
            del self.up[:size]
            self.firmware.receive(data, self.now)
        self.firmware.tick(self.now)
        self.down += self._cable.to_host(self.firmware.data_to_send(), self.now)
        self.executed += self.firmware.take_executed()

    def _live(self, seconds: float) -> None:
        """Time passes for the board."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, max(self.now + 0.01, self.firmware.deadline()))
            self._deliver()

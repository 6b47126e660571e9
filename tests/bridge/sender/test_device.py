"""A printer core on a real pty, with the clock in the test's hand."""

import os
import pty
import tty
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bridge.control.messages import Connect, Outcome, RemoteStop, ResetStop, Verdict
from bridge.gcode.dialects import STOP_BYTES
from bridge.gcode.happenings import AttemptMoved, Happening, StateMoved, Warned
from bridge.gcode.run import JobFacts
from bridge.sender.commands import Commands
from bridge.sender.device import Device
from bridge.sender.jobfile import JobFile
from bridge.sender.lifecycle import Lifecycle
from schemas.jobs import AttemptState
from schemas.printer import PrinterConfig, PrinterState, Profile
from tests.fakes.host import Speaking

_S, _A = PrinterState, AttemptState
CONFIG = PrinterConfig(
    id=7, slug="p", name="p", port_id="x", baud=115200, profile=Profile(max_nozzle_c=275)
)


class Bench:
    """A device, the printer's end of its cable, and a clock."""

    def __init__(self, config: PrinterConfig = CONFIG) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(slave)
        os.close(slave)
        self.device = Device(config)
        self.firmware = Speaking()
        self.now = 50.0
        self.happened: list[Happening] = []

    def open(self) -> None:
        """Open the port and greet, until the printer is operational."""
        self.device.open(self.path, self.now)
        self.go()
        assert self.device.printer.state is _S.OPERATIONAL

    def start(self, path: Path) -> None:
        """Start to print *path*."""
        file = JobFile(str(path), None, self.device.printer.config.profile)
        size = file.size_bytes
        self.device.start(JobFacts(grant="G", job=1, file_name="f", size_bytes=size), file)

    def go(self) -> None:
        """Exchange bytes until nothing moves any more."""
        quiet = 0
        while quiet < 3:
            self.device.tick(self.now)
            self.device.pump(self.now)
            self.happened += self.device.events()
            try:
                data = os.read(self.master, 65536)
            except OSError:
                data = b""
            if data:
                os.write(self.master, self.firmware.receive(data))
            if self.device.port is not None:
                self.device.readable(self.now)
            quiet = 0 if data or self.device.busy else quiet + 1
        self.happened += self.device.events()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while (deadline := self.device.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline) + 0.001
            self.device.tick(self.now)
            self.device.pump(self.now)
        self.now = end
        self.happened += self.device.events()

    @property
    def attempts(self) -> list[AttemptState]:
        """The attempt's states in order."""
        return [one.state for one in self.happened if isinstance(one, AttemptMoved)]

    @property
    def warnings(self) -> list[str]:
        """Codes of what a person should know."""
        return [one.code for one in self.happened if isinstance(one, Warned)]


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A bench that is cleared away."""
    bench = Bench()
    yield bench
    bench.device.close(bench.now)
    bench.device.tick(bench.now)
    try:
        os.close(bench.master)
    except OSError:
        pass


def test_a_file_is_checked_prepared_and_printed(bench: Bench, tmp_path: Path) -> None:
    """More lines than are kept ready at a time."""
    path = tmp_path / "f"
    path.write_bytes(b"".join(b"G1 X%d E%d\n" % (index % 200, index) for index in range(5000)))
    bench.open()
    bench.start(path)
    bench.go()
    printed = [line for line in bench.firmware.executed if line.startswith(b"G1")]
    assert printed == path.read_bytes().splitlines()
    assert bench.attempts == [_A.STARTED, _A.COMPLETED]
    assert bench.device.job is None


def test_a_file_that_pauses_itself_is_not_read_beyond(bench: Bench, tmp_path: Path) -> None:
    """serial 12/#48: lines behind M0 wait for the resume, also those of the same batch."""
    path = tmp_path / "f"
    path.write_bytes(b"G1 X1\nM0\nG1 X2\nM1\nG1 X3\n")
    bench.open()
    bench.start(path)
    for count in (1, 2):
        bench.go()
        assert bench.device.printer.state is _S.PAUSED
        assert sum(line.startswith(b"G1") for line in bench.firmware.executed) == count
        bench.device.printer.resume(bench.now)
    bench.go()
    assert bench.attempts[-1] is _A.COMPLETED


@pytest.mark.parametrize(
    ("data", "code"), [(b"G28\nM104 S400\n", "gate_refused"), (b"G28\nM997\n", "gate_refused")]
)
def test_a_refused_file_never_starts(bench: Bench, tmp_path: Path, data: bytes, code: str) -> None:
    """safety M19, M20: told with its line, nothing on the wire."""
    path = tmp_path / "f"
    path.write_bytes(data)
    bench.open()
    before = len(bench.firmware.heard)
    bench.start(path)
    bench.go()
    assert (bench.attempts, bench.warnings) == ([_A.NOT_STARTED], [code])
    assert len(bench.firmware.heard) == before
    assert bench.device.printer.state is _S.OPERATIONAL


def test_a_file_that_changes_under_the_check_is_stopped_at_the_port(
    bench: Bench, tmp_path: Path
) -> None:
    """safety M17, M19: the gate at the port sees what the check did not."""
    path = tmp_path / "f"
    path.write_bytes(b"G1 X1\n" * 9000)
    bench.open()
    bench.start(path)
    while bench.device.busy:
        bench.device.pump(bench.now)
    with path.open("r+b") as file:
        file.seek(48_000)
        file.write(b"M109 S400\nG1\n")
    bench.go()
    assert bench.attempts == [_A.STARTED, _A.FAILED]
    assert not any(line.startswith(b"M109") for line in bench.firmware.executed)
    assert b"M104 S0" in bench.firmware.executed


def test_a_silent_device_is_an_error_in_bounded_time(bench: Bench) -> None:
    """serial 12/#6: the port is closed again, the text says what to look at."""
    bench.device.open(bench.path, bench.now)
    bench.wait(20.0)
    bench.device.tick(bench.now)
    bench.happened += bench.device.events()
    last = bench.happened[-1]
    assert isinstance(last, StateMoved)
    assert last.state is _S.ERROR
    assert "115200 baud; check the power" in last.reason
    assert bench.device.port is None


def test_a_board_that_stays_silent_after_a_stop_is_said_to_need_a_reset(bench: Bench) -> None:
    """serial 12/#38: the latch is released, the firmware is not; nobody looks for a bad cable."""
    bench.open()
    bench.device.stop("stopped remotely", bench.now)
    bench.device.tick(bench.now)
    bench.device.printer.reset()
    bench.device.open(bench.path, bench.now)
    bench.wait(20.0)
    bench.device.tick(bench.now)
    assert "press its reset button" in (bench.device.printer.error or "")
    bench.firmware = Speaking()
    bench.open()
    bench.device.close(bench.now)
    bench.device.open(bench.path, bench.now)
    bench.wait(20.0)
    bench.device.tick(bench.now)
    assert "reset" not in (bench.device.printer.error or "")


def test_a_machine_that_waits_for_m999_is_told_it_when_a_person_connects_it(bench: Bench) -> None:
    """serial 12/#37: to come back by itself is no leave to go on, and M999 at the terminal none."""
    commands = Commands(bench.device, Lifecycle(bench.now), lambda outcome: None)
    commands.plugged_at = bench.path
    bench.open()
    os.write(bench.master, b"Error:Printer stopped due to errors. Fix the error and use M999\n")
    bench.go()
    assert bench.device.printer.error
    bench.open()
    assert b"M999" not in bench.firmware.heard
    for turn in ("mended", "once more"):
        bench.device.close(bench.now)
        commands.handle(Connect(id=turn), bench.now)
        bench.go()
        bench.wait(5.0)
        bench.go()
        assert bench.device.printer.state is _S.OPERATIONAL
        assert bench.firmware.heard.count(b"M999") == 1


def test_a_stop_that_overtook_a_reset_is_not_undone_by_it(bench: Bench) -> None:
    """safety M10: who pressed the stop last has it, in whatever order the words come."""
    said: list[Outcome] = []
    commands = Commands(bench.device, Lifecycle(bench.now), said.append)
    earlier, stop, later = (f"01KAT0000{letter}" + "0" * 16 for letter in "147")
    bench.open()
    commands.handle(RemoteStop(id=stop), bench.now)
    bench.go()
    heard = bench.firmware.heard.count(b"M112")
    assert heard
    commands.handle(RemoteStop(id=earlier[:-1] + "2"), bench.now)  # it was said late
    bench.go()
    assert bench.firmware.heard.count(b"M112") == heard  # M09
    commands.handle(ResetStop(id=earlier), bench.now)
    assert (said[-1].verdict, said[-1].code) == (Verdict.REJECTED, "stopped")
    assert bench.device.printer.state is _S.HALTED
    commands.handle(ResetStop(id=later), bench.now)
    assert said[-1].verdict is Verdict.DONE
    commands.handle(ResetStop(id=later[:-1] + "1"), bench.now)
    assert said[-1].code == "not_stopped"
    commands.handle(RemoteStop(id=stop[:-1] + "1"), bench.now)
    bench.now += 121.0  # an API whose clock was put back: what is that old is no reset on its way
    commands.handle(ResetStop(id=earlier[:-1] + "1"), bench.now)
    assert said[-1].verdict is Verdict.DONE


def test_no_baud_rate_is_blamed_on_a_link_without_one() -> None:
    """A pseudo-terminal has no baud rate, so none was tried."""
    bench = Bench(msgspec.structs.replace(CONFIG, baud=0))
    bench.device.open(bench.path, bench.now)
    bench.wait(20.0)
    bench.device.tick(bench.now)
    assert (bench.device.printer.error or "").endswith("answers; check the power and the cable")
    os.close(bench.master)


def test_garbage_is_called_a_wrong_baud_rate(bench: Bench) -> None:
    """serial 12/#5: the cable is good, the rate is not."""
    bench.device.open(bench.path, bench.now)
    os.write(bench.master, b"\xf8\x86\x9e" * 30)
    bench.device.readable(bench.now)
    bench.wait(20.0)
    bench.device.tick(bench.now)
    assert "at 115200 baud is no text" in (bench.device.printer.error or "")


def test_a_missing_port_is_a_state_and_not_a_crash(bench: Bench) -> None:
    """The printer's error names the ports that exist; tried again it is no news."""
    bench.device.open("/dev/ttyNOPE", bench.now)
    bench.device.open("/dev/ttyNOPE", bench.now)
    bench.device.open(None, bench.now)
    assert len(bench.device.events()) == 1
    assert bench.device.printer.error == "the printer's port is not plugged in"


def test_a_pulled_cable_interrupts_at_once(bench: Bench, tmp_path: Path) -> None:
    """serial 12/#41; safety M05: told that the heaters may be on."""
    path = tmp_path / "f"
    path.write_bytes(b"M109 S200\n" + b"G1 X1\n" * 100)
    bench.open()
    bench.firmware.stuck = {b"M109"}
    bench.start(path)
    bench.go()
    os.write(bench.master, b" T:100.0 /200.0 B:20.0 /0.0 @:0 B@:0 W:?\n")
    bench.device.readable(bench.now)
    os.close(bench.master)
    bench.device.readable(bench.now)
    bench.happened += bench.device.events()
    assert bench.attempts[-1] is _A.INTERRUPTED
    (alarm,) = [one for one in bench.happened if isinstance(one, Warned)]
    assert alarm.code == "port_lost"
    assert "heaters may still be on" in alarm.text
    assert bench.device.port is None


def test_a_stop_leaves_although_the_device_reads_nothing(bench: Bench) -> None:
    """serial 12/#49; safety M06: what waits in the kernel is thrown away for it."""
    bench.open()
    port = bench.device.port
    assert port is not None
    waiting = 0
    while written := port.write(b"G1 X1\n" * 500):
        waiting += written
    bench.device.stop("stopped", bench.now)
    assert not bench.device.wants_to_write
    arrived = b""
    while not arrived.endswith(STOP_BYTES):
        arrived += os.read(bench.master, 65536)
    assert len(arrived) < waiting
    bench.device.stop("stopped", bench.now)
    bench.device.pump(bench.now)
    with pytest.raises(BlockingIOError):
        os.read(bench.master, 100)


def test_noise_without_end_costs_nothing(bench: Bench) -> None:
    """serial 12/#59: bounded memory, still connected."""
    bench.open()
    for _ in range(100):
        os.write(bench.master, b"\xff\x00" * 1000)
        bench.device.readable(bench.now)
    os.write(bench.master, b"\nok\n")
    bench.go()
    assert bench.device.printer.state is _S.OPERATIONAL

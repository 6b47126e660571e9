"""The real process behind a real pseudo-terminal."""

import os
import select
import signal
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.simulator import executed
from bridge.simulator.virtual import parse
from tests.fakes.board import numbered

pytestmark = pytest.mark.flow

Start = Callable[..., subprocess.Popen[bytes]]


class Host:
    """An open port with a patient reader."""

    def __init__(self, link: Path) -> None:
        self.fd = os.open(link, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd, termios.TCSANOW)
        self.said = b""

    def write(self, data: bytes) -> None:
        """Send bytes."""
        os.write(self.fd, data)

    def read_until(self, text: bytes, timeout_s: float = 5.0) -> bytes:
        """Everything said up to and including *text*; fails after *timeout_s*."""
        end = time.monotonic() + timeout_s
        while text not in self.said:
            assert select.select([self.fd], [], [], max(0, end - time.monotonic()))[0], self.said
            self.said += os.read(self.fd, 65536)
        answer, _, self.said = self.said.partition(text)
        return answer + text

    def close(self) -> None:
        """Close the port."""
        os.close(self.fd)


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """Where the simulated port appears."""
    return tmp_path / "printer"


@pytest.fixture
def start(link: Path) -> Iterator[Start]:
    """Start a simulator from an address and wait until it is ready."""
    started = []

    def launch(address: str) -> subprocess.Popen[bytes]:
        ready, write = os.pipe()
        arguments = parse(address).arguments(str(link))
        process = subprocess.Popen(
            [sys.executable, *arguments, "--ready-fd", str(write)], pass_fds=[write]
        )
        started.append(process)
        os.close(write)
        assert os.read(ready, 100).startswith(b"/dev/")
        os.close(ready)
        return process

    yield launch
    for process in started:
        process.kill()
        process.wait()


def test_print_over_a_terminal_ends_with_a_complete_log(start: Start, link: Path) -> None:
    """Boot text, numbered lines, ok for each; after SIGTERM no link, a whole log, status 0."""
    log = link.with_suffix(".log")
    process = start(f"virtual://left?speed=0&log={log}")
    host = Host(link)
    for number in range(1, 501):
        host.write(numbered(number, f"G1 X{number}"))
        host.read_until(b"ok\n")
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert not link.is_symlink()
    assert executed.read(log) == executed.Executed(
        [f"G1 X{number}" for number in range(1, 501)], [], ["PowerUp"]
    )
    host.close()


def test_log_appears_while_running(start: Start, link: Path) -> None:
    """What was executed can be read soon, without ending the process."""
    log = link.with_suffix(".log")
    start(f"virtual://left?speed=0&log={log}")
    host = Host(link)
    host.write(numbered(1, "G1 X1"))
    host.read_until(b"ok\n")
    end = time.monotonic() + 5
    while not executed.read(log).numbered:
        assert time.monotonic() < end
        time.sleep(0.02)
    host.close()


def test_closing_and_opening_keeps_the_numbering(start: Start, link: Path) -> None:
    """Like native USB, a new session does not reset the board (serial 12/#2)."""
    start("virtual://left?speed=0")
    for number in (1, 2):
        host = Host(link)
        host.write(numbered(number, "M118 here"))
        host.read_until(b"here\nok\n")
        host.close()


def test_reset_on_open(start: Start, link: Path) -> None:
    """With that option every opening starts the board anew."""
    start("virtual://left?speed=0&reset_on_open=1")
    for _ in range(2):
        host = Host(link)
        host.read_until(b"External Reset\n")
        host.read_until(b"Settings Loaded\n")
        host.write(numbered(1, "G1 X1"))
        host.read_until(b"ok\n")
        host.close()
        time.sleep(0.1)


def test_reset_button_revives_after_m112(start: Start, link: Path) -> None:
    """M112 halts; SIGUSR1 is the button."""
    process = start("virtual://left?speed=0")
    host = Host(link)
    host.write(b"M112\n")
    host.read_until(b"//action:poweroff\n")
    process.send_signal(signal.SIGUSR1)
    host.read_until(b"start\n")
    host.write(b"M105\n")
    host.read_until(b"ok T:")
    host.close()


def test_reset_fault_says_start_again(start: Start, link: Path) -> None:
    """The power cycle comes with the line it was ordered for (serial 12/#39)."""
    start("virtual://left?speed=0&faults=reset_at=3")
    host = Host(link)
    host.read_until(b"Settings Loaded\n")
    host.write(b"M17\nM17\nM17\n")
    host.read_until(b"start\nPowerUp\n")
    host.close()


def test_unplug_takes_the_device_away_and_brings_it_back(start: Start, link: Path) -> None:
    """The port fails, the link is gone, later there is another node (serial 12/#41)."""
    start("virtual://left?speed=0&faults=unplug_at=2:0.3")
    node = link.resolve()
    host = Host(link)
    host.write(numbered(1, "G1 X1") + numbered(2, "G1 X2"))
    end = time.monotonic() + 5
    while link.is_symlink():
        assert time.monotonic() < end
        time.sleep(0.01)
    while not link.is_symlink():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert link.resolve() != node
    host.close()
    host = Host(link)
    host.write(numbered(3, "M118 back"))
    host.read_until(b"back\n")
    host.close()


def test_second_simulator_of_a_link_refuses(start: Start, link: Path) -> None:
    """One clear line with the owner's process id, status 3; the first is not disturbed."""
    process = start("virtual://left")
    second = subprocess.run(
        [sys.executable, *parse("virtual://left").arguments(str(link))],
        check=False,
        capture_output=True,
        timeout=10,
    )
    assert second.returncode == 3
    assert f"process {process.pid}" in second.stderr.decode()
    assert link.with_name("printer.lock").read_text() == f"{process.pid}\n"


def test_killed_simulator_can_be_replaced(start: Start, link: Path) -> None:
    """The lock dies with the process and the stale link is replaced."""
    start("virtual://left").kill()
    time.sleep(0.1)
    start("virtual://left?speed=0")
    host = Host(link)
    host.write(b"M105\n")
    host.read_until(b"ok T:")
    host.close()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--name", "a", "--link", "{}/a", "--speed", "-1"], 2, "speed"),
        (["--name", "a", "--link", "{}/a", "--faults", "flip=7"], 2, "flip"),
        (["--name", "a", "--link", "{}/none/a"], 1, "cannot make"),
        (["--name", "a", "--link", "{}/file"], 1, "is no link"),
        (["--name", "a", "--link", "{}/a", "--log", "{}"], 1, "Is a directory"),
    ],
)
def test_bad_options_end_with_one_line(
    tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    """Which option is wrong, on stderr; nothing is left behind."""
    (tmp_path / "file").touch()
    filled = [argument.format(tmp_path) for argument in arguments]
    ended = subprocess.run(
        [sys.executable, "-m", "bridge.simulator", *filled],
        check=False,
        capture_output=True,
        timeout=10,
    )
    assert ended.returncode == status
    assert message in ended.stderr.decode()
    assert len(ended.stderr.decode().splitlines()) == 1
    assert not (tmp_path / "a").is_symlink()


def test_nobody_reading_does_not_stop_the_board(start: Start, link: Path) -> None:
    """Reports pile up to a bound; the board goes on and answers the next host."""
    process = start("virtual://left?speed=1")
    host = Host(link)
    for _ in range(400):
        host.write(b"M115\n")
        if not select.select([], [host.fd], [], 0)[1]:
            break
    time.sleep(0.2)
    memory = Path(f"/proc/{process.pid}/status").read_text()
    assert int(memory.partition("VmRSS:")[2].split()[0]) < 25_000
    host.write(b"M118 alive\n")
    host.read_until(b"alive\n")
    host.close()


def test_death_of_the_starter_changes_nothing(link: Path) -> None:
    """SIGHUP and a starter that does not wait for the ready line leave the board running."""
    ready, write = os.pipe()
    os.close(ready)
    arguments = parse("virtual://left?speed=0").arguments(str(link))
    process = subprocess.Popen(
        [sys.executable, *arguments, "--ready-fd", str(write)], pass_fds=[write]
    )
    os.close(write)
    try:
        end = time.monotonic() + 5
        while not link.is_symlink():
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        host = Host(link)
        host.write(b"M118 alive\n")
        host.read_until(b"alive\n")
        host.close()
    finally:
        process.kill()
        process.wait()

"""Opening, reading, writing and losing a port, on ptys."""

import fcntl
import os
import pty
import termios
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from bridge.errors import PortError, PortProblem
from bridge.serial.links import NATIVE_USB, latency_timer
from bridge.serial.port import BAUD_RATES, SerialPort


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    """The printer's end of a pty and the path of ours."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.close(slave)
    os.set_blocking(master, False)
    yield master, path
    try:
        os.close(master)
    except OSError:
        pass


def test_bytes_go_both_ways_and_nothing_waits(line: tuple[int, str]) -> None:
    """No data is blank, not an end."""
    master, path = line
    port = SerialPort(path, 115200)
    assert port.read() == b""
    os.write(master, b"ok\n\x00\xff")
    assert port.read() == b"ok\n\x00\xff"
    assert port.write(b"G28\n") == 4
    assert os.read(master, 100) == b"G28\n"
    port.close()


def test_a_link_to_a_pty_works(line: tuple[int, str], tmp_path: Path) -> None:
    """Simulated printers are reached by a symbolic link."""
    (tmp_path / "printer").symlink_to(line[1])
    port = SerialPort(str(tmp_path / "printer"), 250000)
    assert port.link.lossless
    port.close()
    port.close()


def test_a_port_has_one_owner(line: tuple[int, str]) -> None:
    """serial 12/#7: the second program gets a clear word, the first is not disturbed."""
    port = SerialPort(line[1], 115200)
    with pytest.raises(PortError) as caught:
        SerialPort(line[1], 115200)
    assert caught.value.problem is PortProblem.BUSY
    assert "in use" in str(caught.value)
    port.close()
    SerialPort(line[1], 115200).close()


def test_a_board_with_usb_of_its_own_is_closed_to_other_programs(
    line: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """serial 1.2, 12/#7: also to those that ask for no lock, such as modem managers."""
    asked: list[int] = []
    ioctl = fcntl.ioctl

    def noted(fd: int, request: int, *more: Any) -> Any:
        asked.append(request)
        return ioctl(fd, request, *more)

    monkeypatch.setattr(fcntl, "ioctl", noted)
    SerialPort(line[1], 115200).close()
    assert termios.TIOCEXCL not in asked
    monkeypatch.setattr("bridge.serial.port.link_of", lambda _: NATIVE_USB)
    SerialPort(line[1], 115200).close()
    assert termios.TIOCEXCL in asked


def test_a_missing_port_says_which_exist() -> None:
    """The reader learns what could have been meant."""
    with pytest.raises(PortError, match="ports that exist") as caught:
        SerialPort("/dev/ttyNOPE7", 115200)
    assert caught.value.problem is PortProblem.MISSING


@pytest.mark.parametrize("kind", ["file", "directory", "null"])
def test_what_is_no_serial_port_is_refused(tmp_path: Path, kind: str) -> None:
    """Files, directories and other devices are not opened as printers."""
    path = {"file": tmp_path / "f", "directory": tmp_path, "null": Path("/dev/null")}[kind]
    if kind == "file":
        path.touch()
    with pytest.raises(PortError, match="is no serial port") as caught:
        SerialPort(str(path), 115200)
    assert caught.value.problem is PortProblem.NOT_A_PORT


def test_a_forbidden_port_names_the_group(line: tuple[int, str], tmp_path: Path) -> None:
    """serial 12/#7: checked in a child, since nothing is forbidden to root."""
    os.chmod(line[1], 0)
    child = os.fork()
    if child == 0:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        try:
            SerialPort(line[1], 115200)
        except PortError as error:
            good = error.problem is PortProblem.FORBIDDEN and "group" in str(error)
            os._exit(0 if good else 2)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_an_unplugged_port_is_lost_at_once(line: tuple[int, str]) -> None:
    """serial 12/#41: read and write say so."""
    master, path = line
    port = SerialPort(path, 115200)
    os.close(master)
    with pytest.raises(PortError) as caught:
        port.read()
    assert caught.value.problem is PortProblem.LOST
    with pytest.raises(PortError):
        port.write(b"x")
    port.close()


def test_a_device_that_does_not_read_blocks_nothing(line: tuple[int, str]) -> None:
    """serial 12/#58: the port takes what fits; what waits can be thrown away for a stop."""
    master, path = line
    port = SerialPort(path, 115200)
    total = 0
    while written := port.write(b"x" * 4096):
        total += written
    assert 0 < total < 1_000_000
    port.discard_output()
    os.close(master)
    port.close()


def test_death_of_the_process_does_not_reset_the_board(line: tuple[int, str]) -> None:
    """HUPCL is off, so DTR stays when the descriptor is closed; also after a change of baud."""
    port = SerialPort(line[1], 115200)
    port.set_baud(250000)
    assert not termios.tcgetattr(port.fd)[2] & termios.HUPCL
    assert port.read() == b""
    port.close()


def test_dtr_falls_only_where_a_reset_is_wanted(
    line: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """serial 12/#44: a print from the card survives a connect; HUPCL is off in any case."""
    edges: list[bool] = []
    monkeypatch.setattr(serial.Serial, "dtr", property(None, lambda _, up: edges.append(up)))
    kept = SerialPort(line[1], 115200)
    assert not termios.tcgetattr(kept.fd)[2] & termios.HUPCL
    kept.close()
    assert False not in edges
    edges.clear()
    SerialPort(line[1], 115200, reset=True).close()
    assert edges[-2:] == [False, True]


def test_an_ftdi_chip_is_asked_to_hurry(tmp_path: Path) -> None:
    """The latency timer of a USB serial chip is found by the name of its device."""
    folder = tmp_path / "bus" / "usb-serial" / "devices" / "ttyUSB7"
    folder.mkdir(parents=True)
    (folder / "latency_timer").write_text("16")
    assert latency_timer("/dev/ttyUSB7", tmp_path) == folder / "latency_timer"
    assert latency_timer("/dev/ttyUSB8", tmp_path) is None


def test_an_odd_rate_is_set_for_real(line: tuple[int, str]) -> None:
    """250000 is no POSIX rate: it needs termios2; the same port takes the others of the list."""
    port = SerialPort(line[1], 250000)
    buffer = bytearray(44)
    for baud in BAUD_RATES:
        port.set_baud(baud)
        fcntl.ioctl(port.fd, 0x802C542A, buffer)  # TCGETS2
        assert int.from_bytes(buffer[36:40], "little") == baud
    port.close()

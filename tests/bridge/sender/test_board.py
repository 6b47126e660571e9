"""A board that answers where another one was is a stranger until a person says otherwise."""

from pathlib import Path

import pytest

from bridge.errors import PortError, PortProblem
from bridge.sender.board import KnownBoard, board_path, load_board
from bridge.sender.device import Device
from bridge.serial.port import SerialPort
from schemas.printer import PrinterState
from tests.fakes.hosts import CONFIG, Bench


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where it is kept; the directory is not there yet."""
    return tmp_path / "boards" / "printer-7.json"


def test_the_first_board_is_the_printers_own_and_stays_it(path: Path) -> None:
    """safety M18: also for the next life of the sender."""
    assert KnownBoard(path).stranger("path:x", "A", asked=False) is None
    assert KnownBoard(path).stranger("path:x", "A", asked=False) is None
    told = KnownBoard(path).stranger("path:x", "B", asked=False)
    assert told is not None
    assert "UUID B, and it was A" in told


def test_a_person_takes_a_stranger_only_once_it_was_told_of(path: Path) -> None:
    """A connect that nobody meant that way takes nobody."""
    board = KnownBoard(path)
    assert board.stranger("path:x", "A", asked=True) is None
    assert board.stranger("path:x", "B", asked=True) is not None
    assert board.stranger("path:x", "C", asked=True) is not None
    assert board.stranger("path:x", "C", asked=False) is not None
    assert board.stranger("path:x", "C", asked=True) is None
    assert board.stranger("path:x", "C", asked=False) is None


def test_a_printer_moved_to_another_port_and_one_without_uuid_are_no_strangers(path: Path) -> None:
    """Who configures another port means another board; a firmware need not say who it is."""
    board = KnownBoard(path)
    assert board.stranger("path:x", None, asked=False) is None
    assert board.stranger("path:x", "A", asked=False) is None
    assert board.stranger("path:x", None, asked=False) is None
    assert board.stranger("path:y", "B", asked=False) is None


def test_what_a_board_has_said_is_kept_for_the_next_life(tmp_path: Path) -> None:
    """Its baud rate is tried first, its name and capabilities are there for `bridge doctor`."""
    path = board_path(tmp_path, 7)
    bench = Bench(1, tmp_path / "none")
    bench.host.open("port", bench.now)
    board = KnownBoard(path)
    board.follow(bench.host)
    assert load_board(path) is None  # nothing has answered yet
    bench.run_until(lambda: bench.host.printer.state is PrinterState.OPERATIONAL)
    assert board.stranger("x", "A", asked=False) is None
    board.follow(bench.host)
    kept = load_board(path)
    assert kept is not None
    assert (kept.port, kept.uuid, kept.baud) == ("x", "A", None)  # no rate on a pseudo-terminal
    assert kept.firmware.startswith("Marlin")
    assert kept.capabilities is not None
    assert kept.capabilities["EMERGENCY_PARSER"]
    path.write_text('{"port": "x", "uuid": "A", "baud": 250000}', "ascii")
    assert KnownBoard(path).baud == 250_000


def test_the_rate_of_an_earlier_life_is_tried_first() -> None:
    """serial 1.4: the last good one, then the list."""
    tried: list[int] = []

    def opened(device: str, baud: int, *, reset: bool = False) -> SerialPort:
        tried.append(baud)
        raise PortError(device, PortProblem.BUSY, "in use")

    for good, first in ((250_000, 250_000), (None, 115_200)):
        Device(CONFIG, open_port=opened, good_baud=good).open("/dev/x", 0.0)
        assert tried.pop() == first


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "\u00e4", '{"port": 1}'])
def test_a_damaged_record_is_no_record(path: Path, content: str) -> None:
    """It is written anew."""
    path.parent.mkdir()
    path.write_text(content, "utf-8")
    assert KnownBoard(path).stranger("path:x", "A", asked=False) is None
    assert KnownBoard(path).stranger("path:x", "B", asked=False) is not None

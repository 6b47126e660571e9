"""Real slicer output through the model: every command once, in order, in plausible time."""

import re
from pathlib import Path

import pytest

from bridge.simulator.faults import Cable, parse
from bridge.simulator.profile import Profile
from tests.fakes.board import Board, numbered

DATA = Path(__file__).parents[2] / "data"


def commands(name: str) -> list[str]:
    """The file's commands without comments and blank lines."""
    lines = (DATA / name).read_text().splitlines()
    return [text for line in lines if (text := line.partition(";")[0].strip())]


def print_file(board: Board, file: list[str], limit_s: float) -> float:
    """Send the file ping-pong; returns the real seconds it took."""
    began = board.now
    for command in file:
        said = board.send_numbered(command)
        while not any(line.startswith("ok") for line in said):
            assert board.now - began < limit_s, command
            said = board.wait(max(0.0, board.firmware.deadline() - board.now))
    return board.now - began


@pytest.mark.parametrize("name", ["cube_lowtemp.gcode", "ps_gui_cube_thumbs.gcode"])
def test_free_running_print_executes_the_file(name: str) -> None:
    """The record equals the file, and no time passes."""
    board, file = Board(speed=0), commands(name)
    assert print_file(board, file, limit_s=1) == 0
    assert board.executed() == file


def test_two_tools_and_a_stop_for_the_user() -> None:
    """A two-colour file pauses at M1 until somebody answers, then goes on."""
    board, file = Board(speed=0, profile=Profile(hotends=2)), commands("twocolor_mmu.gcode")
    stop = next(at for at, command in enumerate(file) if re.match(r"M1\b", command))
    print_file(board, file[:stop], limit_s=1)
    assert "ok" not in board.send_numbered(file[stop])
    assert board.send("M108").count("ok") == 2
    print_file(board, file[stop + 1 :], limit_s=1)
    assert [command for command in board.executed() if command != "\tM108"] == file


def test_timed_print_takes_about_as_long_as_the_slicer_says() -> None:
    """The cube is estimated at 5 m 52 s without heating; the model stays within a quarter."""
    board, file = Board(), commands("cube_lowtemp.gcode")
    seconds = print_file(board, file, limit_s=1200)
    assert 0.75 * 352 < seconds < 1.25 * (352 + 120)
    assert board.executed() == file


def test_speed_divides_the_time() -> None:
    """At speed 20 the same print takes a twentieth."""
    seconds = print_file(Board(speed=20), commands("cube_lowtemp.gcode"), limit_s=60)
    assert 13 < seconds < 30


class PatientHost:
    """The smallest host that is exact over a bad cable: one line at a time, silence is skipped.

    After silence it goes on with the next number: if the line was lost, the board asks for it.
    """

    def __init__(self, board: Board, cable: Cable) -> None:
        self._board = board
        self._cable = cable
        self.resends = 0

    def ask(self, data: bytes) -> str:
        """What comes back."""
        arrived, _ = self._cable.to_printer(data)
        said = "".join(f"{line}\n" for line in self._board.feed(arrived))
        return self._cable.to_host(said.encode("latin-1"), self._board.now).decode("latin-1")

    def stream(self, file: list[str]) -> None:
        """Send until the board has taken the last line."""
        at, probe = 1, b"\n" + numbered(10_000_000, "M105")
        while True:
            line = b"\n" + numbered(at, file[at - 1]) if at <= len(file) else probe
            resend = re.search(r"Resend: (\d{1,6})\n", self.ask(line))
            if resend is None:
                at = min(at + 1, len(file) + 1)
            elif int(resend[1]) == len(file) + 1:
                return
            else:
                self.resends += 1
                at = min(max(1, int(resend[1])), len(file))


@pytest.mark.parametrize("seed", range(3, 8))
def test_noisy_cable_never_doubles_or_loses_a_line(seed: int) -> None:
    """With flips and losses both ways and swallowed oks, each line is executed once, in order."""
    board, file = Board(speed=0), commands("cube_lowtemp.gcode")
    cable = Cable(parse(f"flip=0.0005,lose=0.0005,drop_ok=0.02,seed={seed}"))
    host = PatientHost(board, cable)
    host.stream(file)
    assert [command for command in board.executed() if not command.startswith("\t")] == file
    assert host.resends > 10

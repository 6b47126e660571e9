"""The emergency parser: serial 7."""

import pytest

from bridge.gcode.dialects import STOP_BYTES
from bridge.simulator.emergency import Emergency, EmergencyCode, EmergencyParser
from bridge.simulator.families import FAMILIES
from bridge.simulator.profile import Profile
from tests.fakes.board import Board, numbered


@pytest.mark.parametrize(
    "line",
    [b"M112\n", b"N5 M112*33\n", b"  M112\r", b"M112 N0\n", b"N-1M 112 whatever\n", b"M1123\n"],
)
def test_kill_is_recognised_however_written(line: bytes) -> None:
    """Numbers, blanks and anything behind the code do not matter."""
    assert EmergencyParser().feed(line) == [Emergency(EmergencyCode.KILL)]


@pytest.mark.parametrize(
    "line", [b"m112\n", b"M117 M112\n", b"G1 M112\n", b"M11\n", b"M112", b"M876 P1\n", b";M112\n"]
)
def test_other_lines_are_not_recognised(line: bytes) -> None:
    """Lower case, the middle of a line, an unfinished line and other codes are nothing."""
    assert EmergencyParser().feed(line) == []


@pytest.mark.parametrize(
    "half", [b"N", b"N12", b"N12 ", b" N3 M", b"M1", b"N3 M10", b"M4", b"M876 "]
)
def test_a_half_line_hides_the_one_behind_it(half: bytes) -> None:
    """A line that ends where more was expected makes the parser ignore a whole line more."""
    parser = EmergencyParser()
    assert parser.feed(half + b"\nM112\n") == []
    assert parser.feed(half + b"\n") == []
    assert parser.feed(b"\nM112\n") == [Emergency(EmergencyCode.KILL)]


def test_a_stop_acts_wherever_the_line_before_it_was_cut() -> None:
    """serial 12/#49: what the kernel has not sent yet is thrown away, in the middle of a line."""
    line = numbered(123, "M104 S200")
    for cut in range(len(line)):
        board = Board()
        board.feed(line[:cut] + STOP_BYTES)
        assert board.firmware.killed, line[:cut]


def test_answer_carries_the_button() -> None:
    """M876 S2 is the third button."""
    assert EmergencyParser().feed(b"M876 S2\n") == [Emergency(EmergencyCode.ANSWER, 2)]


def test_command_may_arrive_byte_by_byte() -> None:
    """It acts at the line end, wherever the reads were cut."""
    parser = EmergencyParser()
    found = [e for byte in b"G1 X1\nN7 M410*3\nM108\n" for e in parser.feed(bytes([byte]))]
    assert [e.code for e in found] == [EmergencyCode.QUICK_STOP, EmergencyCode.BREAK]


def test_long_unfinished_line_is_not_kept() -> None:
    """Memory is bounded, and the end of such a line is not taken for a start."""
    parser = EmergencyParser()
    for _ in range(1000):
        parser.feed(b"x" * 1000)
    assert parser.feed(b"M112\n") == []
    assert parser.feed(b"M112\n") == [Emergency(EmergencyCode.KILL)]


def test_kill_acts_while_a_command_blocks_and_the_queue_is_full() -> None:
    """M112 behind a full queue stops at once; afterwards there is silence (serial 12/#49)."""
    board = Board()
    board.send("M109 S200", *["G1 X1"] * 6)
    assert board.send("M112") == [
        "echo:M112 Shutdown",
        "Error:Printer halted. kill() called!",
        "//action:poweroff",
    ]
    assert board.send("M105", "M999", "M115") == []
    assert board.wait(60) == []
    assert board.executed() == ["\tM109 S200"]


def test_kill_turns_heaters_off_and_reset_revives() -> None:
    """After a reset the board answers again, and its heaters are off."""
    board = Board()
    board.send("M104 S200")
    board.wait(30)
    board.send("M112")
    board.firmware.power_on(board.now)
    assert board.send("")[:2] == ["start", "PowerUp"]
    assert "/0.00" in board.send("M105")[0]


def test_damaged_kill_still_kills() -> None:
    """Checksums are not looked at: a flipped bit may turn M110 N0 into M112 N0."""
    board = Board()
    board.feed(numbered(0, "M110 N0").replace(b"M110", b"M112"))
    assert board.firmware.killed


def test_break_ends_a_heat_wait_and_is_acknowledged_too() -> None:
    """M108 frees M190 at once; both commands get their ok (serial 12/#31)."""
    board = Board()
    board.send("M190 S60")
    assert board.send("M108") == ["ok", "ok"]
    assert "/60.00" in board.send("M105")[0]


def test_without_emergency_parser_and_display_nothing_ends_a_wait_for_a_person() -> None:
    """Marlin reads M108 early then, for a heater alone; the M0 of others waits for a switch."""
    board = Board(profile=Profile(family=FAMILIES["marlin-1.1"]))
    board.send("M190 S60")
    assert board.send("M108") == ["ok", "ok"]
    board.send("M0 look")
    assert board.send("M108") == []


def test_repetier_skips_what_does_not_follow_and_asks_again() -> None:
    """Behind a Resend: a word and an `ok` for each whole line, and the Resend again every 0.2 s."""
    board = Board(profile=Profile(family=FAMILIES["repetier"]))
    board.feed(numbered(1, "M105"))
    assert board.feed(numbered(3, "M105"))[-2:] == ["Resend:2", "ok"]
    assert board.feed(numbered(4, "M105") + numbered(5, "M105")) == ["skip 4", "ok", "skip 5", "ok"]
    assert board.wait(0.5) == ["Resend:2", "ok"] * 2
    assert board.feed(numbered(2, "M105"))[-1].startswith("ok")
    assert board.wait(0.5) == []


def test_quick_stop_empties_the_planner_where_the_head_is() -> None:
    """M410 ends a long move on the way; M400 behind it returns (serial 12/#50)."""
    board = Board()
    board.send("G1 X200 F600", "G1 X0", "M400")
    board.wait(10)
    assert board.send("M410") == ["ok", "ok"]
    x_mm = float(board.send("M114")[0].split()[0][2:])
    assert 50 < x_mm < 150


def test_quick_stop_drops_the_move_that_waits_for_room() -> None:
    """With a full planner the blocked move is void too, but acknowledged."""
    board = Board()
    moves = [f"G1 X{x} F60" for x in range(1, 17)]
    assert board.send(*moves).count("ok") == 15
    assert board.send("M410") == ["ok", "ok"]
    assert board.send("M400") == ["ok"]


def test_quick_stop_does_not_end_a_dwell() -> None:
    """G4 goes on."""
    board = Board()
    board.send("G4 S5")
    assert board.send("M410") == []
    assert board.wait(6).count("ok") == 2

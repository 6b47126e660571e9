"""What each command says and does, as far as the wire shows it (serial 2, 5, 6, 7, 8)."""

import pytest

from bridge.simulator.profile import Profile, machine_uuid
from tests.fakes.board import Board


@pytest.fixture
def board() -> Board:
    """A free-running board."""
    return Board(speed=0)


def position(board: Board) -> str:
    """The logical position that M114 reports."""
    return board.send("M114")[0].partition(" Count")[0]


@pytest.mark.parametrize("line", ["g1 x1", "M12345", "FOO", "G28.5", "T", "Tx", 'M862.3 P "MK3S"'])
def test_unknown_command_is_echoed_and_acknowledged(board: Board, line: str) -> None:
    """An unknown command is a remark, not an error (serial 12/#34)."""
    assert board.send(line) == [f'echo:Unknown command: "{line}"', "ok"]


@pytest.mark.parametrize("line", ["G1 X5 Y6", "G01 X5 Y6", "G1X5Y6", "G1 X 5 Y 6", "G1 X9 X5 Y6"])
def test_spellings_of_a_move(board: Board, line: str) -> None:
    """Leading zeros, missing and added blanks are the same; of a repeated letter the last wins."""
    assert board.send(line) == ["ok"]
    assert position(board) == "X:5.00 Y:6.00 Z:0.00 E:0.00"


def test_two_commands_on_a_line_are_one(board: Board) -> None:
    """`G1 X2 G1 X3` executes once, with one ok."""
    assert board.send("G1 X2 G1 X3") == ["ok"]


def test_absolute_and_relative(board: Board) -> None:
    """G91 adds, G90 sets; both decide for E too, M82 and M83 for E alone."""
    board.send("G1 X10 E1", "G91", "G1 X5 E1", "M82", "G1 X5 E7", "G90", "M83", "G1 X1 E1")
    assert position(board) == "X:1.00 Y:0.00 Z:0.00 E:8.00"


def test_g92_renames_the_place(board: Board) -> None:
    """G92 sets the coordinates it names and moves nothing."""
    board.send("G1 X10 Y10 E5", "G92 E0 X3")
    assert position(board) == "X:3.00 Y:10.00 Z:0.00 E:0.00"


def test_homing_zeroes_the_named_axes(board: Board) -> None:
    """G28 X homes X only, G28 all three."""
    board.send("G1 X10 Y10 Z10", "G28 X")
    assert position(board) == "X:0.00 Y:10.00 Z:10.00 E:0.00"
    board.send("G28")
    assert position(board) == "X:0.00 Y:0.00 Z:0.00 E:0.00"


def test_arcs_end_where_they_say(board: Board) -> None:
    """G2 and G3 end at their target, with a centre or a radius."""
    board.send("G2 X10 Y0 I5 J0", "G3 X20 Y0 R5")
    assert position(board) == "X:20.00 Y:0.00 Z:0.00 E:0.00"


@pytest.mark.parametrize("line", ["G2 X10", "G2 X10 R2", "G3 R5", "G2 X5 I0 J0"])
def test_impossible_arcs_are_refused(board: Board, line: str) -> None:
    """No centre, or a radius that does not reach."""
    assert board.send(line) == ["Error:G2/G3 bad parameters", "ok"]


def test_m114_shows_where_the_motors_are_too() -> None:
    """The target is the planner's; Count is the real place, in steps."""
    board = Board()
    board.send("G1 Z5 F60")
    said = board.wait(2.5) or board.send("M114")
    assert said[0].startswith("X:0.00 Y:0.00 Z:5.00 E:0.00 Count X:0 Y:0 Z:")
    assert 0 < int(said[0].rpartition(":")[2]) < 2000
    board.send("M400")
    board.wait(10)
    assert board.send("M114")[0].endswith("Z:2000")


def test_m105_carries_its_own_ok(board: Board) -> None:
    """One line, which is the ok."""
    assert board.send("M105") == ["ok T:23.75 /0.00 B:23.75 /0.00 @:0 B@:0"]


def test_temperatures_of_several_hotends() -> None:
    """The active tool first, then bed, then each tool (serial 6)."""
    board = Board(speed=0, profile=Profile(hotends=2))
    board.send("M104 T1 S50", "T1")
    assert board.send("M105") == [
        "ok T:50.00 /50.00 B:23.75 /0.00 T0:23.75 /0.00 T1:50.00 /50.00 @:10 B@:0 @0:0 @1:10"
    ]


def test_m109_reports_with_settle_time() -> None:
    """While heating each second a line with W:?, near the target with seconds (serial 12/#30)."""
    board = Board()
    board.send("M109 S60")
    said = [line for line in board.wait(60) if line.startswith(" T:")]
    assert said[0].endswith("W:?")
    assert any(line.endswith("W:9") for line in said)
    assert board.send("M17") == ["ok"]


def test_m109_s_does_not_wait_for_cooling_but_r_does() -> None:
    """S waits on the way up only, R both ways."""
    board = Board()
    board.send("M109 S100")
    board.wait(60)
    assert board.send("M109 S50") == ["ok"]
    assert "ok" not in board.send("M109 R60")
    assert "ok" in board.wait(400)


def test_m109_without_a_target_does_nothing(board: Board) -> None:
    """No S, no R: only the ok."""
    assert board.send("M109") == ["ok"]


def test_targets_are_limited(board: Board) -> None:
    """M104 S999 heats to MAXTEMP minus the headroom, like Marlin."""
    board.send("M104 S999", "M140 S999")
    assert "/260.00 B:110.00 /110.00" in board.send("M105")[0]


def test_invalid_tools(board: Board) -> None:
    """A tool that does not exist is a remark, and the active one stays (serial 12/#69)."""
    assert board.send("T5") == ["echo:T5 Invalid extruder", "ok"]
    assert board.send("M104 T3 S200") == ["echo:M104 Invalid extruder 3", "ok"]


def test_tool_change_is_announced() -> None:
    """T1 on two hotends."""
    board = Board(speed=0, profile=Profile(hotends=2))
    assert board.send("T1") == ["echo:Active Extruder: 1", "ok"]


def test_m115_identifies_the_printer() -> None:
    """Name, UUID, extruders, capabilities, area, ok (serial 5)."""
    said = Board(profile=Profile(name="left", hotends=2)).send("M115")
    assert said[0].startswith("FIRMWARE_NAME:Marlin bugfix-2.1.x ")
    assert f"EXTRUDER_COUNT:2 UUID:{machine_uuid('left')}" in said[0]
    assert {"Cap:EMERGENCY_PARSER:1", "Cap:AUTOREPORT_TEMP:1", "Cap:SDCARD:0"} <= set(said)
    assert said[-2].startswith("area:{full:{min:{x:0.0000,")
    assert said[-1] == "ok"


def test_uuid_belongs_to_the_name() -> None:
    """The same name gives the same UUID, another name another."""
    assert machine_uuid("a") == machine_uuid("a") != machine_uuid("b")


def test_m118_sends_text_back(board: Board) -> None:
    """Plain, as echo, as a host action."""
    assert board.send("M118 hello") == ["hello", "ok"]
    assert board.send("M118 E1 hello") == ["echo:hello", "ok"]
    assert board.send("M118 A1 P0 action:pause") == ["//action:pause", "ok"]


def test_card_commands_without_a_card(board: Board) -> None:
    """No files, not printing."""
    assert board.send("M20") == ["Begin file list", "End file list", "ok"]
    assert board.send("M27") == ["Not SD printing", "ok"]


def test_percentages(board: Board) -> None:
    """M220 and M221 set, and report without S."""
    board.send("M220 S150", "M221 S95")
    assert board.send("M220") == ["FR:150%", "ok"]
    assert board.send("M221") == ["echo:E0 Flow: 95%", "ok"]


def test_motion_settings(board: Board) -> None:
    """M203 sets limits and reports them; M204 S means printing and travel."""
    board.send("M203 X50", "M204 S500")
    assert board.send("M203")[0] == "echo:  M203 X50.00 Y500.00 Z12.00 E120.00"
    assert board.send("M204")[0] == "echo:  M204 P500.00 R1500.00 T500.00"


def test_level_prints_a_grid(board: Board) -> None:
    """G29 reports a flat bed."""
    said = board.send("G29")
    assert said[0] == "Bilinear Leveling Grid:"
    assert said[-1] == "ok"


def test_m0_waits_for_the_human(board: Board) -> None:
    """A prompt, the text, busy for user; M108 ends it and both get an ok (serial 12/#48)."""
    assert board.send("M0 Change the plate") == [
        "echo:Change the plate",
        "//action:prompt_end",
        "//action:prompt_begin M0 Stop",
        "//action:prompt_button Continue",
        "//action:prompt_show",
    ]
    assert board.wait(3) == ["echo:busy: paused for user"]
    assert board.send("M108") == ["ok", "ok"]


def test_m0_with_patience() -> None:
    """M0 S5 goes on by itself."""
    board = Board()
    board.send("M0 S5")
    assert "ok" in board.wait(6)


def test_m1_is_answered_by_a_button(board: Board) -> None:
    """M876 S0 while the printer blocks is taken at once (serial 12/#46)."""
    board.send_numbered("M1")
    assert board.send("M876 S0") == ["ok", "ok"]


def test_m600_asks_step_by_step() -> None:
    """Pause, park, insert, purge more, continue (serial 12/#47)."""
    board = Board()
    said = board.send("M600")
    assert said[0] == "//action:paused"
    assert "//action:prompt_begin Pause" in said
    said = board.wait(4)
    assert "echo:Insert filament and send M108" in said
    assert "//action:prompt_begin Nozzle Parked" in said
    assert "//action:prompt_begin Paused" in board.send("M876 S0")
    board.send("M876 S0")
    assert "//action:prompt_begin Paused" in board.wait(6)
    said = board.send("M876 S1")
    assert said[:2] == ["//action:prompt_end", "//action:resumed"]
    assert "//action:prompt_begin Resuming" in said  # and it never closes that by itself
    assert said.count("ok") == 4


def test_inactivity_kills_and_heating_is_none() -> None:
    """M85: a machine on which nothing moves for so long stops itself, whatever else it is asked."""
    board = Board(speed=60)
    board.send("M85 S600", "M109 S200", "G1 X1")
    for _ in range(9):
        board.wait(1.0)
        board.send("M105")
    assert not board.firmware.killed
    board.send("G1 X2")
    board.wait(9.0)
    assert not board.firmware.killed
    said = board.wait(2.0)
    assert any("too much inactive time" in line for line in said)
    assert board.firmware.killed


def test_inactivity_that_was_taken_back_kills_nothing() -> None:
    """M85 S0, and a machine that was never told."""
    board = Board(speed=60)
    board.wait(120.0)
    board.send("M85 S60", "M85 S0")
    board.wait(120.0)
    assert not board.firmware.killed

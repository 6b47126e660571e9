"""The main loop: acknowledgement, keepalive, reports, boot, protections (serial 1, 3, 6, 7)."""

import pytest

from bridge.simulator.profile import HeaterFault, Profile
from tests.fakes.board import Board, numbered


def test_boot_text_begins_with_start_and_reason() -> None:
    """After power-up: start, the reason, the version; no ok (serial 1.7)."""
    board = Board()
    assert board.boot_text[:3] == ["start", "PowerUp", "Marlin bugfix-2.1.x"]
    assert "ok" not in board.boot_text


def test_bytes_during_boot_are_swallowed() -> None:
    """The bootloader eats what comes before start (serial 12/#1)."""
    board = Board(profile=Profile(boot_delay_s=1.5))
    assert board.boot_text == []
    assert board.send("M105") == []
    assert board.wait(2)[0] == "start"
    assert board.send("M17") == ["ok"]


def test_moves_are_acknowledged_until_the_planner_is_full() -> None:
    """Fifteen moves fit; the sixteenth waits for the first to end (serial 3)."""
    board = Board()
    assert board.send(*[f"G1 X{x} F60" for x in range(1, 18)]).count("ok") == 15
    assert board.wait(1.5).count("ok") == 1
    assert board.wait(1.0).count("ok") == 1


def test_busy_is_said_while_a_command_blocks() -> None:
    """Every two seconds of blocking, and not for quick commands."""
    board = Board()
    assert board.send("G4 S5") == []
    assert board.wait(5.5) == ["echo:busy: processing", "echo:busy: processing", "ok"]
    assert board.wait(10) == []


def test_busy_interval_is_m113() -> None:
    """M113 sets, reports and switches off the keepalive."""
    board = Board()
    assert board.send("M113") == ["echo:M113 S2", "ok"]
    board.send("M113 S1", "G4 S3.5")
    assert board.wait(4).count("echo:busy: processing") == 3
    board.send("M113 S0", "G4 S10")
    assert board.wait(11) == ["ok"]


def test_busy_keeps_real_time_at_any_speed() -> None:
    """At speed 20 a dwell of 100 s takes 5 s, with the usual number of keepalives."""
    board = Board(speed=20)
    board.send("G4 S100")
    assert board.wait(4.9) == ["echo:busy: processing"] * 2
    assert board.wait(0.2) == ["ok"]


def test_free_running_takes_no_time() -> None:
    """At speed 0 heating, homing, dwelling and moving are done at once."""
    board = Board(speed=0)
    said = board.send("M109 S210", "G28", "G4 S100", "G1 X100 F1", "M400", "M114")
    assert said.count("ok") == 6
    assert said[-2].startswith("X:100.00 Y:0.00 Z:0.00")


def test_advanced_ok_counts_number_planner_and_queue() -> None:
    """`ok N17 P15 B3`; without N for unnumbered lines, and M105 has none of it (serial 3)."""
    board = Board(profile=Profile(advanced_ok=True))
    assert board.send_numbered("G90") == ["ok N1 P15 B3"]
    assert board.send("G1 X10 F60") == ["ok P14 B3"]
    assert board.send("M105")[0].startswith("ok T:")
    assert board.send("M17", "M17", "M17", "M17")[0] == "ok P14 B0"


def test_temperature_report_every_second() -> None:
    """M155 S1 reports with a leading blank and no ok."""
    board = Board()
    board.send("M155 S1")
    said = board.wait(3.5)
    assert said == [" T:23.75 /0.00 B:23.75 /0.00 @:0 B@:0"] * 3
    assert board.send("M155 S0") == ["ok"]
    assert board.wait(5) == []


def test_position_report() -> None:
    """M154 S2 reports the position like M114."""
    board = Board()
    board.send("M154 S2")
    assert board.wait(4.5) == ["X:0.00 Y:0.00 Z:0.00 E:0.00 Count X:0 Y:0 Z:0"] * 2


def test_late_ticks_do_not_make_up_for_missed_reports() -> None:
    """A process that was stopped for a minute says one report, not sixty."""
    board = Board()
    board.send("M155 S1")
    board.now += 60
    board.firmware.tick(board.now)
    board.firmware.tick(board.now)
    assert board.firmware.data_to_send().count(b"T:") <= 2


def test_commands_behind_a_blocking_one_wait_in_order() -> None:
    """Nothing overtakes G4; errors in later lines are answered meanwhile."""
    board = Board()
    board.feed(numbered(1, "G4 S5") + numbered(2, "M118 after"))
    assert board.feed(numbered(9, "M118 wrong"))[1] == "Resend: 3"
    said = [line for line in board.wait(6) if "busy" not in line]
    assert said == ["ok", "after", "ok"]


@pytest.mark.parametrize(
    ("heater", "command", "label"), [("e0", "M109 S200", "E0"), ("bed", "M190 S60", "bed")]
)
def test_broken_heater_fails(heater: str, command: str, label: str) -> None:
    """No progress for the watch period kills: heating failed."""
    board = Board(profile=Profile(heater_faults={heater: HeaterFault.NO_HEAT}))
    board.send(command)
    assert not [line for line in board.wait(39) if line.startswith("Error")]
    said = board.wait(3)
    assert f"Error:Heating failed, system stopped! Heater_ID: {label}" in said
    assert said[-2:] == ["Error:Printer halted. kill() called!", "//action:poweroff"]
    assert board.firmware.killed


def test_broken_heater_fails_when_free_running() -> None:
    """Without time the watch period is over at once."""
    board = Board(speed=0, profile=Profile(heater_faults={"e0": HeaterFault.NO_HEAT}))
    board.send("M109 S200")
    assert "Error:Printer halted. kill() called!" in board.wait(2)


def test_stuck_heater_trips_maxtemp() -> None:
    """A heater that never stops passes its limit and kills."""
    board = Board(profile=Profile(heater_faults={"e0": HeaterFault.STUCK_ON}))
    board.send("M104 S100")
    assert "Error:MAXTEMP triggered, system stopped! Heater_ID: E0" in board.wait(120)


def test_idle_board_asks_for_no_calls() -> None:
    """With nothing on and nothing asked there is no deadline, also after heaters went off."""
    board = Board()
    assert board.firmware.deadline() == float("inf")
    board.send("M104 S50")
    board.send("M104 S0")
    board.wait(2)
    assert board.firmware.deadline() == float("inf")


def test_reset_forgets_everything() -> None:
    """Numbers, position, targets and the command in work are gone; the record shows the reset."""
    board = Board()
    board.send_numbered("G92 X5", "M104 S200", "G4 S100")
    board.executed()
    board.firmware.power_on(board.now)
    board.send("")
    assert board.executed() == ["\t;PowerUp"]
    assert board.feed(numbered(1, "M114"))[0].startswith("X:0.00")

"""Pause and resume with the whole state, and what a pause must never do (serial 9)."""

from dataclasses import replace

import msgspec
import pytest

from bridge.gcode.modal import Modal
from bridge.gcode.pausing import Saved, heat_lines, restore_lines
from bridge.gcode.replies import Position
from schemas.jobs import AttemptState
from schemas.printer import PrinterConfig, PrinterState, Profile
from tests.fakes.host import CONFIG, Host

_S, _A = PrinterState, AttemptState
PARK = {"on_pause": "G91\nG1 Z{min(10, profile.height_mm - last_position.z)}\nM104 S0"}
JOB = (
    b"G90\nM83\nT1\nM220 S90\nM221 S95\nM106 S127\nG1 X5 F1500\n" + b"G1 X1 E1\n" * 3 + b"M0\n"
    b"G1 X2 E1\n"
)


def config(**changes: object) -> PrinterConfig:
    """The fake's configuration with *changes*; two tools."""
    return msgspec.structs.replace(CONFIG, profile=Profile(extruders=2), **changes)


def paused(**changes: object) -> Host:
    """A host whose print has just paused itself at M0."""
    host = Host(config(**changes))
    host.connect()
    host.say(b" T0:20.0 /0.0 T1:210.0 /210.0 B:60.0 /60.0\n")
    host.start(JOB)
    host.go()
    assert host.printer.state is _S.PAUSED
    host.firmware.executed.clear()
    return host


def test_everything_comes_back_after_a_parking_script() -> None:
    """serial 12/#52: position, E far from zero, G90 and M83, tool 1, fan, factors, feedrate."""
    host = paused(scripts=PARK)
    host.say(b" T0:20.0 /0.0 T1:180.0 /0.0 B:60.0 /60.0\n")
    host.printer.order(["T0", "M107", "M220 S100", "G28 X"], "fumbling")
    host.go()
    host.firmware.executed.clear()
    host.printer.resume(host.now)
    host.go()
    assert host.firmware.executed == [
        *(b"M105", b"M400", b"M104 T1 S210", b"M109 T1 S210"),
        *(b"T1", b"G90", b"G1 X10.000 Y20.000 F6000", b"G1 Z0.300 F600", b"G92 E123.45000"),
        *(b"G1 F1500", b"G90", b"M83", b"M106 S127", b"M220 S90"),
        *(b"G1 X2 E1", b"M400"),
    ]
    assert host.attempts[-1] is _A.COMPLETED


def test_the_parking_script_sees_where_it_paused() -> None:
    """`last_position` is the answer to M114 behind M400."""
    host = Host(config(scripts=PARK))
    host.connect()
    host.start(JOB)
    host.go()
    at = host.firmware.executed.index(b"M114")
    assert host.firmware.executed[at - 1 : at + 6] == [
        *(b"M400", b"M114", b"M114", b"M84 S86400", b"G91", b"G1 Z10", b"M104 S0")
    ]


def test_a_pause_that_touches_nothing_restores_nothing() -> None:
    """The next line simply goes on."""
    host = paused()
    host.printer.resume(host.now)
    host.go()
    assert host.firmware.executed[:3] == [b"M105", b"M400", b"G1 X2 E1"]


def test_a_pause_completes_when_the_position_is_never_told() -> None:
    """serial 12/#51: M114's answer is lost; it stays there, for there would be no way back."""
    host = Host(config(scripts=PARK))
    host.connect()
    host.firmware.says[b"M114"] = b""
    host.firmware.stuck = {b"M114"}
    host.start(JOB)
    host.go()
    assert host.states[-1] is _S.PAUSING
    host.firmware.stuck.clear()
    host.wait(30.0)
    assert host.printer.state is _S.PAUSED
    assert "position_unknown" in host.warnings
    assert not {b"G91", b"M104 S0"} & set(host.firmware.executed)
    host.printer.resume(host.now)
    host.go()
    assert not any(line.startswith(b"G1 X10.0") for line in host.firmware.executed)
    assert host.attempts[-1] is _A.COMPLETED


def test_a_damaged_position_is_asked_for_again() -> None:
    """serial 12/#51: an answer that noise has spoilt must not leave the head where it parked."""
    host = Host(config(scripts=PARK))
    host.connect()
    whole, host.firmware.says[b"M114"] = host.firmware.says[b"M114"], b"X:10.00 Y:2\xd00.00\n"
    host.firmware.stuck = {b"M114"}
    host.start(JOB)
    host.go()
    host.say(host.firmware.says[b"M114"] + host.firmware.finish())
    host.firmware.says[b"M114"] = whole
    host.go()
    assert host.printer.state is _S.PAUSED
    host.printer.resume(host.now)
    host.go()
    assert b"G1 X10.000 Y20.000 F6000" in host.firmware.executed
    assert "position_unknown" not in host.warnings


@pytest.mark.parametrize(
    "heard",
    [
        [b"X:10.00 Y:20.00 Z:4.30 E:123.45\n"],
        [b"X:10.00 Y:20.00 Z:0.30 E:123.45\n", b"X:10.00 Y:20.00 Z:0.30 E:923.45\n"],
        [b"X:50.00 Y:20.00 Z:0.30 E:123.45\n", b"X:10.00 Y:60.00 Z:0.30 E:123.45\n"],
    ],
)
def test_a_head_does_not_go_where_a_damaged_answer_says(heard: list[bytes]) -> None:
    """It has no checksum: a place counts once it was said twice, one after the other."""
    host = Host(config(scripts=PARK))
    host.connect()
    whole = host.firmware.says[b"M114"]
    answers = iter([*heard, *[whole] * 9])
    plain = host.firmware.answer

    def damaged(line: bytes) -> bytes:
        if b"M114" in line:
            host.firmware.says[b"M114"] = next(answers)
        return plain(line)

    host.firmware.answer = damaged  # type: ignore[method-assign]
    host.start(JOB)
    host.go()
    assert host.printer.state is _S.PAUSED
    host.printer.resume(host.now)
    host.go()
    back = [b"G1 X10.000 Y20.000 F6000", b"G1 Z0.300 F600", b"G92 E123.45000"]
    at = host.firmware.executed.index(back[0])
    assert host.firmware.executed[at : at + 3] == back
    assert "position_unknown" not in host.warnings


@pytest.mark.parametrize("damaged_at", [1, 2])
def test_a_resume_does_not_heat_to_a_target_that_only_noise_has_set(damaged_at: int) -> None:
    """250 is a target that it could have; what was told twice, one after the other, is kept."""
    host = Host(config(scripts={"on_pause": "M104 T1 S0\nM140 S0"}))
    host.connect()
    plain, heard = host.firmware.answer, 0

    def reports(line: bytes) -> bytes:
        nonlocal heard
        said = plain(line)
        if b"M105" not in line:
            return said
        heard += 1
        if b"M140 S0" in host.firmware.executed:
            return b"ok T0:20.0 /0.0 T1:200.0 /0.0 B:60.0 /0.0\n"
        target = b"250.0" if heard == damaged_at else b"210.0"
        return b"ok T0:20.0 /0.0 T1:210.0 /%b B:60.0 /60.0\n" % target

    host.start(JOB)
    host.firmware.answer = reports  # type: ignore[method-assign]
    host.go()
    assert host.printer.state is _S.PAUSED
    host.printer.resume(host.now)
    host.go()
    assert heard > damaged_at
    heated = [line for line in host.firmware.executed if line.startswith(b"M109 T1")]
    assert heated == [b"M109 T1 S210"]


def test_a_head_stays_where_it_is_while_no_two_answers_agree() -> None:
    """There would be no way back from where it is parked."""
    host = Host(config(scripts=PARK))
    host.connect()
    plain, asked = host.firmware.answer, iter(range(100))

    def never_the_same(line: bytes) -> bytes:
        host.firmware.says[b"M114"] = b"X:%d.00 Y:20.00 Z:0.30 E:1.45\n" % next(asked)
        return plain(line)

    host.firmware.answer = never_the_same  # type: ignore[method-assign]
    host.start(JOB)
    host.go()
    assert host.printer.state is _S.PAUSED
    assert "position_unknown" in host.warnings
    assert b"G91" not in host.firmware.executed


def test_a_resume_does_not_heat_to_what_a_damaged_report_told() -> None:
    """A report has no checksum: 60.00 with its point lost was heated to, as 6000 degrees."""
    host = paused(scripts={"on_pause": "M104 S0"})
    host.say(b" T0:20.0 /0.0 T1:210.0 /21000 B:60.0 /60.0\n")
    host.printer.resume(host.now)
    host.go()
    host.firmware.executed.clear()
    host.start(JOB)
    host.say(b" T0:20.0 /0.0 T1:210.0 /21000 B:60.0 /60.0\n")
    host.go()
    assert host.printer.state is _S.PAUSED
    host.say(b" T0:20.0 /0.0 T1:20.0 /0.0 B:60.0 /60.0\n")
    host.printer.resume(host.now)
    host.go()
    assert not [line for line in host.firmware.executed if b"S21000" in line]


def test_a_place_without_an_extruder_comes_back() -> None:
    """serial 10: Smoothie tells X, Y and Z only; the head must not go on from where it parked."""
    host = Host(config(scripts=PARK))
    host.connect()
    host.firmware.says[b"M114"] = b"C: X:10.0000 Y:20.0000 Z:0.3000\r\n"
    host.start(JOB)
    host.go()
    host.firmware.executed.clear()
    host.printer.resume(host.now)
    host.go()
    at = host.firmware.executed.index(b"G1 X10.000 Y20.000 F6000")
    assert host.firmware.executed[at + 1] == b"G1 Z0.300 F600"
    assert not any(line.startswith(b"G92") for line in host.firmware.executed)
    assert host.attempts[-1] is _A.COMPLETED


def test_a_long_pause_cools_the_nozzles_and_heats_them_again() -> None:
    """safety M23: half an hour, bed kept; the resume waits for the heat."""
    host = paused(pause_heat_s=1800.0)
    host.wait(1799.0)
    assert b"M104 T1 S0" not in host.firmware.executed
    host.wait(2.0)
    assert host.firmware.executed.count(b"M104 T1 S0") == 1
    assert b"M140 S0" not in host.firmware.executed
    assert "pause_cooled" in host.warnings
    host.say(b" T0:20.0 /0.0 T1:60.0 /0.0 B:60.0 /60.0\n")
    host.firmware.executed.clear()
    host.printer.resume(host.now)
    host.go()
    assert host.firmware.executed[2:4] == [b"M104 T1 S210", b"M109 T1 S210"]
    assert host.attempts[-1] is _A.COMPLETED


def test_the_printers_own_pause_moves_nothing_and_ends_with_its_own_word() -> None:
    """serial 12/#45, safety M22: `paused` does not park; `resumed` goes on, while we wait too."""
    host = Host(config(scripts=PARK))
    host.connect()
    host.firmware.stuck = {b"G1"}
    host.start(b"G1 X1\n" * 5)
    host.go()
    host.say(b"//action:paused\n")
    host.say(b"//action:resumed\n")
    host.say(host.firmware.finish())
    host.go()
    assert b"G91" not in host.firmware.executed
    assert host.attempts[-1] is _A.COMPLETED
    assert _S.PAUSED in host.states


def test_inches_go_back_to_inches() -> None:
    """The place is told in mm."""
    was = Modal()
    was.inches = True
    lines = restore_lines(Saved(was, {}, Position(1, 2, 3, 4), moved=True), was.copy())
    assert lines[0] == b"G21"
    assert lines.index(b"G92 E4.00000") < lines.index(b"G20")


@pytest.mark.parametrize(
    ("kept", "now", "lines"),
    [
        ({"bed": 60.0}, {"bed": 60.0}, []),
        ({"bed": 60.0}, {}, [b"M140 S60", b"M190 S60"]),
        ({"tool0": 200.0}, {"tool0": 150.0}, [b"M104 T0 S200", b"M109 T0 S200"]),
        ({"chamber": 45.0}, {}, [b"M141 S45", b"M191 S45"]),
        ({"tool0": 200.0}, {"tool0": 230.0}, []),
    ],
)
def test_only_what_is_cooler_is_heated_again(
    kept: dict[str, float], now: dict[str, float], lines: list[bytes]
) -> None:
    """An operator's hotter choice stays."""
    assert heat_lines(Saved(Modal(), kept), now) == lines


def test_filament_change_without_a_way_to_answer_is_the_hosts_pause() -> None:
    """serial 12/#48: M600 would block the connection where no M108 gets through."""
    host = Host(config(), m115=b"FIRMWARE_NAME:Marlin 2.1 UUID:1\nCap:EMERGENCY_PARSER:0\n")
    host.connect()
    host.start(b"G1 X1\nM600\nG1 X2\n")
    host.go()
    assert host.printer.state is _S.PAUSED
    assert b"M600" not in host.firmware.executed
    assert "filament_change" in host.warnings
    host.printer.resume(host.now)
    host.go()
    assert host.printed == [b"G1 X1", b"G1 X2"]


def test_filament_change_is_the_firmwares_where_it_can_be_answered() -> None:
    """serial 12/#47: half an hour of `paused for user` is no timeout, and both prompts show."""
    host = Host(config())
    host.connect()
    host.firmware.stuck = {b"M600"}
    host.start(b"G1 X1\nM600\nG1 X2\n")
    host.go()
    host.say(b"//action:prompt_begin Nozzle Parked\n//action:prompt_button Continue\n")
    host.say(b"//action:prompt_show\n")
    for _ in range(900):
        host.say(b"echo:busy: paused for user\n")
        host.wait(2.0)
    host.say(b"//action:prompt_end\n//action:prompt_begin HeaterTimeout\n")
    host.say(b"//action:prompt_button Reheat\n//action:prompt_show\n")
    host.go()
    prompt = host.printer.link.status.prompt
    assert prompt is not None
    assert (prompt.text, prompt.buttons) == ("HeaterTimeout", ["Reheat"])
    assert host.warnings.count("printer_asks") == 2
    host.printer.order(["M876 S0"], "answer")
    host.go()
    assert b"M876 S0" in host.firmware.heard
    host.say(host.firmware.finish())
    host.go()
    assert host.attempts[-1] is _A.COMPLETED


def test_saved_state_is_a_value() -> None:
    """What is kept does not change with the firmware's later modes."""
    modal = Modal()
    saved = replace(Saved(modal.copy(), {}), moved=True)
    modal.apply(b"G91")
    assert saved.modal.absolute


def test_a_cancel_ends_a_filament_change_however_often_it_asks() -> None:
    """serial 12/#47: unloaded, loaded, purged: each waits for a person, and none may hold it up."""
    host = Host(config())
    host.connect()
    host.firmware.stuck = {b"M600", b"M108"}  # heard early, answered in its turn
    host.start(b"G1 X1\nM600\nG1 X2\n")
    host.go()
    host.say(b"//action:paused\necho:busy: paused for user\n")
    host.go()
    host.printer.cancel(host.now)
    host.go()
    host.say(b"echo:busy: paused for user\n")
    host.go()
    assert host.firmware.heard.count(b"M108") == 2
    for _ in range(100):  # one that hears none of them: what it does not read stays in its ring
        host.say(b"echo:busy: paused for user\n")
        host.go()
    assert host.firmware.heard.count(b"M108") == 8
    host.say(host.firmware.finish())
    host.go()
    assert b"M104 T0 S0" in host.firmware.executed
    assert host.attempts[-1] is _A.CANCELLED


def test_a_pause_behind_a_resume_that_has_brought_nothing_back_keeps_its_state() -> None:
    """It stood in the parking place with a cold nozzle still: that is not where it printed."""
    host = paused(scripts=PARK)
    host.say(b" T0:20.0 /0.0 T1:180.0 /0.0 B:60.0 /60.0\n")
    host.firmware.says[b"M114"] = b"X:10.00 Y:20.00 Z:10.30 E:123.45 Count X:0 Y:0 Z:0\n"
    host.printer.resume(host.now)
    host.printer.pause(host.now)
    host.go()
    assert host.printer.state is _S.PAUSED
    assert b"G1 Z10" not in host.firmware.executed
    host.firmware.executed.clear()
    host.printer.resume(host.now)
    host.go()
    assert b"M109 T1 S210" in host.firmware.executed
    assert b"G1 Z0.300 F600" in host.firmware.executed
    assert host.attempts[-1] is _A.COMPLETED


def test_a_pause_while_a_resume_heats_finds_the_place_again() -> None:
    """What brings it back goes on; then it pauses anew from where it printed."""
    host = paused(scripts=PARK)
    host.say(b" T0:20.0 /0.0 T1:180.0 /0.0 B:60.0 /60.0\n")
    host.firmware.stuck = {b"M109"}
    host.printer.resume(host.now)
    host.go()
    assert b"M109 T1 S210" in host.firmware.executed
    host.printer.pause(host.now)
    host.go()
    host.firmware.executed.clear()
    host.say(host.firmware.finish())
    host.go()
    assert host.states[-1] is _S.PAUSED
    ran = host.firmware.executed
    assert ran.index(b"G1 Z0.300 F600") < ran.index(b"M114") < ran.index(b"G1 Z10")


@pytest.mark.parametrize(
    ("dialect", "mode"),
    [
        *((name, b"M82") for name in ("marlin", "prusa-buddy", "smoothie")),
        *((name, b"M83") for name in ("marlin-1.0", "marlin-1.1", "prusa", "reprapfirmware")),
        *((name, b"M83") for name in ("repetier", "klipper", "teacup", "sprinter")),
    ],
)
def test_the_extruder_goes_on_as_this_family_had_it(dialect: str, mode: bytes) -> None:
    """Behind `M83` and `G90` some extrude relatively still: told otherwise, they pull all out."""
    host = Host(config(scripts=PARK, dialect=dialect))
    host.connect()
    host.start(b"M83\nG91\nG90\nG1 X1 E1 F1500\nM0\nG1 X2 E1\n")
    host.go()
    host.firmware.executed.clear()
    host.printer.resume(host.now)
    host.go()
    assert [line for line in host.firmware.executed if line in (b"M82", b"M83")] == [mode]
    assert host.attempts[-1] is _A.COMPLETED


@pytest.mark.parametrize("fan", [b"M106 S0.5", b"M106 S127", b"M106 S255", b"M106 S33.5"])
def test_the_fan_comes_back_as_the_file_has_set_it(fan: bytes) -> None:
    """RepRapFirmware takes a number up to 1 for a share: rounded, its fan stayed off."""
    host = Host(config(scripts=PARK))
    host.connect()
    host.start(fan + b"\nG1 X1 F1500\nM0\nG1 X2\n")
    host.go()
    host.firmware.executed.clear()
    host.printer.resume(host.now)
    host.go()
    assert fan in host.firmware.executed


_DAY, _KLIPPERS_DAY = b"M84 S86400", b"SET_IDLE_TIMEOUT TIMEOUT=86400"


@pytest.mark.parametrize(
    ("dialect", "holds", "ends"),
    [
        *((name, [_DAY], []) for name in ("marlin", "marlin-1.0", "marlin-1.1", "sprinter")),
        *((name, [_DAY], []) for name in ("prusa", "prusa-buddy", "repetier")),
        ("klipper", [_KLIPPERS_DAY], [b"SET_IDLE_TIMEOUT"]),
        *((name, [], []) for name in ("reprapfirmware", "smoothie", "teacup", "malyan", "chitu")),
    ],
)
@pytest.mark.parametrize("scripts", [{}, PARK])
@pytest.mark.parametrize("goes_on", [True, False])
def test_the_motors_hold_as_long_as_the_pause_takes(
    dialect: str, holds: list[bytes], ends: list[bytes], scripts: dict[str, str], goes_on: bool
) -> None:
    """After two minutes Marlin lets go of what rests (DEFAULT_STEPPER_TIMEOUT_SEC), Klipper of
    the place as well (idle_timeout): who changes filament moves the head, and so the print.
    """
    host = Host(config(scripts=scripts, dialect=dialect))
    host.connect()
    host.start(JOB)
    host.go()
    ran = host.firmware.executed
    assert host.printer.state is _S.PAUSED
    assert [line for line in ran if line.startswith((b"M84", b"SET_IDLE"))] == holds
    ran.clear()
    if goes_on:
        host.printer.resume(host.now)
    else:
        host.printer.cancel(host.now)
    host.go()
    ended = [line for line in ran if line.startswith((b"M84 S", b"SET_IDLE"))]
    assert ended == ends
    assert host.attempts[-1] is (_A.COMPLETED if goes_on else _A.CANCELLED)


@pytest.mark.parametrize("scripts", [{}, PARK])
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_long_pause_is_no_inactivity(scripts: dict[str, str], goes_on: bool) -> None:
    """Behind M85 in its file Marlin kills itself when nothing has moved for so long: a change of
    filament that took longer ended the print. What the file has asked for holds again behind it."""
    host = Host(config(scripts=scripts))
    host.connect()
    host.start(b"M85 S600\n" + JOB)
    host.go()
    assert host.printer.state is _S.PAUSED
    ran = host.firmware.executed
    assert [line for line in ran if line.startswith(b"M85")] == [b"M85 S600", b"M85 S0"]
    if goes_on:
        host.printer.resume(host.now)
    else:
        host.printer.cancel(host.now)
    host.go()
    assert [line for line in ran if line.startswith(b"M85")][2:] == [b"M85 S600"]
    assert host.attempts[-1] is (_A.COMPLETED if goes_on else _A.CANCELLED)


@pytest.mark.parametrize(("line", "code"), [(b"M0", "file_pause"), (b"M600", "filament_change")])
def test_a_pause_before_the_files_own_leaves_that_where_it_is(line: bytes, code: str) -> None:
    """The file is read far ahead: whoever paused in between had the change of filament left out."""
    host = Host(config(), m115=b"FIRMWARE_NAME:Marlin 2.1 UUID:1\nCap:EMERGENCY_PARSER:0\n")
    host.connect()
    host.firmware.stuck = {b"G28"}
    host.start(b"G28\nG1 X1\nG1 X2\n" + line + b"\nG1 X3\n")
    host.go()
    host.printer.pause(host.now)
    host.say(host.firmware.finish())
    host.go()
    assert (host.printer.state, host.printed) == (_S.PAUSED, [b"G28"])
    host.printer.resume(host.now)
    host.go()
    assert (host.printer.state, host.printed[-1]) == (_S.PAUSED, b"G1 X2")
    assert host.warnings == [code]
    host.printer.resume(host.now)
    host.go()
    assert host.attempts[-1] is _A.COMPLETED


def test_a_pause_that_ends_at_the_files_own_is_told_behind_its_resume() -> None:
    """The lines in flight ran up to the place: it comes back, and then it is the file's turn."""
    host = Host(config(scripts=PARK))
    host.connect()
    host.firmware.stuck = {b"G28"}
    host.start(b"G1 X1\nG28\nM0\nG1 X3\n")
    host.go()
    host.printer.pause(host.now)
    host.say(host.firmware.finish())
    host.go()
    assert (host.printer.state, host.warnings) == (_S.PAUSED, [])
    host.printer.resume(host.now)
    host.go()
    assert (host.printer.state, host.warnings) == (_S.PAUSED, ["file_pause"])
    host.printer.resume(host.now)
    host.go()
    assert host.attempts[-1] is _A.COMPLETED

"""What the printer itself says and does: errors, tools, stops, heat, reports (serial 6 and 7)."""

import msgspec
import pytest

from bridge.gcode.dialects import STOP_BYTES
from bridge.gcode.happenings import OrderDone
from bridge.gcode.picture import picture
from bridge.gcode.replies import parse
from bridge.gcode.temperatures import Temperatures
from schemas.jobs import AttemptState
from schemas.printer import PrinterConfig, PrinterState
from tests.fakes.host import CONFIG, Host

_S, _A = PrinterState, AttemptState
CUBE = b"".join(b"G1 X%d Y1\n" % index for index in range(50))
BLIND = b"FIRMWARE_NAME:Marlin 2.1 UUID:1\nCap:EMERGENCY_PARSER:0\n"
OLD = b"FIRMWARE_NAME:Marlin 1.1.9\n"


def connected(m115: bytes | None = None, **changes: object) -> Host:
    """A connected host, configured with *changes*."""
    config: PrinterConfig = msgspec.structs.replace(CONFIG, **changes)
    host = Host(config) if m115 is None else Host(config, m115=m115)
    host.connect()
    host.happened.clear()
    return host


def printing(**changes: object) -> Host:
    """A host in the middle of a print: one line is in flight."""
    host = connected(None, **changes)
    host.firmware.stuck = {b"G1"}
    host.start(CUBE)
    host.go()
    return host


# --- tools and unknown commands ---------------------------------------------------------------


def test_a_tool_that_is_not_there_is_warned_of_and_given_back() -> None:
    """serial 12/#69: what follows goes to the tool that the firmware has kept."""
    host = connected()
    host.firmware.says[b"T5"] = b"echo:T5 Invalid extruder\n"
    host.start(b"T0\nG1 X1\nT5\nG1 X2\n")
    host.go()
    assert host.warnings == ["invalid_tool"]
    assert b"T0" in host.firmware.executed[host.firmware.executed.index(b"T5") :]
    assert host.attempts[-1] is _A.COMPLETED
    assert host.printer.modal.tool == 0


def test_unknown_commands_are_told_once_each() -> None:
    """serial 12/#34: a file full of them is no flood of messages."""
    host = connected()
    host.firmware.says[b"M999999"] = b'echo:Unknown command: "M999999"\n'
    host.start(b"M999999\n" * 500 + b"G1 X1\n")
    host.go()
    assert host.warnings == ["firmware_unknown_command"]
    assert host.attempts[-1] is _A.COMPLETED


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "state", "code"),
    [
        (b"Error:0\n: Extruder switched off. MAXTEMP triggered !\n", _S.HALTED, "firmware_thermal"),
        (
            b"Error:Printer stopped due to errors. Fix the error and use M999\nok\nok\n",
            _S.ERROR,
            "firmware_stopped",
        ),
        (b"Error:Homing Failed\n", _S.ERROR, "firmware_homing"),
        (b"INT4\n", _S.ERROR, "firmware_power_panic"),
        (b"!! MCU 'mcu' shutdown: Timer too close\nok\n", _S.HALTED, "firmware_killed"),
    ],
)
def test_each_kind_of_fatal_error_ends_the_print_by_its_policy(
    said: bytes, state: PrinterState, code: str
) -> None:
    """serial 12/#35 to #37: also split over two lines; oks behind it move nothing."""
    host = printing()
    before = len(host.firmware.heard)
    host.say(said)
    host.wait(60.0)
    assert (host.states[-1], host.warnings) == (state, [code])
    assert host.attempts[-1] is _A.FAILED
    assert len(host.firmware.heard) == before


def test_silence_behind_a_kill_is_no_timeout() -> None:
    """serial 12/#38: it was halted and says no more."""
    host = printing()
    host.say(b"echo:M112 Shutdown\nError:Printer halted. kill() called!\n//action:poweroff\n")
    host.wait(3600.0)
    assert host.states[-1] is _S.HALTED
    assert host.warnings == ["firmware_killed"]


def test_klippers_error_before_its_ok_is_shown_and_counted_once() -> None:
    """serial 12/#71: a skipped move is told; the print goes on."""
    host = connected(b"FIRMWARE_NAME:Klipper FIRMWARE_VERSION:v0.12\n")
    host.firmware.says[b"G1 X9"] = b"!! Must home axis first: 9 0 0\n"
    host.start(b"G1 X8\nG1 X9\nG1 X10\n")
    host.go()
    assert host.warnings == ["firmware_not_homed"]
    assert not host.printer.position_known
    assert host.attempts[-1] is _A.COMPLETED


def test_the_reason_of_a_reset_is_told() -> None:
    """serial 1: brown-out, watchdog and a cable are different repairs."""
    host = printing()
    host.now += 60.0
    host.say(b"start\nBrown out Reset\n")
    host.go()
    assert host.warnings == ["printer_reset", "reset_reason"]


# --- stop and cancel ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("m115", "reach", "warned"),
    [(None, "at_once", False), (BLIND, "in_turn", True), (OLD, "unknown", True)],
)
def test_a_stop_says_whether_the_firmware_can_obey(
    m115: bytes | None, reach: str, warned: bool
) -> None:
    """safety M06: without an emergency parser a power switch may be needed, and that is said."""
    host = connected(m115)
    assert picture(host.printer, host.now, port=None, baud=None).stop_reach == reach
    host.printer.halt("stopped", host.now)
    assert host.printer.take(host.now).startswith(STOP_BYTES)
    host.happened += host.printer.events()
    assert ("stop_uncertain" in host.warnings) is warned


def test_a_family_is_stopped_in_its_own_way() -> None:
    """serial 10: Smoothie obeys ^X in the middle of everything."""
    host = connected(b"FIRMWARE_NAME:Smoothieware, X-SOURCE:y\n")
    host.printer.halt("stopped", host.now)
    assert host.printer.take(host.now) == b"\x18" + STOP_BYTES


def test_a_quick_stop_loses_the_position_and_says_so() -> None:
    """serial 12/#50: M410 past the queue, then the cancel script."""
    host = printing(cancel_policy="quick_stop")
    host.printer.cancel(host.now)
    host.go()
    assert b"M410" in host.firmware.heard
    host.say(host.firmware.finish())
    host.go()
    assert host.attempts[-1] is _A.CANCELLED
    assert not picture(host.printer, host.now, port=None, baud=None).position_known
    host.firmware.stuck.clear()
    host.start(b"G28\nG1 X1\n", "G2")
    host.go()
    assert host.printer.position_known


def test_a_failed_job_has_a_script_of_its_own() -> None:
    """With the reason in it."""
    host = printing(scripts={"on_error": "M117 {reason}", "on_cancel": "M84"})
    host.printer.fail("gate_refused", "line 7; bad*", host.now)
    host.say(host.firmware.finish())
    host.go()
    assert host.firmware.executed[-1] == b"M117 line 7  bad"


def test_a_script_runs_when_the_connection_is_made() -> None:
    """serial 9: and its modes are remembered."""
    host = connected(scripts={"on_connect": "G91\nM220 S80"})
    assert b"M220 S80" in host.firmware.executed
    assert (host.printer.modal.absolute, host.printer.modal.feed_percent) == (False, 80.0)


# --- factors -----------------------------------------------------------------------------------


def test_factors_change_in_mid_print_and_show() -> None:
    """Feed and flow go between two lines; the picture has them and the fan."""
    host = printing()
    host.printer.order(["M220 S150"], "feed")
    host.printer.order(["M221 S95"], "flow")
    host.printer.order(["M106 S255"], "fan")
    host.say(host.firmware.finish())
    host.go()
    assert OrderDone("flow") in host.happened
    live = picture(host.printer, host.now, port=None, baud=None)
    assert (live.feed_percent, live.flow_percent, live.fan_percent) == (150, 95, 100)


def test_layer_height_and_feedrate_show() -> None:
    """From the slicer's comments and the moves that are acknowledged."""
    host = connected()
    host.firmware.stuck = {b"M84"}
    host.start(b";LAYER_CHANGE\n;Z:0.3\nG1 X1 F1800\n;LAYER_CHANGE\n;Z:0.5\nG1 X2\nM84\n")
    host.printer.expect(100.0, 2)
    host.go()
    live = picture(host.printer, host.now, port=None, baud=None)
    assert live.progress is not None
    assert (live.progress.layer, live.progress.layers, live.z_mm) == (2, 2, 0.5)
    assert live.feedrate_mm_s == 30.0


@pytest.mark.parametrize(
    ("m115", "heard"),
    [(OLD, True), (BLIND, True), (b"FIRMWARE_NAME:Marlin V1; Sprinter/grbl mashup\n", False)],
)
def test_a_wait_for_heat_ends_by_m108_wherever_the_firmware_reads_on(
    m115: bytes, heard: bool
) -> None:
    """serial 7, 12/#31: Marlin takes lines in while it heats, also without emergency parser."""
    host = connected(m115)
    host.firmware.stuck = {b"M109"}
    host.start(b"M109 S200\n" + CUBE)
    host.go()
    host.printer.cancel(host.now)
    host.go()
    assert (b"M108" in host.firmware.heard) is heard


# --- prompts -----------------------------------------------------------------------------------


def test_a_question_is_shown_while_it_is_open() -> None:
    """serial 12/#46: with its buttons in order, which are the numbers of the answers."""
    host = connected()
    host.say(b"//action:prompt_begin Filament?\n//action:prompt_button Yes\n")
    host.say(b"//action:prompt_button No|M108\n//action:prompt_show\n")
    host.go()
    prompt = picture(host.printer, host.now, port=None, baud=None).prompt
    assert prompt is not None
    assert prompt.buttons == ["Yes", "No"]
    host.say(b"//action:prompt_end\n")
    assert picture(host.printer, host.now, port=None, baud=None).prompt is None


# --- reports -----------------------------------------------------------------------------------


def test_reports_are_ordered_where_they_exist_and_polled_where_they_stop() -> None:
    """serial 6: M155 and M154; a firmware that falls silent is asked."""
    host = connected(b"FIRMWARE_NAME:Marlin 2.1\nCap:AUTOREPORT_TEMP:1\nCap:AUTOREPORT_POS:1\n")
    assert host.firmware.executed[-2:] == [b"M155 S1", b"M154 S5"]
    host.firmware.executed.clear()
    for _ in range(20):
        host.say(b" T:20.0 /0.0 B:20.0 /0.0 @:0 B@:0\n")
        host.wait(1.0)
    assert b"M105" not in host.firmware.executed
    host.wait(30.0)
    assert host.firmware.executed.count(b"M105") >= 3
    assert host.printer.state is _S.OPERATIONAL


@pytest.mark.parametrize(
    ("reports", "heat", "stale_s"), [(True, 200.0, 3.0), (False, 200.0, 6.0), (False, 0.0, 15.0)]
)
def test_old_temperatures_are_flagged(reports: bool, heat: float, stale_s: float) -> None:
    """safety M21: three missed reports, however often they come."""
    host = connected(b"FIRMWARE_NAME:Marlin 2.1\nCap:AUTOREPORT_TEMP:%d\n" % reports)
    host.say(b" T:%.1f /%.1f B:60.0 /0.0 @:0 B@:0\n" % (heat, heat))
    host.now += stale_s
    assert not picture(host.printer, host.now, port=None, baud=None).temps_stale
    host.now += 0.2
    assert picture(host.printer, host.now, port=None, baud=None).temps_stale


def test_a_hot_printer_that_falls_silent_is_told() -> None:
    """safety M21: somebody should look."""
    host = connected()
    host.say(b" T:200.0 /200.0 B:60.0 /60.0 @:0 B@:0\n")
    host.firmware.answer = lambda line: b""  # type: ignore[method-assign]
    host.now += 16.0
    assert picture(host.printer, host.now, port=None, baud=None).temps_stale
    host.now += 60.0
    host.printer.tick(host.now)
    host.happened += host.printer.events()
    assert "temperature_silent" in host.warnings


def test_both_temperature_formats_in_one_session() -> None:
    """serial 12/#53: odd numbers are kept out of every graph."""
    host = connected()
    host.say(b"ok T:20.1 /0.0 B:25/0 @:0 B@:0\n")
    host.say(b"T0: 21.5 /210 T1:nan /0.0 B:-3.5 /60.0 @0:0\n")
    host.say(b" T:inf /210.00 @:127\n")
    temps = host.printer.link.status.temperatures
    assert (temps["tool0"].actual_c, temps["tool0"].target_c) == (21.5, 210.0)
    assert temps["tool1"].actual_c is None
    assert temps["bed"].actual_c == -3.5
    (report,) = parse("TargetExtr0:200")
    assert isinstance(report, Temperatures)


# --- heat --------------------------------------------------------------------------------------


def test_heat_without_a_job_ends_with_its_lease() -> None:
    """safety M01, M04: fifteen minutes, told, and off."""
    host = connected()
    host.say(b" T:200.0 /200.0 B:60.0 /60.0 @:0 B@:0\n")
    host.printer.tick(host.now)
    assert picture(host.printer, host.now, port=None, baud=None).heat_lease_s == 900.0
    for _ in range(899):
        host.say(b" T:200.0 /200.0 B:60.0 /60.0 @:0 B@:0\n")
        host.wait(1.0)
    assert b"M104 S0" not in host.firmware.executed
    host.wait(2.0)
    assert host.firmware.executed.count(b"M104 S0") == 1
    assert "heat_lease" in host.warnings


def test_who_sets_a_target_renews_the_lease() -> None:
    """It counts from the last wish, not from the first."""
    host = connected()
    host.say(b" T:200.0 /200.0 B:60.0 /60.0 @:0 B@:0\n")
    host.printer.tick(host.now)
    host.now += 800.0
    host.printer.order(["M104 S200"], "again")
    host.printer.tick(host.now)
    assert host.printer.lease.left_s(host.now) == 900.0


def test_a_reboot_forgets_the_modes() -> None:
    """What the firmware remembers is what it says after its start."""
    host = connected(scripts={})
    host.printer.order(["G91", "M83"], "modes")
    host.go()
    assert not host.printer.modal.absolute
    host.now += 60.0
    host.firmware.last = 0
    host.say(b"start\n")
    host.wait(2.0)
    assert host.printer.modal.absolute


def test_a_runaway_stops_the_machine() -> None:
    """safety M21: M112, latched, with the heater in the text."""
    host = printing()
    written = b""
    for _ in range(70):
        host.say(b" T:22.0 /210.0 B:60.0 /60.0 @:127 B@:0\n")
        written += host.printer.take(host.now)
        host.now += 1.0
    host.happened += host.printer.events()
    assert b"\nM112\n" in written
    assert host.states[-1] is _S.HALTED
    assert "thermal_fault" in host.warnings
    assert "tool0" in (host.printer.error or "")


@pytest.mark.parametrize("buttons", [b"", b"//action:prompt_button Dismiss\n"])
def test_what_can_only_be_dismissed_is_no_question(buttons: bytes) -> None:
    """serial 7: Marlin tells `Resuming` in a prompt; nobody has to come for that."""
    host = printing()
    host.say(b"//action:prompt_begin Resuming\n" + buttons + b"//action:prompt_show\n")
    host.happened += host.printer.events()
    assert "printer_says" in host.warnings
    assert "printer_asks" not in host.warnings


# --- the greeting ------------------------------------------------------------------------------


def test_a_boot_text_with_noise_before_it_is_recognised() -> None:
    """serial 12/#4: NULs and bootloader bytes."""
    host = connected()
    host.now += 60.0
    host.firmware.last = 0
    host.say(b"\x00\xff\xfestart\nPowerUp\n")
    host.wait(2.0)
    assert host.firmware.executed.count(b"M115") == 2
    assert host.printer.state is _S.OPERATIONAL


def test_a_half_line_left_in_the_printer_is_ended_first() -> None:
    """serial 12/#43: the hello begins with a line feed."""
    host = Host()
    host.firmware.receive(b"N7 G1 X1")
    host.connect()
    assert not host.printed


def test_a_nozzle_that_cools_while_a_person_changes_filament_is_no_runaway() -> None:
    """serial 7: Marlin lets it cool after 45 s and tells its target still; behind it all counts."""
    host = connected()
    host.firmware.stuck = {b"M600"}
    host.say(b" T:210.0 /210.0 B:60.0 /60.0\n")
    host.start(b"G1 X1 F1500\nM600\nG1 X2 E1\n")
    host.go()
    host.say(b"//action:paused\n")
    for second in range(600):
        host.now += 1.0
        host.say(b" T:%.1f /210.0 B:60.0 /60.0\n" % max(25.0, 210.0 - second))
        host.say(b"echo:busy: paused for user\n")
    host.go()
    assert host.printer.state is _S.PAUSING
    host.say(host.firmware.finish())
    host.go()
    for _ in range(70):
        host.now += 1.0
        host.say(b" T:25.0 /210.0 B:60.0 /60.0\n")
    host.go()
    assert host.states[-1] is _S.HALTED


def test_a_filament_change_at_the_panel_lets_the_nozzle_cool_too() -> None:
    """Nothing of ours waits for the person; a while after the last word the watch is back."""
    host = connected()
    for second in range(300):
        host.now += 1.0
        host.say(b" T:%.1f /210.0 B:60.0 /60.0\n" % max(25.0, 210.0 - second))
        host.say(b"echo:busy: paused for user\n")
    assert host.printer.state is _S.OPERATIONAL
    for _ in range(130):
        host.now += 1.0
        host.say(b" T:25.0 /210.0 B:60.0 /60.0\n")
    host.go()
    assert host.states[-1] is _S.HALTED


def test_a_jam_that_repetier_asks_to_pause_for_pauses() -> None:
    """serial 10: it asks in words of its own, and leaves it to the host to stop sending."""
    host = printing(dialect="repetier")
    host.say(b"// action:out_of_filament T0\nRequestPause:Extruder Jam Detected!\n")
    host.go()
    host.say(host.firmware.finish())
    host.go()
    assert host.states[-1] is _S.PAUSED
    assert "printer_says" in host.warnings
    sent = len(host.printed)
    host.say(b"RequestContinue:\n")
    host.go()
    assert host.attempts[-1] is _A.COMPLETED
    assert sent < len(host.printed) == 50


def test_nothing_moves_behind_a_homing_that_repetier_says_has_failed() -> None:
    """serial 7: the head would be driven by a place that is not its own."""
    host = printing(dialect="repetier")
    sent = len(host.printed)
    host.say(b"RequestPause:Homing failed!\n")
    host.go()
    assert host.attempts[-1] is _A.FAILED
    assert not host.printer.position_known
    assert len(host.printed) == sent

"""A printer's life: connecting, printing, pausing, ending, failing."""

import pytest

from bridge.errors import GateRefusal, LocalProtocolError
from bridge.gcode.connection import POLL_IDLE_S
from bridge.gcode.dialects import STOP_BYTES
from bridge.gcode.happenings import AttemptMoved, Identified, OrderDone, OrderLost
from bridge.gcode.picture import picture
from bridge.gcode.run import JobFacts
from bridge.gcode.stopping import STOP_AGAIN_S, STOPS
from schemas.jobs import AttemptState
from schemas.printer import PrinterConfig, PrinterState, Profile, Temperature
from tests.fakes.host import CONFIG, Host

_S, _A = PrinterState, AttemptState
CUBE = b"".join(b"G1 X%d Y1\n" % index for index in range(50))
LINES = CUBE.splitlines()


@pytest.fixture
def host() -> Host:
    """A connected printer, with an empty record."""
    host = Host()
    host.connect()
    host.happened.clear()
    return host


def test_connecting_identifies_and_asks_for_reports() -> None:
    """Greeting, M115, temperatures by the firmware itself; nothing moves."""
    host = Host()
    host.connect()
    assert host.states == [_S.CONNECTING, _S.OPERATIONAL]
    assert host.firmware.executed == [b"M110 N0", b"M115", b"M113", b"M155 S1"]
    (identity,) = [one for one in host.happened if isinstance(one, Identified)]
    assert (identity.name, identity.uuid) == ("Marlin 2.1 (fake)", "11-22")
    assert identity.capabilities == {
        "AUTOREPORT_TEMP": True,
        "EMERGENCY_PARSER": True,
        "SDCARD": False,
    }


def test_a_firmware_without_reports_is_polled() -> None:
    """serial 6: M105, never more than one outstanding."""
    host = Host(PrinterConfig(id=1, slug="", name="", port_id="", dialect="teacup"))
    host.firmware.answer = lambda line: b"ok\n" if line else b""  # type: ignore[method-assign]
    host.connect()
    host.wait(3 * POLL_IDLE_S)
    lines = host.printer.link.stream.out.top
    assert 5 <= lines <= 7  # M115 twice, what its card does, and three polls


def test_m115_without_an_answer_does_not_block() -> None:
    """serial 12/#9: connected without it, and used when it comes."""
    host = Host()
    host.firmware.stuck = {b"M115"}
    host.printer.opened(host.now, boots=False, lossless=True)
    host.go()
    assert host.states == [_S.CONNECTING]
    host.wait(6.0)
    assert host.states == [_S.CONNECTING, _S.OPERATIONAL]
    host.say(b"Cap:AUTOREPORT_TEMP:1\n" + host.firmware.finish())
    host.go()
    assert host.firmware.executed[-1] == b"M155 S1"


def test_a_print_runs_every_line_once_and_ends_after_the_queue_has_drained(host: Host) -> None:
    """serial 9: the end is the answer to M400, not the last `ok`."""
    host.firmware.stuck = {b"M400"}
    host.start(CUBE)
    host.go()
    assert host.printed == LINES
    assert host.states == [_S.STARTING, _S.PRINTING, _S.FINISHING]
    assert host.attempts == [_A.STARTED]
    host.say(host.firmware.finish())
    host.go()
    assert host.states[-1] is _S.OPERATIONAL
    assert host.attempts == [_A.STARTED, _A.COMPLETED]
    (_, ended) = [one for one in host.happened if isinstance(one, AttemptMoved)]
    assert ended.progress is not None
    assert (ended.progress.completion, ended.progress.lines) == (100.0, 50)


def test_a_heating_job_is_starting_until_its_first_line_is_done(host: Host) -> None:
    """No state is shown that the printer has not reported."""
    host.firmware.stuck = {b"M109"}
    host.start(b"M109 S200\n" + CUBE)
    host.go()
    assert host.states == [_S.STARTING]
    assert host.attempts == [_A.STARTED]
    host.say(host.firmware.finish())
    host.go()
    assert host.states[1] is _S.PRINTING


def test_a_second_print_on_the_same_connection_begins_at_nothing(host: Host) -> None:
    """The line that was acknowledged last is none of its lines: not its progress either."""
    host.start(CUBE)
    host.go()
    assert host.attempts == [_A.STARTED, _A.COMPLETED]
    host.firmware.stuck = {b"M109"}
    host.start(b"M109 S200\n" + CUBE, grant="g2")
    progress = host.printer.progress(host.now)
    assert progress is not None
    assert (progress.file_bytes, progress.lines) == (0, 0)
    host.go()
    progress = host.printer.progress(host.now)
    assert progress is not None
    assert (progress.file_bytes, progress.lines) == (0, 0)


def test_a_pause_is_at_a_line_boundary_and_resumes_with_the_next_line(host: Host) -> None:
    """serial 9: in between nothing of the job is sent, and nothing twice."""
    host.firmware.stuck = {b"G1"}
    host.start(CUBE)
    host.go()
    host.printer.pause(host.now)
    host.go()
    assert host.printer.state is _S.PAUSING
    host.say(host.firmware.finish())
    host.go()
    assert host.states[-2:] == [_S.PAUSING, _S.PAUSED]
    done = len(host.printed)
    assert host.firmware.executed[-4:] == [b"M400", b"M114", b"M114", b"M84 S86400"]
    host.wait(600.0)
    assert len(host.printed) == done < 50
    host.printer.resume(host.now)
    host.go()
    assert host.printed == LINES
    assert host.attempts == [_A.STARTED, _A.PAUSED, _A.STARTED, _A.COMPLETED]


def test_print_time_does_not_count_pauses(host: Host) -> None:
    """Monotonic, without the pause; progress never goes back."""
    host.firmware.stuck = {b"G1"}
    host.start(CUBE)
    host.go()
    host.now += 10.0
    host.printer.pause(host.now)
    host.say(host.firmware.finish())
    host.go()
    host.now += 1000.0
    host.printer.resume(host.now)
    host.go()
    times = [
        one.progress.print_time_s
        for one in host.happened
        if isinstance(one, AttemptMoved) and one.progress
    ]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(10.0, abs=0.1)


def test_the_file_itself_may_pause(host: Host) -> None:
    """serial 12/#48: M0 never reaches the printer; the host pauses behind the lines before it."""
    host.start(b"G1 X1\nM0 change filament\nG1 X2\n")
    host.go()
    assert host.printer.state is _S.PAUSED
    assert host.printed == [b"G1 X1"]
    host.printer.resume(host.now)
    host.go()
    assert host.printed == [b"G1 X1", b"G1 X2"]
    assert host.attempts[-1] is _A.COMPLETED


def test_cancel_runs_the_script_and_ends_once(host: Host) -> None:
    """serial 9; safety M24: heaters off, motors free, one terminal event."""
    host.firmware.stuck = {b"G1"}
    host.start(CUBE)
    host.go()
    host.printer.cancel(host.now)
    with pytest.raises(LocalProtocolError, match="cancelling"):
        host.printer.cancel(host.now)
    host.say(host.firmware.finish())
    host.go()
    assert len(host.printed) < 50
    assert host.firmware.executed[-5:] == [b"M104 S0", b"M140 S0", b"M107", b"M400", b"M84"]
    assert host.states[-2:] == [_S.CANCELLING, _S.OPERATIONAL]
    assert host.attempts == [_A.STARTED, _A.CANCELLED]


def test_cancel_while_heating_ends_the_wait(host: Host) -> None:
    """serial 12/#31: with an emergency parser M108 goes past the queue."""
    host.firmware.stuck = {b"M190"}
    host.start(CUBE + b"M190 S60\n" + CUBE)
    host.go()
    host.printer.cancel(host.now)
    host.go()
    assert b"M108" in host.firmware.heard
    for _ in range(3):  # whatever it says meanwhile, no line of the script may get lost
        host.say(b" T:24.0 /0.0 B:30.0 /60.0 @:0 B@:127\n")
        host.go()
    host.say(host.firmware.finish())
    host.go()
    assert host.firmware.executed[-5:] == [b"M104 S0", b"M140 S0", b"M107", b"M400", b"M84"]
    assert host.attempts == [_A.STARTED, _A.CANCELLED]


def test_a_cancel_before_the_first_line_is_no_start(host: Host) -> None:
    """A grant whose job never reached the wire says so."""
    host.printer.start(JobFacts(grant="G", job=1, file_name="x", size_bytes=10))
    host.printer.cancel(host.now)
    host.go()
    assert host.attempts == [_A.NOT_STARTED]
    assert host.printer.state is _S.OPERATIONAL


def test_a_port_that_is_lost_before_the_first_line_is_no_start(host: Host) -> None:
    """The grant may be given again."""
    host.printer.start(JobFacts(grant="G", job=1, file_name="x", size_bytes=10))
    host.printer.lost("unplugged", host.now)
    host.go()
    assert host.attempts == [_A.NOT_STARTED]


def test_the_next_job_begins_with_its_own_count(host: Host) -> None:
    """Ordinals, progress and time are those of the new attempt."""
    host.start(CUBE, "G1")
    host.go()
    host.start(CUBE, "G2")
    host.go()
    assert host.printed == LINES * 2
    assert [one.grant for one in host.happened if isinstance(one, AttemptMoved)] == [
        "G1",
        "G1",
        "G2",
        "G2",
    ]


def test_a_reset_in_mid_print_interrupts(host: Host) -> None:
    """serial 12/#39; safety M25, R43: no line after the banner, no script that moves."""
    host.firmware.stuck = {b"G1"}
    host.start(CUBE)
    host.go()
    host.now += 60.0
    host.firmware.heard.clear()
    host.say(b"start\nPowerUp\n")
    host.go()
    assert host.firmware.heard == []
    assert host.attempts[-1] is _A.INTERRUPTED
    assert host.printer.state is _S.ERROR
    assert "printer_reset" in host.warnings


def test_a_reset_soon_after_connecting_is_one_when_lines_were_answered(host: Host) -> None:
    """A free-running print may be far within the two seconds of a doubled `start`."""
    host.firmware.stuck = {b"M84"}
    host.start(CUBE + b"M84\n")
    host.go()
    host.say(b"start\n")
    host.go()
    assert host.attempts[-1] is _A.INTERRUPTED


def test_a_reset_while_idle_renumbers(host: Host) -> None:
    """serial 12/#40: it stays connected and starts again at line 1."""
    host.now += 60.0
    host.firmware.last = 0
    host.say(b"start\n")
    host.wait(1.0)
    assert host.printer.state is _S.OPERATIONAL
    assert host.states == []
    host.start(CUBE)
    host.go()
    assert host.printed == LINES


def test_a_doubled_start_is_one_boot() -> None:
    """serial 12/#3: no reset event behind the greeting."""
    host = Host()
    host.connect()
    host.say(b"start\n")
    host.now += 0.3
    host.say(b"start\n")
    host.start(CUBE)
    host.go()
    assert host.attempts[-1] is _A.COMPLETED


@pytest.mark.parametrize(
    ("said", "state", "warnings"),
    [
        (
            b"Error:MINTEMP triggered, system stopped! Heater_ID: E0\n"
            b"Error:Printer halted. kill() called!\n",
            _S.HALTED,
            1,
        ),
        (b"Error:0\n: Extruder switched off. MAXTEMP triggered !\n", _S.HALTED, 1),
        (b"Error:Printer stopped due to errors. Fix the error and use M999\nok\n", _S.ERROR, 1),
    ],
)
def test_fatal_errors_end_the_print(
    host: Host, said: bytes, state: PrinterState, warnings: int
) -> None:
    """serial 12/#35 to #38: one text, no more lines, and silence is no timeout."""
    host.firmware.stuck = {b"G1"}
    host.start(CUBE)
    host.go()
    before = len(host.firmware.heard)
    host.say(said)
    host.wait(100.0)
    assert host.printer.state is state
    assert host.attempts[-1] is _A.FAILED
    assert len(host.warnings) == warnings
    assert len(host.firmware.heard) == before


def test_a_harmless_error_is_told_and_the_print_goes_on(host: Host) -> None:
    """serial 7: unknown commands and the like are never fatal."""
    host.start(CUBE)
    host.say(b"Error:Home XYZ first\n")
    host.go()
    assert host.warnings == ["firmware_not_homed"]
    assert host.attempts[-1] is _A.COMPLETED


@pytest.mark.parametrize(
    ("action", "state"),
    [(b"pause", _S.PAUSED), (b"paused", _S.PAUSED), (b"cancel", _S.OPERATIONAL)],
)
def test_the_printer_may_pause_and_cancel_itself(
    host: Host, action: bytes, state: PrinterState
) -> None:
    """serial 12/#45."""
    host.firmware.stuck = {b"G1"}
    host.start(CUBE)
    host.go()
    host.say(b"//action:%b\n" % action)
    host.say(host.firmware.finish())
    host.go()
    assert host.printer.state is state


def test_a_prompt_is_told_and_answered_past_the_queue(host: Host) -> None:
    """serial 12/#46: M876 does not wait for the line in flight."""
    host.firmware.stuck = {b"M600"}
    host.start(b"M600\n" + CUBE)
    host.go()
    host.say(b"//action:prompt_begin Filament\n//action:prompt_choice A\n")
    host.say(b"//action:prompt_choice B\n//action:prompt_show\n")
    asking = host.printer.link.status.prompt_shown
    host.printer.order(["M876 S2"], "answer")
    assert (asking, host.printer.link.status.prompt_shown) == (True, False)
    host.go()
    assert b"M876 S2" in host.firmware.heard
    assert OrderDone("answer") in host.happened
    assert "printer_asks" in host.warnings


def test_a_stop_is_the_next_thing_on_the_wire_and_latches(host: Host) -> None:
    """safety M06, M09, M10: past everything that waits, once, and nothing after it."""
    host.firmware.stuck = {b"G1"}
    host.start(CUBE)
    host.go()
    host.printer.order(["M105"] * 30, "many")
    host.go()
    host.printer.halt("stopped", host.now)
    assert host.printer.take(host.now) == STOP_BYTES
    host.printer.halt("stopped", host.now)
    assert host.printer.take(host.now) == b""
    host.happened += host.printer.events()
    assert host.attempts[-1] is _A.FAILED
    assert OrderLost("many", "stopped") in host.happened
    with pytest.raises(LocalProtocolError):
        host.printer.order(["M105"], "x")
    with pytest.raises(LocalProtocolError):
        host.printer.opened(host.now, boots=False, lossless=True)
    host.printer.reset()
    assert host.printer.state is _S.OFFLINE


@pytest.mark.parametrize(
    "obeys",
    [b"Error:Printer halted. kill() called!\n", b"start\n", b"!! MCU 'mcu' shutdown: M112\n"],
)
def test_a_stop_is_sent_again_until_the_machine_says_that_it_obeys(
    host: Host, obeys: bytes
) -> None:
    """safety M06: noise may have hit M112; a machine that still speaks a second later hears it."""
    host.printer.halt("stopped", host.now)
    assert host.printer.take(host.now) == STOP_BYTES
    heard = []
    for _ in range(3):
        host.say(b" T:200.0 /200.0 B:60.0 /60.0 @:0 B@:0\nok\n")
        heard.append(host.printer.take(host.now))
        host.now += STOP_AGAIN_S
    assert heard == [b"", STOP_BYTES, STOP_BYTES]
    host.say(obeys)
    for _ in range(2 * STOPS):
        host.say(b" T:200.0 /200.0 B:60.0 /60.0 @:0 B@:0\n")
        assert host.printer.take(host.now) == b""
        host.now += STOP_AGAIN_S
    host.happened += host.printer.events()
    assert "stop_ignored" not in host.warnings


def test_a_machine_that_does_not_know_stops_is_not_flooded_with_them(host: Host) -> None:
    """safety M06: a few times, then it is up to the power switch."""
    host.printer.halt("stopped", host.now)
    sent = host.printer.take(host.now)
    for _ in range(60):
        host.now += STOP_AGAIN_S
        host.say(b"ok T:20.0 /0.0\n")
        sent += host.printer.take(host.now)
    off = b"M104 S0\nM140 S0\n"  # it may take commands though it takes no stop
    assert sent == STOP_BYTES * STOPS + off
    host.happened += host.printer.events()
    assert host.warnings.count("stop_ignored") == 1


def test_a_stop_that_found_no_port_is_not_sent_later() -> None:
    """safety M10: the latch holds; what could not be said then is not said after the reset."""
    host = Host()
    host.printer.halt("stopped", host.now)
    host.printer.reset()
    host.connect()
    assert b"M112" not in host.firmware.heard


def test_a_lost_port_interrupts_and_the_heaters_go_off_first_after_it(host: Host) -> None:
    """serial 12/#41; safety M05."""
    host.firmware.stuck = {b"G1"}
    host.start(CUBE)
    host.go()
    host.printer.lost("unplugged", host.now)
    host.happened += host.printer.events()
    assert host.attempts[-1] is _A.INTERRUPTED
    assert (host.printer.state, host.printer.error) == (_S.ERROR, "unplugged")
    host.firmware.stuck.clear()
    host.firmware.last = 0
    host.firmware.executed.clear()
    host.connect()
    assert host.firmware.executed[-2:] == [b"M104 S0", b"M140 S0"]
    assert not host.printed


def test_stuck_communication_is_an_error(host: Host) -> None:
    """serial 12/#20."""
    host.start(CUBE)
    host.firmware.answer = lambda line: b"Resend: 4\nok\n"  # type: ignore[method-assign]
    host.go()
    host.wait(60.0)
    assert host.attempts[-1] is _A.INTERRUPTED
    assert host.warnings == ["stuck"]


@pytest.mark.parametrize(
    ("line", "code"),
    [("M104 S300", "limit_exceeded"), ("M997", "not_allowed"), ("M112", "not_allowed")],
)
def test_the_gate_judges_terminal_lines(host: Host, line: str, code: str) -> None:
    """safety M19, M20: nothing of the order is sent when one line is refused."""
    before = len(host.firmware.heard)
    with pytest.raises(GateRefusal) as caught:
        host.printer.order(["G28", line], "x")
    host.go()
    assert caught.value.code == code
    assert len(host.firmware.heard) == before


def test_a_terminal_order_is_done_when_its_last_line_is_acknowledged(host: Host) -> None:
    """Comments are left out; an order of comments only is done at once."""
    host.printer.order(["g28 ; home", "M105"], "home")
    host.printer.order(["; nothing"], "none")
    assert host.printer.events() == [OrderDone("none")]
    host.go()
    assert host.happened == [OrderDone("home")]
    assert host.firmware.executed[-2:] == [b"G28", b"M105"]


def test_a_failing_job_runs_the_cancel_script(host: Host) -> None:
    """safety M19: a refusal at the port ends with the heaters off."""
    host.firmware.stuck = {b"G1"}
    host.start(CUBE)
    host.go()
    host.printer.fail("gate_refused", "line 7: no", host.now)
    host.say(host.firmware.finish())
    host.go()
    assert host.attempts == [_A.STARTED, _A.FAILED]
    assert b"M104 S0" in host.firmware.executed
    assert host.warnings == ["gate_refused"]


def test_scripts_of_the_configuration_run_in_order() -> None:
    """A printer may have its own words around a print."""
    scripts = {
        "before_print": "M75",
        "after_print": "M77",
        "on_pause": "G91\nG1 Z5",
        "on_resume": "G1 Z-5\nG90",
    }
    profile = Profile(extruders=2, heated_chamber=True)
    host = Host(PrinterConfig(id=1, slug="", name="", port_id="", scripts=scripts, profile=profile))
    host.connect()
    host.start(b"G1 X1\nM0\nG1 X2\n")
    host.go()
    host.printer.resume(host.now)
    host.go()
    ran = host.firmware.executed[3:]
    assert ran == [
        *(b"M155 S1", b"M75", b"G1 X1", b"M105", b"M400", b"M114", b"M114"),
        *(b"M84 S86400", b"G91", b"G1 Z5"),
        *(b"M105", b"M400", b"G1 Z-5", b"G90"),  # the script, and then the modes as they were
        *(b"G90", b"G1 X10.000 Y20.000 F6000", b"G1 Z0.300 F600", b"G92 E123.45000"),
        *(b"G90", b"M82", b"G1 X2", b"M400", b"M77"),
    ]
    host.printer.cool("cool")
    host.go()
    assert host.firmware.executed[-4:] == [b"M104 T0 S0", b"M104 T1 S0", b"M140 S0", b"M141 S0"]


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_job_verbs_without_a_job_are_refused(host: Host, verb: str) -> None:
    """The state has not moved and nothing is sent."""
    with pytest.raises(LocalProtocolError, match="no job"):
        if verb == "resume":
            host.printer.resume(host.now)
        else:
            getattr(host.printer, verb)(host.now)
    assert host.printer.state is _S.OPERATIONAL


def test_the_picture_shows_what_was_said(host: Host) -> None:
    """Temperatures with their age, the attempt, the firmware."""
    host.say(b" T:20.5 /200.0 B:30.0 /60.0 @:0 B@:0\n")
    host.now += 3.0
    live = picture(host.printer, host.now, port="/dev/fake", baud=115200)
    assert live.temps == {"tool0": Temperature(20.5, 200.0), "bed": Temperature(30.0, 60.0)}
    assert (live.temps_age_s, live.firmware) == (3.0, "Marlin 2.1 (fake)")
    assert (live.printer, live.port, live.progress) == (CONFIG.id, "/dev/fake", None)

"""What printers say of themselves without the word Error, and what follows from it (serial 7)."""

import pytest

from bridge.gcode.standing import MAX_CALLS, SAME_CALL_S
from schemas.jobs import AttemptState
from schemas.printer import PrinterState
from tests.fakes.host import Host, Speaking

_A, _S = AttemptState, PrinterState
MOVES = b"".join(b"G1 X%d Y1 E%d\n" % (index % 200, index) for index in range(400))
MK3 = (
    b"FIRMWARE_NAME:Prusa-Firmware 3.13.3 based on Marlin PROTOCOL_VERSION:1.0 "
    b"MACHINE_TYPE:Prusa i3 MK3S\nCap:AUTOREPORT_TEMP:1\n"
)
COLD = b"echo: cold extrusion prevented\n"
SHOWN = b"//action:prompt_button Continue\n//action:prompt_show\n"


def printing(m115: bytes | None = None) -> Host:
    """A host in the middle of a print: one line is in flight."""
    host = Host() if m115 is None else Host(m115=m115)
    host.connect()
    host.happened.clear()
    host.firmware.stuck = {b"G1"}
    host.start(MOVES)
    host.go()
    return host


class Locked(Speaking):
    """Marlin with a password: whatever comes is acknowledged and left out (`gcode.cpp`)."""

    def answer(self, line: bytes) -> bytes:
        """Nothing runs."""
        reply = super().answer(line)
        locked = b"echo:Printer locked! (Unlock with M511 or LCD)\nok\n"
        return locked if reply.startswith(b"ok") or reply.endswith(b"\nok\n") else reply


def test_a_printer_that_is_locked_prints_nothing_and_says_so() -> None:
    """A print of hours was completed without a move."""
    host = Host()
    host.firmware = Locked()
    host.connect()
    assert host.warnings == ["firmware_not_ready"]
    host.start(MOVES)
    host.go()
    assert host.attempts[-1] is _A.FAILED
    assert host.states[-1] is _S.ERROR
    assert "M511" in (host.printer.error or "")


@pytest.mark.parametrize(
    "said",
    [
        b"Error:Printer stopped due to errors. Supervision required.\n",
        b"Error:Printer halted. kill() called!\n",
    ],
)
def test_a_fault_that_begins_with_a_cancel_is_a_failure(said: bytes) -> None:
    """An MK3 tells its host to cancel and then why (`ThermalStop`): nobody has cancelled."""
    host = printing(MK3)
    host.say(b"// action:cancel\n" + said)
    host.go()
    assert host.attempts[-1] is _A.FAILED


def test_a_cancel_by_a_person_stays_one_whatever_follows() -> None:
    """A fault in the last script does not undo it."""
    host = printing(MK3)
    host.printer.cancel(host.now, "by hand")
    host.say(b"Error:Printer stopped due to errors. Supervision required.\n")
    host.go()
    assert host.attempts[-1] is _A.CANCELLED


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"// action:pause\nHotend fan speed is lower than expected\n", "firmware_fan"),
        (b"// action:pause\nPrint fan speed is lower than expected\n", "firmware_fan"),
        (
            b"// action:paused\necho:Printer stopped due to errors. Supervision required.\n",
            "firmware_supervision",
        ),
    ],
)
def test_an_mk3_that_pauses_for_a_fault_is_told_with_its_reason(said: bytes, code: str) -> None:
    """Each time; what goes on behind a pause has not failed."""
    host = printing(MK3)
    for times in (1, 2):
        host.firmware.stuck = {b"G1"}
        host.say(said)
        host.say(host.firmware.finish())
        host.wait(20.0)
        assert host.states[-1] is _S.PAUSED
        assert host.warnings.count(code) == times
        host.firmware.stuck = {b"G1"}
        host.printer.resume(host.now)
        host.wait(5.0)
        assert host.printer.state is _S.PRINTING
    assert _A.FAILED not in host.attempts


def test_notifications_do_not_hide_what_else_is_said() -> None:
    """One comes with every M117 (HOST_STATUS_NOTIFICATIONS), with every layer and probed point."""
    host = printing()
    for layer in range(1000):
        host.say(b"//action:notification Layer %d\n" % (layer // 2))
        host.say(b'echo:Unknown command: "M9%d"\n' % layer)
    host.say(b"echo:Home XYZ first\n")
    host.go()
    assert host.warnings.count("printer_says") == 64
    assert host.warnings.count("firmware_unknown_command") == 64
    assert host.warnings[-1] == "firmware_not_homed"


def test_a_print_of_nothing_for_want_of_heat_waits_for_a_person() -> None:
    """Somebody has cooled it down at the panel: it went on in the air to the end."""
    host = Host()
    host.connect()
    cold = {b"G1 X%d Y1 E%d" % (index % 200, index): COLD for index in range(50, 400)}
    host.firmware.says |= cold
    host.start(MOVES)
    host.go()
    assert host.states[-1] is _S.PAUSED
    assert host.warnings == ["firmware_cold", "cold_print"]
    assert len(host.printed) < 90
    for line in cold:
        host.firmware.says.pop(line)
    host.printer.resume(host.now)
    host.wait(5.0)
    assert host.attempts[-1] is _A.COMPLETED


@pytest.mark.parametrize("said", [COLD, b"echo: too long extrusion prevented\n"])
def test_an_extrusion_left_out_now_and_then_stops_nothing(said: bytes) -> None:
    """A retraction of a tool that has cooled, before each change; a load that is too long."""
    host = Host()
    host.connect()
    every = 12 if said == COLD else 1
    host.firmware.says |= {
        b"G1 X%d Y1 E%d" % (index % 200, index): said for index in range(0, 400, every)
    }
    host.start(MOVES)
    host.go()
    assert host.attempts[-1] is _A.COMPLETED
    assert host.warnings == ["firmware_cold"]


def twice(line: bytes) -> bytes:
    """What a board says to all ports when two of them are the same."""
    return b"".join(bytes([byte, byte]) for byte in line) + b"\n\n"


def test_a_board_that_says_everything_twice_is_understood() -> None:
    """Creality's: behind M113 a homing without any `busy` was given up after a minute."""
    host = Host()
    host.firmware.says[b"M113"] = b"echo:M113 S2\n"
    host.connect()
    host.firmware.stuck = {b"G28", b"M105"}
    host.start(b"G28\nG1 X1\n")
    for _ in range(90):
        host.wait(2.0)
        host.say(twice(b"echo:busy: processing"))
        host.say(b" TT::27.7627.76  //28.0028.00  BB::39.3539.35  //40.0040.00  @@::00  BB@@::00\n")
        host.go()
    assert host.states[-1] is _S.STARTING
    assert host.printer.link.status.targets_c() == {"tool0": 28.0, "bed": 40.0}
    host.say(twice(b"Error:Printer halted. kill() called!"))
    host.go()
    assert host.warnings == ["firmware_killed"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("out_of_filament", [b"//action:out_of_filament T%d\n"]),
        ("probe_failed", [b"//action:probe_failed %d\n"]),
        ("printer_asks", [b"//action:prompt_begin Filament %d\n", SHOWN]),
    ],
)
def test_what_a_printer_goes_on_calling_for_is_one_call(code: str, words: list[bytes]) -> None:
    """A sensor that says so in each turn of its loop made a fact of each: hundreds in a second."""
    host = printing()
    for _ in range(500):
        host.say(words[0] % 1 + b"".join(words[1:]))
        host.now += 0.02
    host.go()
    assert host.warnings.count(code) == 1
    host.now += SAME_CALL_S
    host.say(words[0] % 1 + b"".join(words[1:]))
    host.go()
    assert host.warnings.count(code) == 2, "it has happened again"
    for each in range(500):
        host.say(words[0] % each + b"".join(words[1:]))
    host.go()
    assert host.warnings.count(code) == 1 + MAX_CALLS

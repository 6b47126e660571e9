"""Firmwares that begin again while they print, and how they say so (serial 10 and 11)."""

import pytest

from schemas.jobs import AttemptState
from schemas.printer import PrinterState
from tests.fakes.host import Host, Speaking


@pytest.mark.parametrize(
    "said",
    [
        b"ostart\nExternal Reset\n",
        b"echo:start\nMarlin 2.0.7.2\n",
        b"ok T:start\necho:Marlin 1.1.9\necho: Free Memory: 3538  PlannerBufferBytes: 1232\n",
        b" T:21.5 /0.0 Bstart\nPowerUp\n",
        b"// Klipper state: Ready\n",
        b"Smoothie\r\nok\r\n",
    ],
)
def test_a_restart_in_mid_print_is_known_in_whatever_words(said: bytes) -> None:
    """serial 12/#39: `start` glued to a half line, or a family that never says it.

    Marlin 2.0.6 and 2.0.7 echo it; where a bootloader has cleared the reason nothing tells of that.
    """
    host = Host()
    host.connect()
    host.firmware.stuck = {b"G1"}
    host.start(b"G1 X1\nG1 X2\n")
    host.go()
    host.now += 60.0
    host.say(said)
    host.go()
    assert host.warnings[0] == "printer_reset"
    assert host.states[-1] is PrinterState.ERROR
    assert host.attempts[-1] is AttemptState.INTERRUPTED


class Restarting(Speaking):
    """A board that begins anew at the line *at*, and what it says then is lost on the way."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def answer(self, line: bytes) -> bytes:
        """Like the firmware; nothing of the line that it is at is left."""
        reply = super().answer(line)
        if len(self.executed) == self._at and self.last:
            self.last = 0
            self.executed.append(b"restarted")
            return b""
        return reply


@pytest.mark.parametrize("at", [24, 200])
def test_a_restart_that_nobody_heard_is_known_by_the_count(at: int) -> None:
    """The firmware wants line 1 of hundreds: nothing runs again, and the reason is told."""
    host = Host()
    host.firmware = Restarting(at)
    host.connect()
    host.start(b"".join(b"G1 X%d Y1\n" % (index % 200) for index in range(400)))
    host.go()
    host.wait(120.0)
    assert host.states[-1] is PrinterState.ERROR
    assert host.attempts[-1] is AttemptState.INTERRUPTED
    assert host.warnings == ["printer_reset"]
    assert "has restarted" in (host.printer.error or "")
    executed = host.firmware.executed
    behind = executed[executed.index(b"restarted") + 1 :]
    assert not [line for line in behind if line.startswith(b"G")]


def test_a_text_that_says_start_is_no_restart() -> None:
    """M118 and Klipper's RESPOND write what a file wants, behind slashes."""
    host = Host()
    host.connect()
    host.firmware.stuck = {b"G1"}
    host.start(b"G1 X1\nG1 X2\n")
    host.go()
    host.now += 60.0
    host.say(b"// start\n//start\n")
    host.go()
    assert host.warnings == []
    assert host.printer.run is not None


def test_a_restart_right_behind_the_hello_ends_the_print_that_has_begun() -> None:
    """Farms start a job in the moment in which a printer is there: its lines never run twice.

    Without a job it may be the same boot, told late or twice.
    """
    host = Host()
    host.connect()
    host.firmware.stuck = {b"G1"}
    host.start(b"G1 X1\nG1 X2\n")
    host.go()
    host.now += 1.0
    host.firmware.last = 0
    host.firmware.stuck.clear()
    host.say(b"start\n")
    host.go()
    host.wait(60.0)
    assert host.warnings[0] == "printer_reset"
    assert host.attempts[-1] is AttemptState.INTERRUPTED
    assert host.states[-1] is PrinterState.ERROR
    assert host.firmware.executed.count(b"G1 X1") <= 1


def test_a_second_start_of_one_boot_does_not_keep_a_job_from_being_printed() -> None:
    """Bound, and not a line of it sent: what was asked so far is asked again, and it begins."""
    host = Host()
    host.connect()
    host.now += 1.0
    host.say(b"start\n")
    host.go()
    host.start(b"G1 X1\nG1 X2\n")
    host.go()
    host.wait(60.0)
    assert host.attempts[-1] is AttemptState.COMPLETED
    assert host.printed[-2:] == [b"G1 X1", b"G1 X2"]
    assert host.warnings == []


def test_a_restart_that_nobody_heard_is_known_by_the_count_from_the_first_line_on() -> None:
    """Four lines into the job: the firmware wants line 1 of what it has told to be taken."""
    host = Host()
    host.firmware = Restarting(8)
    host.connect()
    host.start(b"".join(b"G1 X%d Y1\n" % index for index in range(40)))
    host.go()
    host.wait(120.0)
    executed = host.firmware.executed
    before = executed[: executed.index(b"restarted")]
    behind = executed[executed.index(b"restarted") + 1 :]
    assert b"G1 X0 Y1" in before
    assert b"G1 X12 Y1" not in before
    assert not [line for line in behind if line.startswith(b"G")]
    assert host.warnings == ["printer_reset"]
    assert host.attempts[-1] is AttemptState.INTERRUPTED


class Echoing(Speaking):
    """M118 as Marlin runs it: the text, with `echo:` before it where E1 asks for that."""

    def answer(self, line: bytes) -> bytes:
        """Said before the `ok`."""
        reply = super().answer(line)
        text = line.split(b" ", 1)[-1].partition(b"*")[0]
        if not text.startswith(b"M118 ") or reply != b"ok\n":
            return reply
        said = text.removeprefix(b"M118 ")
        return said.replace(b"E1 ", b"echo:") + b"\n" + reply


@pytest.mark.parametrize("line", [b"M118 start", b"M118 E1 start", b"m118 start ; a comment"])
def test_a_file_that_says_start_does_not_end_its_own_print(line: bytes) -> None:
    """What it prints back is no boot: the text gets a dot."""
    host = Host()
    host.firmware = Echoing()
    host.connect()
    host.start(b"G1 X1\n" * 40 + line + b"\nG1 X2\n")
    host.go()
    host.wait(60.0)
    assert host.attempts[-1] is AttemptState.COMPLETED
    assert host.warnings == []
    assert [text for text in host.firmware.executed if text.startswith(b"M118")] == [
        b"M118 E1 start." if b"E1" in line else b"M118 start."
    ]

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

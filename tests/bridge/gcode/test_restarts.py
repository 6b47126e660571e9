"""Firmwares that begin again while they print, and how they say so (serial 10 and 11)."""

import pytest

from schemas.jobs import AttemptState
from schemas.printer import PrinterState
from tests.fakes.host import Host


@pytest.mark.parametrize(
    "said",
    [
        b"ostart\nExternal Reset\n",
        b" T:21.5 /0.0 Bstart\nPowerUp\n",
        b"// Klipper state: Ready\n",
        b"Smoothie\r\nok\r\n",
    ],
)
def test_a_restart_in_mid_print_is_known_in_whatever_words(said: bytes) -> None:
    """serial 12/#39: `start` glued to a half line, or a family that never says it."""
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

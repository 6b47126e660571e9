"""What is sent for a stop is understood wherever it cuts the line before it (safety M06)."""

import pytest

from bridge.gcode.dialects import STOP_BYTES, by_firmware
from bridge.simulator.emergency import Emergency, EmergencyCode, EmergencyParser
from tests.fakes.firmware import numbered

LINE = b"N1234 G1 X10 Y20 E0.5*71\n"


class OldParser:
    """The emergency parser of Marlin 1.1: a line feed at the start of a line begins an ignored one.

    It knows M112 alone here.
    """

    _IGNORED = -1

    def __init__(self) -> None:
        self.stops = 0
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        for at in range(len(data)):
            self._take(data[at : at + 1])

    def _take(self, byte: bytes) -> None:
        if self._at == self._IGNORED:
            self._at = self._IGNORED if byte != b"\n" else 0
        elif self._at == len(b"M112") and byte == b"\n":
            self.stops += 1
            self._at = 0
        elif self._at == 0 and byte in b"N 0123456789-":
            pass  # a line number
        elif byte == b"M112"[self._at : self._at + 1]:
            self._at += 1
        else:
            self._at = self._IGNORED


@pytest.mark.parametrize("name", ["Marlin 1.1.9", "Marlin 2.0.1"])
@pytest.mark.parametrize("cut", range(len(LINE) + 1))
def test_every_emergency_parser_obeys_wherever_the_line_was_cut(cut: int, name: str) -> None:
    """Marlin's of today and that of Marlin 1.1, which a blank line leads astray."""
    new, old = EmergencyParser(), OldParser()
    found = new.feed(LINE[:cut] + STOP_BYTES)
    old.feed(LINE[:cut] + by_firmware(name).stop)
    assert Emergency(EmergencyCode.KILL) in found
    assert old.stops


def test_repetier_obeys_where_it_demands_a_checksum() -> None:
    """It refuses a bare line then, and all behind it in its ring is gone: hence the whole first."""
    lines = [line for line in by_firmware("Repetier_1.0.4").stop.split(b"\n") if line]
    assert numbered(lines[0]) == (1, b"M112")
    assert b"M112" in lines[1:]

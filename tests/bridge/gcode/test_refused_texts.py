"""A text for the display that a firmware takes for something else: it costs no print."""

import pytest

from schemas.jobs import AttemptState
from tests.fakes.host import CONFIG, M115, Host, Speaking


class Choosy(Speaking):
    """Ends a line at any of *marks* and behind *size_bytes*, and says nothing of it: its checksum
    is gone then (CR-10 as it is sold: `M117 ETL: 00:19:01` was asked for until OctoPrint gave up).
    """

    def __init__(self, marks: bytes = b"", size_bytes: int = 95) -> None:
        super().__init__(M115)
        self._marks, self._size_bytes = marks, size_bytes

    def answer(self, line: bytes) -> bytes:
        """Like the firmware, with what is left of the line."""
        for mark in self._marks:
            line = line.partition(bytes([mark]))[0]
        return super().answer(line[: self._size_bytes])


@pytest.mark.parametrize(
    ("firmware", "text"),
    [
        (Choosy(b":"), b"M117 ETL: 00:19:01"),
        (Choosy(b"%("), b"M117 3% (of 2 h)"),
        (Choosy(size_bytes=48), b"M118 a text that is longer than what this board keeps of one"),
        (Choosy(b"_", 48), b"M486 Aa_part_of_a_machine_with_a_name_of_its_own.stl"),
    ],
)
def test_a_text_that_is_refused_again_and_again_gets_plainer(firmware: Choosy, text: bytes) -> None:
    """The print was given up as stuck, for a word on a display."""
    host = Host(CONFIG)
    host.firmware = firmware
    host.connect()
    host.start(b"G1 X1\n" + text + b"\nG1 X2\nG1 X3\n")
    host.wait(60.0)
    assert host.attempts[-1] is AttemptState.COMPLETED
    assert host.printed == [b"G1 X1", b"G1 X2", b"G1 X3"]
    shown = [line for line in firmware.executed if line.startswith(text[:5])]
    assert len(shown) == 1


def test_a_move_that_is_refused_again_and_again_stays_as_it_is() -> None:
    """Only what is shown may be changed; what moves is right, or the print ends."""
    host = Host(CONFIG)
    host.firmware = Choosy(size_bytes=30)
    host.connect()
    host.start(b"G1 X1\nG1 X123.456 Y123.456 E12.34567 F12345\nG1 X2\n")
    host.wait(60.0)
    assert "stuck" in host.warnings
    assert host.printed == [b"G1 X1"]

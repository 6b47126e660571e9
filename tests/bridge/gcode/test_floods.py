"""A printer that says too much: what is kept and told of it fits a frame of the link.

A picture or a fact that fits none ends the link, and each link after it, for the whole room.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec
import pytest

from bridge.gcode.picture import picture
from bridge.gcode.printer import Printer
from schemas.codec import MAX_FRAME_BYTES, encode
from schemas.link import Frame, LiveSnap
from tests.fakes.host import CONFIG, Host

#: Nothing takes more room in a frame: six bytes for each.
LONG = "\x01" * 4000


def flooded(lines: Iterable[str]) -> Host:
    """A connected printer has said *lines*."""
    host = Host(CONFIG)
    host.connect()
    for line in lines:
        host.say(line.encode("latin-1") + b"\n")
    return host


def picture_bytes(printer: Printer) -> int:
    snap = LiveSnap(printers=[picture(printer, 1.0, port="/dev/ttyUSB0", baud=115200)])
    return len(encode(Frame(body=snap)))


def question() -> Iterator[str]:
    yield f"//action:prompt_begin {LONG}"
    yield from [f"//action:prompt_button {LONG}"] * 40
    yield "//action:prompt_show"


def heaters() -> Iterator[str]:
    for first in range(0, 3000, 150):
        yield " ".join(f"T{tool}:20.0 /0.0" for tool in range(first, first + 150))


def capabilities() -> Iterator[str]:
    yield f"FIRMWARE_NAME:Marlin {LONG}"  # said again, so told again
    yield from (f"Cap:{'A' * 30}{number}:1" for number in range(2000))
    yield "ok"


FLOODS: dict[str, Callable[[], Iterator[str]]] = {
    "a question with long buttons": question,
    "three thousand heaters": heaters,
    "two thousand capabilities": capabilities,
    "a long name": lambda: iter([f"FIRMWARE_NAME:{LONG}"]),
    "a long error": lambda: iter([f"Error:{LONG}", f"Error:Printer halted {LONG}"]),
    "a long word": lambda: iter([f"//action:notification {LONG}", f"RequestPause:{LONG}"]),
}


@pytest.mark.parametrize("what", FLOODS)
def test_what_a_printer_floods_with_fits_the_link(what: str) -> None:
    """Its picture as one frame, and each fact of it as well."""
    host = flooded(FLOODS[what]())
    assert picture_bytes(host.printer) < MAX_FRAME_BYTES // 2
    assert max(len(msgspec.json.encode(one)) for one in host.happened) < MAX_FRAME_BYTES * 3 // 4


def test_a_capability_that_is_known_may_change_behind_a_flood() -> None:
    """What is kept of them is bounded; what is known already is not frozen."""
    host = flooded(["Cap:EMERGENCY_PARSER:1", *capabilities(), "Cap:EMERGENCY_PARSER:0"])
    assert host.printer.link.status.capabilities["EMERGENCY_PARSER"] is False

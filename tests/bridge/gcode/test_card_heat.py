"""A print from the printer's own card that nobody told us of keeps its heat (serial 3 and 6)."""

import msgspec
import pytest

from schemas.printer import PrinterConfig, PrinterState
from tests.fakes.host import CONFIG, Host

_S = PrinterState
RUNNING = b"SD printing byte 500/1000\n"


def with_card(m27: bytes, name: bytes = b"Marlin 2.0.0 (Github)", **changes: object) -> Host:
    """A host whose firmware *name* answers M27 like this and says nothing of a card."""
    config: PrinterConfig = msgspec.structs.replace(CONFIG, **changes)
    host = Host(config, m115=b"FIRMWARE_NAME:%b SOURCE_CODE_URL:x\nCap:AUTOREPORT_TEMP:1\n" % name)
    host.firmware.says[b"M27"] = m27
    return host


@pytest.mark.parametrize(
    "name",
    [
        b"Marlin 1.1.9 (Github)",
        b"Marlin 2.0.0 (Github)",
        b"Prusa-Firmware-Buddy 4.4.1",
        b"Klipper",
        b"Sprinter",
        b"Chitu",
    ],
)
def test_a_firmware_that_says_nothing_of_a_card_is_asked_before_it_is_cooled(name: bytes) -> None:
    """Only Marlin from 2.0.6 on tells whether it has one; a print from it had gone on cold."""
    host = with_card(RUNNING, name)
    host.printer.distrust()
    host.printer.opened(host.now, boots=False, lossless=True)
    host.go()
    assert host.states[-1] is _S.PRINTING
    assert b"M104 S0" not in host.firmware.executed


def test_an_answer_behind_its_ok_is_waited_for() -> None:
    """serial 10: Repetier says `ok` first, and then what it was asked for."""
    host = with_card(b"", b"Repetier_1.0.4")
    host.printer.distrust()
    host.printer.opened(host.now, boots=False, lossless=True)
    while b"M27" not in (data := host.printer.take(host.now)):
        host.say(host.firmware.receive(data))
    first, _, rest = data.partition(b"\n")
    host.say(host.firmware.receive(first + b"\n"))
    rest += host.printer.take(host.now)
    host.say(RUNNING)
    host.say(host.firmware.receive(rest))
    host.go()
    assert host.states[-1] is _S.PRINTING
    assert b"M104 S0" not in host.firmware.executed

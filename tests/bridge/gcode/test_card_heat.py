"""A print from the printer's own card that nobody told us of keeps its heat (serial 3 and 6)."""

import msgspec
import pytest

from bridge.gcode.happenings import OrderDone, OrderLost
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


def heated(host: Host, seconds: int) -> None:
    """So long the heaters are on, and told of every second."""
    for _ in range(seconds):
        host.now += 1.0
        host.say(b" T:210.0 /210.0 B:60.0 /60.0\n")
        host.printer.tick(host.now)
        host.go()


def test_the_end_of_the_heat_lease_asks_the_card_first() -> None:
    """safety M04: heat without a job of ours may be that of a print that began at the panel."""
    host = with_card(b"Not SD printing\n")
    host.connect()
    host.firmware.says[b"M27"] = RUNNING
    heated(host, 1000)
    assert host.states[-1] is _S.PRINTING
    assert b"M104 S0" not in host.firmware.executed
    assert "heat_lease" not in host.warnings
    host.firmware.says[b"M27"] = b"Not SD printing\n"
    heated(host, 1000)
    assert "heat_lease" in host.warnings
    assert host.firmware.executed.count(b"M104 S0") == 1


def test_a_print_begun_at_the_panel_is_noticed_within_seconds() -> None:
    """serial 6: the firmware tells every host which file was selected."""
    host = with_card(b"Not SD printing\n")
    host.connect()
    host.firmware.says[b"M27"] = RUNNING
    host.say(b"echo:Now fresh file: CUBE.GCO\nFile opened: CUBE.GCO Size: 1000\nFile selected\n")
    host.wait(6.0)
    assert host.states[-1] is _S.PRINTING


def test_who_cools_an_idle_printer_takes_no_heat_from_its_card() -> None:
    """A sender that ends, or whose owner is gone; he is told that it is done."""
    host = with_card(b"Not SD printing\n")
    host.connect()
    host.firmware.says[b"M27"] = RUNNING
    host.printer.cool("cool")
    host.go()
    assert b"M104 S0" not in host.firmware.executed
    assert OrderDone("cool") in host.happened
    host.firmware.says[b"M27"] = b"Not SD printing\n"
    host.wait(12.0)
    host.printer.cool("cool again")
    host.go()
    assert host.firmware.executed[-2:] == [b"M104 S0", b"M140 S0"]
    assert OrderDone("cool again") in host.happened


def test_who_waits_for_the_card_is_told_when_the_port_is_lost() -> None:
    """And a later connection is not surprised by his token."""
    host = with_card(b"Not SD printing\n")
    host.connect()
    host.printer.cool("cool")
    host.printer.lost("unplugged", host.now)
    host.go()
    assert OrderLost("cool", "unplugged") in host.happened


@pytest.mark.parametrize("own", [False, True])
def test_an_earlier_pause_of_ours_says_nothing_of_one_of_the_card(own: bool) -> None:
    """The nozzle of a paused print from the card was switched off at once, and M24 heats none."""
    host = with_card(b"Not SD printing\n")
    host.connect()
    host.start(b"G1 X1\nM0\nG1 X2\n" if not own else b"G1 X1\nPAUSE\nG1 X2\n")
    host.firmware.says[b"PAUSE"] = b"//action:paused\n"
    host.go()
    host.wait(10.0)
    assert host.states[-1:] == [_S.PAUSED]
    host.printer.resume(host.now)
    host.go()
    host.wait(4000.0)
    assert host.states[-1:] == [_S.OPERATIONAL]
    host.firmware.says[b"M27"] = RUNNING
    host.printer.order(["M23 X.G", "M24"], "card")
    host.go()
    host.printer.pause(host.now)
    host.go()
    host.wait(30.0)
    assert host.states[-1:] == [_S.PAUSED]
    assert {"pause_cooled", "printer_paused"}.isdisjoint(host.warnings)
    assert b"M104 S0" not in host.firmware.executed

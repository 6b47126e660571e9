"""Who the firmware is gets known whenever it says so, and is told once (serial 5, 12/#9)."""

from bridge.gcode.happenings import Identified
from schemas.printer import PrinterState
from tests.fakes.host import M115, Host, Speaking
from tests.fakes.transcript import LineHost


class Behind(Speaking):
    """Says `ok` first and answers then, as Repetier does."""

    def answer(self, line: bytes) -> bytes:
        """Marlin's answer, the other way round."""
        reply = super().answer(line)
        return b"ok\n" + M115 if b"M115" in line else reply


def told(host: Host) -> list[str]:
    """The names of the firmwares that were reported."""
    host.happened += host.printer.events()
    return [one.name for one in host.happened if isinstance(one, Identified)]


def test_an_answer_behind_its_ok_is_read() -> None:
    """serial 10, Repetier: the `ok` alone says nothing, so it is asked for once more."""
    host = LineHost()
    host.firmware = Behind()
    host.connect()
    host.wait(1.0)
    assert told(host) == ["Marlin 2.1 (fake)"]
    assert host.printer.link.can("EMERGENCY_PARSER")


def test_the_oks_of_repeated_hellos_are_no_answers() -> None:
    """serial 12/#1: a board that boots slowly answers all hellos at once, and then M115."""
    host = Host()
    host.printer.opened(host.now, boots=False, lossless=True)
    hello = host.printer.take(host.now)
    host.say(host.firmware.receive(hello))
    asked = b""
    for _ in range(4):  # asked again for the second `ok`, then for its card, then done
        asked += host.printer.take(host.now)
        host.say(b"ok\n")
    assert host.printer.state is PrinterState.OPERATIONAL
    assert told(host) == []
    host.say(host.firmware.receive(asked))
    host.go()
    assert told(host) == ["Marlin 2.1 (fake)"]


def test_a_lost_answer_is_asked_for_once_more() -> None:
    """serial 5: and a firmware without any is used without it."""
    host = Host()
    answers = [b"", M115]
    host.firmware.says = {}
    host.printer.opened(host.now, boots=False, lossless=True)
    while data := host.printer.take(host.now):
        answer = answers.pop(0) if b"M115" in data and answers else b""
        host.say(answer + host.firmware.receive(data))
    assert told(host) == ["Marlin 2.1 (fake)"]
    silent = Host(m115=b"")
    silent.connect()
    assert silent.firmware.executed.count(b"M115") == 2
    assert told(silent) == []


def test_the_same_board_is_told_once_and_another_one_again() -> None:
    """A reset in the socket may be a change of boards."""
    host = Host()
    host.connect()
    host.printer.order(["M115"], "typed")
    host.go()
    assert told(host) == ["Marlin 2.1 (fake)"]
    host.firmware.says[b"M115"] = M115.replace(b"11-22", b"33-44")
    host.wait(3.0)
    host.say(b"start\n")
    host.wait(3.0)
    identities = [one for one in host.happened if isinstance(one, Identified)]
    assert [one.uuid for one in identities] == ["11-22", "33-44"]


def test_a_firmware_that_holds_us_up_by_xoff_is_understood() -> None:
    """Marlin sends both signs as soon as an eighth of its ring is full, in the midst of a line."""
    host = Host(m115=M115 + b"Cap:SERIAL_XON_XOFF:1\n")
    host.connect()
    host.firmware.stuck = {b"G1"}
    host.start(b"G1 X1\n" * 3)
    host.go()
    host.firmware.stuck.clear()
    host.say(b"\x13o\x11k\n")
    host.go()
    assert len(host.printed) == 3
    assert host.printer.link.stream.idle

"""A firmware that waits for a person inside a command: somebody is told, and told what to do."""

import pytest

from bridge.gcode.happenings import Warned
from bridge.gcode.waits import UNHEARD_S
from schemas.printer import PrinterConfig, PrinterState
from tests.fakes.host import M115, Host

_S = PrinterState
WAITS = b"echo:busy: paused for user\n"
MK3 = b"FIRMWARE_NAME:Prusa-Firmware 3.13.3 based on Marlin PROTOCOL_VERSION:1.0 MACHINE_TYPE:MK3\n"


def changing(m115: bytes = M115) -> Host:
    """A print that stands in its filament change."""
    config = PrinterConfig(id=7, slug="fake", name="Fake", port_id="x")
    host = Host(config, m115=m115)
    host.connect()
    host.firmware.stuck = {b"M600", b"M108"}
    host.start(b"G1 X1\nM600\nG1 X2\n")
    host.go()
    return host


def told(host: Host, code: str) -> list[str]:
    """What a person was told by *code*."""
    return [one.text for one in host.happened if isinstance(one, Warned) and one.code == code]


@pytest.mark.parametrize(("m115", "way"), [(M115, "M108"), (MK3, "no answer")])
def test_a_wait_for_a_person_is_told_once_and_how_to_end_it(m115: bytes, way: str) -> None:
    """A print of 40 hours stood all night in M600, and only the cable said so."""
    host = changing(m115)
    for _ in range(100):
        host.wait(2.0)
        host.say(WAITS)
    host.go()
    assert [way in text for text in told(host, "printer_waits")] == [True]


def test_each_command_that_waits_is_told() -> None:
    """Four changes of colour are four visits."""
    host = changing()
    host.say(WAITS)
    host.say(host.firmware.finish())
    host.go()
    host.firmware.stuck = {b"M600"}
    host.start(b"M600\nG1 X3\n", "G2")
    host.go()
    host.say(WAITS + WAITS)
    host.go()
    assert len(told(host, "printer_waits")) == 2


def test_a_question_of_the_firmware_is_told_as_such_alone() -> None:
    """Marlin with host prompts asks in words: nobody is called twice."""
    host = changing()
    host.say(b"//action:prompt_begin Nozzle Parked\n//action:prompt_button Continue\n")
    host.say(b"//action:prompt_show\n" + WAITS)
    host.printer.order(["M876 S0"], "answer")
    host.say(WAITS)
    host.go()
    assert (host.warnings.count("printer_asks"), told(host, "printer_waits")) == (1, [])


@pytest.mark.parametrize("who", ["person", "cancel"])
def test_an_answer_that_nobody_hears_is_told(who: str) -> None:
    """Marlin for Linux announces an emergency parser and feeds it nothing: M108 waits its turn."""
    host = changing()
    host.say(WAITS)
    if who == "person":
        host.printer.order(["M108"], "answer")
    else:
        host.printer.cancel(host.now)
    for _ in range(int(UNHEARD_S / 2) + 2):
        host.say(WAITS)
        host.wait(2.0)
    assert len(told(host, "wait_unheard")) == 1


def test_what_can_only_be_dismissed_hides_no_wait() -> None:
    """Marlin says so at each pause, and leaves it there."""
    host = changing()
    host.say(b"//action:prompt_begin Pause\n//action:prompt_button Dismiss\n//action:prompt_show\n")
    host.say(WAITS)
    host.go()
    assert len(told(host, "printer_waits")) == 1


def test_the_same_line_of_another_print_is_another_wait() -> None:
    """The count begins anew with the connection, and a file is printed more than once."""
    host = changing()
    host.say(WAITS)
    host.go()
    host.printer.lost("unplugged", host.now)
    host.firmware.last = 0
    host.firmware.finish()
    host.connect()
    host.firmware.stuck = {b"M600"}
    host.start(b"G1 X1\nM600\nG1 X2\n", "G2")
    host.go()
    host.say(WAITS)
    host.go()
    assert len(told(host, "printer_waits")) == 2


def test_an_answer_that_heats_the_nozzle_again_is_heard() -> None:
    """`busy: processing` in between says that it goes on; the next question is another one."""
    host = changing()
    host.say(WAITS)
    host.printer.order(["M108"], "answer")
    for second in range(400):
        host.say(b"echo:busy: processing\n" if second == 50 else WAITS)
        host.wait(2.0)
    assert told(host, "wait_unheard") == []


def test_an_mmu_that_has_given_up_calls_for_a_person() -> None:
    """An MK3 or MK4 says `busy: processing` then for as long as it takes: nobody was called."""
    host = changing(MK3)
    host.say(b"echo:MMU2:Command Error\necho:MMU2:FSENSOR FIL. STUCK\necho:MMU2:Button\n")
    host.go()
    assert told(host, "printer_waits") == []
    host.say(b"echo:MMU2:Saving and parking\necho:MMU2:Heater cooldown pending\n")
    for _ in range(10):
        host.say(b"echo:MMU2:Command Error\necho:busy: processing\n")
        host.wait(2.0)
    host.go()
    assert ["FSENSOR FIL. STUCK" in text for text in told(host, "printer_waits")] == [True]


@pytest.mark.parametrize(
    ("line", "word"), [(b"M0 Put the magnets in", "PUT THE MAGNETS IN"), (b"@pause", "@PAUSE")]
)
def test_a_pause_that_the_file_asks_for_says_what_for(line: bytes, word: str) -> None:
    """The host waits where the firmware would, so what its display would show is told instead."""
    host = Host()
    host.connect()
    host.start(b"G1 X1\n" + line + b"\nG1 X2\n")
    host.go()
    assert host.printer.state is _S.PAUSED
    assert [word in text.upper() for text in told(host, "file_pause")] == [True]


def test_a_printer_that_answers_while_it_waits_calls_once() -> None:
    """Each question for its temperature was another wait, and another alarm, all night."""
    host = changing(MK3)
    host.say(b"//action:paused\n" + host.firmware.finish())
    host.go()
    assert host.printer.state is _S.PAUSED
    for _ in range(100):
        host.say(WAITS)
        host.wait(2.0)
    assert len(told(host, "printer_waits")) == 1
    host.say(b"echo:busy: processing\n")
    host.wait(5.0)
    host.say(WAITS)
    host.go()
    assert len(told(host, "printer_waits")) == 2

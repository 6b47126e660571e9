"""What a printer does that programs want to hear of goes along with its picture."""

from bridge.gcode.doings import KEPT
from bridge.gcode.happenings import Identified
from bridge.gcode.picture import picture
from schemas.printer import Doing, DoingKind, Place
from tests.fakes.host import Host

_K = DoingKind
ANSWER = b"X:1.00 Y:2.00 Z:0.30 E:4.00 Count X:80 Y:160 Z:120\n"


def connected() -> Host:
    """A printer that tells where it is."""
    host = Host()
    host.firmware.says = {**host.firmware.says, b"M114": ANSWER}
    host.connect()
    return host


def shown(host: Host) -> tuple[Doing, ...]:
    """What the picture carries."""
    return picture(host.printer, host.now, port=None, baud=None).doings


def kinds(host: Host) -> list[str]:
    return [each.kind for each in shown(host)]


def test_homing_and_dwelling_are_told_when_they_are_sent() -> None:
    """Those of a file and those of a person, each once; other lines that go alone are none."""
    host = connected()
    assert shown(host) == ()
    host.start(b"G28 X\nG90\nG1 X1 F600\nG4 P10\n")
    assert shown(host) == (), "nothing has gone out yet"
    host.go()
    assert [*shown(host)] == [Doing(1, _K.HOME), Doing(2, _K.DWELL)]
    host.printer.order(["g28"], "typed")
    host.go()
    assert kinds(host) == ["home", "dwell", "home"]


def test_a_line_that_is_sent_again_is_told_once() -> None:
    """serial 12/#21: a Resend of G28 is the same homing."""
    host = connected()
    host.printer.order(["G28"], "typed")
    line = host.printer.take(host.now)
    assert b"G28" in line
    number = int(line[1:].partition(b" ")[0])
    host.say(b"Error:checksum mismatch, Last Line: %d\nResend: %d\nok\n" % (number - 1, number))
    assert b"G28" in host.printer.take(host.now)
    assert kinds(host) == ["home"]


def test_a_thousand_dwells_are_a_few() -> None:
    """Only the newest are kept, and their numbers say how many there were."""
    host = connected()
    host.start(b"G4 P1\n" * 1000)
    host.go()
    assert kinds(host) == ["dwell"] * KEPT
    assert shown(host)[-1].number == 1000


def test_an_answer_to_m114_is_a_place() -> None:
    """With the tool that was sent last; asked for twice it is told twice."""
    host = connected()
    host.printer.order(["T1", "M114"], "typed")
    host.go()
    place = Place(1.0, 2.0, 0.3, 4.0, 1)
    told = [each for each in shown(host) if each.kind == _K.PLACE]
    assert told == [Doing(1, _K.PLACE, place)]
    host.printer.order(["M114"], "again")
    host.go()
    assert [each.number for each in shown(host)] == [1, 2]


def test_what_it_reports_unasked_is_news_when_it_has_moved() -> None:
    """An idle printer that reports its place every few seconds changes no picture."""
    host = connected()
    for _ in range(3):
        host.say(ANSWER)
    assert [each.number for each in shown(host)] == [1]
    host.say(ANSWER.replace(b"X:1.00", b"X:7.00"))
    assert [each.place.x_mm for each in shown(host) if each.place] == [1.0, 7.0]


def test_the_place_of_a_pause_says_so() -> None:
    """The host asks for it, with the file's feedrate; the next one is nobody's pause."""
    host = connected()
    host.start(b"G1 X1 F600\n" * 2000)
    host.say(host.firmware.receive(host.printer.take(host.now)))
    host.printer.pause(host.now)
    host.go()
    host.printer.order(["M114"], "typed")
    host.go()
    places = [each for each in shown(host) if each.place is not None]
    assert [each.reason for each in places] == ["pause", None]
    assert [each.place.feedrate_mm_min for each in places if each.place] == [600.0, 600.0]


def test_who_asks_for_the_firmware_again_hears_of_it() -> None:
    """The greeting's M115 is part of connecting; its fields are told with it, bounded."""
    host = connected()
    [identified] = [each for each in host.happened if isinstance(each, Identified)]
    assert identified.fields["FIRMWARE_NAME"] == identified.name
    assert shown(host) == ()
    host.printer.order(["M115"], "typed")
    host.go()
    assert kinds(host) == ["firmware"]


def test_noise_in_the_firmwares_name_stays_small() -> None:
    """However many fields and however long: what is told of M115 has its bounds."""
    many = b"".join(b" X%d:%s" % (number, b"y" * 400) for number in range(5))
    many += b"".join(b" A%d:1" % number for number in range(99))
    host = Host(m115=b"FIRMWARE_NAME:Marlin" + many + b"\n")
    host.connect()
    [identified] = [each for each in host.happened if isinstance(each, Identified)]
    assert len(identified.fields) == 24
    assert max(map(len, identified.fields.values())) <= 160

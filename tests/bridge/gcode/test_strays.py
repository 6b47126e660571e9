"""Rests of cut lines that ran as commands of their own: none goes unnoticed (serial 3)."""

import msgspec
import pytest

from bridge.gcode.dialects import MARLIN
from bridge.gcode.stream import Stream
from schemas.jobs import AttemptState
from schemas.printer import PrinterConfig, PrinterState
from tests.fakes.conversation import Conversation, Wire
from tests.fakes.firmware import Firmware, lossy
from tests.fakes.host import CONFIG, Host, Speaking

LINES = [b"G1 X100.123 Y102.456 E%d" % index for index in range(300)]


def printing(lines: list[bytes] = LINES) -> Stream:
    """A stream on a UART, several lines in flight, that has *lines* to send."""
    stream = Stream(lossless=False)
    stream.configure(MARLIN)
    stream.feed(lines, alone=False)
    return stream


def over_a_bad_wire(seed: int, damage: float) -> tuple[Firmware, Stream]:
    """A print whose lines arrive in pieces of some bytes and are damaged."""
    firmware, stream = Firmware(silent_repeats=seed % 2 == 0), printing()
    talk = Wire(stream, firmware.receive, up=lossy(seed, flip=damage, lose=damage))
    talk.piece_bytes = 1 + seed % 9
    talk.run()
    assert talk.lost is None
    return firmware, stream


@pytest.mark.seeded
def test_every_print_with_a_stray_says_so_and_no_other_does() -> None:
    """serial 12/#13, #67: what ran is the file, each line once, or the stray is counted."""
    astray = 0
    for seed in range(66, 92):
        firmware, stream = over_a_bad_wire(seed, 0.0004)
        assert firmware.executed == LINES, seed
        assert bool(firmware.astray) is (stream.strays.count > 0), seed
        astray += bool(firmware.astray)
    assert astray == 4  # or nothing was tried


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_thousand_bad_wires() -> None:
    """The same, in a thousand other prints."""
    for seed in range(1000, 2000):
        firmware, stream = over_a_bad_wire(seed, 0.0004)
        job = [line for line in firmware.astray if line.startswith(b"G")]
        assert not job or stream.strays.count, seed


def ahead(count: int) -> tuple[Stream, Conversation]:
    """A stream with four lines in flight, *count* of them answered."""
    stream = printing([b"G1 X%d" % index for index in range(300)])
    talk = Conversation(stream, lambda _: b"")
    for _ in range(100):
        stream.take(0.0)
        if stream.in_flight == 4:
            break
        talk.say(b"ok\n")
    assert stream.in_flight == 4
    talk.say(b"ok\n" * count)
    return stream, talk


REFUSAL = b"Error:Line Number is not Last Line Number+1, Last Line: %d\nResend: %d\nok\n"


def test_a_line_that_was_answered_and_is_asked_for_has_run_without_its_number() -> None:
    """Its head was lost: the rest ran, with an `ok`, and runs again in its turn."""
    stream, talk = ahead(2)
    talk.say(REFUSAL % (stream.acked - 1, stream.acked))
    assert stream.strays.count == 1
    assert (stream.strays.news(), stream.strays.news()) == (True, False)


def test_a_piece_that_the_firmware_does_not_know_has_not_run() -> None:
    """`echo:Unknown command` and its `ok`: nothing moved."""
    stream, talk = ahead(1)
    talk.say(b'echo:Unknown command: "3 G1 X1"\nok\n')
    talk.say(REFUSAL % (stream.acked - 1, stream.acked))
    assert stream.strays.count == 0


class Headless(Speaking):
    """The first line with *text* in it arrives without the beginning of its number."""

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self._text = text

    def receive(self, data: bytes) -> bytes:
        """What arrives."""
        if self._text and self._text in data:
            line = next(one for one in data.split(b"\n") if self._text in one)
            data, self._text = data.replace(line, line[1:]), b""
        return super().receive(data)


def test_the_last_line_of_a_script_runs_though_it_lost_its_head() -> None:
    """Nothing came behind it that would have shown the gap: the heater stayed on."""
    scripts = {"after_print": "M107\nM104 S0"}
    config: PrinterConfig = msgspec.structs.replace(CONFIG, scripts=scripts)
    host = Host(config)
    host.firmware = Headless(b"M104 S0")
    host.firmware.says[b"M105"] = b""
    host.connect()
    host.start(b"G1 X1\nG1 X2\n")
    host.go()
    host.wait(5.0)
    assert b"M104 S0" in host.firmware.executed
    assert host.firmware.executed.count(b"M107") == 1
    assert host.attempts[-1] is AttemptState.COMPLETED


@pytest.mark.parametrize("unknown", [b"M999999 S1", b"SET_PRINT_STATS_INFO CURRENT_LAYER=1"])
def test_a_command_that_is_none_is_not_asked_about(unknown: bytes) -> None:
    """A file may be full of them."""
    host = Host()
    host.firmware.says[unknown] = b'echo:Unknown command: "%b"\n' % unknown
    host.connect()
    host.start((unknown + b"\n") * 50)
    host.go()
    assert b"M105" not in host.firmware.executed


def test_an_ok_that_nobody_is_owed_is_that_of_a_stray() -> None:
    """While all waits for a replay: one for each Resend, and one too many."""
    stream, talk = ahead(0)
    first = stream.acked + 1
    talk.say(REFUSAL % (first - 1, first) * 2)
    assert stream.strays.count == 0
    talk.say(b"ok\n")
    assert stream.strays.count == 1


STRAYED = b"Error:Line Number is not Last Line Number+1, Last Line: %d\nResend: %d\nok\nok\n"


def strayed(policy: str) -> Host:
    """A print whose firmware has just said one `ok` too many behind a Resend."""
    config: PrinterConfig = msgspec.structs.replace(CONFIG, stray_policy=policy)
    host = Host(config)
    host.printer.opened(host.now, boots=False, lossless=False)
    host.go()
    host.start(b"".join(b"G1 X%d Y1\n" % index for index in range(50)))
    for _ in range(8):
        host.say(host.firmware.receive(host.printer.take(host.now)))
    assert host.printer.take(host.now).count(b"\n") == 2  # one is damaged, the other cut
    acked = host.printer.link.stream.acked
    host.say(STRAYED % (acked, acked + 1))
    host.go()
    assert host.printer.link.stream.strays.count == 1
    return host


@pytest.mark.parametrize(
    ("policy", "state", "ending"),
    [
        ("go_on", PrinterState.PRINTING, AttemptState.COMPLETED),
        ("pause", PrinterState.PAUSED, AttemptState.PAUSED),
        ("fail", PrinterState.OPERATIONAL, AttemptState.FAILED),
    ],
)
def test_a_print_does_at_a_stray_what_its_printer_is_told_to(
    policy: str, state: PrinterState, ending: AttemptState
) -> None:
    """Go on, wait for a person, or end as failed; it is told of in any case."""
    host = strayed(policy)
    host.wait(2.0)
    assert (state in host.states, host.attempts[-1]) == (True, ending)
    assert host.warnings.count("stray_command") == 1
    assert (len(host.printed) == 50) is (policy == "go_on")


def test_a_print_that_waits_for_a_stray_goes_on_when_a_person_says_so() -> None:
    """From where it was, every line once."""
    host = strayed("pause")
    host.wait(2.0)
    host.printer.resume(host.now)
    host.wait(2.0)
    assert host.attempts[-1] is AttemptState.COMPLETED
    assert [line for line in host.printed if b"Y1" in line] == [
        b"G1 X%d Y1" % index for index in range(50)
    ]


def test_answers_to_polls_are_no_strays() -> None:
    """An M105 without a number that was under way is answered, too."""
    stream, talk = ahead(0)
    stream.bypass(b"M105\n", answered=True)
    first = stream.acked + 1
    talk.say(REFUSAL % (first - 1, first) + b"ok T:20.0 /0.0\n")
    assert stream.strays.count == 0

"""Lines from a firmware into values (serial 3, 5, 6, 7)."""

from time import perf_counter

import pytest

from bridge.gcode.failures import POLICY, Failure, Kind, Severity
from bridge.gcode.replies import (
    MAX_REPLY_BYTES,
    Ack,
    Action,
    BadTool,
    Busy,
    Capability,
    FirmwareInfo,
    Keepalive,
    LineReader,
    Overrun,
    Position,
    Reply,
    Resend,
    ResetReason,
    Start,
    Text,
    Wait,
    parse,
)
from bridge.gcode.sdcard import (
    Finished,
    ListBegins,
    NotPrinting,
    Opened,
    Present,
    Printing,
)
from bridge.gcode.temperatures import Reading, Temperatures


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("ok", Ack()),
        ("ok N17 P15 B31", Ack(number=17, free=31)),
        ("ok P15 B3", Ack(free=3)),
        ("ok 17", Ack(number=17)),
        ("ok N:17", Ack(number=17)),
        ("okok", Ack(count=2)),
        ("okay", Text("okay")),
        ("echo:ok", Text("echo:ok")),
        ("echo:M113 S2", Keepalive(2.0)),
        ("wait", Wait()),
        ("echo:busy: processing", Busy(human=False)),
        ("busy:processing", Busy(human=False)),
        ("echo:busy: paused for user", Busy(human=True)),
        ("start", Start()),
        ("\x00start", Start()),
        ("\xff\xfe~start", Start()),
        ("Resend: 17", Resend(17)),
        ("rs N17 Expected checksum 67", Resend(17)),
        ("RS 17", Resend(17)),
        ("Cap:EMERGENCY_PARSER:1", Capability("EMERGENCY_PARSER", True)),
        ("//action:pause", Action("pause", "")),
        ("// action:prompt_begin Hello you", Action("prompt_begin", "Hello you")),
        ("X:0.00 Y:1.00 Z:5.00 E:0.20 Count X:0 Y:0", Position(0, 1, 5, 0.2)),
        (
            'echo:Unknown command: "G5"',
            Failure(Severity.HARMLESS, 'Unknown command: "G5"', Kind.UNKNOWN_COMMAND),
        ),
        ("ok 17 anything", Ack(number=17)),
        ("Resend:17", Resend(17)),
        ("Resend: N17", Resend(17)),
        ("rs 17 Expected checksum 3", Resend(17)),
        ("resend 17", Resend(17)),
        ("echo:T5 Invalid extruder", BadTool(5)),
        ("echo:T5Invalid extruder", BadTool(5)),  # Marlin 1.1
        ("Full RX Buffer", Overrun()),
        ("//####checkSum error 12", Overrun()),
        ("Watchdog Reset", ResetReason("Watchdog Reset")),
        ("X:1 Y:2 Z:3 E0:4.5 E1:0 Count A:1 B:2", Position(1, 2, 3, 4.5)),
        ("X:1 Y:2 Z:3 I:9.00 A:-1 E:4.5 Count X:1", Position(1, 2, 3, 4.5)),
        ("C: X:1.000 Y:2.0 Z:3.0 E:4.5 E0:4.5 Count 8 1 2", Position(1, 2, 3, 4.5)),
        ("C: X:1.0000 Y:2.0000 Z:-3.0000", Position(1, 2, -3, None)),
        ("X:\x1c1 Y: 2.0 Z:\x1f3.0 E:\x0b4.0", Position(1, 2, 3, 4)),  # noise that counts as space
        ("Begin file list", ListBegins()),
        ("File opened: MY FILE~1.GCO Size: 623471", Opened("MY FILE~1.GCO", 623471)),
        ("SD printing byte 12/4000", Printing(12, 4000)),
        ("Not SD printing", NotPrinting()),
        ("Done printing file", Finished()),
        ("echo:No SD card", Present(False)),
        ("", Text("")),
    ],
)
def test_a_line_is_one_value(line: str, reply: Reply) -> None:
    """Recognition is a table: these are its rows."""
    assert parse(line) == (reply,)


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("Error:checksum mismatch, Last Line: 3", Severity.RESEND),
        ("Error:No Line Number with checksum, Last Line: 3", Severity.RESEND),
        ("Error:expected line 4 got 5", Severity.RESEND),
        ("Error:Missing linenumber", Severity.RESEND),
        ("Error:RX timeout", Severity.RESEND),
        ("Error:Heating failed, system stopped! Heater_ID: E0", Severity.HALTED),
        ("Error:0: Heaters switched off. MINTEMP triggered!", Severity.HALTED),
        ("Error: Heater fault on heater 1", Severity.HALTED),
        ("Error: Heating fault on heater 1, temperature excursion exceeded", Severity.HALTED),
        ("Error: Heater 1 fault: temperature rising too slowly: expected 2.5", Severity.HALTED),
        ("Error: Temperature reading fault on heater 1: open circuit", Severity.HALTED),
        (
            "fatal:Heater/sensor error - Printer stopped and heaters disabled due to this error. "
            "Fix error and restart with M999.",
            Severity.HALTED,
        ),
        (
            "fatal:G32 leveling failed! - Printer stopped and heaters disabled due to this error.",
            Severity.HALTED,
        ),
        ("Error:Temp sensor defect", Severity.HALTED),
        ("Error:One heater seems decoupled from thermistor - disabling all", Severity.HALTED),
        ("Error:Printer set into dry run mode until restart!", Severity.HALTED),
        ("Error:too much inactive time", Severity.HALTED),
        ("Error:Homing Failed", Severity.STOPPED),
        ("Error:Probing Failed", Severity.STOPPED),
        ("fatal:heater decoupled, emergency stop", Severity.HALTED),
        ("// Klipper state: Shutdown", Severity.HALTED),
        ("// Klipper state: Disconnect", Severity.STOPPED),
        ("!!", Severity.HALTED),
        ("Kill button pressed - reset, or M999 to exit HALT state", Severity.HALTED),
        ("ERROR: Temperature runaway on T (delta temp 20.1), HALT asserted.", Severity.HALTED),
        ("!! Printer is not ready", Severity.STOPPED),
        ("INT4", Severity.STOPPED),
        ("!! Must home axis first: 1 2 3", Severity.HARMLESS),
        ("Error: G0/G1: insufficient axes homed", Severity.HARMLESS),
        ("open failed, File: x.gco", Severity.HARMLESS),
        ("echo: cold extrusion prevented", Severity.HARMLESS),
        ("Error:Line Number is not Last Line Number+1, Last Line: 3", Severity.RESEND),
        ("Error:Printer halted. kill() called!", Severity.HALTED),
        ("Error:MINTEMP triggered, system stopped! Heater_ID: E0", Severity.HALTED),
        ("Error: THERMAL RUNAWAY", Severity.HALTED),
        ("!! MCU 'mcu' shutdown: Timer too close", Severity.HALTED),
        ("Error:Printer stopped due to errors. Fix the error and use M999", Severity.STOPPED),
        ("Printer stopped due to errors. Fix the error and use M999", Severity.STOPPED),
        ("echo: too long extrusion prevented", Severity.HARMLESS),
        ("Error:something else", Severity.HARMLESS),
    ],
)
def test_errors_have_a_severity(line: str, severity: Severity) -> None:
    """serial 7: a policy per class, not one for all."""
    (reply,) = parse(line)
    assert isinstance(reply, Failure)
    assert reply.severity is severity


def test_m115_is_split_into_its_fields() -> None:
    """serial 5: values hold blanks and addresses; unknown fields are kept."""
    (reply,) = parse(
        "FIRMWARE_NAME:Marlin bugfix-2.1.x (x) SOURCE_CODE_URL:https://a.b/c "
        "MACHINE_TYPE:3D Printer EXTRUDER_COUNT:1 UUID:aa-bb"
    )
    assert isinstance(reply, FirmwareInfo)
    assert reply.fields["FIRMWARE_NAME"] == "Marlin bugfix-2.1.x (x)"
    assert reply.fields["SOURCE_CODE_URL"] == "https://a.b/c"
    assert reply.fields["UUID"] == "aa-bb"


@pytest.mark.parametrize("between", ["", "\x02", "J", "*", "\x8a"])
def test_two_answers_without_their_line_feed_are_two(between: str) -> None:
    """serial 11: it is lost, or a bit of it is flipped; the second may be that of a probe."""
    assert parse(f"ok{between}ok") == (Ack(count=2),)
    ack, heat = parse(f"ok{between}ok T:20.0 /0.0 B:21.0 /0.0 @:0")
    assert ack == Ack(count=2, temperatures=True)
    assert isinstance(heat, Temperatures)


def test_an_answer_on_the_ok_line_is_both() -> None:
    """Klipper and M105 answer behind `ok`."""
    ack, info = parse("ok FIRMWARE_NAME:Klipper FIRMWARE_VERSION:v0.12")
    assert isinstance(ack, Ack)
    assert isinstance(info, FirmwareInfo)
    ack, report = parse("ok T:20.0 /0.0 B:21.0 /60.0 @:0")
    assert ack == Ack(temperatures=True)
    assert isinstance(report, Temperatures)


@pytest.mark.parametrize(
    ("line", "readings", "settling"),
    [
        ("T:23.75 /200.00 B:23.75 /0.00 @:127 B@:0 W:?", {"tool0": (23.75, 200.0)}, True),
        ("T:200.0/ 210.0 B:60/60", {"tool0": (200.0, 210.0), "bed": (60.0, 60.0)}, False),
        (
            "T:99 /0 B:60 /60 T0:20.1 /0 T1:30 /0",
            {"tool0": (20.1, 0.0), "tool1": (30.0, 0.0)},
            False,
        ),
        ("T0:nan /0 B:-15/0", {"tool0": (None, 0.0), "bed": (-15.0, 0.0)}, False),
        ("T:170.1 E:0 B:60.0", {"tool0": (170.1, None), "bed": (60.0, None)}, True),
        ("T:24.8 /0.0 @0 B:25.1 /0.0 @0", {"tool0": (24.8, 0.0), "bed": (25.1, 0.0)}, False),
        ("T:98.0 E:1 W:?", {"tool1": (98.0, None)}, True),
        ("T:24.8 /210.0 @0 T1:25.1 /0.0 @0", {"tool0": (24.8, 210.0), "tool1": (25.1, 0.0)}, False),
        ("C:31.0 /40.0", {"chamber": (31.0, 40.0)}, False),
        ("TargetExtr0:200", {"tool0": (None, 200.0)}, False),
        ("TargetBed:60", {"bed": (None, 60.0)}, False),
    ],
)
def test_temperatures_in_every_format(
    line: str, readings: dict[str, tuple[float | None, float | None]], settling: bool
) -> None:
    """serial 6; serial 12/#30, #53: blanks anywhere, several tools, `nan` kept out."""
    (report,) = parse(line)
    assert isinstance(report, Temperatures)
    assert report.settling is settling
    for name, (actual_c, target_c) in readings.items():
        assert report.readings[name] == Reading(actual_c, target_c)


@pytest.mark.parametrize("line", ["EXTRUDER_COUNT:1", "echo:  M301 P22.2 I1.08", "Count X:0 Y:0"])
def test_what_looks_like_a_temperature_is_none(line: str) -> None:
    """`T:` inside other words is no report."""
    assert not any(isinstance(reply, Temperatures) for reply in parse(line))


def test_lines_come_in_any_pieces() -> None:
    """Bytes are cut anywhere; line ends may be CRLF."""
    reader = LineReader()
    assert reader.feed(b"o") == []
    assert not reader.clear
    assert reader.feed(b"k\r\nec") == ["ok"]
    assert reader.feed(b"ho:x\n") == ["echo:x"]
    assert reader.clear


def test_a_line_without_end_takes_no_memory() -> None:
    """serial 12/#59, #60: ten megabytes of noise, and the next line is understood."""
    reader = LineReader()
    for _ in range(160):
        assert reader.feed(b"\xff" * 65536) == []
        assert len(reader._rest) <= MAX_REPLY_BYTES
    assert reader.feed(b"\nok\n")[-1] == "ok"
    assert reader.garbage >= 160 * 65536


def test_every_kind_of_error_has_a_policy() -> None:
    """A kind without a row would be an accident at the worst moment."""
    assert set(POLICY) == set(Kind)


@pytest.mark.parametrize("word", ["ok ", "okok ok ", "ok\tokok "])
def test_a_line_of_nothing_but_answers_is_one(word: str) -> None:
    """Each was taken apart within the one before: a line of 4 KiB ended the sender."""
    line = (word * MAX_REPLY_BYTES)[:MAX_REPLY_BYTES].strip()
    assert [type(reply) for reply in parse(line)] == [Ack]
    assert [type(reply) for reply in parse("ok ok ok T:20.0 /0.0")] == [Ack, Temperatures]


@pytest.mark.parametrize("head", [b"Resend: ", b"ok ", b"Error:checksum mismatch, Last Line: "])
def test_a_line_that_is_too_long_is_none_even_when_it_comes_at_once(head: bytes) -> None:
    """Its number had more digits than Python reads, and the sender ended with its print."""
    reader = LineReader()
    long = head + b"1" * MAX_REPLY_BYTES
    assert [parse(line) for line in reader.feed(long + b"\nok\n")] == [(Ack(),)]
    assert reader.clear


@pytest.mark.parametrize(
    "head", ["Resend:", "File opened: ", "Error:home ", "echo:home home ", "Error:heater "]
)
@pytest.mark.parametrize("piece", [" ", "home ", "heater "])
def test_no_line_of_a_printer_takes_long(head: str, piece: str) -> None:
    """Blanks behind `Resend:` were shared out in every way there is: no stop got past that."""
    line = (head + piece * MAX_REPLY_BYTES)[: MAX_REPLY_BYTES - 1] + "!"
    began = perf_counter()
    parse(line)
    assert perf_counter() - began < 0.1

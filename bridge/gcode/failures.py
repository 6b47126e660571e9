"""What error lines mean and what is done about each kind (serial 7): two tables.

The first table sorts a line into a kind, the first pattern that fits wins; the second says how bad
that kind is. No kind makes the host send M112: a firmware that still speaks has decided itself.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

#: Characters of an error that are told: no firmware says that much, but noise does.
MAX_TEXT = 400


class Severity(StrEnum):
    """How bad an error line is."""

    RESEND = "resend"  # belongs to a Resend that follows
    HARMLESS = "harmless"  # a person is told, the print goes on
    STOPPED = "stopped"  # moves are ignored from now on
    HALTED = "halted"  # killed: silent until it is reset


class Kind(StrEnum):
    """What went wrong, as a stable word."""

    TRANSFER = "transfer"  # numbers and checksums
    STOPPED = "stopped"
    POWER_PANIC = "power_panic"
    THERMAL = "thermal"
    KILLED = "killed"
    HOMING = "homing"
    PROBING = "probing"
    INACTIVITY = "inactivity"
    NOT_READY = "not_ready"  # the host behind the firmware has lost its boards
    NOT_HOMED = "not_homed"  # a move was skipped
    COLD = "cold"  # an extrusion was skipped, for its heat or its length
    UNKNOWN_COMMAND = "unknown_command"
    CARD = "card"
    FAN = "fan"
    SUPERVISION = "supervision"  # it has paused for a fault, and can go on
    OTHER = "other"


POLICY: dict[Kind, Severity] = {
    Kind.TRANSFER: Severity.RESEND,
    Kind.STOPPED: Severity.STOPPED,
    Kind.POWER_PANIC: Severity.STOPPED,
    Kind.THERMAL: Severity.HALTED,
    Kind.KILLED: Severity.HALTED,
    Kind.HOMING: Severity.STOPPED,
    Kind.PROBING: Severity.STOPPED,
    Kind.INACTIVITY: Severity.HALTED,
    Kind.NOT_READY: Severity.STOPPED,
    Kind.NOT_HOMED: Severity.HARMLESS,
    Kind.COLD: Severity.HARMLESS,
    Kind.UNKNOWN_COMMAND: Severity.HARMLESS,
    Kind.CARD: Severity.HARMLESS,
    Kind.FAN: Severity.HARMLESS,
    Kind.SUPERVISION: Severity.HARMLESS,
    Kind.OTHER: Severity.HARMLESS,
}

_KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"checksum|line ?number|expected line|format error|rx timeout", Kind.TRANSFER),
        (r"printer stopped due to errors|stop called", Kind.STOPPED),
        (r"printer is not ready", Kind.NOT_READY),
        (
            r"min_?temp|max_?temp|(?:thermal|temperature) runaway|thermal malfunction|"
            r"heating failed|heat(?:er|ing) fault|heater \d+ fault|temperature reading fault|"
            r"heaters switched off|heater .{0,80}not heating|extruder switched off|"
            r"heater/sensor|decoupled|sensor defect|reasonable temperature raise",
            Kind.THERMAL,
        ),
        (r"inactive time", Kind.INACTIVITY),
        (
            r"kill|halted|halt asserted|shutdown|system stopped|emergency stop|"
            r"heaters disabled|dry run mode",
            Kind.KILLED,
        ),
        (r"homing failed|^no trigger on |^endstop .* still triggered", Kind.HOMING),
        (r"probing failed|probe failed", Kind.PROBING),
        (r"home .{0,80}first|must home|insufficient axes homed", Kind.NOT_HOMED),
        (
            r"cold extrusion|too long extrusion|too cold to|below minimum temp|was not driven",
            Kind.COLD,
        ),
        (r"unknown command", Kind.UNKNOWN_COMMAND),
        (r"open failed|openroot|volume\.init|sd init|no (sd )?(card|media)|to file", Kind.CARD),
    )
)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error line of one *kind*; *severity* is that kind's."""

    severity: Severity
    text: str
    kind: Kind = Kind.OTHER


_LAST_LINE = re.compile(r"Last Line: ?(\d+)")


def last_line(text: str) -> int | None:
    """The last good line number that an error about a line tells, None when it does not."""
    found = _LAST_LINE.search(text)
    return int(found[1]) if found else None


_UNKNOWN = re.compile(r"unknown command: ?\"\s*([^\s\"*]*)", re.IGNORECASE)


def unknown_word(text: str) -> bytes | None:
    """The first word of what an error calls no command, None when it does not say."""
    found = _UNKNOWN.search(text)
    return found[1].encode("latin-1") if found else None


def sort(text: str) -> Failure:
    """The failure that the error *text* is."""
    for pattern, kind in _KINDS:
        if pattern.search(text):
            return Failure(POLICY[kind], text[:MAX_TEXT], kind)
    return Failure(Severity.HARMLESS, text[:MAX_TEXT])


#: Lines that are no errors by their beginning but tell of something that went wrong.
_NOTICES: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"(?:echo:|//)\s*unknown command", re.I), Kind.UNKNOWN_COMMAND),
    (re.compile(r"echo:.*(?:cold|too long) extrusion prevented", re.I), Kind.COLD),
    (re.compile(r"(?:warning: )?tool \d+ was not driven", re.I), Kind.COLD),
    # Marlin 2 says it to every move of a stopped machine, without `Error:` (`queue.cpp`)
    (re.compile(r"printer stopped due to errors", re.I), Kind.STOPPED),
    # An MK3's only word of why it has paused: its thermal model has switched the heaters off, and
    # it can go on (`Marlin_main.cpp`, `ThermalStop`), or a fan stands (`fancheck.cpp`)
    (re.compile(r"echo:printer stopped due to errors", re.I), Kind.SUPERVISION),
    (re.compile(r"(?:hotend|extruder|print) fan speed is lower than expected", re.I), Kind.FAN),
    # Marlin with PASSWORD_FEATURE says `ok` to whatever follows and does nothing (`gcode.cpp`)
    (re.compile(r"echo:\s*printer locked", re.I), Kind.NOT_READY),
    (re.compile(r"echo:.{0,80}home .{0,80}first", re.I), Kind.NOT_HOMED),
    (
        re.compile(
            r"(?:file\.)?open failed|error writing to file|(?:echo:)?no (?:sd card|media)\b", re.I
        ),
        Kind.CARD,
    ),
    # RepRapFirmware says `ok` to whatever follows and does nothing (`GCodes.cpp`, DoEmergencyStop)
    (
        re.compile(r"// klipper state: shutdown|kill button pressed|emergency stop! reset", re.I),
        Kind.KILLED,
    ),
    (re.compile(r"// klipper state: disconnect", re.I), Kind.NOT_READY),
    (re.compile(r"INT4$"), Kind.POWER_PANIC),
)


def notice(line: str) -> Failure | None:
    """The failure that a line without `Error:` tells of, None for any other line."""
    for pattern, kind in _NOTICES:
        if pattern.match(line):
            return Failure(POLICY[kind], line.removeprefix("echo:").strip()[:MAX_TEXT], kind)
    return None

"""Lines from a firmware into values (serial 3, 5, 6 and 7).

Recognition is data: the first pattern that matches wins. What no pattern knows is `Text`; it is
never an error. A printer's text is hostile: no pattern has two ways to take the same blanks.
`LineReader` cuts bytes into lines with bounded memory.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from bridge.gcode import failures, sdcard, temperatures
from bridge.gcode.failures import Failure
from bridge.gcode.sdcard import CardReply
from bridge.gcode.temperatures import Temperatures

#: A line longer than this is cut: no firmware says that much, but noise does.
MAX_REPLY_BYTES = 4096
#: Characters of a field of M115's answer that count.
MAX_FIELD = 160
#: Answers whose line ends are lost: what stands behind more of them is noise.
MAX_MERGED = 8


@dataclass(frozen=True, slots=True)
class Ack:
    """`ok`: *count* commands taken. *number* and *free* come from ADVANCED_OK, else None."""

    count: int = 1
    number: int | None = None
    free: int | None = None
    temperatures: bool = False


@dataclass(frozen=True, slots=True)
class Resend:
    """The firmware wants line *number* again."""

    number: int


@dataclass(frozen=True, slots=True)
class Busy:
    """Alive, not finished. *human*: it waits for a person, who may take any time."""

    human: bool


@dataclass(frozen=True, slots=True)
class Keepalive:
    """M113's answer: `busy` comes every so many seconds, 0 for never."""

    every_s: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Idle and its buffers are empty."""


@dataclass(frozen=True, slots=True)
class Start:
    """The firmware has just booted and has forgotten everything. *banner*: in its own words."""

    banner: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """A host action: `//action:word text`."""

    word: str
    text: str


@dataclass(frozen=True, slots=True)
class FirmwareInfo:
    """The fields of M115's line, as written."""

    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Capability:
    """One `Cap:` line."""

    name: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Position:
    """M114's answer in mm: the planner's target. *e_mm* None: this firmware does not tell it."""

    x_mm: float
    y_mm: float
    z_mm: float
    e_mm: float | None


@dataclass(frozen=True, slots=True)
class Overrun:
    """The firmware lost bytes of ours; a Resend follows if it can tell which."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line behind a damaged one was left out, without a Resend of its own (Repetier)."""


@dataclass(frozen=True, slots=True)
class BadTool:
    """The firmware has no tool *number* and stays with the one it had."""

    number: int


@dataclass(frozen=True, slots=True)
class ResetReason:
    """Why the board has just restarted, in its own words."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """Anything else."""

    text: str


Reply = (
    Ack
    | Resend
    | Busy
    | Keepalive
    | Wait
    | Start
    | Failure
    | Action
    | FirmwareInfo
    | Capability
    | Position
    | Temperatures
    | Overrun
    | Skipped
    | BadTool
    | ResetReason
    | CardReply
    | Text
)

#: Malyan writes a dot behind the first one, and tabs between them.
_FIELD = re.compile(r"(?:^|[\s,])(NAME(?=\.\s)|[A-Z][A-Z0-9_\-]*(?=:))[:.]")
_ADVANCED = re.compile(r"N:?\s*(?P<n>\d+)(?:\s+P\d+)?(?:\s+B(?P<b>\d+))?|(?P<bare>\d+)\b")
_FREE_ONLY = re.compile(r"P\d+\s+B(\d+)")


def _ack(match: re.Match[str]) -> Reply:
    rest = match["rest"].strip()
    numbers = _ADVANCED.match(rest)
    if numbers:
        free = numbers["b"]
        return Ack(number=int(numbers["n"] or numbers["bare"]), free=int(free) if free else None)
    free_only = _FREE_ONLY.match(rest)
    if free_only:
        return Ack(free=int(free_only[1]))
    return Ack(temperatures=temperatures.parse(rest) is not None)


def _merged(match: re.Match[str]) -> Reply:
    """Two answers; the line feed between them is lost or damaged. The second is often a probe's."""
    return Ack(count=2, temperatures=temperatures.parse(match["rest"].strip()) is not None)


def _failure(match: re.Match[str]) -> Reply:
    return failures.sort(match["text"].strip())


def _fatal(match: re.Match[str]) -> Reply:
    """Smoothie says nothing but `!!` to every line once it is halted."""
    return failures.sort(match["text"].strip() or "halted")


def _pause_request(match: re.Match[str]) -> Reply:
    """Repetier's word for `action:pause`, also behind a homing after which nothing may move."""
    failure = failures.sort(match["why"])
    return failure if failure.kind is failures.Kind.HOMING else Action("pause", failure.text)


def _info(match: re.Match[str]) -> Reply:
    line = match.string
    fields = list(_FIELD.finditer(line))
    ends = [*(field.start() for field in fields[1:]), len(line)]
    return FirmwareInfo(
        {
            field[1]: line[field.end() : end].strip(" ,")[:MAX_FIELD]
            for field, end in zip(fields, ends, strict=False)  # noise may leave no field at all
        }
    )


def _nameless(match: re.Match[str]) -> Reply:
    return FirmwareInfo({"FIRMWARE_NAME": match[0].strip()[:MAX_FIELD]})


def _position(match: re.Match[str]) -> Reply:
    e_mm = float(match["e"]) if match["e"] else None
    return Position(float(match["x"]), float(match["y"]), float(match["z"]), e_mm)


_MM = r"-?\d{1,9}(?:\.\d*)?"
_XYZ = rf"X:\s*(?P<x>{_MM})\s*Y:\s*(?P<y>{_MM})\s*Z:\s*(?P<z>{_MM})"
#: Axes beside the three that every printer has may stand before the extruder.
_PLACE = rf"(?:C:\s*)?{_XYZ}(?:\s*[A-DI-KU-W]:\s*{_MM})*\s*E\d?:\s*(?P<e>{_MM})"
#: Smoothie tells no extruder.
_BARE_PLACE = rf"C:\s*{_XYZ}(?P<e>)"


#: Sprinter's line about its memory, said by all that come from it, and never but behind a boot.
_MEMORY = re.compile(r"(?:echo:)?\s*Free Memory: ?-?\d+\s+PlannerBufferBytes:")

_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Reply]], ...] = (
    (re.compile(r"(?P<oks>(?:ok){2,})$"), lambda m: Ack(count=len(m["oks"]) // 2)),
    (re.compile(r"ok(?=$|[\s\d])(?P<rest>.*)"), _ack),
    (re.compile(r"ok\S?ok(?=$|\s)(?P<rest>.*)"), _merged),
    (
        re.compile(r"(?:resend|rs)\b\s*(?::\s*)?(?:N\s*)?(?::\s*)?(\d+)", re.I),
        lambda m: Resend(int(m[1])),
    ),
    (
        re.compile(r"(?:echo:\s*)?busy:\s*(?P<why>.*)", re.I),
        lambda m: Busy(human=m["why"].lower().startswith("paused")),
    ),
    (re.compile(r"(?:echo:)?\s*M113 S(\d{1,9})"), lambda m: Keepalive(float(m[1]))),
    (re.compile(r"wait$"), lambda _: Wait()),
    (re.compile(r"[^A-Za-z/]*(?:echo:\s*)?start$"), lambda _: Start()),
    (_MEMORY, lambda _: Start()),
    (re.compile(r"// Klipper state: Ready|Smoothie(?: Running.*)?$"), lambda m: Start(m[0])),
    (re.compile(r"(?:error|fatal)\s*:(?P<text>.*)", re.I), _failure),
    (re.compile(r"!!(?P<text>.*)"), _fatal),
    (
        re.compile(r"Full RX Buffer|RX BUF overflow|.*####\s*checkSum error", re.I),
        lambda _: Overrun(),
    ),
    (re.compile(r"skip \d+$"), lambda _: Skipped()),
    (
        re.compile(r"(?:echo:)?\s*(?:T(\d{1,9})\s*)?Invalid extruder(?:\s+(\d{1,9}))?", re.I),
        lambda m: BadTool(int(m[1] or m[2] or 0)),
    ),
    (
        re.compile(r"(?:PowerUp|(?:External|Brown out|Watchdog|Software) Reset)$", re.I),
        lambda m: ResetReason(m[0].strip()),
    ),
    (
        re.compile(r"//\s*action:\s*(?P<word>[a-z_]+)\s*(?P<text>.*)"),
        lambda m: Action(m["word"], m["text"][: failures.MAX_TEXT]),
    ),
    (re.compile(r"(?:echo: ?)?RequestPause:(?P<why>.*)"), _pause_request),
    (re.compile(r"(?:echo: ?)?RequestContinue:"), lambda _: Action("resume", "")),
    (re.compile(r"Cap:([A-Z0-9_]{1,40}):([01])"), lambda m: Capability(m[1], m[2] == "1")),
    (re.compile(r".*(?:FIRMWARE_NAME:|^NAME[:.]\s*Malyan)"), _info),
    (re.compile(r"CBD make it.*", re.I), _nameless),
    (re.compile(_PLACE), _position),
    (re.compile(_BARE_PLACE), _position),
)


def parse(line: str) -> tuple[Reply, ...]:
    """What *line*, stripped of its line end, says; an `ok` with more behind it says both.

    Creality's builds for boards with two names for one port say each character twice in what they
    say to all ports: `busy`, `action`, errors, and temperatures with each number twice.
    """
    reply = more = _first(line)
    for _ in range(MAX_MERGED):
        line = line[2:].strip()
        if not isinstance(more, Ack) or not line:
            break
        more = _first(line)
    if more is reply or isinstance(more, Text | Ack):
        return (reply,)
    return (reply, more)


def _first(line: str) -> Reply:
    for pattern, build in _PATTERNS:
        match = pattern.match(line)
        if match is not None:
            return build(match)
    return _report(line)


def _report(line: str) -> Reply:
    report = temperatures.parse(line)
    if report is not None:
        return report
    for pattern, build in sdcard.PATTERNS:
        match = pattern.match(line)
        if match is not None:
            return build(match)
    if line[2:4] and line[::2] == line[1::2]:
        return parse(line[::2])[0]
    return failures.notice(line) or Text(line)


class LineReader:
    """Bytes into lines. An unfinished line is kept, one that is too long is forgotten."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False
        #: bytes that are no text, for baud detection
        self.garbage = 0
        #: the firmware says XOFF and XON wherever it is in a line; what is in flight is bounded
        self.flow_control = False

    @property
    def clear(self) -> bool:
        """Whether no unfinished line is kept."""
        return not self._rest and not self._skipping

    def feed(self, data: bytes) -> list[str]:
        """The lines that *data* completes, without line ends and surrounding blanks."""
        if self.flow_control:
            data = data.translate(None, b"\x11\x13")
        *whole, rest = (self._rest + data).split(b"\n")
        if self._skipping and whole:
            del whole[0]
            self._skipping = False
        if len(rest) > MAX_REPLY_BYTES:
            rest, self._skipping = b"", True
        self._rest = rest
        self.garbage += len(data) - len(data.translate(None, _NOT_TEXT))
        return [line.strip().decode("latin-1") for line in whole if len(line) <= MAX_REPLY_BYTES]


_NOT_TEXT = bytes([*range(9), *range(14, 32), *range(127, 256)])

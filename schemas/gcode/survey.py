"""What one pass over a file tells a preflight for any printer: targets, places, codes, order. Pure.

Made of the gate's own parts (`schemas.gcode.gate`, `volume`, `shape`), so that a file that a
preflight lets pass is not refused at the port. What is kept is small, whatever the file is.
"""

import re
from collections import Counter

import msgspec

from schemas.gcode import shape
from schemas.gcode.gate import MAX_CARRY_BYTES, MAX_FINDINGS
from schemas.gcode.policy import Treatment
from schemas.gcode.reach import Places, Reach
from schemas.gcode.targets import Target, Targets
from schemas.gcode.words import bare, code_of

#: Grows when a survey tells more than before: older ones are made again.
VERSION = 3
MAX_CODES = 500
_MAX_TEXT = 120

#: What begins a line that is no move: its code, as far as it may matter.
_CODE = re.compile(
    rb"\n(?!G[01] |;)[ \t]*(?:[Nn]-?\d+[ \t]*)?"
    rb"(?![Gg]0*[0-3](?![\d.])|[;\r\n])([^\s;*]{1,40})"
)
_MOVE = rb"\n[ \t]*(?:[Nn]-?\d+[ \t]*)?[Gg]0*[0-3](?![\d.])[^\n;]*?"
_TOOL = re.compile(rb"[Tt](\d{1,3})(?![\d.])")
_FIRST_MOVE = re.compile(_MOVE + rb"[XYxy][ \t]*[-+.\d]")
_FIRST_EXTRUSION = re.compile(_MOVE + rb"[Ee][ \t]*\+?\d*\.?\d*[1-9]")


class Code(msgspec.Struct, frozen=True):
    """A code that begins lines: the first of them, from 1, as it stands there, and how many."""

    line: int
    text: str
    times: int = 1


class Judged(msgspec.Struct, frozen=True):
    """What the gate does with a code on any printer: the first such line, why, and how many."""

    line: int
    text: str
    treatment: Treatment
    why: str
    times: int = 1


class Misfit(msgspec.Struct, frozen=True):
    """A line that no firmware can take, and why."""

    line: int
    why: str


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a file asks of a printer. Lines count from 1; None: there is none.

    *hottest* is by heater, *reach* by axis, *codes* and *judged* by code. *first_move* is the first
    to a place on the bed, *first_extrusion* the first that pushes filament, *heated* the first line
    that heats the nozzle.
    """

    version: int = VERSION
    lines: int = 0
    hottest: dict[str, Target] = {}
    reach: dict[str, Reach] = {}
    codes: dict[str, Code] = {}
    judged: dict[str, Judged] = {}
    misfits: list[Misfit] = []
    first_move: Code | None = None
    first_extrusion: Code | None = None
    heated: int | None = None


class Surveyor:
    """Makes the survey of one file from its chunks, in order."""

    def __init__(self) -> None:
        self._carry = b""
        self._lines = 0
        self._targets = Targets()
        self._places = Places()
        self._codes: dict[str, Code] = {}
        self._judged: dict[str, Judged] = {}
        self._misfits: list[Misfit] = []
        self._has_command = False
        self._first_move: Code | None = None
        self._first_extrusion: Code | None = None

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        data = self._carry + chunk
        end = data.rfind(b"\n") + 1
        self._carry = data[end:]
        if len(self._carry) > MAX_CARRY_BYTES:
            self._carry = self._carry[:MAX_CARRY_BYTES]
        if end:
            self._look(data[:end])

    def finish(self) -> Survey:
        """What is known at the end, the last line without a line end included."""
        if self._carry:
            self._look(self._carry)
            self._carry = b""
        if self._lines and not self._has_command and not self._misfits:
            self._misfits.append(Misfit(self._lines, shape.ONLY_COMMENTS))
        return Survey(
            lines=self._lines,
            hottest=self._targets.hottest,
            reach=self._places.reach,
            codes=self._codes,
            judged=self._judged,
            misfits=self._misfits,
            first_move=self._first_move,
            first_extrusion=self._first_extrusion,
            heated=self._targets.heated.get("nozzle"),
        )

    def _look(self, batch: bytes) -> None:
        first = self._lines + 1
        self._has_command = self._has_command or shape.has_command(batch)
        self._shape(batch, first)
        self._places.feed(batch, first)
        text = b"\n" + batch
        self._judge(batch, first)
        self._count(text, first)
        if self._first_move is None:
            self._first_move = _first(_FIRST_MOVE, text, first)
        if self._first_extrusion is None:
            self._first_extrusion = _first(_FIRST_EXTRUSION, text, first)
        self._lines += batch.count(b"\n") + (not batch.endswith(b"\n"))

    def _shape(self, batch: bytes, first: int) -> None:
        room = MAX_FINDINGS - len(self._misfits)
        if room <= 0:
            return
        format_name = shape.foreign(batch) if first == 1 else None
        if format_name is not None:
            self._misfits.append(Misfit(1, f"it is {format_name}"))
            room -= 1
        found = shape.misfits(batch)[:room]
        self._misfits += [Misfit(first + at, why) for at, why in found]

    def _judge(self, batch: bytes, first: int) -> None:
        for finding in self._targets.feed(batch, first):
            known = self._judged.get(finding.code)
            if known is not None:
                self._judged[finding.code] = msgspec.structs.replace(known, times=known.times + 1)
            elif len(self._judged) < MAX_CODES:
                text = _text(_line(batch, finding.line - first))
                self._judged[finding.code] = Judged(
                    finding.line, text, finding.treatment, finding.why
                )

    def _count(self, text: bytes, first: int) -> None:
        for token, times in Counter(_CODE.findall(text)).items():
            code = _name(token)
            known = self._codes.get(code)
            if known is not None:
                self._codes[code] = msgspec.structs.replace(known, times=known.times + times)
            elif len(self._codes) < MAX_CODES:
                where = re.compile(_CODE.pattern.replace(_TOKEN, b"(" + re.escape(token) + b")"))
                found = _first(where, text, first)
                line, written = (found.line, found.text) if found else (first, "")
                self._codes[code] = Code(line, written, times)


_TOKEN = rb"([^\s;*]{1,40})"


def _first(pattern: re.Pattern[bytes], text: bytes, first: int) -> Code | None:
    """The first line that *pattern* matches in *text*, which begins with a line feed."""
    match = pattern.search(text)
    if match is None:
        return None
    end = text.find(b"\n", match.end())
    line = text[match.start() + 1 : end if end >= 0 else len(text)]
    return Code(first + text.count(b"\n", 1, match.start() + 1), _text(line))


def _name(token: bytes) -> str:
    """The code that *token* begins with, tools with their numbers: `T1`."""
    tool = _TOOL.match(token)
    return f"T{int(tool[1])}" if tool else code_of(bare(token).upper())


def _line(batch: bytes, index: int) -> bytes:
    return batch.split(b"\n", index + 1)[index]


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")[:_MAX_TEXT]

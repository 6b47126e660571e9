"""Temperature offsets: what a printed file asks of a heater, moved by the printer's own shifts.

Only lines of the file are moved (OctoPrint contract, section 4): commands of people and scripts say
what they mean. A line is moved when it is queued, and once more when the offsets change while it
waits; a line that was sent stays what it was, so that a replay is always the same bytes.
"""

import re
from collections import deque
from dataclasses import dataclass

from bridge.gcode.prepare import Run as Lines
from schemas.gcode.gate import judge
from schemas.gcode.limits import SETTERS, ceiling_c
from schemas.gcode.policy import Origin
from schemas.gcode.words import Command, Word, parse
from schemas.printer import PrinterConfig

_HEAT = re.compile(rb"M\s*0*(?:104|109|140|190|141|191)(?![\d.])")
_TOOL = re.compile(rb"T\s*(\d+)")
#: The words of these commands that are targets; B of a nozzle is the firmware's own business.
_TARGETS = "SR"


@dataclass(frozen=True, slots=True)
class _Heat:
    """A heat line as the file has it; *tool* was the active one."""

    ordinal: int
    text: bytes
    tool: int


class HeatLines:
    """The heat lines of one attempt of which the printer may not have taken all yet."""

    def __init__(self, tool: int = 0) -> None:
        """*tool* is active before the file's first line."""
        self._tool = tool
        self._waiting: deque[_Heat] = deque()

    def take(self, first: int, lines: Lines, config: PrinterConfig) -> list[bytes]:
        """The texts of *lines*, the job's from ordinal *first*, as they go out now."""
        moved: dict[int, bytes] = {}
        for index, text in lines.codes:
            if text.startswith(b"M") and _HEAT.match(text):
                heat = _Heat(first + index, text, self._tool)
                self._waiting.append(heat)
                if config.offsets_c:
                    moved[index] = shifted(heat.text, heat.tool, config)
            elif (chosen := _TOOL.match(text)) is not None:
                self._tool = int(chosen[1])
        if not moved:
            return lines.texts
        return [moved.get(index, text) for index, text in enumerate(lines.texts)]

    def settle(self, ordinal: int) -> None:
        """Job lines up to *ordinal* are done."""
        while self._waiting and self._waiting[0].ordinal <= ordinal:
            self._waiting.popleft()

    def again(self, config: PrinterConfig) -> dict[int, bytes]:
        """What waits, by ordinal, under another configuration."""
        return {heat.ordinal: shifted(heat.text, heat.tool, config) for heat in self._waiting}


def shifted(text: bytes, tool: int, config: PrinterConfig) -> bytes:
    """The cleaned heat line *text* with its target moved by the heater's offset.

    A target of 0 stays 0. None is moved above its ceiling or below 0. What the gate would not let
    pass then, or cannot be read as one plain command, goes out as the file has it.
    """
    commands = parse(text)
    if len(commands) != 1:
        return text
    [command] = commands
    heater = _heater(command, tool, config)
    offset_c = config.offsets_c.get(heater, 0.0)
    if not offset_c:
        return text
    highest_c = ceiling_c(config.profile, SETTERS[command.code].heater)
    arguments, at = b"", 0
    for word in command.words():
        target_c = _target_c(word)
        if 0.0 < target_c <= highest_c:
            moved_c = min(max(target_c + offset_c, 0.0), highest_c)
            arguments += command.arguments[at : word.start] + b"%b%g" % (
                word.letter.encode(),
                round(moved_c, 2),
            )
            at = word.end
    moved = b"%b %b" % (command.code.encode(), arguments + command.arguments[at:])
    refused = judge(moved, 1, config.profile, Origin.FILE) is not None
    return text if refused or not at else moved


def _heater(command: Command, tool: int, config: PrinterConfig) -> str:
    """Which heater *command* sets; all tools of a printer with one nozzle share that."""
    heater = SETTERS[command.code].heater
    if heater != "nozzle":
        return heater
    if config.profile.extruders == 1:
        return "tool0"
    named = [word.number for word in command.words() if word.letter == "T"]
    return f"tool{int(float(named[0]))}" if named and named[0] else f"tool{tool}"


def _target_c(word: Word) -> float:
    """The target that *word* sets, 0 for none."""
    return float(word.number) if word.letter in _TARGETS and word.number else 0.0

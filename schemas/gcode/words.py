"""One line of G-code into commands and words: the only parser of command words in Gantry.

It errs on the side of seeing too much: it reads what any common firmware might read. Marlin skips
blanks inside words (`M 104`), leading zeros (`M0104`), line numbers (twice) and checksums; Smoothie
executes several commands of one line; the parser therefore reports all of them.
"""

import re
from dataclasses import dataclass

#: Commands whose argument is free text: everything behind the code belongs to it.
TEXT_CODES = frozenset(
    {"M16", "M23", "M28", "M30", "M32", "M33", "M117", "M118", "M486", "M862", "M928"}
)

#: Those whose text no family but Marlin takes for one: Smoothie and RepRapFirmware run the commands
#: in it.
_MARLINS_TEXTS = frozenset({"M16", "M33", "M118", "M486", "M862"})

_LINE_NUMBER = re.compile(rb"[ \t]*[Nn][ \t]*-?\d+[ \t]*")
_COMMAND = re.compile(rb"([GMT])[ \t]*([-+]?\d{1,400})?(?:\.(\d{1,400}))?")
_NEXT_COMMAND = re.compile(rb"[GM][ \t]*\+?\d")
_HEAT = re.compile(rb"M[ \t]*\+?0*(?:104|109|140|190|141|191)(?!\d)")
_NUMBER = re.compile(rb"([A-Z])[ \t]*([-+]?(?:\d+\.?\d*|\.\d+))?")
_UNPRINTABLE = bytes(code if 32 <= code < 127 else 32 for code in range(256))
#: Blanks are looked at once: a line of nothing else behind a `*` would take minutes.
_CHECKSUM = re.compile(rb"\*[ \t]*(?:\d+[ \t]*)?$")


@dataclass(frozen=True, slots=True)
class Word:
    """A parameter: its letter, its number as written (None: no number), and where it stands."""

    letter: str
    number: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Command:
    """One command. *code* has no subcode and no leading zeros: `G92` for `G92.1`."""

    code: str
    subcode: int | None
    arguments: bytes

    def words(self) -> list[Word]:
        """The parameters in order, repeated letters included; blank for free text."""
        if self.code in TEXT_CODES:
            return []
        return [
            Word(match[1].decode(), match[2].decode() if match[2] else None, *match.span())
            for match in _NUMBER.finditer(self.arguments)
        ]


def bare(line: bytes) -> bytes:
    """*line* without line end, comment, line number and checksum; unprintable bytes are blanks.

    A `;` inside double quotes is no comment. A backslash becomes a blank, because Marlin would drop
    it and join what stands around it.
    """
    text = line.translate(_UNPRINTABLE)
    if b";" in text:
        text = _without_comment(text)
    if b"\\" in text:
        text = text.replace(b"\\", b" ")
    text = text.strip()
    while (match := _LINE_NUMBER.match(text)) and match.end() > 0:
        text = text[match.end() :]
    if b"*" in text:
        text = _CHECKSUM.sub(b"", text)
    return text.strip()


def parse(line: bytes) -> list[Command]:
    """Every command of *line*, in order; empty for a comment or blank line.

    A host command `@word` and whatever is no G, M or T code is one command named by its first word
    in upper case; behind it what heats, since old firmwares look for an M wherever it stands.
    """
    text = bare(line)
    if not text:
        return []
    match = _COMMAND.match(text.upper())
    if match is None or (match[2] is None and match[1] != b"T"):
        name, _, rest = text.partition(b" ")
        inside = _HEAT.search(text.upper())
        hidden = _commands(text[inside.start() :]) if inside is not None else []
        return [Command(name.upper().decode(), None, rest.strip()), *hidden]
    return _commands(text)


def code_of(text: bytes) -> str:
    """The code of the first command of a line that `bare` has cleaned; `T` for a tool change."""
    match = _COMMAND.match(text)
    if match is None:
        return text.partition(b" ")[0].decode("ascii", "replace")
    if match[1] == b"T":
        return "T"
    return f"{match[1].decode()}{int(match[2] or 0)}"


def _commands(text: bytes) -> list[Command]:
    commands = []
    upper = text.upper()
    position = 0
    while match := _COMMAND.match(upper, position):
        letter = match[1].decode()
        code = f"{letter}{int(match[2])}" if match[2] else letter
        end = len(upper)
        if code in _MARLINS_TEXTS and (hidden := _HEAT.search(upper, match.end())):
            end = hidden.start()
        if code not in TEXT_CODES:
            upper = upper.replace(b"(", b" ").replace(b")", b" ")
            following = _NEXT_COMMAND.search(upper, match.end())
            end = following.start() if following else end
        source = text if code in TEXT_CODES else upper
        subcode = int(match[3]) if match[3] else None
        commands.append(Command(code, subcode, source[match.end() : end].strip()))
        position = end
    return commands


def _without_comment(text: bytes) -> bytes:
    quoted = False
    for index, byte in enumerate(text):
        if byte == 34:
            quoted = not quoted
        elif byte == 59 and not quoted:
            return text[:index]
    return text

"""Lines that a person typed, through the same gate as a file's."""

from bridge.errors import GateRefusal
from bridge.gcode.lines import LineTooLong, clean
from schemas.gcode.gate import judge
from schemas.gcode.policy import Origin, Treatment
from schemas.gcode.words import code_of
from schemas.printer import Profile

#: Codes that answer or end a wait inside the firmware: they go past every queue.
_BYPASS_CODES = frozenset({"M108", "M292", "M410", "M876"})
#: Those of them that change nothing else: the firmware goes on where it waits.
_ANSWERS = _BYPASS_CODES - {"M410"}


def sendable(
    lines: list[str], profile: Profile, origin: Origin = Origin.TERMINAL
) -> tuple[list[bytes], list[bytes]]:
    """The cleaned lines for the stream, and those that must bypass it.

    Raises `GateRefusal` for a line that is not allowed or that no printer can take.
    """
    texts: list[bytes] = []
    bypassing: list[bytes] = []
    for number, line in enumerate(lines, 1):
        raw = line.encode("utf-8", "replace")
        finding = judge(raw, number, profile, origin, moves=True)
        if finding is not None and finding.treatment is not Treatment.ALLOW:
            code = "limit_exceeded" if finding.violation else "not_allowed"
            raise GateRefusal(number, str(finding), code)
        try:
            text = clean(raw)
        except LineTooLong as error:
            raise GateRefusal(number, f"line {number}: {error}") from None
        if text:
            (bypassing if code_of(text) in _BYPASS_CODES else texts).append(text)
    return texts, bypassing


def only_answers(texts: list[bytes], bypassing: list[bytes]) -> bool:
    """Whether what `sendable` gave does nothing but answer or end a wait inside the firmware."""
    return not texts and all(code_of(text) in _ANSWERS for text in bypassing)


def printable(text: str) -> str:
    """*text*, of which a printer may have said a part, without what the reader's terminal obeys."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "?" for each in text.replace("\t", " "))

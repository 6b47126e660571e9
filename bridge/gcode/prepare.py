"""A G-code file, chunk by chunk, into lines that are ready for the stream: cleaned and judged.

The gate looks at the *cleaned* lines, which are the bytes that will be sent, so nothing that the
cleaning joins or drops can hide from it (safety M19).
"""

from bisect import bisect_right
from dataclasses import dataclass, field

from bridge.errors import GateRefusal
from bridge.gcode.layers import Layers, Mark
from bridge.gcode.lines import MOTION, PLAIN_BYTES, LineTooLong, clean, is_alone, uncounted
from schemas.gcode.gate import Finding, scan_lines
from schemas.gcode.policy import Treatment
from schemas.gcode.shape import MAX_COMMAND_BYTES
from schemas.printer import Profile

#: An unfinished line beyond this cannot become a command; only its beginning is kept.
_MAX_CARRY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive lines. *ends* are file offsets in bytes behind each; *alone*: one line.

    *codes* are those lines that are no moves, *marks* what the slicer's comments say, each with
    its place: the number of this run's lines before it.
    """

    texts: list[bytes]
    ends: list[int]
    alone: bool = False
    codes: list[tuple[int, bytes]] = field(default_factory=list)
    marks: list[tuple[int, Mark]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class HostPause:
    """The file asks the host to pause here (M0, M1, M25, @pause). *text*: all its line says."""

    code: str
    text: str = ""


Prepared = Run | HostPause


class _NotText(ValueError):
    """The line holds bytes that no text has."""

    def __init__(self) -> None:
        super().__init__("it holds a zero byte: this is no text")


class Preparer:
    """One pass over one file. `feed` in order, the last chunk with *last*."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._carry = b""
        self._skipped = 0
        self._offset = 0
        self._line = 1
        self._layers = Layers()
        self._marks: list[tuple[int, Mark]] = []

    @property
    def lines(self) -> int:
        """How many lines of the file are prepared."""
        return self._line - 1

    def feed(self, chunk: bytes, *, last: bool = False) -> list[Prepared]:
        """What the lines completed by *chunk* are. Raises `GateRefusal` with the file's line."""
        data = self._carry + chunk
        end = len(data) if last else data.rfind(b"\n") + 1
        self._carry = data[end:]
        if not end:
            if len(self._carry) > _MAX_CARRY_BYTES:
                self._skipped += len(self._carry) - _MAX_CARRY_BYTES
                self._carry = self._carry[:_MAX_CARRY_BYTES]
            return []
        raws = data[:end].split(b"\n")
        if not raws[-1]:
            raws.pop()
        texts, ends = self._clean(raws)
        batch = b"\n".join(texts)
        if b"M110" in batch or b"PRUSA" in batch:  # in a move, too, which needs no cleaning else
            texts = [uncounted(text) for text in texts]
            batch = b"\n".join(texts)
        begin = self._offset + self._skipped
        self._marks += [
            (bisect_right(ends, begin + at), mark) for at, mark in self._layers.scan(data[:end])
        ]
        found = self.findings(batch)
        findings = {finding.line - 1: finding for finding in found}
        for index, finding in findings.items():
            if finding.treatment is Treatment.REFUSE:
                raise self._refusal(finding, data, ends[index])
        self._line += len(raws)
        self._offset += end + self._skipped
        self._skipped = 0
        runs = _split(texts, ends, findings)
        self._marks = _place(self._marks, runs)
        return [prepared for _, prepared in runs]

    def findings(self, batch: bytes) -> list[Finding]:
        """What is wrong with the cleaned lines of *batch*, counted from 1."""
        return scan_lines(batch, self._profile, moves=True)

    def _clean(self, raws: list[bytes]) -> tuple[list[bytes], list[int]]:
        texts: list[bytes] = []
        ends: list[int] = []
        offset = self._offset + self._skipped
        for index, raw in enumerate(raws):
            offset += len(raw) + 1
            if (
                raw[:3] in MOTION
                and len(raw) <= MAX_COMMAND_BYTES
                and not raw.translate(None, PLAIN_BYTES)
            ):
                texts.append(raw)
                ends.append(offset)
                continue
            try:
                text = clean(raw)
                if b"\0" in raw:
                    raise _NotText
            except (LineTooLong, _NotText) as error:
                raise GateRefusal(
                    self._line + index, f"line {self._line + index}: {error}"
                ) from None
            if text:
                texts.append(text)
                ends.append(offset)
        return texts, ends

    def _refusal(self, finding: Finding, data: bytes, end: int) -> GateRefusal:
        begin = self._offset + self._skipped
        line = self._line + data.count(b"\n", 0, max(0, end - begin - 1))
        text = str(finding).partition(": ")[2]
        return GateRefusal(line, f"line {line}: {text}")


def _split(
    texts: list[bytes], ends: list[int], findings: dict[int, Finding]
) -> list[tuple[int, Prepared]]:
    """Cut at lines that must be alone and at what the policy takes out; places are in *texts*."""
    prepared: list[tuple[int, Prepared]] = []
    codes: list[tuple[int, bytes]] = []
    begin = 0
    for index, text in enumerate(texts):
        if text[:3] in MOTION:
            continue
        finding = findings.get(index)
        alone = finding is None and is_alone(text)
        if finding is None and not alone:
            codes.append((index - begin, text))
            continue
        if index > begin:
            prepared.append((begin, Run(texts[begin:index], ends[begin:index], codes=codes)))
        codes = []
        if alone:
            run = Run([text], [ends[index]], alone=True, codes=[(0, text)])
            prepared.append((index, run))
        elif finding is not None and finding.treatment is Treatment.HOST:
            prepared.append((index, HostPause(finding.code, text.decode("latin-1"))))
        begin = index + 1
    if begin < len(texts):
        prepared.append((begin, Run(texts[begin:], ends[begin:], codes=codes)))
    return prepared


def _place(
    marks: list[tuple[int, Mark]], prepared: list[tuple[int, Prepared]]
) -> list[tuple[int, Mark]]:
    """Give each mark to the run that it stands in or before; the rest is for the next batch."""
    runs = [(begin, run) for begin, run in prepared if isinstance(run, Run)]
    rest = []
    for at, mark in marks:
        for begin, run in runs:
            if at < begin + len(run.texts):
                run.marks.append((max(0, at - begin), mark))
                break
        else:
            rest.append((0, mark))
    return rest

"""What one pass over a file tells: lines, layers, temperatures, and the slicer's own words.

Runs in a worker thread over at most 64 KiB at a time, so that the event loop gets its turn.
Temperatures and refused codes come from `schemas.gcode`, the parser of the gate at the port.
"""

import re
from pathlib import Path
from typing import Any

from api.files.slicers import facts_of
from schemas.gcode.gate import MAX_CARRY_BYTES, Finding, scan_lines
from schemas.gcode.policy import Treatment
from schemas.printer import Profile

CHUNK_BYTES = 64 * 1024
COMMENT_BYTES = 256 * 1024  # of the head and of the tail; thumbnails at the head take their part
_MAX_REFUSALS = 20

#: No target passes these ceilings, so that every line that sets one is found.
_EVERY_TARGET = Profile(max_nozzle_c=-1.0, max_bed_c=-1.0, max_chamber_c=-1.0)

_COMMAND = re.compile(rb"^[ \t]*(?:N\d+[ \t]*)?[GM]\d", re.MULTILINE | re.IGNORECASE)
_COMMENT = re.compile(rb"^;[^\n]{1,500}$", re.MULTILINE)
_THUMBNAIL = re.compile(rb"^; *thumbnail(?:_\w+)? begin ", re.MULTILINE)


class Scan:
    """Facts gathered from the chunks of a file, in order."""

    def __init__(self) -> None:
        self._carry = b""
        self._lines = 0
        self._layers = 0
        self._binary = False
        self._commands = False
        self._hottest: dict[str, dict[str, float]] = {}
        self._refused: list[dict[str, Any]] = []
        self._head = bytearray()
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        self._binary = self._binary or b"\0" in chunk
        if len(self._head) < COMMENT_BYTES:
            self._head += chunk
        self._tail = (self._tail + chunk)[-COMMENT_BYTES:]
        data = self._carry + chunk
        end = data.rfind(b"\n") + 1
        self._carry = data[end:]
        if len(self._carry) > MAX_CARRY_BYTES:  # no firmware takes such a line
            self._carry = self._carry[:MAX_CARRY_BYTES]
        if end:
            self._look(data[:end])

    def finish(self) -> dict[str, Any]:
        """The facts; keys as in DESIGN's file row, absent where unknown."""
        if self._carry:
            self._look(self._carry)
        facts = facts_of(self._comments())
        if self._layers and "layers" not in facts:
            facts["layers"] = self._layers
        for heater in ("nozzle", "bed", "chamber"):
            if heater in self._hottest:
                facts[f"max_{heater}_c"] = self._hottest[heater]
        facts["lines"] = self._lines
        facts["looks_like_gcode"] = self._commands and not self._binary
        facts["has_thumbnail"] = _THUMBNAIL.search(self._head) is not None
        if self._refused:
            facts["refused"] = self._refused
        return facts

    def _look(self, batch: bytes) -> None:
        if not self._commands:
            self._commands = _COMMAND.search(batch) is not None
        self._layers += batch.count(b"\n;LAYER_CHANGE") + batch.count(b"\n;LAYER:")
        self._layers += batch.startswith((b";LAYER_CHANGE", b";LAYER:"))
        for finding in scan_lines(batch, _EVERY_TARGET, first_line=self._lines + 1):
            self._note(finding)
        self._lines += batch.count(b"\n") + (not batch.endswith(b"\n"))

    def _note(self, finding: Finding) -> None:
        violation = finding.violation
        if violation is not None:
            asked_c = violation.asked_c
            known = self._hottest.get(violation.heater)
            if asked_c is not None and (known is None or asked_c > known["c"]):
                self._hottest[violation.heater] = {"line": finding.line, "c": asked_c}
        elif finding.treatment is Treatment.REFUSE and len(self._refused) < _MAX_REFUSALS:
            self._refused.append({"line": finding.line, "code": finding.code, "why": finding.why})

    def _comments(self) -> str:
        """The comments of head and tail, without the pictures."""
        head = bytes(self._head[:COMMENT_BYTES])
        found = [*_COMMENT.findall(head), *_COMMENT.findall(self._tail)]
        return b"\n".join(line.rstrip(b"\r") for line in found).decode("utf-8", "replace")


def scan(path: Path) -> dict[str, Any]:
    """The facts of the file at *path*."""
    reading = Scan()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            reading.feed(chunk)
    return reading.finish()

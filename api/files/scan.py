"""What one pass over a file tells: lines, layers, temperatures, and the slicer's own words.

Runs in a thread while the next bytes come, two megabytes (about half a millisecond) at a time, so
that the event loop gets its turn. Counting lines would be three quarters of all the work, and
only what is found needs its line's number, mostly near the front: so lines are counted when
something is found, and what has passed uncounted is looked at again then.
Temperatures and refused codes come from `schemas.gcode`, the parser of the gate at the port.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from api.files.slicers import facts_of
from schemas.gcode.gate import MAX_CARRY_BYTES, Finding
from schemas.gcode.policy import PROFILE_CODES, Treatment
from schemas.gcode.targets import Targets

COMMENT_BYTES = 256 * 1024  # of the head and of the tail; thumbnails at the head take their part
_MAX_REFUSALS = 20
_LAST_LINE_BYTES = 1024  # hold the end of the last line but one, mostly

#: The bytes from one place to another, of those that were fed.
LookBack = Callable[[int, int], Iterable[bytes]]

_COMMAND = re.compile(rb"^[ \t]*(?:N\d+[ \t]*)?[GM]\d", re.MULTILINE | re.IGNORECASE)
_COMMENT = re.compile(rb";[^\n]{1,500}$", re.MULTILINE)
_LAYER = re.compile(rb"LAYER(?:_CHANGE|:)")
_THUMBNAIL = re.compile(rb"; *thumbnail(?:_\w+)? begin ")


class Scan:
    """Facts gathered from the chunks of a file, in order.

    *look_back* gives again what was fed before; without it every line is counted as it comes.
    """

    def __init__(self) -> None:
        self.look_back: LookBack | None = None
        self._carry = b""
        self._fed_bytes = 0
        self._start_bytes = 0  # where the lines that are looked at begin
        self._lines = 0  # below `_counted_bytes`
        self._counted_bytes = 0
        self._layers = 0
        self._binary = False
        self._commands = False
        self._targets = Targets()
        self._refused: list[dict[str, Any]] = []
        self._head = bytearray()
        self._tail = b""

    def feed(self, chunk: bytes | memoryview) -> None:
        """Look at the next bytes; nothing of *chunk* itself is kept. It is copied once."""
        end = _whole_lines(chunk)
        self._fed_bytes += len(chunk)
        batch = b"".join((self._carry, chunk[:end])) if end else b""
        self._carry = b"".join((b"" if end else self._carry, chunk[end:]))
        self._binary = self._binary or b"\0" in batch or b"\0" in self._carry
        if len(self._head) < COMMENT_BYTES:
            self._head += chunk
        last = bytes(chunk[-COMMENT_BYTES:])
        self._tail = (self._tail + last)[-COMMENT_BYTES:] if len(last) < COMMENT_BYTES else last
        if len(self._carry) > MAX_CARRY_BYTES:  # no firmware takes such a line
            self._carry = self._carry[:MAX_CARRY_BYTES]
        if batch:
            self._look(batch)
            self._start_bytes = self._fed_bytes - (len(chunk) - end)

    def finish(self) -> dict[str, Any]:
        """The facts by name, absent where unknown.

        Beside the slicer's (see `slicers`): *max_nozzle_c*, *max_bed_c*, *max_chamber_c*, each the
        hottest target `c` and the `line` that sets it first; *refused*, lines that no printer may
        run unless its profile allows the code; *lines* where all were counted; *layers*,
        *looks_like_gcode*, *has_thumbnail*.
        """
        if self._carry:
            self._look(self._carry)
        facts = facts_of(self._comments())
        if self._layers and "layers" not in facts:
            facts["layers"] = self._layers
        for heater, hottest in self._targets.hottest.items():
            facts[f"max_{heater}_c"] = {"line": hottest.line, "c": hottest.c}
        if self.look_back is None or not self._fed_bytes:
            facts["lines"] = self._lines
        facts["looks_like_gcode"] = self._commands and not self._binary
        facts["has_thumbnail"] = any(
            _THUMBNAIL.match(self._head, at) for at in _comments(self._head)
        )
        if self._refused:
            facts["refused"] = self._refused
        return facts

    def _look(self, batch: bytes) -> None:
        if not self._commands:
            self._commands = _COMMAND.search(batch) is not None
        self._layers += _layers(batch)
        if self._targets.hits(batch):
            self._catch_up()
            for finding in self._targets.feed(batch, self._lines + 1):
                self._refuse(finding)
        if self.look_back is None:
            self._lines += batch.count(b"\n") + (not batch.endswith(b"\n"))

    def _catch_up(self) -> None:
        """Count the lines before the batch that is looked at."""
        if self.look_back is not None and self._counted_bytes < self._start_bytes:
            passed = self.look_back(self._counted_bytes, self._start_bytes)
            self._lines += sum(each.count(b"\n") for each in passed)
            self._counted_bytes = self._start_bytes

    def _refuse(self, finding: Finding) -> None:
        if finding.code in PROFILE_CODES and any(
            each["code"] == finding.code for each in self._refused
        ):  # so that what some printers may run leaves room for what none may
            return
        if finding.treatment is Treatment.REFUSE and len(self._refused) < _MAX_REFUSALS:
            self._refused.append({"line": finding.line, "code": finding.code, "text": str(finding)})

    def _comments(self) -> str:
        """The comments of head and tail, each once, without the pictures."""
        head = bytes(self._head[:COMMENT_BYTES])
        twice = max(0, len(head) + len(self._tail) - self._fed_bytes)  # of a short file
        whole = len(head) + len(self._tail) >= self._fed_bytes
        texts = (head + self._tail[twice:],) if whole else (head, self._tail)
        found = [
            match[0].rstrip(b"\r")
            for text in texts
            for match in (_COMMENT.match(text, at) for at in _comments(text))
            if match is not None
        ]
        return b"\n".join(found).decode("utf-8", "replace")


def _whole_lines(chunk: bytes | memoryview) -> int:
    """Where the last line of *chunk* that has an end ends; 0 without one."""
    for size in (min(_LAST_LINE_BYTES, len(chunk)), len(chunk)):
        start = len(chunk) - size
        at = bytes(chunk[start:]).rfind(b"\n")
        if at >= 0:
            return start + at + 1
    return 0


def _comments(text: bytes | bytearray) -> Iterator[int]:
    """Where lines begin that are comments; a search for two bytes is faster than for a line."""
    if text.startswith(b";"):
        yield 0
    at = text.find(b"\n;")
    while at >= 0:
        yield at + 1
        at = text.find(b"\n;", at + 1)


def _layers(batch: bytes) -> int:
    """How many comments of *batch* begin a layer; a search for one rare byte is the fastest."""
    count = 0
    at = batch.find(b"L")
    while at >= 0:
        if _LAYER.match(batch, at) and batch[max(at - 2, 0) : at] in (b"\n;", b";"):
            count += 1
        at = batch.find(b"L", at + 1)
    return count

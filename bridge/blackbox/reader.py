"""Recordings on disk: which there are, and what they say line by line."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.blackbox.records import SUFFIX, Kind, entries
from bridge.errors import BridgeError

_LINE_NUMBER = re.compile(rb"N(\d+) ")
_NAME = re.compile(r"(\d+)-(.*)")


class NoRecording(BridgeError):
    """There is no such recording."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One file. *label* is the grant of its print or `idle`; sizes in bytes; times are of the
    wall clock in seconds."""

    path: Path
    printer: int
    number: int
    label: str
    size_bytes: int
    changed_at: float


@dataclass(frozen=True, slots=True)
class Said:
    """One line. *at_s* counts from the recording's beginning, *kind* is sent, received or state."""

    at_s: float
    kind: str
    text: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """What to show: all that is None does not matter. Numbers are those of lines on the wire."""

    kinds: frozenset[str] = frozenset()
    first: int | None = None
    last: int | None = None
    since_s: float | None = None
    until_s: float | None = None
    pattern: re.Pattern[str] | None = None

    def wants(self, said: Said) -> bool:
        """Whether *said* is to be shown."""
        return (
            (not self.kinds or said.kind in self.kinds)
            and (self.since_s is None or said.at_s >= self.since_s)
            and (self.until_s is None or said.at_s <= self.until_s)
            and self._numbered(said)
            and (self.pattern is None or self.pattern.search(said.text) is not None)
        )

    def _numbered(self, said: Said) -> bool:
        if self.first is None and self.last is None:
            return True
        if said.number is None:
            return False
        return (self.first or 0) <= said.number <= (said.number if self.last is None else self.last)


def recordings(directory: Path, printer: int | None = None) -> list[Recording]:
    """The recordings under *directory*, of one *printer* or of all, oldest first."""
    wanted = "*" if printer is None else str(printer)
    found = []
    for path in directory.glob(f"printer-{wanted}/*{SUFFIX}"):
        name = _NAME.fullmatch(path.stem)
        owner = path.parent.name.rpartition("-")[2]
        if name is None or not owner.isdecimal():
            continue
        info = path.stat()
        found.append(
            Recording(path, int(owner), int(name[1]), name[2], info.st_size, info.st_mtime)
        )
    return sorted(found, key=lambda one: (one.changed_at, one.number))


def chosen(directory: Path, what: str, printer: int | None = None) -> list[Recording]:
    """The parts of the print with grant *what*, of the newest one for `last`, or of a number.

    Raises `NoRecording` naming what there is.
    """
    found = recordings(directory, printer)
    prints = [one for one in found if one.label != "idle"]
    if what == "last" and prints:
        what = prints[-1].label
    parts = [one for one in found if what in (one.label, str(one.number))]
    if not parts:
        known = ", ".join(dict.fromkeys(one.label for one in prints[-5:])) or "none"
        raise NoRecording(f"there is no recording {what!r}; the newest prints are: {known}")
    return parts


def about(path: Path) -> dict[str, object]:
    """What is kept at the beginning of a file; blank when that is damaged."""
    for entry in entries(path.read_bytes()):
        if entry.kind is Kind.BEGIN:
            found: dict[str, object] = json.loads(entry.data)
            return found
    return {}


def said(parts: Iterable[Path]) -> Iterator[Said]:
    """The lines of the files *parts*, in order; a line is told when its end has passed."""
    began: float | None = None
    rest = {Kind.SENT: b"", Kind.RECEIVED: b""}
    for path in parts:
        for entry in entries(path.read_bytes()):
            began = entry.at_s if began is None else began
            at_s = round(entry.at_s - began, 6)
            if entry.kind is Kind.STATE:
                yield Said(at_s, "state", entry.data.decode("utf-8", "replace"))
            elif entry.kind in rest:
                *lines, rest[entry.kind] = (rest[entry.kind] + entry.data).split(b"\n")
                yield from (_line(at_s, entry.kind, line) for line in lines if line)


def sent_bytes(parts: Iterable[Path]) -> Iterator[tuple[Kind, bytes]]:
    """What was sent and received, as it was cut."""
    for path in parts:
        for entry in entries(path.read_bytes()):
            if entry.kind in (Kind.SENT, Kind.RECEIVED):
                yield entry.kind, entry.data


def _line(at_s: float, kind: Kind, line: bytes) -> Said:
    number = _LINE_NUMBER.match(line) if kind is Kind.SENT else None
    text = line.decode("ascii", "backslashreplace").rstrip("\r")
    return Said(at_s, kind.name.lower(), text, int(number[1]) if number else None)

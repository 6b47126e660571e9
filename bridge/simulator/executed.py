"""The log of executed commands: what the printer really did, in order, for checking.

One command per line, exactly its text without line number and checksum. A line that came without a
number begins with a tab; a reset is a tab, a semicolon and its reason; one that went into a file on
the card is a tab, `>` and the line. So the numbered lines of a print begin with neither.
"""

import os
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

FLUSH_PERIOD_S = 0.2
_FLUSH_COMMANDS = 2_000


class ExecutedLog:
    """Appends to the file at *path*; at most `FLUSH_PERIOD_S` seconds are lost by SIGKILL.

    Raises OSError if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._pending: list[bytes] = []
        self.deadline = inf

    def append(self, commands: list[bytes], now: float) -> None:
        """Add executed commands; they reach the file by `deadline`."""
        if not self._pending:
            self.deadline = now + FLUSH_PERIOD_S
        self._pending += commands
        if now >= self.deadline or len(self._pending) >= _FLUSH_COMMANDS:
            self.flush()

    def flush(self) -> None:
        """Write what is pending."""
        data = b"".join(command + b"\n" for command in self._pending)
        self._pending.clear()
        self.deadline = inf
        while data:
            data = data[os.write(self._fd, data) :]

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class Executed:
    """A log, read: numbered and unnumbered commands, each in order, the reasons of resets, and what
    went into files on the card.
    """

    numbered: list[str]
    unnumbered: list[str]
    resets: list[str]
    saved: list[str] = field(default_factory=list)


def read(path: Path) -> Executed:
    """Read a log. A last line that is still being written is left out."""
    executed = Executed([], [], [])
    complete = path.read_bytes().decode("latin-1").rpartition("\n")[0]
    for line in complete.split("\n") if complete else []:
        if line.startswith("\t;"):
            executed.resets.append(line[2:])
        elif line.startswith("\t>"):
            executed.saved.append(line[2:])
        elif line.startswith("\t"):
            executed.unnumbered.append(line[1:])
        else:
            executed.numbered.append(line)
    return executed

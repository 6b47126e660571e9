"""The last bytes in both directions, chunk by chunk, for a file when something goes wrong.

Two byte strings of fixed size take turns, so that memory is what `CAPACITY_BYTES` says and a note
costs next to nothing: objects per chunk would take ten times the memory of what they hold.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

#: Bytes that are remembered, both directions and their time stamps together.
CAPACITY_BYTES = 256 * 1024
#: Dumps that are kept per printer.
MAX_DUMPS = 5
#: Below this distance in seconds a second dump would hold the same story.
MIN_DISTANCE_S = 10.0

_HALF_BYTES = CAPACITY_BYTES // 2
#: Time, outward, size.
_HEAD = struct.Struct("=d?I")


class BlackBox:
    """A ring of chunks, at least the last half of its capacity."""

    def __init__(self) -> None:
        self._older = bytearray()
        self._newer = bytearray()
        self._dumped_at = float("-inf")

    def note(self, now: float, outward: bool, data: bytes) -> None:
        """Remember *data*; the oldest half makes room when the newest is full."""
        newer = self._newer
        newer += _HEAD.pack(now, outward, len(data))
        newer += data
        if len(newer) > _HALF_BYTES:
            self._older, self._newer = newer, bytearray()

    def text(self, now: float) -> bytes:
        """Everything that is remembered, one chunk a line, with its age in seconds."""
        return b"".join(
            b"%12.6f %b %b\n"
            % (moment - now, b">" if outward else b"<", ascii(data)[2:-1].encode())
            for half in (self._older, self._newer)
            for moment, outward, data in _chunks(bytes(half))
        )

    def dump(self, directory: Path, name: str, reason: str, now: float) -> Path | None:
        """Write a dump called *name* plus a number; None when one was written just before.

        Raises OSError when the directory cannot be written; the print does not depend on it.
        """
        if now - self._dumped_at < MIN_DISTANCE_S:
            return None
        self._dumped_at = now
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        old = sorted(directory.glob(f"{name}-*.log"), key=_number)
        for path in old[: max(0, len(old) - MAX_DUMPS + 1)]:
            path.unlink()
        last = _number(old[-1]) if old else 0
        path = directory / f"{name}-{last + 1:06d}.log"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(f"# {reason}\n".encode("utf-8", "replace"))
            file.write(self.text(now))
        return path


def _chunks(half: bytes) -> Iterator[tuple[float, bool, bytes]]:
    position = 0
    while position < len(half):
        moment, outward, size = _HEAD.unpack_from(half, position)
        position += _HEAD.size + size
        yield moment, outward, half[position - size : position]


def _number(path: Path) -> int:
    tail = path.stem.rpartition("-")[2]
    return int(tail) if tail.isdigit() else 0

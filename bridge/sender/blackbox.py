"""The last bytes in both directions, chunk by chunk, for a file when something goes wrong."""

import os
from collections import deque
from pathlib import Path

#: Bytes that are remembered, both directions together.
CAPACITY_BYTES = 256 * 1024
#: Dumps that are kept per printer.
MAX_DUMPS = 5
#: Below this distance in seconds a second dump would hold the same story.
MIN_DISTANCE_S = 10.0


class BlackBox:
    """A ring of chunks. `sent` and `received` are cheap enough for the hot path."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[float, bool, bytes]] = deque()
        self._bytes = 0
        self._dumped_at = float("-inf")

    def note(self, now: float, outward: bool, data: bytes) -> None:
        """Remember *data*; the oldest chunks make room."""
        self._chunks.append((now, outward, data))
        self._bytes += len(data)
        while self._bytes > CAPACITY_BYTES:
            self._bytes -= len(self._chunks.popleft()[2])

    def text(self, now: float) -> bytes:
        """Everything that is remembered, one chunk a line, with its age in seconds."""
        return b"".join(
            b"%12.6f %b %b\n"
            % (moment - now, b">" if outward else b"<", ascii(data)[2:-1].encode())
            for moment, outward, data in self._chunks
        )

    def dump(self, directory: Path, name: str, reason: str, now: float) -> Path | None:
        """Write a dump called *name* plus a number; None when one was written just before.

        Raises OSError when the directory cannot be written; the print does not depend on it.
        """
        if now - self._dumped_at < MIN_DISTANCE_S:
            return None
        self._dumped_at = now
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        old = sorted(directory.glob(f"{name}-*.log"), key=lambda path: path.stat().st_mtime_ns)
        for path in old[: max(0, len(old) - MAX_DUMPS + 1)]:
            path.unlink()
        last = max((_number(path) for path in old), default=0)
        path = directory / f"{name}-{last + 1:06d}.log"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(f"# {reason}\n".encode("utf-8", "replace"))
            file.write(self.text(now))
        return path


def _number(path: Path) -> int:
    tail = path.stem.rpartition("-")[2]
    return int(tail) if tail.isdigit() else 0

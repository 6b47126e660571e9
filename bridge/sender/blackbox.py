"""Records what is said on the cable, chunk by chunk, one file a print and one for what is between.

A note costs an append to a buffer; a full buffer, or one that is a few seconds old, is packed and
written, never synced: what is lost by kill -9 is the buffer. Files and bytes are bounded, oldest go
first. A disk that takes nothing costs the recording, never the print (serial 12/#64).

The last chunks stay in memory, whatever the disk does: `since` reads them again.
"""

import json
import os
import re
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from bridge.blackbox.records import SUFFIX, Entry, Kind, chunk, ends, entry, unpacked

#: A chunk before it is packed, and how old it may become, in a print and between two.
CHUNK_BYTES = 128 * 1024
CHUNK_S = 5.0
IDLE_CHUNK_S = 60.0
#: One file before another part is begun; all files of one printer together, and their number.
PART_BYTES = 8 * 1024 * 1024
TOTAL_BYTES = 256 * 1024 * 1024
MAX_FILES = 100
#: Of the chunks behind the one that is being filled, so much stays in memory, or one.
KEPT_BYTES = CHUNK_BYTES
#: After an error nothing is written for so long.
AGAIN_S = 60.0
IDLE = "idle"

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class BlackBox:
    """The recording of one printer in *directory*; None records nothing."""

    def __init__(self, directory: Path | None = None) -> None:
        self.problem: str | None = None  # why nothing is being written
        self._directory = directory
        self._label = IDLE
        self._about: dict[str, object] = {}
        self._buffer = bytearray()
        self._kept: deque[bytearray] = deque()
        self._kept_bytes = 0
        self._gone_bytes = 0  # of chunks that are not kept any more
        self._since = 0.0
        self._fd = -1
        self._part_bytes = 0
        self._not_before = float("-inf")

    def begin(self, now: float, label: str, **about: object) -> None:
        """What follows belongs to *label*, a grant or `IDLE`; *about* is kept with it."""
        if label == self._label:
            return
        self.flush(now)
        self._close()
        self._label, self._about = label, about

    def note(self, now: float, outward: bool, data: bytes) -> None:
        """*data* left, or has come."""
        if self._directory is None:
            return
        buffer = self._buffer
        if not buffer:
            self._since = now
        buffer += entry(now, not outward, data)
        if len(buffer) > CHUNK_BYTES:
            self.flush(now)

    def mark(self, now: float, text: str) -> None:
        """A state or another fact that no line on the cable says."""
        if self._directory is not None:
            self._since = self._since if self._buffer else now
            self._buffer += entry(now, Kind.STATE, text.encode("utf-8", "replace"))

    def tick(self, now: float) -> None:
        """Write what has waited long enough."""
        patience_s = IDLE_CHUNK_S if self._label == IDLE else CHUNK_S
        if self._buffer and now - self._since >= patience_s:
            self.flush(now)

    def flush(self, now: float) -> None:
        """Write what is noted, if the disk takes it; else it is lost and `problem` says why."""
        body, self._buffer = self._buffer, bytearray()
        if body:
            self._keep(body)
        if not body or self._directory is None or now < self._not_before:
            return
        try:
            if self._fd < 0:
                self._open(self._directory)
            self._append(chunk(body))
        except OSError as error:
            self._close()
            self.problem = f"the black box cannot be written: {error.strerror or error}"
            self._not_before = now + AGAIN_S
        else:
            self.problem = None

    def close(self, now: float) -> None:
        """Write the rest and let the file go."""
        self.flush(now)
        self._close()

    # Public: what was noted last, again. Places count the bytes of all that was ever noted.

    @property
    def start(self) -> int:
        """The first place that is still in memory."""
        return self._gone_bytes

    @property
    def end(self) -> int:
        """The place of the next note."""
        return self._gone_bytes + self._kept_bytes + len(self._buffer)

    def boundary(self, place: int) -> int:
        """The first place from *place* on where an entry begins; `end` at the latest."""
        at = self._gone_bytes
        for body in (*self._kept, self._buffer):
            if at >= place:
                return at
            if at + len(body) >= place:
                return at + next(end for end in ends(body) if at + end >= place)
            at += len(body)
        return at

    def since(self, place: int) -> Iterator[tuple[int, Entry]]:
        """What was noted from *place* on, which is a boundary in memory, and the place behind."""
        at = self._gone_bytes
        for body in (*self._kept, self._buffer):
            if at + len(body) > place:
                for end, each in unpacked(body, max(0, place - at)):
                    yield at + end, each
            at += len(body)

    # Private.

    def _keep(self, body: bytearray) -> None:
        self._kept.append(body)
        self._kept_bytes += len(body)
        while len(self._kept) > 1 and self._kept_bytes > KEPT_BYTES:
            gone = len(self._kept.popleft())
            self._kept_bytes -= gone
            self._gone_bytes += gone

    def _open(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = sorted(directory.glob(f"*{SUFFIX}"))
        number = int(files[-1].name.partition("-")[0]) + 1 if files else 1
        _make_room(files)
        name = f"{number:08d}-{_UNSAFE.sub('_', self._label)[:64]}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(directory / name, flags, 0o600)
        self._part_bytes = 0
        about = {"label": self._label, "wall_s": time.time(), **self._about}
        self._append(chunk(entry(self._since, Kind.BEGIN, json.dumps(about).encode())))

    def _append(self, data: bytes) -> None:
        while data:
            written = os.write(self._fd, data)
            self._part_bytes += written
            data = data[written:]
        if self._part_bytes >= PART_BYTES:
            self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _make_room(files: list[Path]) -> None:
    """Remove the oldest until one more part fits."""
    sizes = [(path, path.stat().st_size) for path in files]
    total = sum(size for _, size in sizes) + PART_BYTES
    surplus = len(sizes) + 1 - MAX_FILES
    for path, size in sizes:
        if total <= TOTAL_BYTES and surplus <= 0:
            return
        path.unlink()
        total -= size
        surplus -= 1

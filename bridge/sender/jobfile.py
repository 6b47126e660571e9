"""The file of a job: opened once, checked whole before the first byte, read in batches.

The descriptor is kept, so that a file that is deleted or replaced meanwhile prints to its end. One
that is written to has not been checked any more, and is not printed on.
"""

import os
import stat

from bridge.errors import GateRefusal, JobFileError
from bridge.gcode.estimate import Estimate
from bridge.gcode.prepare import Prepared, Preparer
from bridge.sender import digest
from schemas.gcode.gate import Preflight
from schemas.printer import Profile

#: Read at a time for the check; between two of these the sender looks at its sockets.
CHECK_BYTES = 128 * 1024
#: Read at a time for printing: about 700 lines, prepared in about a millisecond.
READ_BYTES = 16 * 1024


class JobFile:
    """One file, first checked and then printed, by one `JobFile`."""

    def __init__(self, path: str, sha256: str | None, profile: Profile) -> None:
        """Open *path*. Raises `JobFileError` when it is no readable file or blank."""
        self.path = path
        self.checked = False
        self.estimate = Estimate()
        self._sha256 = sha256
        self._hash = digest.sha256()
        self._preflight = Preflight(profile)
        self._preparer = Preparer(profile)
        self._offset = 0
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise JobFileError(path, f"cannot open {path}: {error.strerror}") from None
        info = os.fstat(self._fd)
        self.size_bytes = info.st_size
        #: tells this file from any other and from itself when it was written to
        self.identity = _identity(info)
        problem = None
        if not stat.S_ISREG(info.st_mode):
            problem = f"{path} is no file"
        elif info.st_size == 0:
            problem = f"{path} is empty"
        if problem:
            os.close(self._fd)
            raise JobFileError(path, problem)

    def check(self) -> bool:
        """Check the next piece; True once the whole file has passed.

        Raises `GateRefusal` for a line that may not reach the printer, `JobFileError` for a hash
        that is not the promised one. Nothing has been printed then.
        """
        chunk = self._read(CHECK_BYTES)
        last = not chunk or self._offset >= self.size_bytes
        self.look_at(chunk, last=last)
        if not last:
            return False
        for finding in self._preflight.finish()[:1]:
            raise GateRefusal(finding.line, str(finding))
        if self._sha256 is not None and self._hash.hexdigest() != self._sha256.lower():
            raise JobFileError(self.path, f"{self.path} is not the file that was promised (sha256)")
        self._offset = 0
        self.checked = True
        return True

    def look_at(self, chunk: bytes, *, last: bool) -> None:
        """The next piece of the file in its check. Raises `GateRefusal`."""
        self._hash.update(chunk)
        self._preflight.feed(chunk)
        self.estimate.feed(chunk)

    def trust(self) -> None:
        """It was checked in an earlier life and is the same file still."""
        self.checked = True

    def next_lines(self) -> list[Prepared] | None:
        """The next batch of lines, None behind the last. Raises like `check`."""
        if self._offset >= self.size_bytes:
            return None
        chunk = self._read(min(READ_BYTES, self.size_bytes - self._offset))
        if _identity(os.fstat(self._fd)) != self.identity:
            behind = f"behind line {self._preparer.lines}"
            raise JobFileError(
                self.path,
                f"{self.path} was written to while it was printed: what stands {behind} was "
                "never checked",
            )
        return self._preparer.feed(chunk, last=self._offset >= self.size_bytes)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._fd)

    def _read(self, size: int) -> bytes:
        try:
            chunk = os.pread(self._fd, size, self._offset)
        except OSError as error:
            raise JobFileError(self.path, f"cannot read {self.path}: {error.strerror}") from None
        self._offset += len(chunk)
        return chunk


def _identity(info: os.stat_result) -> tuple[int, int, int, int]:
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)

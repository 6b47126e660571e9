"""A file that is written once, from its front to its end, and is on the disk when that is said.

Where the file system takes it, whole blocks go past the page cache: nobody reads the bytes at once,
copying them there costs more than hashing them, and they would push out what is read.
"""

import errno
import fcntl
import mmap
import os
from pathlib import Path

BLOCK_BYTES = 4096  # what a direct write consists of, and where it may begin in memory
_DIRECT: int = getattr(os, "O_DIRECT", 0)  # absent where there is no such thing


def buffer(size_bytes: int) -> memoryview:
    """Memory that a direct write may begin in."""
    return memoryview(mmap.mmap(-1, size_bytes))


class DurableFile:
    """A new file at *path*, which must not be there. Every method may raise `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._handle = os.open(path, flags, 0o666)
        self.is_direct = _DIRECT > 0 and self._set_direct(on=True)

    def write(self, batch: memoryview) -> None:
        """Add *batch*. Direct as long as whole blocks come, from a `buffer`'s beginning."""
        while batch:
            if self.is_direct and len(batch) % BLOCK_BYTES:
                self.is_direct = not self._set_direct(on=False)
            try:
                batch = batch[os.write(self._handle, batch) :]
            except OSError as error:
                if error.errno != errno.EINVAL or not self.is_direct:
                    raise
                self.is_direct = not self._set_direct(on=False)  # it wants larger blocks

    def settle(self) -> None:
        """What was written so far is on the disk; more may be written meanwhile."""
        os.fdatasync(self._handle)

    def sync(self) -> None:
        """The file is on the disk, whole."""
        os.fsync(self._handle)

    def close(self) -> None:
        """Nothing more is done with it; a second time is no error."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def _set_direct(self, *, on: bool) -> bool:
        """Whether that could be done."""
        flags = fcntl.fcntl(self._handle, fcntl.F_GETFL) & ~_DIRECT
        try:
            fcntl.fcntl(self._handle, fcntl.F_SETFL, flags | _DIRECT if on else flags)
        except OSError:
            return False
        return True

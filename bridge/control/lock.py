"""One sender per printer: a lock file held with flock for the life of the process, its pid inside.

The kernel releases it when the process dies, however it dies; the file itself stays. Whoever only
asks whether it is held has it shared, for a moment: so nobody takes him for its holder.
"""

import fcntl
import os
import time
from pathlib import Path

from bridge.errors import LockHeld

#: Who asks whether it is held has let go long before, and how often that is looked at.
_GLANCE_S, _LOOK_S = 0.1, 0.002


class Lock:
    """A held lock. Keep the object; the lock ends with `release` or with the process."""

    def __init__(self, path: Path) -> None:
        """Take the lock at *path*. Raises `LockHeld` when another process has it."""
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _taken(self._fd, time.monotonic() + _GLANCE_S):
            os.close(self._fd)
            raise LockHeld(str(path), read_pid(path))
        os.ftruncate(self._fd, 0)
        os.write(self._fd, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes hold two locks."""
        os.close(self._fd)


def read_pid(path: Path) -> int | None:
    """The pid that the last holder wrote, None when there is none."""
    try:
        return int(path.read_text("ascii").strip())
    except (OSError, ValueError):
        return None


def is_held(path: Path) -> bool:
    """Whether some process holds the lock at *path* now. To ask that it need not be writable."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _taken(fd: int, deadline: float) -> bool:
    """Take the lock; False: somebody holds it still at *deadline*."""
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_S)
        else:
            return True

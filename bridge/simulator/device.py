"""The device node: a pseudo-terminal, a symbolic link to it, and a lock beside the link.

The link's name stands for the USB port: it is there while the printer is plugged in. The lock file
PATH.lock belongs to one simulator at a time and holds its process id; it stays behind, unlocked.
"""

import fcntl
import os
import tty
from pathlib import Path


class DeviceError(Exception):
    """The device cannot be made; the text says why and what to do."""


class LinkInUse(DeviceError):
    """Another simulator has this link."""


def lock(link: Path) -> int:
    """Take the lock of *link* and return its descriptor, to be kept open.

    Raises LinkInUse if another process has it, DeviceError if it cannot be made.
    """
    path = link.with_name(link.name + ".lock")
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise DeviceError(f"cannot make {path}: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(fd, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise LinkInUse(f"{link} belongs to a running simulator, process {owner}") from None
    os.ftruncate(fd, 0)
    os.write(fd, b"%d\n" % os.getpid())
    return fd


class Device:
    """A plugged-in pseudo-terminal.

    With *hold_open* the board's own end of the slave stays open, so that a host closing the port is
    not noticed, like on a native USB board; without it, `os.read` fails with EIO while no host has
    the port open.
    """

    def __init__(self, link: Path, hold_open: bool) -> None:
        self._link = link
        self.fd, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self.fd, False)
        self.node = os.ttyname(slave)
        self._slave: int | None = slave
        if not hold_open:
            os.close(slave)
            self._slave = None
        try:
            self._point_link()
        except DeviceError:
            self._close()
            raise

    def unplug(self) -> None:
        """The node and the link vanish; a host that has it open reads EOF or EIO."""
        try:
            if self._link.is_symlink() and self._link.readlink() == Path(self.node):
                self._link.unlink()
        finally:
            self._close()

    def _point_link(self) -> None:
        fresh = self._link.with_name(f".{self._link.name}.{os.getpid()}")
        try:
            if self._link.exists() and not self._link.is_symlink():
                raise DeviceError(f"{self._link} exists and is no link; choose another --link")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self.node)
            fresh.replace(self._link)
        except OSError as error:
            raise DeviceError(f"cannot make {self._link}: {error.strerror}") from error

    def _close(self) -> None:
        os.close(self.fd)
        if self._slave is not None:
            os.close(self._slave)

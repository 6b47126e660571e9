"""What a farm needs to itself before it starts anything: its data directory and its port."""

import asyncio
import errno
import os
import socket
from pathlib import Path

from bridge.control.lock import Lock
from bridge.errors import LockHeld
from infra.farm.children import ChildFailed

LOCK_FILE = "run.lock"
#: An API that was told to end finishes its requests first.
PORT_TIMEOUT_S = 5.0
_LOOK_EVERY_S = 0.2


class Ground:
    """A data directory that no other farm uses, until `leave()` or the end of this process."""

    def __init__(self, data: Path) -> None:
        """Make the directory, for this user alone, and take it. Raises `ChildFailed`."""
        make_data_directory(data)
        try:
            self._lock = Lock(data / LOCK_FILE)
        except LockHeld as held:
            raise ChildFailed(
                f"another farm (process {held.pid}) runs in {data}. Use that one, stop it, or "
                "choose another place with --data."
            ) from None

    def leave(self) -> None:
        """Let others have it."""
        self._lock.release()


def make_data_directory(path: Path) -> None:
    """Make the data directory, for this user alone. Raises `ChildFailed` when that is refused."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(path, os.W_OK):
            raise PermissionError(13, "no right to write there")
    except OSError as error:
        raise ChildFailed(
            f"cannot use {path} for data: {error.strerror}. Choose another place with --data."
        ) from None


async def until_free(host: str, port: int, timeout_s: float = PORT_TIMEOUT_S) -> None:
    """Wait until nobody listens there: somebody else's API would be taken for the farm's own.

    Raises `ChildFailed` after *timeout_s*. Any other trouble with the address is the API's to tell.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    while _is_taken(host, port):
        if asyncio.get_running_loop().time() >= deadline:
            raise ChildFailed(
                f"port {port} on {host} is taken: stop what listens there, or choose another port "
                "with --port."
            )
        await asyncio.sleep(_LOOK_EVERY_S)


def _is_taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False

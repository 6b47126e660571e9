"""The sender's end of the control socket: a listener and its connections, all non-blocking.

No event loop of its own: the owner of the poll loop asks for `fd` and calls in when it is ready.
"""

import contextlib
import errno
import os
import socket
from pathlib import Path

from bridge.control.framing import encode, to_sender_reader
from bridge.control.messages import FromSender, ToSender
from bridge.errors import ControlError

_READ_BYTES = 64 * 1024
#: An owner that reads so slowly is not alive; its successor gets the events again.
MAX_UNSENT_BYTES = 8 * 1024 * 1024
#: No descriptors or memory for one connection more.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Connection:
    """One peer of the control socket."""

    def __init__(self, peer: socket.socket) -> None:
        peer.setblocking(False)
        self._socket = peer
        self._reader = to_sender_reader()
        self._unsent = bytearray()

    @property
    def fd(self) -> int:
        """The descriptor to poll."""
        return self._socket.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Whether bytes wait for the socket to take them."""
        return bool(self._unsent)

    def receive(self) -> list[ToSender]:
        """Messages that have arrived. Raises `ControlError` when the peer is gone or broken."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            raise ControlError(f"the owner is gone: {error}") from None
        if not data:
            raise ControlError("the owner has closed the connection")
        return self._reader.feed(data)

    def send(self, message: FromSender) -> None:
        """Queue *message* and write what fits. Raises `ControlError` when the peer is gone."""
        self._unsent += encode(message)
        self.flush()

    def flush(self) -> None:
        """Write what the socket takes. Raises `ControlError` when the peer is gone or stuck."""
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            if len(self._unsent) > MAX_UNSENT_BYTES:
                raise ControlError("the owner does not read") from None
        except OSError as error:
            raise ControlError(f"the owner is gone: {error}") from None

    def close(self) -> None:
        """Close the socket; what is unsent is lost."""
        self._socket.close()


class Listener:
    """The socket at *path*. The caller holds the lock beside it, so a file there is a dead one."""

    def __init__(self, path: Path) -> None:
        """Listen. Raises `ControlError` when the path cannot be bound."""
        self.path = path
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        before = os.umask(0o177)
        try:
            self._socket.bind(str(path))
        except OSError as error:
            self._socket.close()
            raise ControlError(f"cannot listen at {path}: {error.strerror or error}") from None
        finally:
            os.umask(before)
        self._socket.listen(8)
        #: closed for a moment when there is no other descriptor left
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def fd(self) -> int:
        """The descriptor to poll."""
        return self._socket.fileno()

    def accept(self) -> Connection | None:
        """The next peer; None when there is none, or when the system has no room for it."""
        try:
            peer, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self._turn_away()
            return None
        return Connection(peer)

    def close(self) -> None:
        """Stop listening and remove the socket file."""
        self._socket.close()
        os.close(self._spare)
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def _turn_away(self) -> None:
        """Let the next peer go: one that is left waiting would wake the loop for ever."""
        os.close(self._spare)
        with contextlib.suppress(OSError):
            self._socket.accept()[0].close()
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

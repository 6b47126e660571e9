"""Who owns this sender: anybody may knock at the socket, the highest epoch is let in.

A newer owner fences the older one: its socket is closed, what it still says is never read.
"""

import select
from collections.abc import Callable
from functools import partial

from bridge.control.messages import PROTOCOLS, Adopt, FromSender, Refused, ToSender
from bridge.control.server import Connection, Listener
from bridge.errors import ControlError
from bridge.sender.loop import Loop

_READ, _WRITE = select.POLLIN, select.POLLOUT

#: Called with a new owner's adoption and the protocol it shares with us; the time follows.
OnAdopted = Callable[[Adopt, int, float], None]
OnMessage = Callable[[ToSender, float], None]


class Adoption:
    """The control socket of one sender."""

    def __init__(
        self, listener: Listener, loop: Loop, on_adopted: OnAdopted, on_message: OnMessage
    ) -> None:
        self._listener = listener
        self._loop = loop
        self._on_adopted = on_adopted
        self._on_message = on_message
        self._owner: Connection | None = None
        self._epoch = -1
        loop.watch(listener.fd, _READ, self._accept)

    @property
    def owned(self) -> bool:
        """Whether an owner is connected."""
        return self._owner is not None

    @property
    def slow(self) -> bool:
        """Whether the owner has not read all that was sent: pictures may be skipped."""
        return self._owner is not None and self._owner.wants_to_write

    def send(self, message: FromSender) -> None:
        """Send *message* to the owner, if there is one; an owner that is gone is forgotten."""
        owner = self._owner
        if owner is None:
            return
        try:
            owner.send(message)
        except ControlError:
            self._drop(owner)
        else:
            self._follow(owner)

    def close(self) -> None:
        """Hang up and stop listening."""
        if self._owner is not None:
            self._drop(self._owner)
        self._loop.forget(self._listener.fd)
        self._listener.close()

    def _accept(self, _mask: int, _now: float) -> None:
        connection = self._listener.accept()
        if connection is not None:
            self._loop.watch(connection.fd, _READ, partial(self._talk, connection))

    def _talk(self, connection: Connection, mask: int, now: float) -> None:
        try:
            if mask & _WRITE:
                connection.flush()
            for message in connection.receive():
                self._heard(connection, message, now)
        except ControlError:
            self._drop(connection)
        else:
            self._follow(connection)

    def _heard(self, connection: Connection, message: ToSender, now: float) -> None:
        if isinstance(message, Adopt):
            self._adopt(connection, message, now)
        elif connection is self._owner:
            self._on_message(message, now)
        else:
            raise ControlError("the first message must be an adoption")

    def _adopt(self, connection: Connection, adopt: Adopt, now: float) -> None:
        common = set(adopt.protocols) & set(PROTOCOLS)
        problem = "" if common else "no common protocol"
        if adopt.epoch <= self._epoch and connection is not self._owner:
            problem = f"epoch {adopt.epoch} is not newer than {self._epoch}"
        if problem:
            connection.send(Refused(reason=problem))
            raise ControlError(problem)
        if self._owner is not None and self._owner is not connection:
            self._drop(self._owner)
        self._owner, self._epoch = connection, adopt.epoch
        self._on_adopted(adopt, max(common), now)

    def _follow(self, connection: Connection) -> None:
        if connection.fd >= 0:
            mask = _READ | (_WRITE if connection.wants_to_write else 0)
            self._loop.change(connection.fd, mask)

    def _drop(self, connection: Connection) -> None:
        if connection.fd < 0:
            return
        self._loop.forget(connection.fd)
        connection.close()
        if self._owner is connection:
            self._owner = None

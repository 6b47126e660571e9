"""What the API said, waiting for the journal.

The reader of the socket never waits for a disk: it puts bodies here and goes on, so a remote stop
behind a hundred commands is seen at once. Bounded: when the journal stands still for so long that
the inbox is full, the link is closed; nothing is lost, because nothing in here was acknowledged.
The life of a command goes on while it waits here.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from bridge.agent.errors import LinkError
from bridge.agent.link.uplink import aged
from schemas.facts import Port
from schemas.link import Body, Cmd, Desired, FactAck, RemoteStop
from schemas.watching import Interest

MAX_WAITING = 2000


class Room(Protocol):
    """What the link needs of the rest of the agent."""

    def ports(self) -> list[Port]:
        """The serial ports of the room."""

    def remote_stop(self, stop: RemoteStop) -> None:
        """Hand a stop to its sender, now."""

    def interest(self, interest: Interest) -> None:
        """Somebody looks at the room: its senders hear whose terminal is read."""

    async def commands(self, commands: list[Cmd]) -> int:
        """Journal and dispatch; the number up to which the journal holds every command."""

    async def configure(self, desired: Desired) -> None:
        """Work by this configuration from now on, and hold these leases."""

    async def acknowledged(self, seq: int) -> None:
        """The API has the facts up to *seq*."""


class Inbox:
    """Bodies in the order they came; *clock* is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bodies: deque[tuple[Body, float]] = deque()  # and when each came
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._bodies)

    def put(self, body: Body) -> None:
        """Take *body*. Raises `LinkError` when the journal is too far behind."""
        if len(self._bodies) >= MAX_WAITING:
            raise LinkError("the journal does not keep up with the link")
        self._bodies.append((body, self._clock()))
        self._filled.set()

    async def take(self) -> list[Cmd] | Desired | FactAck:
        """The next work: all commands that stand in a row, the newest ack in a row, or another."""
        while True:
            while not self._bodies:
                self._filled.clear()
                await self._filled.wait()
            body = self._bodies[0][0]
            if isinstance(body, Cmd):
                return self._row_of_commands()
            self._bodies.popleft()
            if isinstance(body, FactAck):
                return self._newest_ack(body)
            if isinstance(body, Desired):
                return body

    def _row_of_commands(self) -> list[Cmd]:
        row: list[Cmd] = []
        now = self._clock()
        while self._bodies and isinstance(body := self._bodies[0][0], Cmd):
            _, came_at = self._bodies.popleft()
            row.append(aged(body, int((now - came_at) * 1000)))
        return row

    def _newest_ack(self, ack: FactAck) -> FactAck:
        while self._bodies and isinstance(body := self._bodies[0][0], FactAck):
            ack = body
            self._bodies.popleft()
        return ack

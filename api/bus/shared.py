"""The bus of several processes: wake-ups and live pictures over a channel that may fail.

Here a wake-up rings at once. Elsewhere it rings when the channel brings it; when the channel was
away everything rings once it is back, and what was lost in between is repaired by the outbox
(`api.events.outbox`) within two seconds. Nobody waits for the channel: one task tells it one batch
at a time, and what comes meanwhile waits in `api.bus.parcel.Outgoing`, which is bounded.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from ulid import ULID

from api.bus.local import LocalBus, OnLive
from api.bus.parcel import BadParcel, Outgoing, unpack

LIVE_EVERY_S = 0.1  # so many pictures go together
AGAIN_S = (0.1, 0.3, 1.0, 2.0)  # pauses before the channel is opened again
FAREWELL_S = 1.0

_log = logging.getLogger("gantry.bus")

Received = Callable[[str | bytes], None]


class ChannelLost(Exception):
    """The channel cannot be used now; the text says where it leads and why."""


class Channel(Protocol):
    """A way to all processes of the deployment. Everything raises `ChannelLost`."""

    @property
    def max_bytes(self) -> int:
        """The largest message."""

    async def serve(self, received: Received, opened: Callable[[], None]) -> None:
        """Call *opened* once messages come and *received* with each, until the channel is lost."""

    async def publish(self, messages: Sequence[bytes]) -> None:
        """Tell everybody, us included, in order; returns when the channel has taken all."""

    async def close(self) -> None:
        """Let go of connections."""


class SharedBus(LocalBus):
    """A bus over *channel*; until `start()` and while the channel is away it is a local one."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._origin = str(ULID())
        self.heard: set[int] = set()  # outbox rows whose names have come; `forget_heard` prunes
        self._channel = channel
        self._out = Outgoing(self._origin, channel.max_bytes)
        self._ready = asyncio.Event()
        self._told: list[OnLive] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._is_open = False
        self._has_been_open = False

    @property
    def is_shared(self) -> bool:
        """Others are on it."""
        return True

    @property
    def origin(self) -> str:
        """A ULID, new with every start."""
        return self._origin

    @property
    def is_open(self) -> bool:
        """Whether the channel works."""
        return self._is_open

    @property
    def has_been_open(self) -> bool:
        """Whether it has worked since the start."""
        return self._has_been_open

    def wake(self, names: Iterable[str], number: int | None = None) -> None:
        """Ring here at once, and elsewhere as soon as the channel brings it."""
        names = list(names)
        self.ring(names)
        if names and self._tasks:
            if forgotten := self._out.add_wakes(names, number):
                _log.warning("the bus is too slow: %d wake-ups come by the outbox", forgotten)
            self._ready.set()

    def live(self, key: str, payload: bytes) -> None:
        """Tell the others, within a tenth of a second."""
        if not self._tasks:
            return
        if self._out.add_live(key, payload):
            self._ready.set()
        else:
            _log.warning("%s: %d bytes do not fit the bus", key, len(payload))

    def on_live(self, told: OnLive) -> None:
        """Call *told* for what others tell, never for our own."""
        self._told.append(told)

    def forget_heard(self, floor: int) -> None:
        """Rows below *floor* are not asked about any more."""
        self.heard = {number for number in self.heard if number >= floor}

    def ring_all(self) -> None:
        """Wake every listener here."""
        self.ring(tuple(self.listeners))

    async def start(self) -> None:
        """Open the channel in the background."""
        self._tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._say())]

    async def stop(self) -> None:
        """Say what is left, and let the channel go."""
        with suppress(ChannelLost, TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                if messages := tuple(self._out.parcels()):
                    await self._channel.publish(messages)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._channel.close()

    async def _hear(self) -> None:
        tries = 0

        def opened() -> None:
            nonlocal tries
            tries = 0
            self._is_open = self._has_been_open = True
            self.ring_all()

        while True:
            try:
                await self._channel.serve(self._receive, opened)
            except ChannelLost as lost:
                self._is_open = False
                _log.warning("%s; wake-ups come by the outbox meanwhile", lost)
            await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
            tries += 1

    async def _say(self) -> None:
        while True:
            await self._ready.wait()
            if not self._out.has_wakes:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LIVE_EVERY_S):
                        await self._until_wakes()
            self._ready.clear()
            try:
                if messages := tuple(self._out.parcels()):
                    await self._channel.publish(messages)
            except ChannelLost as lost:
                _log.info("not told to other processes: %s", lost)

    async def _until_wakes(self) -> None:
        while not self._out.has_wakes:
            self._ready.clear()
            await self._ready.wait()

    def _receive(self, message: str | bytes) -> None:
        try:
            parcel = unpack(message)
        except BadParcel as bad:
            _log.warning("a message on the bus is not ours: %s", bad)
            return
        if parcel.origin == self._origin:
            return
        self.heard.update(parcel.numbers)
        self.ring(parcel.names)
        for key, payload in parcel.live:
            for told in self._told:
                told(key, bytes(payload))

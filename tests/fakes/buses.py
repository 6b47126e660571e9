"""Buses of several processes in one: channels in memory that can be silenced and cut."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from api.bus.shared import Channel, ChannelLost, Received, SharedBus


class Ether:
    """What fake channels share; it can be silenced."""

    def __init__(self) -> None:
        self.hearers: list[Received] = []
        self.is_silent = False


class FakeChannel:
    """A channel in memory."""

    def __init__(self, ether: Ether) -> None:
        self._ether = ether
        self._cut = asyncio.Event()

    @property
    def max_bytes(self) -> int:
        return 1000

    async def serve(self, received: Received, opened: Callable[[], None]) -> None:
        self._ether.hearers.append(received)
        opened()
        try:
            await self._cut.wait()
            self._cut.clear()
            raise ChannelLost("cut")
        finally:
            self._ether.hearers.remove(received)

    def cut(self) -> None:
        self._cut.set()

    async def publish(self, messages: Sequence[bytes]) -> None:
        if self._ether.is_silent:
            raise ChannelLost("silent")
        for message in messages:
            for hearer in tuple(self._ether.hearers):
                hearer(message)

    async def close(self) -> None:
        pass


@asynccontextmanager
async def on(*channels: Channel) -> AsyncIterator[list[SharedBus]]:
    """A started bus on each of *channels*."""
    async with AsyncExitStack() as stack:
        buses = [SharedBus(channel) for channel in channels]
        for bus in buses:
            await bus.start()
            stack.push_async_callback(bus.stop)
        async with asyncio.timeout(10):
            while not all(bus.is_open for bus in buses):
                await asyncio.sleep(0.01)
        yield buses

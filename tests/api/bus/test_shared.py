"""Several processes on one bus: over a fake channel, PostgreSQL and Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from api.bus import open_bus
from api.bus.local import LocalBus
from api.bus.postgres import PostgresChannel
from api.bus.redis import RedisChannel
from api.bus.shared import Channel, ChannelLost, Received, SharedBus
from api.config import Settings
from tests.fakes import databases
from tests.fakes.redis_server import running_redis


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

    async def publish(self, message: bytes) -> None:
        if self._ether.is_silent:
            raise ChannelLost("silent")
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


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis server."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(params=["fake", "postgres", "redis"])
def channels(request: pytest.FixtureRequest) -> Callable[[], Channel]:
    """Makes channels of one kind that lead to each other."""
    if request.param == "fake":
        ether = Ether()
        return lambda: FakeChannel(ether)
    if request.param == "postgres":
        server: databases.Server = request.getfixturevalue("postgres")
        return lambda: PostgresChannel(server.url())
    url: str = request.getfixturevalue("redis_url")
    return lambda: RedisChannel(url)


async def test_a_wake_up_rings_here_at_once_and_elsewhere_soon(
    channels: Callable[[], Channel],
) -> None:
    """And not twice where it came from."""
    async with on(channels(), channels()) as (here, there):
        with here.listen("job:1") as near, there.listen("job:1") as far, there.listen("x") as other:
            far.take()
            other.take()
            here.wake(["job:1"])
            assert near.take()
            assert await far.wait(2)
            assert not near.rang
            assert not other.rang


async def test_the_newest_picture_comes_to_the_others_only(
    channels: Callable[[], Channel],
) -> None:
    """Lossy, the latest wins, and nobody hears himself."""
    async with on(channels(), channels()) as (here, there):
        heard: list[tuple[str, bytes]] = []
        has_come = asyncio.Event()

        def told(key: str, payload: bytes) -> None:
            heard.append((key, payload))
            has_come.set()

        there.on_live(told)
        here.on_live(lambda *_: pytest.fail("it heard itself"))
        for number in range(50):
            here.live("live:1", b'{"n":%d}' % number)
        async with asyncio.timeout(2):
            await has_come.wait()
        assert heard == [("live:1", b'{"n":49}')]


async def test_after_a_cut_everything_rings() -> None:
    """What was told meanwhile is not known, so everybody looks."""
    ether = Ether()
    channel = FakeChannel(ether)
    async with on(channel) as (bus,):
        with bus.listen("a") as listener:
            listener.take()
            channel.cut()
            assert await listener.wait(2)


async def test_a_bus_that_is_away_holds_nobody_up() -> None:
    """Local wake-ups ring as ever; what could not be said is dropped, not piled up."""
    ether = Ether()
    async with on(FakeChannel(ether), FakeChannel(ether)) as (here, there):
        ether.is_silent = True
        with here.listen("a") as near, there.listen("a") as far:
            far.take()
            here.wake(["a"])
            assert near.rang
            assert not await far.wait(0.05)
            ether.is_silent = False
            here.wake(["b"])
            assert not await far.wait(0.05)


async def test_poison_on_the_channel_stops_nothing(postgres: databases.Server) -> None:
    """Whoever may NOTIFY can say anything there (safety S69)."""
    async with on(PostgresChannel(postgres.url()), PostgresChannel(postgres.url())) as (a, b):
        with b.listen("x") as listener:
            listener.take()
            await postgres.run("NOTIFY gantry, 'rm -rf'", "NOTIFY gantry, '[1,2]'")
            a.wake(["x"])
            assert await listener.wait(2)


async def test_notify_comes_back_after_its_connection_was_ended(
    postgres: databases.Server,
) -> None:
    """An own connection, opened again by itself."""
    name = await postgres.new_database()
    url = postgres.url(name)
    async with on(PostgresChannel(url), PostgresChannel(url)) as (here, there):
        with there.listen("x") as listener:
            listener.take()
            await postgres.end_backends(name)
            assert await listener.wait(3)  # everything rings when it is back
            async with asyncio.timeout(3):
                while not here.is_open:
                    await asyncio.sleep(0.01)
            listener.take()
            here.wake(["x"])
            assert await listener.wait(2)


def test_the_settings_choose_the_bus(tmp_path: Path) -> None:
    """In one process none is needed; PostgreSQL brings its own."""
    url = "postgresql://u@h/x"
    assert isinstance(open_bus(Settings()), LocalBus)
    assert not open_bus(Settings()).is_shared
    assert open_bus(Settings(database_url=url)).is_shared
    assert not open_bus(Settings(database_url=url, bus_url="local")).is_shared
    assert open_bus(Settings(database_url=url, bus_url="redis://h/0")).is_shared

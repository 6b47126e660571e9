"""Several processes on one bus: over a fake channel, PostgreSQL and Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from api.bus import open_bus
from api.bus.local import LocalBus
from api.bus.postgres import PostgresChannel
from api.bus.redis import RedisChannel
from api.bus.shared import Channel, ChannelLost
from api.config import Settings
from tests.fakes import databases
from tests.fakes.buses import Ether, FakeChannel, on
from tests.fakes.redis_server import running_redis


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


@asynccontextmanager
async def served(channel: PostgresChannel) -> AsyncIterator[list[str]]:
    """What the open *channel* hears; a lost connection is the test's failure."""
    heard: list[str] = []
    is_open = asyncio.Event()
    serving = asyncio.create_task(
        channel.serve(lambda message: heard.append(str(message)), is_open.set)
    )
    try:
        async with asyncio.timeout(10):
            await is_open.wait()
        yield heard
        assert not serving.done(), "the connection was lost"
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_notifications_of_one_moment_share_a_round_trip(
    postgres: databases.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One task speaks on the connection, so that nobody meets another's operation in progress."""
    url = postgres.url(await postgres.new_database())
    asked: list[str] = []
    real = asyncpg.Connection.execute

    async def execute(self: asyncpg.Connection, query: str, *values: object) -> object:
        asked.append(query)
        return await real(self, query, *values)

    channel = PostgresChannel(url)
    async with served(channel) as heard:
        monkeypatch.setattr(asyncpg.Connection, "execute", execute)
        async with asyncio.timeout(10):
            await asyncio.gather(*(channel.publish([b"%d" % number]) for number in range(50)))
            while len(heard) < 50:
                await asyncio.sleep(0.01)
    assert heard == [str(number) for number in range(50)]
    assert len(asked) <= 2


async def test_the_probe_and_the_notifications_do_not_meet(
    postgres: databases.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often the connection is probed, what is told meanwhile is told."""
    monkeypatch.setattr("api.bus.postgres.PROBE_EVERY_S", 0.0)
    channel = PostgresChannel(postgres.url(await postgres.new_database()))
    async with served(channel) as heard, asyncio.timeout(20):
        for number in range(100):
            await asyncio.sleep(0)
            await channel.publish([b"%d" % number])
        while len(heard) < 100:
            await asyncio.sleep(0.01)
    assert heard == [str(number) for number in range(100)]


async def test_a_notification_that_is_refused_costs_neither_the_connection_nor_the_next(
    postgres: databases.Server,
) -> None:
    """Its sender is told; the server still answers, so nothing is opened anew."""
    channel = PostgresChannel(postgres.url(await postgres.new_database()))
    async with served(channel) as heard, asyncio.timeout(10):
        with pytest.raises(ChannelLost, match="takes nothing"):
            await channel.publish([b"x" * 9000])
        await channel.publish([b"next"])
        while not heard:
            await asyncio.sleep(0.01)
    assert heard == ["next"]
    with pytest.raises(ChannelLost, match="is away"):
        await channel.publish([b"late"])


def test_the_settings_choose_the_bus(tmp_path: Path) -> None:
    """In one process none is needed; PostgreSQL brings its own."""
    url = "postgresql://u@h/x"
    assert isinstance(open_bus(Settings()), LocalBus)
    assert not open_bus(Settings()).is_shared
    assert open_bus(Settings(database_url=url)).is_shared
    assert not open_bus(Settings(database_url=url, bus_url="local")).is_shared
    assert open_bus(Settings(database_url=url, bus_url="redis://h/0")).is_shared

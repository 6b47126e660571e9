"""A real standby: others may read it, and nothing is decided there, even when it is named first."""

import asyncio
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from api.bus.postgres import PostgresChannel
from api.bus.shared import ChannelLost
from api.config import Settings
from api.db import DatabaseUnusable
from api.migrate import pending
from tests.fakes.databases import MIGRATED, Server, running_server


@pytest.fixture(scope="module")
def standby() -> Iterator[Server]:
    """A server in recovery."""
    with running_server(is_standby=True) as server:
        yield server


@pytest.fixture
def both(standby: Server, postgres: Server) -> str:
    """As after a failover: the standby is the first of the two that are named."""
    there, here = (_folder(server) for server in (standby, postgres))
    return standby.url(MIGRATED).replace(there, f"{there},{here}")


def _folder(server: Server) -> str:
    [folder] = parse_qs(urlsplit(server.url()).query)["host"]
    return folder


async def test_a_farm_does_not_start_on_a_standby_and_says_what_to_name(standby: Server) -> None:
    """The setting and the way out, not that nobody answers there."""
    assert [row[0] for row in await standby.run("SELECT pg_is_in_recovery()")] == [True]
    with pytest.raises(DatabaseUnusable, match=r"it is a standby.*name the primary") as refused:
        await pending(Settings(database_url=standby.url(MIGRATED)))
    assert "GANTRY_DATABASE_URL" in str(refused.value)


async def test_of_two_servers_the_primary_is_taken(both: str) -> None:
    """For rows; what the migrations of the primary say is what counts."""
    assert await pending(Settings(database_url=both)) == []


async def test_the_bus_listens_at_the_primary_too(both: str) -> None:
    """A standby takes no LISTEN: the bus would be away for good after a failover (R30)."""
    channel, opened = PostgresChannel(both), asyncio.Event()
    serving = asyncio.create_task(channel.serve(lambda message: None, opened.set))
    async with asyncio.timeout(20):
        await opened.wait()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert opened.is_set()


async def test_a_bus_that_is_sent_to_a_standby_says_so(standby: Server) -> None:
    """Whoever asks for one by name gets what they ask for, with the setting in the log."""
    channel = PostgresChannel(standby.url() + "&target_session_attrs=standby")
    with pytest.raises(ChannelLost, match=r"GANTRY_DATABASE_URL.*recovery"):
        await channel.serve(lambda message: None, lambda: None)

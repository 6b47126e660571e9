"""Who may read the log, and when a stream of it ends (v1 2.2, safety S12)."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from api.errors import Forbidden, Invalid, TooMany
from api.principal import Denied, Principal
from api.upkeep.ring import Wish
from api.upkeep.service import ALIVE_EVERY_S, LONGEST_S, MAX_FOLLOWERS, Logs, wish_of
from tests.api.conftest import FakeClock

LOG = logging.getLogger("gantry.test.upkeep")


class Sessions:
    """Whose credentials are over."""

    def __init__(self) -> None:
        self.is_over = False

    async def ended(self, by: Principal) -> bool:
        return self.is_over


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
def logs(sessions: Sessions, clock: FakeClock) -> Iterator[Logs]:
    made = Logs(sessions, clock)
    before = LOG.level
    LOG.setLevel(logging.INFO)
    made.start()
    yield made
    made.stop()
    LOG.setLevel(before)


async def test_a_stream_tells_what_is_written(logs: Logs, admin: Principal) -> None:
    """What fits, as it comes, after a sign that it lives."""
    stream = logs.follow(admin, Wish(search="wanted"))
    async with asyncio.timeout(30):
        assert await anext(stream) == []
        LOG.info("not this")
        LOG.info("the wanted one")
        told: list[str] = []
        while not told:
            told = [line.text for line in await anext(stream)]
    assert len(told) == 1
    assert "the wanted one" in told[0]
    await stream.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["session", "age", "process"])
async def test_a_stream_ends(
    logs: Logs, sessions: Sessions, clock: FakeClock, admin: Principal, how: str
) -> None:
    """With the session, after an hour, and with the process."""
    stream = logs.follow(admin, Wish())
    assert await anext(stream) == []
    if how == "session":
        sessions.is_over = True
        clock.advance(ALIVE_EVERY_S)
    if how == "age":
        clock.advance(LONGEST_S + 1)
    if how == "process":
        logs.part()
    LOG.info("anything")
    async with asyncio.timeout(30):
        rest = [lines async for lines in stream]
    assert len(rest) <= 1


async def test_so_many_follow_at_a_time(logs: Logs, admin: Principal) -> None:
    """Each costs memory and a connection; whoever leaves makes room."""
    streams = [logs.follow(admin, Wish()) for _ in range(MAX_FOLLOWERS)]
    for stream in streams:
        await anext(stream)
    with pytest.raises(TooMany):
        logs.follow(admin, Wish())
    await streams[0].aclose()  # type: ignore[attr-defined]
    again = logs.follow(admin, Wish())
    assert await anext(again) == []
    for stream in (*streams[1:], again):
        await stream.aclose()  # type: ignore[attr-defined]


def test_nobody_follows_where_no_process_stays(
    sessions: Sessions, clock: FakeClock, admin: Principal
) -> None:
    """A cloud function says so instead of a stream that never tells anything."""
    with pytest.raises(Forbidden) as refused:
        Logs(sessions, clock).follow(admin, Wish())
    assert refused.value.code == "feature_disabled"


def test_the_log_is_a_superadmins(logs: Logs, admin: Principal) -> None:
    """It tells of every organization."""
    other = replace(admin, is_superadmin=False)
    with pytest.raises(Denied):
        logs.last(other, Wish(), 1)
    with pytest.raises(Denied):
        logs.follow(other, Wish())


def test_the_words_of_the_dialect() -> None:
    """Levels by name in any case; another log does not exist."""
    assert wish_of("backend", "WARN", "x") == Wish(level=logging.WARNING, search="x")
    assert wish_of("api", None, None) == Wish(level=logging.DEBUG)
    for source, level in (("nginx", None), ("backend", "loud")):
        with pytest.raises(Invalid):
            wish_of(source, level, None)

"""Who remembers something waits a moment for the database, and cuts nothing off."""

import asyncio

import pytest

from api.outage import briefly, is_past_database, past_database


async def test_what_takes_longer_is_seen_through(caplog: pytest.LogCaptureFixture) -> None:
    """A statement that is cut off may leave its connection unusable: it ends by itself."""
    ends, seen = asyncio.Event(), asyncio.Event()

    async def slow() -> int:
        await ends.wait()
        seen.set()
        raise OSError("and then it fails, of which nobody hears")

    with pytest.raises(TimeoutError, match="has not answered"):
        await briefly(slow(), within_s=0.01)
    ends.set()
    async with asyncio.timeout(5):
        await seen.wait()
    await asyncio.sleep(0)
    assert caplog.text == ""


async def test_it_is_seen_through_although_whoever_asked_has_gone() -> None:
    """A client that hangs up ends its request, not the statement."""
    ends, seen = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        await ends.wait()
        seen.set()

    asking = asyncio.create_task(briefly(slow(), within_s=60.0))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    ends.set()
    async with asyncio.timeout(5):
        await seen.wait()


@pytest.mark.parametrize("within_s", [None, 5.0])
async def test_what_comes_in_time_is_the_answer(within_s: float | None) -> None:
    """The value, or what was raised."""

    async def seven() -> int:
        return 7

    async def refused() -> int:
        raise ConnectionRefusedError

    assert await briefly(seven(), within_s=within_s) == 7
    with pytest.raises(ConnectionRefusedError):
        await briefly(refused(), within_s=within_s)


def test_the_block_ends_with_the_block() -> None:
    """Also by an error in it."""
    with pytest.raises(KeyError), past_database():
        assert is_past_database()
        raise KeyError
    assert not is_past_database()

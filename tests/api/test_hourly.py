"""What is done once an hour goes on whatever happens to it once."""

import asyncio

import pytest

from api import hourly
from api.storage.sweeping import sweep_hourly


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour passes at once."""
    for name in ("FIRST_AFTER_S", "EVERY_S", "AGAIN_S"):
        monkeypatch.setattr(hourly, name, 0.001)


async def test_old_things_are_swept_again_behind_a_failure_that_nobody_thought_of(
    fast: None, caplog: pytest.LogCaptureFixture
) -> None:
    """The sweep of a process had ended for good, without a word: its disk would have filled."""
    rounds: list[int] = []
    enough = asyncio.Event()

    async def stumbles() -> int:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise KeyError("Contents")
        enough.set()
        return 0

    sweeping = asyncio.create_task(sweep_hourly({"uploads": stumbles}))
    async with asyncio.timeout(5):
        await enough.wait()
    assert not sweeping.done()
    sweeping.cancel()
    assert "the sweep failed; again in 0 s" in caplog.text


async def test_a_failure_is_tried_again_long_before_the_hour_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A database that was away for a minute costs five, not sixty."""
    waited: list[float] = []

    async def sleep(pause_s: float) -> None:
        waited.append(pause_s)
        if len(waited) == 4:
            raise asyncio.CancelledError

    async def work() -> None:
        if len(waited) < 3:
            raise OSError("away")

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await hourly.hourly(work, "it")
    assert waited == [hourly.FIRST_AFTER_S, hourly.AGAIN_S, hourly.AGAIN_S, hourly.EVERY_S]

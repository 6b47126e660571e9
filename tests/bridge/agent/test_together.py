"""Tasks that stand or fall together."""

import asyncio

import pytest

from bridge.agent.together import until_one_ends


async def test_first_failure_ends_the_others_and_is_raised() -> None:
    """A reader that fails takes its writer along, and the reason is not lost."""
    other = asyncio.create_task(asyncio.sleep(60))

    async def fail() -> None:
        raise ValueError("the cable")

    with pytest.raises(ValueError, match="the cable"):
        await until_one_ends([asyncio.create_task(fail()), other])
    assert other.cancelled()


async def test_cancelling_from_outside_ends_all() -> None:
    """Nobody is left behind when the owner is told to stop."""
    tasks = [asyncio.create_task(asyncio.sleep(60)) for _ in range(2)]
    waiting = asyncio.create_task(until_one_ends(tasks))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert all(task.cancelled() for task in tasks)

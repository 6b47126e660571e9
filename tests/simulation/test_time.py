"""The virtual clock: who waits for less than a float can tell gets there, who spins is caught."""

import asyncio
import random
from collections.abc import Coroutine
from math import nextafter

import pytest

from tests.simulation.time import Stuck, VirtualLoop


def run(work: Coroutine[object, object, None]) -> None:
    loop = VirtualLoop(random.Random(1))
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


def test_who_is_early_by_the_last_bit_gets_there() -> None:
    """A clock with an offset is finer or coarser than the loop's own."""

    async def early() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(64.394)
        due = nextafter(loop.time() - 64.0, 1.0)
        while (left_s := due - (loop.time() - 64.0)) > 0:
            await asyncio.sleep(min(left_s, 1e-17))

    run(early())


def test_who_spins_is_caught() -> None:
    """However little time passes meanwhile."""

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Stuck, match="in circles"):
        run(spin())

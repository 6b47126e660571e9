"""A thousand rooms that come back at once: each has its turn, or is told when to come again."""

import asyncio

import pytest

from api.errors import Unavailable
from api.link.turns import BACK_S, Turns


async def test_so_many_have_their_turn_at_once_and_all_in_order() -> None:
    """Never more than were said, and nobody is overtaken."""
    turns = Turns(at_once=3, patience_s=60)
    inside, most, done = 0, 0, list[int]()

    async def greet(number: int) -> None:
        nonlocal inside, most
        async with turns.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            done.append(number)

    await asyncio.gather(*(greet(number) for number in range(50)))
    assert (most, done) == (3, list(range(50)))


async def test_who_has_no_turn_in_time_is_told_when_to_come_again() -> None:
    """A 503 with its time, before anything was done; the place of who gave up is not lost."""
    turns = Turns(at_once=1, patience_s=0.01)
    async with turns.turn():
        with pytest.raises(Unavailable, match="come back") as refused:
            async with turns.turn():
                raise AssertionError("there was no place")
    assert BACK_S[0] <= refused.value.extra["retry_after_s"] <= BACK_S[1]
    async with turns.turn():
        pass


async def test_a_greeting_that_fails_gives_its_place_back() -> None:
    """Whatever happens to it, the next one has its turn."""
    turns = Turns(at_once=1, patience_s=1)
    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            async with turns.turn():
                raise OSError("gone")
    async with turns.turn():
        assert True

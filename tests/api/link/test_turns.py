"""A thousand rooms that come back at once: each has its turn, or is told when to come again."""

import asyncio

import pytest

from api.errors import Unavailable
from api.link.turns import BACK_S, Step, Turns


async def test_so_many_have_their_turn_at_once_and_all_in_order() -> None:
    """Never more than were said, and nobody is overtaken."""
    turns = Turns(at_once=3, patience_s=dict.fromkeys(Step, 60))
    inside, most, done = 0, 0, list[int]()

    async def greet(number: int) -> None:
        nonlocal inside, most
        async with turns.turn(Step.HELLO):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            done.append(number)

    await asyncio.gather(*(greet(number) for number in range(50)))
    assert (most, done) == (3, list(range(50)))


async def test_who_has_no_turn_in_time_is_told_when_to_come_again() -> None:
    """A 503 with its time, before anything was done; the place of who gave up is not lost."""
    turns = Turns(at_once=1, patience_s=dict.fromkeys(Step, 0.01))
    async with turns.turn(Step.HELLO):
        with pytest.raises(Unavailable, match="come back") as refused:
            async with turns.turn(Step.HELLO):
                raise AssertionError("there was no place")
    assert BACK_S[0] <= refused.value.extra["retry_after_s"] <= BACK_S[1]
    async with turns.turn(Step.HELLO):
        pass


async def test_a_greeting_that_fails_gives_its_place_back() -> None:
    """Whatever happens to it, the next one has its turn."""
    turns = Turns(at_once=1, patience_s=dict.fromkeys(Step, 1))
    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            async with turns.turn(Step.HELLO):
                raise OSError("gone")
    async with turns.turn(Step.HELLO):
        assert True


async def test_who_is_through_goes_first() -> None:
    """A room that greets is not overtaken by others; nonces are cheap, upgrades wait longest."""
    turns, done = Turns(at_once=1, patience_s=dict.fromkeys(Step, 60)), list[Step]()

    async def come(step: Step) -> None:
        async with turns.turn(step):
            done.append(step)

    async with turns.turn(Step.NONCE):
        coming = [asyncio.create_task(come(step)) for step in (*reversed(Step), *reversed(Step))]
        await asyncio.sleep(0)
    await asyncio.gather(*coming)
    assert done == sorted(done) and len(done) == 6


async def test_a_room_that_leaves_the_line_takes_no_place_with_it() -> None:
    """Also when it is cancelled in the moment in which its turn comes."""
    turns = Turns(at_once=1, patience_s=dict.fromkeys(Step, 60))

    async def come() -> None:
        async with turns.turn(Step.UPGRADE):
            raise AssertionError("it had left")

    async with turns.turn(Step.HELLO):
        leaving = [asyncio.create_task(come()) for _ in range(3)]
        await asyncio.sleep(0)
        leaving[1].cancel()
    leaving[0].cancel()  # its turn has just come
    await asyncio.sleep(0)
    leaving[2].cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    async with asyncio.timeout(1), turns.turn(Step.NONCE):
        assert all(task.cancelled() for task in leaving)

"""One writer at a time; what has piled up lets what is meant now pass, and goes on all the same."""

import asyncio
import random

import pytest

from api.events import writers as module
from api.events.writers import Writers


class Queue:
    """Writers of one organization, and in which order they wrote."""

    def __init__(self) -> None:
        self.writers = Writers()
        self.wrote: list[str] = []
        self.is_writing = False
        self.may_end = asyncio.Event()

    async def write(self, name: str, *, gives_way: bool = False, waits: bool = False) -> None:
        async with self.writers.turn(gives_way=gives_way):
            assert not self.is_writing
            self.is_writing = True
            self.wrote.append(name)
            try:
                await (self.may_end.wait() if waits else asyncio.sleep(0))
            finally:
                self.is_writing = False


async def begun(
    queue: Queue, tasks: asyncio.TaskGroup, names: list[str]
) -> list[asyncio.Task[None]]:
    """The first of *names* writes, the others wait; those in small letters give way."""
    made: list[asyncio.Task[None]] = []
    for name in names:
        work = queue.write(name, gives_way=name.islower(), waits=not made)
        made.append(tasks.create_task(work))
        await asyncio.sleep(0)
    return made


async def test_who_gives_way_writes_behind_all_others() -> None:
    """Each kind in the order in which it asked."""
    queue = Queue()
    async with asyncio.TaskGroup() as tasks:
        await begun(queue, tasks, ["First", "a", "B", "c", "D"])
        queue.may_end.set()
    assert queue.wrote == ["First", "B", "D", "a", "c"]


async def test_who_has_given_way_for_long_takes_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither kind keeps the other from going on."""
    monkeypatch.setattr(module, "GIVES_WAY_S", 0.0)
    queue = Queue()
    async with asyncio.TaskGroup() as tasks:
        await begun(queue, tasks, ["First", "a", "b", "C", "D", "e"])
        queue.may_end.set()
    assert queue.wrote == ["First", "a", "C", "b", "D", "e"]


async def test_nobody_is_left_waiting_by_those_who_give_up() -> None:
    """Whoever is cancelled while it waits, gets the turn, or writes: the turn goes on (seeded)."""
    dice = random.Random(7)
    queue = Queue()
    queue.may_end.set()
    names = [dice.choice("aB") for _ in range(2000)]
    made = [asyncio.create_task(queue.write(each, gives_way=each == "a")) for each in names]
    while not all(task.done() for task in made):
        dice.choice(made).cancel()
        await asyncio.sleep(0)
    ended = await asyncio.gather(*made, return_exceptions=True)
    given_up = sum(isinstance(each, asyncio.CancelledError) for each in ended)
    assert 0 < given_up < len(made)
    assert len(queue.wrote) >= len(made) - given_up
    async with asyncio.timeout(1):
        await queue.write("Last")


async def test_a_turn_that_came_with_the_end_is_passed_on() -> None:
    """Cancelled after it got the turn and before it knew: the next one has it."""
    queue = Queue()
    async with asyncio.TaskGroup() as tasks:
        _, second, _ = await begun(queue, tasks, ["First", "B", "C"])
        queue.may_end.set()
        while len(queue.writers._prompt) == 2:
            await asyncio.sleep(0)
        second.cancel()
    assert queue.wrote == ["First", "C"]

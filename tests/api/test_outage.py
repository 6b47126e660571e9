"""Who remembers something waits a moment for the database, and cuts nothing off."""

import asyncio

import pytest

from api import outage
from api.outage import Question, briefly, is_past_database, past_database


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


async def test_what_many_want_to_know_at_once_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stop of a thousand printers is a question to the database, not a thousand."""
    monkeypatch.setattr(outage, "STOP_S", 60.0)
    asked, answers = 0, asyncio.Event()

    async def ask() -> None:
        nonlocal asked
        asked += 1
        await answers.wait()

    question = Question(ask)
    wanting = [asyncio.create_task(question.answered()) for _ in range(1000)]
    await asyncio.sleep(0)
    wanting.pop().cancel()
    answers.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*wanting)
    assert asked == 1
    await question.answered()
    assert asked == 2, "an answer holds for those who asked"


async def test_who_asks_hears_the_failure_and_nobody_waits_for_a_question_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may hang at a dead connection, beside which a new one is answered."""
    monkeypatch.setattr(outage, "STOP_S", 0.05)
    fails, hangs = iter([True, False]), asyncio.Event()

    async def ask() -> None:
        if next(fails, None) is None:
            return
        await hangs.wait()
        raise ConnectionRefusedError

    question = Question(ask)
    first = asyncio.create_task(question.answered())
    await asyncio.sleep(0.1)
    second = asyncio.create_task(question.answered())
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        await question.answered()
        hangs.set()
        for hanging in (first, second):
            with pytest.raises(ConnectionRefusedError):
                await hanging

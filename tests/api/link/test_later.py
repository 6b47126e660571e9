"""What waits for the database: in order, and no more of it than an agent has under way."""

import asyncio

from api.link.later import MAX_BYTES, MAX_FRAMES, Later
from schemas.link import Beat


def beat(number: int) -> Beat:
    return Beat(sent_ms=number)


async def test_the_first_one_stays_until_it_is_written() -> None:
    """Whoever is cancelled in between loses nothing, and the order is that of the line."""
    later = Later()
    for number in range(3):
        await later.put(beat(number), 10)
    assert [await later.first(), await later.first()] == [beat(0), beat(0)]
    seen = []
    while later:
        seen.append(await later.first())
        later.done()
    assert seen == [beat(0), beat(1), beat(2)]


async def test_more_than_fits_waits_at_the_line() -> None:
    """I11: by count and by size; a frame that alone is too large is taken when nothing waits."""
    many, large = Later(), Later()
    for number in range(MAX_FRAMES):
        await many.put(beat(number), 1)
    await large.put(beat(0), MAX_BYTES + 1)
    for later in (many, large):
        waiting = asyncio.create_task(later.put(beat(-1), 1))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        later.done()
        async with asyncio.timeout(5):
            await waiting
    assert (len(many), len(large)) == (MAX_FRAMES, 1)


async def test_who_waits_for_the_first_one_gets_it() -> None:
    """It comes while somebody waits already."""
    later = Later()
    waiting = asyncio.create_task(later.first())
    await asyncio.sleep(0)
    await later.put(beat(7), 1)
    async with asyncio.timeout(5):
        assert await waiting == beat(7)

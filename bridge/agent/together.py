"""Tasks that stand or fall together: when one ends, so do the others."""

import asyncio
from collections.abc import Collection


async def until_one_ends(tasks: Collection[asyncio.Task[None]]) -> None:
    """Wait for the first of *tasks*, end the others, and raise what the first has raised.

    Cancelled from outside, it ends all of them before it goes on being cancelled.
    """
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()

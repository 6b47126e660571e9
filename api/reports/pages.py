"""Exports in pages, so that none is ever whole in memory, and none without an end (safety S74)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from api.describe import Query
from api.http import RowId

#: Lines of one export, and rows that are read at a time.
MAX_LINES = 100_000
PAGE_ROWS = 500

R = TypeVar("R")

AFTER = Query(
    name="after",
    type=RowId,
    description=f"Only what comes after this ID: an export has {MAX_LINES} lines at most, and "
    "the ID of its last line is where the next one goes on",
)


async def pages(
    read: Callable[[int, int], Awaitable[Sequence[R]]], after: int, id_of: Callable[[R], int]
) -> AsyncIterator[Sequence[R]]:
    """What *read* (after this ID, so many at most) finds from *after* on, `MAX_LINES` rows."""
    left = MAX_LINES
    while left and (rows := await read(after, min(PAGE_ROWS, left))):
        left, after = left - len(rows), id_of(rows[-1])
        yield rows

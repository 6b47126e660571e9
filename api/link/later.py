"""What a room has said and the database does not take now, in the order in which it came."""

import asyncio
from collections import deque

from schemas.link import Body

#: An agent has a thousand facts and 1 MiB under way without a word, and a few other frames.
MAX_FRAMES = 1200
MAX_BYTES = 2 * 1024 * 1024


class Later:
    """Bodies from one task to another. The first one stays until it is `done`.

    Who brings more than fits waits, and the room with it, at its own line.
    """

    def __init__(self) -> None:
        self._bodies: deque[tuple[Body, int]] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    def __len__(self) -> int:
        return len(self._bodies)

    async def put(self, body: Body, size_bytes: int) -> None:
        """Take *body* as the last one, when there is room."""
        while self._bodies and not self._has_room(size_bytes):
            self._room.clear()
            await self._room.wait()
        self._bodies.append((body, size_bytes))
        self._bytes += size_bytes
        self._news.set()

    async def first(self) -> Body:
        """The one whose turn it is."""
        while not self._bodies:
            self._news.clear()
            await self._news.wait()
        return self._bodies[0][0]

    def done(self) -> None:
        """The first one is written."""
        _, size_bytes = self._bodies.popleft()
        self._bytes -= size_bytes
        self._room.set()

    def _has_room(self, size_bytes: int) -> bool:
        return len(self._bodies) < MAX_FRAMES and self._bytes + size_bytes <= MAX_BYTES

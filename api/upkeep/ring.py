"""The last lines of this process's log, in memory, for who cannot reach its stderr (v1 2.2).

The lines are those that a container prints: JSON, without secrets (`api.logs`). Whoever follows
them hears of new ones; who is too slow misses lines and nobody waits for them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import orjson

from api.logs import JsonLines

KEPT_LINES = 5000
#: Of one line: the traceback of a deep recursion is not kept whole.
MAX_LINE = 8000
_BACKLOG = 500  # lines that wait for who follows


@dataclass(frozen=True, slots=True)
class Line:
    """One line. *number* rises by one; *level* as `logging` counts."""

    number: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Wish:
    """Which lines: at least of *level*, with *search* somewhere, in any case."""

    level: int = logging.NOTSET
    search: str = ""

    def takes(self, line: Line) -> bool:
        """Whether *line* is one of them."""
        return line.level >= self.level and self.search.casefold() in line.text.casefold()


class Follower:
    """Somebody who reads along."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: deque[Line] = deque(maxlen=_BACKLOG)
        self._there = asyncio.Event()
        self.is_over = False

    def hear(self, line: Line) -> None:
        """*line* was written, in whatever thread."""
        self._lines.append(line)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._there.set)

    def end(self) -> None:
        """No more comes."""
        self.is_over = True
        self._there.set()

    async def lines(self, patience_s: float) -> list[Line]:
        """What has come since the last call; [] after *patience_s* without any, or at the end."""
        if not self._lines and not self.is_over:
            try:
                async with asyncio.timeout(patience_s):
                    await self._there.wait()
            except TimeoutError:
                return []
        self._there.clear()
        found = []
        while self._lines:
            found.append(self._lines.popleft())
        return found


class LogRing(logging.Handler):
    """Keeps the newest lines; a handler of the root logger while the process serves."""

    def __init__(self, kept: int = KEPT_LINES) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(JsonLines())
        self._lines: deque[Line] = deque(maxlen=kept)
        self._followers: set[Follower] = set()
        self._number = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep *record* and tell who follows. Called under the handler's lock."""
        try:
            text = self.format(record)
        except (TypeError, ValueError):  # arguments that do not fit: as logging itself does
            self.handleError(record)
            return
        self._number += 1
        line = Line(self._number, record.levelno, shortened(text))
        self._lines.append(line)
        for follower in tuple(self._followers):
            follower.hear(line)

    def last(self, wish: Wish, most: int) -> list[Line]:
        """The newest *most* lines that fit, oldest first."""
        found: list[Line] = []
        for line in reversed(self._snapshot()):
            if len(found) == most:
                break
            if wish.takes(line):
                found.append(line)
        return found[::-1]

    @property
    def following(self) -> int:
        """How many follow."""
        return len(self._followers)

    @contextmanager
    def followed(self) -> Iterator[Follower]:
        """Somebody who hears of every new line within this block."""
        follower = Follower()
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def part(self) -> None:
        """Everybody who follows is told that no more comes."""
        for follower in tuple(self._followers):
            follower.end()

    def _snapshot(self) -> list[Line]:
        self.acquire()
        try:
            return list(self._lines)
        finally:
            self.release()


def shortened(text: str) -> str:
    """*text*, a JSON line, not longer than `MAX_LINE` by much: its longest fields are cut."""
    if len(text) <= MAX_LINE:
        return text
    facts = orjson.loads(text)
    for name in ("traceback", "message"):
        if isinstance(facts.get(name), str):
            facts[name] = facts[name][: MAX_LINE // 2] + "…"
    return orjson.dumps(facts).decode()

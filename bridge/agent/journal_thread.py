"""The journal in a thread of its own, so that no fsync ever stands on the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from bridge.agent.database import Clock
from bridge.agent.journal import Journal

#: Who was told that the disk refuses tries again after this.
JOURNAL_RETRY_S = 1.0

P = ParamSpec("P")
T = TypeVar("T")


class JournalThread:
    """The journal in a thread of its own: calls run one after another, in the order made."""

    def __init__(self, journal: Journal, clock: Callable[[], Clock]) -> None:
        self._journal = journal
        self._clock = clock
        self._executor = ThreadPoolExecutor(1, "journal")

    async def run(
        self, method: Callable[Concatenate[Journal, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`method(journal, ...)` in the journal's thread. Raises what it raises."""
        call = partial(method, self._journal, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def now(self) -> Clock:
        """The clock that transactions are stamped with."""
        return self._clock()

    def close(self) -> None:
        """Finish what was asked for, then close the file."""
        self._executor.shutdown(wait=True)
        self._journal.close()

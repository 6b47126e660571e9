"""The bus of a function: what a wake-up is for is done at once, before the invocation ends.

Nobody waits in another process of the cloud: each is frozen between two events. So whoever commits
a change also carries it to the sockets (`errands`), in tasks beside the request. Waiters in this
process look at their rows every tenth of a second: what they wait for is written by another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from api.bus.local import Listener, LocalBus

POLL_S = 0.1

Errand = Callable[[frozenset[str]], Awaitable[None]]


class FunctionBus(LocalBus):
    """Wake-ups of one process of the cloud."""

    def __init__(self) -> None:
        super().__init__()
        self._errand: Errand | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def attend(self, errand: Errand) -> None:
        """Call *errand* with the names of every wake-up; it must not raise."""
        self._errand = errand

    def begin(self) -> None:
        """An event begins: whatever is kept in memory may be out of date."""
        for waiting in tuple(self.listeners.values()):
            for listener in tuple(waiting):
                listener.ring()

    def wake(self, names: Iterable[str], number: int | None = None) -> None:
        """Ring whoever waits here, and begin the errand."""
        woken = frozenset(names)
        self.ring(woken)
        if self._errand is not None and woken:
            task = asyncio.ensure_future(self._errand(woken))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def listen(self, *names: str, on_ring: Callable[[], None] | None = None) -> Listener:
        """A listener whose waits end every tenth of a second, as if it had been rung."""
        return _PollingListener(self, names, on_ring)

    async def finished(self) -> None:
        """Return when every errand is done, those that errands have begun included."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))


class _PollingListener(Listener):
    async def wait(self, timeout_s: float | None) -> bool:
        if timeout_s is not None and timeout_s <= POLL_S:
            return await super().wait(timeout_s)
        await super().wait(POLL_S)
        return True

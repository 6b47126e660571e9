"""The bus of one process: wake-ups by name, without any service.

`wake` tells everybody in this process who waits for one of the names; whoever wakes reads the rows.
Losing a wake-up costs time and never data.
"""

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol


class Bus(Protocol):
    """What rooms need of a bus."""

    def wake(self, names: Iterable[str]) -> None:
        """Wake everybody who listens to one of *names*."""

    def listen(self, *names: str, on_ring: Callable[[], None] | None = None) -> "Listener":
        """A listener to *names*; use it as a context manager. *on_ring* is called at once."""


class Listener:
    """One waiter. It remembers a wake-up that came between two waits; many count as one."""

    def __init__(
        self, bus: "LocalBus", names: tuple[str, ...], on_ring: Callable[[], None] | None
    ) -> None:
        self._bus = bus
        self._names = names
        self._on_ring = on_ring
        self._event = asyncio.Event()

    def __enter__(self) -> "Listener":
        for name in self._names:
            self._bus.listeners.setdefault(name, set()).add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in self._names:
            waiting = self._bus.listeners.get(name, set())
            waiting.discard(self)
            if not waiting:
                self._bus.listeners.pop(name, None)

    def ring(self) -> None:
        """Wake this waiter."""
        self._event.set()
        if self._on_ring is not None:
            self._on_ring()

    @property
    def rang(self) -> bool:
        """Whether a wake-up came that nobody has waited for or taken."""
        return self._event.is_set()

    def take(self) -> bool:
        """Like `rang`, and forget the wake-up; never waits."""
        rang = self._event.is_set()
        self._event.clear()
        return rang

    async def wait(self, timeout_s: float | None) -> bool:
        """True after a wake-up, False when *timeout_s* seconds have passed; None waits for ever."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class LocalBus:
    """The in-process bus."""

    def __init__(self) -> None:
        self.listeners: dict[str, set[Listener]] = {}

    def wake(self, names: Iterable[str]) -> None:
        """Wake everybody who listens to one of *names*; unknown names are nobody's."""
        for name in names:
            for listener in tuple(self.listeners.get(name, ())):
                listener.ring()

    def listen(self, *names: str, on_ring: Callable[[], None] | None = None) -> Listener:
        """A listener to *names*."""
        return Listener(self, names, on_ring)

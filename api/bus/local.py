"""The bus of one process: wake-ups by name, without any service.

`wake` tells everybody in this process who waits for one of the names; whoever wakes reads the rows.
Losing a wake-up costs time and never data.
"""

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol

#: Called with the key and the payload that another process told.
OnLive = Callable[[str, bytes], None]


class Bus(Protocol):
    """What rooms need of a bus."""

    @property
    def is_shared(self) -> bool:
        """Whether other processes are on it."""

    @property
    def is_open(self) -> bool:
        """Whether it reaches the others now, as far as is known."""

    @property
    def has_been_open(self) -> bool:
        """Whether it has ever reached them."""

    @property
    def origin(self) -> str:
        """Who this process is on it; empty where nobody else is."""

    def wake(self, names: Iterable[str], number: int | None = None) -> None:
        """Wake everybody who listens to one of *names*, here and in other processes.

        *number*: the outbox row in which the same names stand, for others who miss this.
        """

    def ring(self, names: Iterable[str]) -> None:
        """Wake the listeners to *names* in this process only."""

    def listen(self, *names: str, on_ring: Callable[[], None] | None = None) -> "Listener":
        """A listener to *names*; use it as a context manager. *on_ring* is called at once."""

    def live(self, key: str, payload: bytes) -> None:
        """Tell other processes the newest of *key* (JSON): lossy, the latest wins."""

    def on_live(self, told: OnLive) -> None:
        """Call *told* with what other processes tell by `live`."""

    async def start(self) -> None:
        """Begin to talk with other processes; returns at once."""

    async def stop(self) -> None:
        """Say what is left to say, within a second, and stop."""


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

    @property
    def is_shared(self) -> bool:
        """Nobody else is on it."""
        return False

    @property
    def is_open(self) -> bool:
        """There is nobody to lose."""
        return True

    @property
    def has_been_open(self) -> bool:
        """Nor to find."""
        return True

    @property
    def origin(self) -> str:
        """Nobody needs to know."""
        return ""

    def wake(self, names: Iterable[str], number: int | None = None) -> None:
        """Wake everybody who listens to one of *names*; unknown names are nobody's."""
        self.ring(names)

    def ring(self, names: Iterable[str]) -> None:
        """Wake the listeners to *names*."""
        for name in names:
            for listener in tuple(self.listeners.get(name, ())):
                listener.ring()

    def listen(self, *names: str, on_ring: Callable[[], None] | None = None) -> Listener:
        """A listener to *names*."""
        return Listener(self, names, on_ring)

    def live(self, key: str, payload: bytes) -> None:
        """There is nobody to tell."""

    def on_live(self, told: OnLive) -> None:
        """Nobody will tell anything."""

    async def start(self) -> None:
        """There is nobody to talk with."""

    async def stop(self) -> None:
        """Nothing is left to say."""

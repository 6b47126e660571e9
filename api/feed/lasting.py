"""What lives as long as somebody uses it: made for the first user, ended after the last."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(slots=True)
class _Kept(Generic[T]):
    thing: T
    life: AsyncExitStack
    users: int = 0


class Lasting(Generic[K, T]):
    """Things by key. *make* begins one, and ends it when it is left."""

    def __init__(self, make: Callable[[K], AbstractAsyncContextManager[T]]) -> None:
        self._make = make
        self._kept: dict[K, _Kept[T]] = {}
        self._making = asyncio.Lock()

    def get(self, key: K) -> T | None:
        """The thing, if somebody uses it."""
        kept = self._kept.get(key)
        return kept.thing if kept is not None else None

    @asynccontextmanager
    async def hold(self, key: K) -> AsyncIterator[T]:
        """Use the thing; it lives at least until this is left. Raises what *make* raises."""
        async with self._making:
            kept = self._kept.get(key)
            if kept is None:
                life = AsyncExitStack()
                kept = _Kept(await life.enter_async_context(self._make(key)), life)
                self._kept[key] = kept
            kept.users += 1
        try:
            yield kept.thing
        finally:
            kept.users -= 1
            if not kept.users:
                del self._kept[key]
                await kept.life.aclose()

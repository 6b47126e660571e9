"""How often somebody may ask or guess, in rows: the same in every process and after a restart.

A try counts from its beginning and is taken back when it was right, so a burst of guesses in one
moment is bounded too (safety S57).
"""

from datetime import timedelta

from api.clock import Clock
from api.errors import TooMany
from api.events.service import Ledger
from api.pairing.models import PairingTry

KEPT = timedelta(minutes=15)  # longer than every window


class Tries:
    """Tries of one *kind*: up to *limit* for a key within a sliding *window*."""

    def __init__(
        self, kind: str, limit: int, window: timedelta, *, ledger: Ledger, clock: Clock
    ) -> None:
        self._kind = kind
        self._limit = limit
        self._window = window
        self._ledger = ledger
        self._clock = clock

    async def begin(self, key: str) -> PairingTry:
        """*key* tries. Raises `TooMany`, which says when it may again."""
        async with self._ledger.change():
            return await self.begin_in(key)

    async def begin_in(self, key: str) -> PairingTry:
        """The same inside the caller's transaction: a try that is rolled back does not count."""
        now = self._clock.now()
        await PairingTry.filter(at__lt=now - KEPT).delete()
        recent = PairingTry.filter(kind=self._kind, key=key[:64], at__gt=now - self._window)
        rows = await recent.order_by("-at").limit(self._limit)
        if len(rows) >= self._limit:
            wait = rows[-1].at + self._window - now
            raise TooMany(
                "Too many tries from this address.", retry_after_s=int(wait.total_seconds()) + 1
            )
        return await PairingTry.create(kind=self._kind, key=key[:64], at=now)

    async def succeeded(self, one: PairingTry) -> None:
        """It was right: take it back."""
        async with self._ledger.change():
            await one.delete()

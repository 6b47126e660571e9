"""Challenges that bridges sign (room link contract, "Identity"): one use, a minute long.

Written one statement at a time, beside the ledger: each stands or falls alone, nobody waits for a
nonce, and a thousand rooms that come back at once do not queue for the one writer.
"""

import secrets
from datetime import timedelta

from api.bridges.keys import digest
from api.bridges.models import Nonce
from api.clock import Clock
from api.errors import TooMany

NONCE_S = 60
MAX_NONCES = 100  # outstanding for one bridge; more is a loop or an attack
SWEEP_EVERY_S = 10.0


class Nonces:
    """The challenges that are outstanding, as hashes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._swept_at = float("-inf")

    async def make(self, uid: str) -> str:
        """A challenge for the bridge *uid*. Raises `TooMany` when too many are outstanding."""
        now = self._clock.now()
        await self._sweep()
        if await Nonce.filter(bridge_uid=uid, expires_at__gte=now).count() >= MAX_NONCES:
            raise TooMany("Too many connection attempts; wait a minute.")
        nonce = secrets.token_urlsafe(32)
        await Nonce.create(
            bridge_uid=uid, sha256=digest(nonce), expires_at=now + timedelta(seconds=NONCE_S)
        )
        return nonce

    async def use(self, uid: str, nonce: str) -> bool:
        """Whether *nonce* was outstanding for *uid*; it is not any more."""
        now = self._clock.now()
        mine = Nonce.filter(bridge_uid=uid, sha256=digest(nonce), expires_at__gte=now)
        return await mine.delete() > 0

    async def _sweep(self) -> None:
        if self._clock.monotonic() - self._swept_at >= SWEEP_EVERY_S:
            self._swept_at = self._clock.monotonic()
            await Nonce.filter(expires_at__lt=self._clock.now()).delete()

"""Challenges that bridges sign (room link contract, "Identity"): one use, a minute long.

Each is one statement beside the ledger, which stands or falls alone: nobody waits for a nonce, and
a thousand rooms that come back at once do not queue for the one writer.
"""

import secrets
from datetime import timedelta

from api.bridges.keys import digest
from api.bridges.models import Nonce
from api.clock import Clock
from api.errors import TooMany
from api.spelled import ask

NONCE_S = 60
MAX_NONCES = 100  # outstanding for one bridge; more is a loop or an attack
SWEEP_EVERY_S = 10.0

# Written by hand: whether the bridge exists and has few enough is asked in the same statement.
_KEEP = """
INSERT INTO nonce (bridge_uid, sha256, expires_at)
SELECT bridge.uid, $2, $3 FROM bridge WHERE bridge.uid = $1 AND (
    SELECT COUNT(*) FROM nonce AS mine WHERE mine.bridge_uid = $1 AND mine.expires_at >= $4
) < $5
RETURNING id
"""
_USE = "DELETE FROM nonce WHERE bridge_uid = $1 AND sha256 = $2 AND expires_at >= $3 RETURNING id"


class Nonces:
    """The challenges that are outstanding, as hashes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._swept_at = float("-inf")

    async def make(self, uid: str) -> str:
        """A challenge for *uid*; for a bridge that does not exist it is kept nowhere.

        Raises `TooMany` when too many of the bridge are outstanding.
        """
        now = self._clock.now()
        await self._sweep()
        nonce = secrets.token_urlsafe(32)
        expires_at = now + timedelta(seconds=NONCE_S)
        kept = await _done(_KEEP, uid, digest(nonce), expires_at, now, MAX_NONCES)
        if not kept and await Nonce.filter(bridge_uid=uid, expires_at__gte=now).exists():
            raise TooMany("Too many connection attempts; wait a minute.")
        return nonce

    async def use(self, uid: str, nonce: str) -> bool:
        """Whether *nonce* was outstanding for *uid*; it is not any more."""
        return await _done(_USE, uid, digest(nonce), self._clock.now())

    async def _sweep(self) -> None:
        if self._clock.monotonic() - self._swept_at >= SWEEP_EVERY_S:
            self._swept_at = self._clock.monotonic()
            await Nonce.filter(expires_at__lt=self._clock.now()).delete()


async def _done(statement: str, *values: object) -> bool:
    """Whether *statement* has touched a row."""
    return bool(await ask(statement, *values))

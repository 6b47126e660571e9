"""Tokens with which bridges fetch files (room link contract, "Identity").

A day long, renewed after half of it; the one before works on until its own end, so a transfer that
is under way is never cut by the renewal. Kept as hashes.
"""

import hmac
import secrets
from datetime import datetime, timedelta

from api.bridges.keys import digest
from api.bridges.models import Bridge
from api.clock import Clock
from api.errors import NotAuthenticated
from api.events.service import Ledger
from api.spelled import Rows
from schemas.link import BulkToken

BULK_TOKEN_S = 24 * 3600
UID_LENGTH = 26

_BY_UID = Rows(Bridge, "uid = $1")


class BulkTokens:
    """The file tokens of the rooms."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def is_old(self, bridge: Bridge) -> bool:
        """Whether half the life of *bridge*'s token is over."""
        half = timedelta(seconds=BULK_TOKEN_S / 2)
        ends = bridge.bulk_expires_at
        return ends is None or ends - self._clock.now() <= half

    async def renew(self, bridge: Bridge) -> BulkToken | None:
        """A fresh token when half the life of *bridge*'s is over, else None."""
        if not self.is_old(bridge):
            return None
        now = self._clock.now()
        token = fresh(bridge)
        async with self._ledger.change():
            row = await Bridge.get(id=bridge.id)
            await Bridge.filter(id=bridge.id).update(**columns(row, token, now))
        return BulkToken(token=token, life_s=BULK_TOKEN_S)

    async def owner(self, secret: str) -> Bridge:
        """The bridge that may fetch files with *secret*. Raises `NotAuthenticated`."""
        bridge = await by_uid(secret.partition(".")[0])
        if bridge is not None:
            hashed, now = digest(secret), self._clock.now()
            for kept, ends in (
                (bridge.bulk_sha256, bridge.bulk_expires_at),
                (bridge.previous_bulk_sha256, bridge.previous_bulk_expires_at),
            ):
                if hmac.compare_digest(kept, hashed) and ends is not None and now < ends:
                    return bridge
        raise NotAuthenticated("This file token is not valid; a new one comes with the next link.")


def fresh(bridge: Bridge) -> str:
    """A new token of *bridge*, kept nowhere yet."""
    return f"{bridge.uid}.{secrets.token_urlsafe(32)}"


def columns(row: Bridge, token: str, now: datetime) -> dict[str, object]:
    """The columns when *token* replaces the current one, which works on until its end."""
    return {
        "bulk_sha256": digest(token),
        "bulk_expires_at": now + timedelta(seconds=BULK_TOKEN_S),
        "previous_bulk_sha256": row.bulk_sha256,
        "previous_bulk_expires_at": row.bulk_expires_at,
    }


async def by_uid(uid: str) -> Bridge | None:
    """The bridge that calls itself *uid* on the link, revoked or not; None for anything else."""
    return await _BY_UID.first(uid) if len(uid) <= UID_LENGTH else None

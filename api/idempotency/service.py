"""Idempotency-Key: of many calls with one key at most one is carried out (v1 contract, 1.6).

The claim is a committed row before the call is carried out, and it is marked *committed* in the
very transaction of the call. So whatever crashes in between, in whichever process, leaves one of
three truths: nothing was done (the claim is given up after `STUCK_AFTER`), it was done and its
answer is kept, or it was done and the answer is lost, which the next caller is told. Between its
commit and its answer a call is still in progress; one that never answers is lost `STUCK_AFTER`.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ulid import ULID

from api.clock import Clock
from api.db import set_apart
from api.errors import Conflict, TooMany
from api.events.service import Ledger
from api.idempotency.models import Claim
from api.principal import Principal

__all__ = ["Claim", "Idempotency", "Kept"]

KEPT_FOR = timedelta(hours=24)
STUCK_AFTER_MIN = 15
STUCK_AFTER = timedelta(minutes=STUCK_AFTER_MIN)
#: So many keys of one user are remembered at a time; more are refused until some are a day old.
MAX_KEYS = 20_000


class ClaimState(StrEnum):
    """How far the call of a key came."""

    RUNNING = "running"  # nothing is committed yet
    COMMITTED = "committed"  # it was carried out and has not been answered yet, or a crash hit it
    UNKEPT = "unkept"  # it was carried out; its answer was not kept and never will be
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer of the first call."""

    status: int
    media: str
    body: str


class Idempotency:
    """The keys of all users."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def claim(self, by: Principal, key: str, request_sha256: str) -> Claim | Kept:
        """The right to carry the call out, or the answer that it had.

        Raises `Conflict`: ``idempotency_authz_changed``, ``idempotency_conflict`` (another request
        came with this key), ``idempotency_in_progress``, ``idempotency_uncacheable_success``.
        """
        key_sha256 = hashlib.sha256(key.encode()).hexdigest()
        now = self._clock.now()
        with set_apart():
            async with self._ledger.change(by.organization_id):
                await Claim.filter(expires_at__lte=now).delete()
                found = await Claim.filter(user_id=by.user_id, key_sha256=key_sha256).first()
                is_stuck = found is not None and found.claimed_at <= now - STUCK_AFTER
                if found is not None and is_stuck and found.state == ClaimState.RUNNING:
                    await found.delete()
                    found = None
                if found is None:
                    return await self._new(by, key_sha256, request_sha256)
        return _answer_of(found, request_sha256, _authz(by), is_stuck=is_stuck)

    async def _new(self, by: Principal, key_sha256: str, request_sha256: str) -> Claim:
        if await Claim.filter(user_id=by.user_id).count() >= MAX_KEYS:
            raise TooMany(f"{MAX_KEYS} keys of the last 24 hours are remembered already.")
        now = self._clock.now()
        return await Claim.create(
            organization_id=by.organization_id,
            user_id=by.user_id,
            key_sha256=key_sha256,
            request_sha256=request_sha256,
            authz_sha256=_authz(by),
            state=ClaimState.RUNNING,
            run=str(ULID.from_datetime(now)),
            claimed_at=now,
            expires_at=now + KEPT_FOR,
        )

    async def mark_committed(self, claim: Claim) -> None:
        """In the transaction of the call: from its commit on it has been carried out.

        What the call commits after its answer (a task that it left behind) changes nothing.
        """
        rows = Claim.filter(id=claim.id, run=claim.run, state=ClaimState.RUNNING)
        await rows.update(state=ClaimState.COMMITTED)

    async def keep(self, claim: Claim, answer: Kept | None) -> None:
        """The call succeeded. None: its answer cannot be kept."""
        values: dict[str, object] = {"state": ClaimState.UNKEPT}
        if answer is not None:
            kept = {"status": answer.status, "media": answer.media, "body": answer.body}
            values = {"state": ClaimState.KEPT, **kept}
        with set_apart():
            async with self._ledger.change(claim.organization_id):
                await Claim.filter(id=claim.id, run=claim.run).update(**values)

    async def free(self, claim: Claim, *, refused: bool) -> None:
        """The key may be used again. *refused*: the call was answered with a refusal; else it
        broke down, and the key stays if something had been committed.
        """
        rows = Claim.filter(id=claim.id, run=claim.run)
        with set_apart():
            async with self._ledger.change(claim.organization_id):
                if not refused:
                    await rows.filter(state=ClaimState.COMMITTED).update(state=ClaimState.UNKEPT)
                    rows = rows.filter(state=ClaimState.RUNNING)
                await rows.delete()


def _answer_of(found: Claim, request_sha256: str, authz_sha256: str, *, is_stuck: bool) -> Kept:
    if found.authz_sha256 != authz_sha256:
        raise Conflict(
            "Your role, organization or scopes are not those of the first call with this key.",
            code="idempotency_authz_changed",
        )
    if found.request_sha256 != request_sha256:
        raise Conflict(
            "This key came with another request before. Use a new key for a new request.",
            code="idempotency_conflict",
        )
    if found.state == ClaimState.RUNNING:
        raise Conflict(
            "The first call with this key has not been answered yet; ask again soon. Should its "
            f"process have died, the key is free {STUCK_AFTER_MIN} minutes after that call.",
            code="idempotency_in_progress",
        )
    if found.state == ClaimState.COMMITTED and not is_stuck:
        raise Conflict(
            "The first call with this key was carried out and is not answered yet; ask again soon, "
            "or look at what it did.",
            code="idempotency_in_progress",
        )
    if found.state != ClaimState.KEPT or found.status is None:
        raise Conflict(
            "The first call with this key was carried out, but its answer was not kept. Look at "
            "what it did; a new key would do it again.",
            code="idempotency_uncacheable_success",
        )
    return Kept(found.status, found.media, found.body)


def _authz(by: Principal) -> str:
    """Everything that decides what a caller may do."""
    reach = (
        *(by.organization_id, by.role, by.is_superadmin, by.printer_id),
        *sorted(by.scopes),
    )
    return hashlib.sha256(json.dumps(reach).encode()).hexdigest()
